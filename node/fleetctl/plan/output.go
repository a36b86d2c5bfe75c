package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drydock/node/ui"
)

// Options are the flags of plan.
type Options struct {
	// JSON writes a line of JSON a step instead of a table.
	JSON bool
	// Check has unplaced units at the end fail the command.
	Check bool
}

// Run reads a plan file, - for standard input, and writes what a cluster would
// do after each of its steps.
func Run(env *ui.Env, file string, o Options) error {
	text, err := readPlan(env, file)
	if err != nil {
		return inJSON(env, o, ui.Usagef("%v: is the path right?", err))
	}
	dir := filepath.Dir(file)
	p, err := parse(file, text, func(path string) ([]byte, error) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return os.ReadFile(path)
	})
	if err != nil {
		return inJSON(env, o, ui.Exit(ui.Usage, err))
	}
	tell(env, p.remarks)
	c := newCluster(p.machines)
	var last outcome
	for i, s := range p.steps {
		last = c.run(i+1, s)
		tell(env, c.remarks)
		c.remarks = nil
		if o.JSON {
			err = writeLine(env.Stdout, last)
		} else {
			err = writeStep(env.Stdout, s, last)
		}
		if err != nil {
			return ui.Exit(ui.WorldFailed, err)
		}
	}
	if waiting := c.waiting(last); o.Check && len(waiting) > 0 {
		return ui.Exit(ui.Violated, fmt.Errorf("not placed: %s", strings.Join(waiting, ", ")))
	}
	return nil
}

// failure is an error as --json writes it.
type failure struct {
	Error    string       `json:"error"`
	Problems []ui.Problem `json:"problems,omitempty"`
}

// inJSON writes an error as a line of JSON, too, if that is asked for.
func inJSON(env *ui.Env, o Options, err error) error {
	if !o.JSON {
		return err
	}
	f := failure{Error: err.Error()}
	var wrong *problems
	if errors.As(err, &wrong) {
		f = failure{Error: fmt.Sprintf("%d problems in the plan", len(wrong.list)), Problems: wrong.list}
	}
	enc := json.NewEncoder(env.Stdout)
	enc.SetEscapeHTML(false)
	if failed := enc.Encode(f); failed != nil {
		return ui.Exit(ui.WorldFailed, failed)
	}
	return err
}

func readPlan(env *ui.Env, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(env.Stdin)
	}
	return os.ReadFile(file)
}

func remark(at ui.Problem, format string, args ...any) ui.Problem {
	at.What = fmt.Sprintf(format, args...)
	return at
}

// tell writes remarks to stderr, where no program reads.
func tell(env *ui.Env, remarks []ui.Problem) {
	for _, p := range remarks {
		fmt.Fprintln(env.Stderr, "warning: "+p.Error())
	}
}

// waiting lists the units that should run after the last step and don't.
func (c *cluster) waiting(o outcome) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(o.Unplaced)) {
		if k := c.units[name]; k.desired != inactive || k.refused != "" {
			names = append(names, name)
		}
	}
	return names
}

func writeLine(out io.Writer, o outcome) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(o)
}

// writeStep writes what a step does, who moved, and where everything is.
func writeStep(out io.Writer, s step, o outcome) error {
	if o.Step > 1 {
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(out, "step %d: %s\n", o.Step, describe(s)); err != nil {
		return err
	}
	for _, m := range o.moves {
		if m.From != "" {
			to := m.To
			if to == "" {
				to = "nowhere"
			}
			if _, err := fmt.Fprintf(out, "  %s leaves %s for %s: %s\n", m.Unit, m.From, to, m.Why); err != nil {
				return err
			}
		}
	}
	names := slices.Collect(maps.Keys(o.Placed))
	names = slices.AppendSeq(names, maps.Keys(o.Global))
	names = slices.AppendSeq(names, maps.Keys(o.Unplaced))
	slices.Sort(names)
	t := ui.NewTable(out)
	t.Row("UNIT", "MACHINE", "WHY")
	for _, name := range slices.Compact(names) {
		machine, why := "-", o.Unplaced[name]
		if id, ok := o.Placed[name]; ok {
			machine = id
		}
		if ids := o.Global[name]; len(ids) > 0 {
			machine, why = strings.Join(ids, ","), "global"
		}
		t.Row(name, machine, why)
	}
	t.Flush()
	return nil
}

// describe writes a step on one line.
func describe(s step) string {
	var parts []string
	for i, o := range s.ops {
		what := o.name
		switch {
		case o.verb == preset:
			what += " on " + o.id
		case o.verb == meta && o.remove:
			what = o.id + " -" + o.key
		case o.verb == meta:
			what = o.id + " " + o.key + "=" + o.value
		case what == "":
			what = o.id
		}
		if i > 0 && s.ops[i-1].verb == o.verb {
			parts[len(parts)-1] += ", " + what
			continue
		}
		parts = append(parts, string(o.verb)+" "+what)
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}
