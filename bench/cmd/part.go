package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/pflag"

	"drydock/bench/floor"
	"drydock/bench/kv"
	"drydock/bench/report"
	nodecmd "drydock/node/cmd"
	"drydock/node/ui"
)

// part is a kind of benchmark as its own command and bench all run it.
type part struct {
	kind  string
	flags *pflag.FlagSet
	// selects are flags that say which figures there are, and how many rounds.
	selects []string
	// check looks at the flags before anything is measured.
	check func(context.Context) error
	// attach puts an empty result with its flags into a file.
	attach func(*report.File, report.Flags)
	// run measures, and fills the result that was attached, as far as it came.
	run func(context.Context, *report.File) error
	// text prints what was measured for people, lines for programs.
	text  func()
	lines func() error
}

// selecting are flags of every kind that say how many rounds there are, and in which
// order; aside are those that no figure depends on: where files are, what is printed,
// and what the cases name themselves.
var (
	selecting = []string{"rounds", "trials", "seeds", "pairs", "kills", "stops"}
	aside     = []string{
		"dir", "memory-dir", "drydock", "json", "quick", "help", "cpuprofile", "peer", "trace", "failover",
		"output", "compare", "report", "anyway", "fail-on-regression", "tolerance", "all-changes",
	}
)

// settings are the flags as a file keeps them.
func (p *part) settings() report.Flags {
	f := report.Flags{Settings: make(map[string]string), Selection: make(map[string]string)}
	p.flags.VisitAll(func(flag *pflag.Flag) {
		switch {
		case slices.Contains(aside, flag.Name):
		case slices.Contains(p.selects, flag.Name) || slices.Contains(selecting, flag.Name):
			f.Selection[flag.Name] = flag.Value.String()
		default:
			f.Settings[flag.Name] = flag.Value.String()
		}
	})
	return f
}

// outputs are the flags that say what becomes of a run's figures.
type outputs struct {
	file, compare, html string
	anyway, fail, all   bool
	tolerance           float64

	old *report.File
}

// defaultTolerance is how much worse, in percent, a figure may be that is no
// regression.
const defaultTolerance = 5

func (u *outputs) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&u.file, "output", "o", "", "write all that was measured into a file, which --compare reads")
	u.addReading(f)
}

// addReading adds the flags that need no measurement.
func (u *outputs) addReading(f *pflag.FlagSet) {
	f.StringVar(&u.compare, "compare", "", "say what changed since an older file of --output")
	f.BoolVar(&u.anyway, "anyway", false, "with --compare: judge figures of another machine or other settings, too, and mark them")
	f.BoolVar(&u.all, "all-changes", false, "with --compare: print every figure, not only those that changed")
	f.BoolVar(&u.fail, "fail-on-regression", false, "with --compare: exit 1 if a figure is worse by more than --tolerance, with its whole interval")
	f.Float64Var(&u.tolerance, "tolerance", defaultTolerance, "how much worse, in percent, is no regression")
	f.StringVar(&u.html, "report", "", "draw all that was measured into one HTML file")
}

// load reads the older file and refuses what can't be compared, before an hour is spent.
func (u *outputs) load(env *ui.Env, draft *report.File) error {
	if u.compare == "" {
		if u.anyway || u.fail || u.all {
			return errors.New("--anyway, --all-changes and --fail-on-regression need --compare")
		}
		return nil
	}
	if u.tolerance < 0 {
		return fmt.Errorf("--tolerance: %v, want at least 0", u.tolerance)
	}
	f, err := readFile(u.compare)
	if err != nil {
		return fmt.Errorf("--compare: %w", err)
	}
	u.old = f
	if u.anyway {
		return nil
	}
	if list := draft.Machine.Differs(f.Machine); len(list) > 0 {
		d := list[0]
		return fmt.Errorf("--compare: %s is of another machine: %s was %q, is %q; --anyway compares still, and marks what it says", u.compare, d.What, d.Old, d.New)
	}
	differ := report.SettingsDiffer(draft, f)
	for _, kind := range slices.Sorted(maps.Keys(differ)) {
		for _, d := range differ[kind] {
			fmt.Fprintf(env.Stderr, "--compare: %s won't be judged, its settings differ: %s was %q, is %q\n", kind, d.What, d.Old, d.New)
		}
	}
	return nil
}

