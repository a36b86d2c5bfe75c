package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"

	"drydock/node/ui"
	"drydock/scenarios"
)

func main() { os.Exit(runProgram(ui.OSEnv())) }

// options are the flags.
type options struct {
	tree, only, area, scenarios string
	budget                      time.Duration
	jobs                        int
	seeds                       uint64
	json, quiet, list, fit      bool
}

// runProgram is the whole program but for the process around it.
func runProgram(env *ui.Env) int {
	o, err := parse(env)
	if errors.Is(err, flag.ErrHelp) {
		return ui.Held
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		var code int
		if code, err = o.work(ctx, env); err == nil {
			return code
		}
	}
	fmt.Fprintln(env.Stderr, err)
	return ui.Code(err)
}

// parse reads the flags.
func parse(env *ui.Env) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("mutants", flag.ContinueOnError)
	f.SetOutput(env.Stderr)
	f.StringVar(&o.tree, "tree", ".", "root of the sources")
	f.StringVar(&o.only, "only", "", "hunt these mutants alone, by name, with commas")
	f.StringVar(&o.area, "area", "", "hunt the mutants of these areas alone: "+strings.Join(areas, ", "))
	f.StringVar(&o.scenarios, "scenarios", "", "hunt in these scenarios of the library alone, with commas")
	f.DurationVar(&o.budget, "budget", 30*time.Minute, "CPU time of all hunts together")
	f.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "how many mutants are hunted at once")
	f.Uint64Var(&o.seeds, "trace-seeds", 2, "seeds of each scenario whose traces show whether a mutant is reached")
	f.BoolVar(&o.json, "json", false, "write one JSON line a mutant and one for all, and nothing else, to stdout")
	f.BoolVar(&o.quiet, "quiet", false, "no progress on stderr")
	f.BoolVar(&o.list, "list", false, "list the catalogue and end")
	f.BoolVar(&o.fit, "fit", false, "see that every mutant compiles, hunt none")
	if err := f.Parse(env.Args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, ui.Exit(ui.Usage, err)
	}
	if f.NArg() > 0 {
		return nil, ui.Usagef("unexpected argument %q", f.Arg(0))
	}
	if o.jobs < 1 || o.budget <= 0 || o.seeds < 1 {
		return nil, ui.Usagef("--jobs, --budget and --trace-seeds must be more than nothing")
	}
	return o, nil
}

// choose returns the mutants that are asked for.
func (o *options) choose() ([]mutant, error) {
	list := catalogue()
	for _, area := range split(o.area) {
		if !slices.Contains(areas, area) {
			return nil, ui.Usagef("--area: no %q; there are: %s", area, strings.Join(areas, ", "))
		}
	}
	if wanted := split(o.area); len(wanted) > 0 {
		list = slices.DeleteFunc(list, func(m mutant) bool { return !slices.Contains(wanted, m.Area) })
	}
	wanted := split(o.only)
	for _, name := range wanted {
		if !slices.ContainsFunc(list, func(m mutant) bool { return m.Name == name }) {
			return nil, ui.Usagef("--only: no mutant is called %q; see --list", name)
		}
	}
	if len(wanted) > 0 {
		list = slices.DeleteFunc(list, func(m mutant) bool { return !slices.Contains(wanted, m.Name) })
	}
	return list, nil
}

// library returns the scenarios to hunt in; the example shows keys and is left
// out.
func (o *options) library() ([]string, error) {
	names := slices.DeleteFunc(scenarios.Names(), func(name string) bool { return name == "example" })
	wanted := split(o.scenarios)
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			return nil, ui.Usagef("--scenarios: the library has no %q", name)
		}
	}
	if len(wanted) > 0 {
		return wanted, nil
	}
	return names, nil
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// work does what the flags ask for.
func (o *options) work(ctx context.Context, env *ui.Env) (int, error) {
	chosen, err := o.choose()
	if err != nil {
		return 0, err
	}
	library, err := o.library()
	if err != nil {
		return 0, err
	}
	if o.list {
		return ui.Held, listCatalogue(env, chosen)
	}
	if err := checkRoot(o.tree); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "drydock-mutants-")
	if err != nil {
		return 0, ui.Exit(ui.WorldFailed, err)
	}
	defer os.RemoveAll(dir)
	t, err := newTree(o.tree, dir)
	if err != nil {
		return 0, ui.Exit(ui.WorldFailed, err)
	}
	width := 0
	for i := range chosen {
		width = max(width, len(chosen[i].Name))
	}
	progress := ui.NewProgress(env, o.quiet || o.json, time.Now)
	c := &campaign{
		mutants: chosen, budget: o.budget, jobs: o.jobs, seeds: o.seeds,
		build: t.build, drop: t.remove, probe: probeIn(t.src()), say: progress.Update,
		ended: func(h *hunt) {
			if !o.json {
				progress.Clear()
				h.line(env.Stdout, width)
			}
		},
	}
	if o.fit {
		c.build = t.compilePackages
		return c.fit(ctx, env)
	}
	err = c.run(ctx, library)
	progress.Clear()
	if err != nil && ctx.Err() == nil {
		return 0, ui.Exit(ui.WorldFailed, err)
	}
	r := c.sum()
	if o.json {
		err = r.json(env.Stdout, c.hunts)
	} else {
		r.text(env.Stdout, c.hunts, o.budget)
	}
	if ctx.Err() != nil {
		// What was found so far has been told.
		return 0, ui.Exit(ui.Interrupted, errors.New("interrupted"))
	}
	return r.code(), err
}

// listCatalogue writes the mutants without hunting them.
func listCatalogue(env *ui.Env, list []mutant) error {
	t := ui.NewTable(env.Stdout)
	t.Row("mutant", "area", "expected", "fault")
	for _, m := range list {
		expected := m.Checker
		if m.Null {
			expected = "-"
		}
		t.Row(m.Name, m.Area, expected, m.Fault)
	}
	t.Flush()
	return nil
}
