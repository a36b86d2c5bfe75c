package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios/checker"
	"drydock/scenarios/checker/linear"
	"drydock/scenarios/report"
	"drydock/sim/history"
	"drydock/sim/history/jepsen"
)

// The formats of check's input.
const (
	formatJSONL  = "jsonl"
	formatJepsen = "jepsen"
)

// checkOptions are check's flags.
type checkOptions struct {
	model, format string
	page          string
	timeout       time.Duration
	json, overlap bool
}

// NewCheck returns the command that judges a recorded history. Its errors carry
// the exit code: violated, usage (a bad call or file), unknown.
func NewCheck() *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Judge a recorded history, ours or another system's",
		Long: `Judge whether a recorded history is linearizable: whether one order of its
operations keeps real time and explains every answer. FILE is a history in JSON
Lines, as "drydock run --history" writes it and any system can, or with
--format jepsen a textual log of Jepsen's; - is standard input.

The least that a line of JSON needs:

  {"client":"c1","op":"put","key":"/a","value":"1","call":10,"return":20}
  {"client":"c2","op":"get","key":"/a","call":15,"return":30,"out":"1"}

Times are nanoseconds on one clock. "status":"unknown" is an operation without
an answer, which needs no return; "refused" one that certainly had no effect. An
answer's "revision", if the store gives one, makes the verdict quick.

Models:
  kv        get list put create update cas delete cad append, as etcd v2
  register  read write cas, a value for each key (the default for jepsen)
  lock      acquire release, a holder for each key
  queue     enqueue dequeue, first in, first out

Exit status: 0 held, 1 violated, 2 the call or the file was wrong, 3 unknown:
no order was found or ruled out in time.`,
		Example: `  drydock check run.jsonl
  drydock check --model lock --timeout 2m locks.jsonl
  drydock check --format jepsen --report jepsen.html jepsen.log
  drydock run --history - leader-crash | drydock check --json -`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return runCheck(c.InOrStdin(), c.OutOrStdout(), args[0], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "", "what the history is of: kv, register, lock or queue (default kv, for jepsen register)")
	f.StringVar(&o.format, "format", formatJSONL, "the file's format: jsonl or jepsen")
	f.DurationVar(&o.timeout, "timeout", linear.TimeoutDefault, "how long to search for an order")
	f.StringVar(&o.page, "report", "", "write a page that draws the history and what is wrong with it")
	f.BoolVar(&o.json, "json", false, "write one line of JSON, errors included")
	f.BoolVar(&o.overlap, "overlap", false, "let a client have several operations open at once (jsonl)")
	return c
}

// checkReport is what check found; with --json it is the output. Fields are
// only ever added.
type checkReport struct {
	File       string            `json:"file"`
	Format     string            `json:"format"`
	Model      string            `json:"model"`
	Verdict    checker.Status    `json:"verdict,omitempty"`
	Operations int               `json:"operations"`
	Clients    int               `json:"clients"`
	Answered   int               `json:"answered"`
	Refused    int               `json:"refused"`
	Unknown    int               `json:"unknown"`
	Checks     []checker.Verdict `json:"checks,omitempty"`
	Error      string            `json:"error,omitempty"`
}

func runCheck(in io.Reader, out io.Writer, file string, o checkOptions) error {
	if o.model == "" {
		o.model = string(linear.KV)
		if o.format == formatJepsen {
			o.model = string(linear.Register)
		}
	}
	r := checkReport{File: file, Format: o.format, Model: o.model}
	ops, err := readHistory(in, file, o)
	if err != nil {
		if o.json {
			r.Error = err.Error()
			return ui.Exit(ui.Usage, writeReport(out, r))
		}
		return ui.Exit(ui.Usage, err)
	}
	r.count(ops)
	r.judge(ops, o)
	if o.page != "" {
		if err := writePage(o, r, ops); err != nil {
			return ui.Exit(ui.WorldFailed, err)
		}
	}
	if o.json {
		err = writeReport(out, r)
	} else {
		err = printReport(out, r)
	}
	if err != nil {
		return ui.Exit(ui.WorldFailed, err)
	}
	return ui.Exit(exitCode(r.Verdict), nil)
}

// writePage draws the history.
func writePage(o checkOptions, r checkReport, ops []history.Op) error {
	f, err := os.Create(o.page)
	if err != nil {
		return err
	}
	repeat := fmt.Sprintf("drydock check --format %s --model %s %s", o.format, o.model, r.File)
	page := report.FromHistory(report.History{
		File: r.File, Model: r.Model, Ops: ops, Verdict: r.Verdict, Checks: r.Checks, Repeat: repeat,
	})
	return errors.Join(page.HTML(f), f.Close())
}