func readFile(name string) (_ *report.File, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	file, err := report.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

// session is a run of parts.
type session struct {
	env   *ui.Env
	name  string // of the command, for errors
	parts []*part
	out   *outputs
	json  bool
	quick bool
	// whole says that it is bench all: one file, with floors, and a summary.
	whole bool
	dir   string // where data is kept
	floor time.Duration
}

// run checks, measures, and does with the figures what was asked for.
func (s *session) run(ctx context.Context) error {
	for _, p := range s.parts {
		if err := p.check(ctx); err != nil {
			return ui.Exit(ui.Usage, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	file := &report.File{
		Schema: report.Schema, Product: nodecmd.Revision(), Began: time.Now().UTC().Truncate(time.Second), Quick: s.quick,
		Machine: report.ThisMachine(kv.DiskName(s.dir)),
	}
	draft := *file
	for _, p := range s.parts {
		p.attach(&draft, p.settings())
	}
	if err := s.out.load(s.env, &draft); err != nil {
		return ui.Exit(ui.Usage, fmt.Errorf("%s: %w", s.name, err))
	}
	failed := s.measure(ctx, file)
	file.Ended, file.Machine.After = time.Now().UTC().Truncate(time.Second), report.PressureNow()
	written := s.write(file)
	switch {
	case ctx.Err() != nil:
		return ui.Exit(ui.Interrupted, errors.Join(fmt.Errorf("%s: interrupted; what was measured until then is written", s.name), exitless(written)))
	case failed != nil:
		return ui.Exit(ui.WorldFailed, errors.Join(fmt.Errorf("%s: %w", s.name, failed), exitless(written)))
	}
	return written
}

// exitless is an error that joins another, whose exit code wins.
func exitless(err error) error {
	if err == nil || err.Error() == "" {
		return nil
	}
	return errors.New(err.Error())
}

// measure runs the parts. One that fails doesn't keep the others from it.
func (s *session) measure(ctx context.Context, file *report.File) error {
	if s.whole && s.floor > 0 {
		f, err := floor.Measure(ctx, s.dir, s.floor)
		if err != nil {
			return err
		}
		file.Floor = &f
	}
	var errs []error
	for i, p := range s.parts {
		if ctx.Err() != nil {
			file.Break(p.kind, "interrupted before it began")
			continue
		}
		if s.whole {
			fmt.Fprintf(s.env.Stderr, "%s: %d of %d: %s\n", s.name, i+1, len(s.parts), p.kind)
		}
		p.attach(file, p.settings())
		err := p.run(ctx, file)
		switch {
		case ctx.Err() != nil:
			file.Break(p.kind, "interrupted")
		case err != nil:
			file.Break(p.kind, err.Error())
			errs = append(errs, fmt.Errorf("%s: %w", p.kind, err))
		}
	}
	return errors.Join(errs...)
}

// write prints and stores what was measured.
func (s *session) write(file *report.File) error {
	compared, err := s.out.compared(file)
	if err != nil {
		return ui.Exit(ui.WorldFailed, err)
	}
	if s.out.file != "" {
		if err := toFile(s.out.file, file.Encode); err != nil {
			return ui.Exit(ui.WorldFailed, fmt.Errorf("--output: %w", err))
		}
	}
	if err := s.print(file, compared); err != nil {
		return ui.Exit(ui.WorldFailed, err)
	}
	return s.out.finish(s.env, file, compared, s.json)
}

// print writes to stdout.
func (s *session) print(file *report.File, compared *report.Comparison) error {
	switch {
	case s.json && s.whole:
		file.Comparison = compared
		return file.Encode(s.env.Stdout)
	case s.json:
		for _, p := range s.parts {
			if err := p.lines(); err != nil {
				return err
			}
		}
		if compared != nil {
			return json.NewEncoder(s.env.Stdout).Encode(map[string]*report.Comparison{"comparison": compared})
		}
		return nil
	}
	for i, p := range s.parts {
		if i > 0 {
			fmt.Fprint(s.env.Stdout, "\n\n")
		}
		p.text()
	}
	if s.whole {
		fmt.Fprint(s.env.Stdout, "\n\n")
		file.WriteSummary(s.env)
	}
	return nil
}

// compared is what --compare says, nil without it.
func (u *outputs) compared(file *report.File) (*report.Comparison, error) {
	if u.old == nil {
		return nil, nil
	}
	return report.Compare(file, u.old, u.anyway)
}

// finish draws the page, and prints the comparison unless it is printed already; its
// error asks for the exit code of a regression.
func (u *outputs) finish(env *ui.Env, file *report.File, compared *report.Comparison, printed bool) error {
	if u.html != "" {
		draw := func(w io.Writer) error { return report.HTML(w, file, compared) }
		if err := toFile(u.html, draw); err != nil {
			return ui.Exit(ui.WorldFailed, fmt.Errorf("--report: %w", err))
		}
	}
	if compared == nil {
		return nil
	}
	if !printed {
		fmt.Fprint(env.Stdout, "\n\n")
		compared.Write(env, u.all)
	}
	if list := compared.Regressions(u.tolerance); u.fail && len(list) > 0 {
		return ui.Exit(ui.Violated, fmt.Errorf("%d figures are worse by more than %g%%, first: %s, %s %s", len(list), u.tolerance, list[0].Case, list[0].System, list[0].Measure))
	}
	return nil
}

// toFile writes a whole file, or none.
func toFile(name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return renameio.WriteFile(name, b.Bytes(), 0o644)
}