func exitCode(s checker.Status) int {
	switch s {
	case checker.Held:
		return ui.Held
	case checker.Violated:
		return ui.Violated
	}
	return ui.Unknown
}

// readHistory reads the file and makes sure that the model knows its
// operations.
func readHistory(in io.Reader, file string, o checkOptions) ([]history.Op, error) {
	if o.timeout <= 0 {
		return nil, fmt.Errorf("--timeout: must be above 0, not %v", o.timeout)
	}
	if err := linear.Fits(linear.Model(o.model), nil); err != nil {
		return nil, fmt.Errorf("--model: %q is none of %s", o.model, modelNames())
	}
	name := file
	if file == "-" {
		name = "stdin"
	} else {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	var ops []history.Op
	var err error
	switch o.format {
	case formatJSONL:
		_, ops, err = history.Decode(in, name, history.Options{Overlap: o.overlap})
	case formatJepsen:
		ops, err = jepsen.Read(in, name)
	default:
		return nil, fmt.Errorf("--format: %q is neither %s nor %s", o.format, formatJSONL, formatJepsen)
	}
	if err != nil {
		return nil, err
	}
	if err := linear.Fits(linear.Model(o.model), ops); err != nil {
		return nil, fmt.Errorf("%s: %w%s", name, err, modelHint(err))
	}
	return ops, nil
}

func modelNames() string {
	var names []string
	for _, m := range linear.Models() {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}

// modelHint names a model that would know the operation.
func modelHint(err error) string {
	var unfit *linear.UnfitError
	if !errors.As(err, &unfit) {
		return ""
	}
	for _, m := range linear.Models() {
		if linear.Fits(m, []history.Op{unfit.Op}) == nil {
			return fmt.Sprintf("; use --model %s", m)
		}
	}
	return ""
}

func (r *checkReport) count(ops []history.Op) {
	clients := map[string]bool{}
	for i := range ops {
		if ops[i].Kind == history.Expire {
			continue // no client asked for it
		}
		r.Operations++
		clients[ops[i].Client] = true
		switch ops[i].Status {
		case history.OK:
			r.Answered++
		case history.Refused:
			r.Refused++
		case history.Unknown:
			r.Unknown++
		}
	}
	r.Clients = len(clients)
}

// judge runs the checks that the history has operations for.
func (r *checkReport) judge(ops []history.Op, o checkOptions) {
	stale, firm := false, false
	for i := range ops {
		stale = stale || ops[i].Stale
		firm = firm || !ops[i].Stale
	}
	if firm || !stale {
		r.Checks = append(r.Checks, linear.Check(ops, linear.Options{Model: linear.Model(o.model), Timeout: o.timeout}))
	}
	if stale {
		r.Checks = append(r.Checks, linear.Stale(ops, linear.StaleOptions{}))
	}
	r.Verdict = checker.Held
	for _, v := range r.Checks {
		switch {
		case v.Status == checker.Violated:
			r.Verdict = checker.Violated
		case v.Status == checker.Unknown && r.Verdict == checker.Held:
			r.Verdict = checker.Unknown
		}
	}
}

func writeReport(out io.Writer, r checkReport) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// printReport writes the report for people: what was read, a line a check, the
// violated history at its smallest, the verdict.
func printReport(out io.Writer, r checkReport) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s   %s   %d operations of %d clients: %d answered, %d refused, %d unknown\n\n",
		r.File, r.Model, r.Operations, r.Clients, r.Answered, r.Refused, r.Unknown)
	t := ui.NewTable(&b)
	for _, v := range r.Checks {
		word := "  ok"
		if v.Status != checker.Held {
			word = "  " + string(v.Status)
		}
		if v.Status == checker.Violated {
			word = "  VIOLATED"
		}
		t.Row(word, v.Check, v.Summary, took(v.Took))
	}
	t.Flush()
	b.WriteString("\n")
	for _, v := range r.Checks {
		if v.Violation != nil {
			if err := checker.Render(&b, v); err != nil {
				return err
			}
			b.WriteString("\n")
		}
	}
	fmt.Fprintf(&b, "%s\n", r.Verdict)
	_, err := io.WriteString(out, b.String())
	return err
}

// took rounds a duration to what people want to know of it.
func took(d time.Duration) string {
	if d < time.Millisecond {
		return d.Round(time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
