package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios/checker"
	"drydock/scenarios/report"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
)

const (
	// maxPages bounds how many failures of many runs get a page.
	maxPages = 20
	// maxTraceEvents bounds the messages, and the disk jobs, of a trace file.
	maxTraceEvents = 200_000
)

// outputs are the files that run leaves besides what it prints.
type outputs struct {
	page, trace, junit string
	github             bool
}

func (o *outputs) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.page, "report", "", "write a page: F.html for one run, or for the worst of many; or a folder, for a page of each failure")
	f.StringVar(&o.trace, "trace", "", "write the run's timeline to this file, for Perfetto and other viewers of Chrome's trace format")
	f.StringVar(&o.junit, "junit", "", "write all verdicts to this file, as JUnit's XML")
	f.BoolVar(&o.github, "github", false, "annotate failures for GitHub Actions, and add to $GITHUB_STEP_SUMMARY")
}

// single says whether the page is one file.
func (o *outputs) single() bool {
	ext := strings.ToLower(filepath.Ext(o.page))
	return ext == ".html" || ext == ".htm"
}

// one writes what was asked for of a single run. The run is done again where
// that needs more of it than its verdict did.
func (o *outputs) one(ctx context.Context, env *ui.Env, w runner.World, s *scenario.Scenario, r *runner.Report, quiet bool) error {
	var errs []error
	full := r
	if o.page != "" && (o.single() || r.Verdict != checker.Held) || o.trace != "" {
		full = o.again(ctx, w, s, r)
	}
	if o.trace != "" {
		errs = append(errs, o.save(env, quiet, "trace", o.trace, func(out io.Writer) error { return report.Chrome(out, full) }))
	}
	switch {
	case o.page == "":
	case o.single():
		errs = append(errs, o.save(env, quiet, "report", o.page, report.FromRun(full).HTML))
	case r.Verdict != checker.Held:
		errs = append(errs, o.save(env, quiet, "report", o.file(r), report.FromRun(full).HTML))
	}
	return errors.Join(append(errs, o.verdicts(env, quiet, []*runner.Report{r}))...)
}

// many writes what was asked for of several runs: pages for those that failed,
// the worst first.
func (o *outputs) many(ctx context.Context, env *ui.Env, w runner.World, list []*scenario.Scenario, reports []*runner.Report, quiet bool) error {
	var errs []error
	for i, r := range o.chosen(reports) {
		if i == maxPages && !quiet {
			fmt.Fprintf(env.Stderr, "report     no pages for further failures than %d\n", maxPages)
		}
		if i >= maxPages || ctx.Err() != nil {
			break
		}
		name := o.page
		if !o.single() {
			name = o.file(r)
		}
		at := slices.IndexFunc(list, func(s *scenario.Scenario) bool { return s.File == r.File })
		full := r
		// What has no trace died with its process; it would take this one along.
		if at >= 0 && r.Trace != "" {
			full = o.again(ctx, w, list[at], r)
		}
		errs = append(errs, o.save(env, quiet, "report", name, report.FromRun(full).HTML))
	}
	return errors.Join(append(errs, o.verdicts(env, quiet, reports))...)
}

// chosen lists the reports that get a page.
func (o *outputs) chosen(reports []*runner.Report) []*runner.Report {
	if o.page == "" || len(reports) == 0 {
		return nil
	}
	bad := slices.DeleteFunc(slices.Clone(reports), func(r *runner.Report) bool { return r.Verdict == checker.Held })
	rank := func(r *runner.Report) int {
		if r.Verdict == checker.Violated {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(bad, func(a, b *runner.Report) int { return rank(a) - rank(b) })
	if !o.single() {
		return bad
	}
	return append(bad, reports[0])[:1]
}

// again runs r's run once more and returns a report with its recording; r
// itself if that came to nothing.
func (o *outputs) again(ctx context.Context, w runner.World, s *scenario.Scenario, r *runner.Report) *runner.Report {
	if r.Failed() || !runner.Repeats(w) {
		return r
	}
	var window *history.Window
	if win, ok := r.Window(); ok {
		window = &win
	}
	if o.trace != "" {
		window = &history.Window{Until: r.Simulated, Max: maxTraceEvents}
	}
	full := r.Rerun(ctx, w, runner.Spec{Scenario: s, Seed: r.Seed}, window)
	if full.Failed() {
		return r
	}
	return full
}

// file is where a run's page goes in the folder.
func (o *outputs) file(r *runner.Report) string {
	return filepath.Join(o.page, fmt.Sprintf("%s-%d.html", r.Scenario, r.Seed))
}

// verdicts writes what is about all runs.
func (o *outputs) verdicts(env *ui.Env, quiet bool, reports []*runner.Report) error {
	var errs []error
	if o.junit != "" {
		errs = append(errs, o.save(env, quiet, "junit", o.junit, func(w io.Writer) error { return report.JUnit(w, reports) }))
	}
	if o.github {
		// GitHub reads both streams; stdout may be somebody's JSON.
		errs = append(errs, report.Annotations(env.Stderr, reports))
		if name := env.Getenv("GITHUB_STEP_SUMMARY"); name != "" {
			errs = append(errs, extend(name, func(w io.Writer) error { return report.Summary(w, reports) }))
		}
	}
	return errors.Join(errs...)
}

// save writes a file and says so.
func (o *outputs) save(env *ui.Env, quiet bool, what, name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !quiet {
		fmt.Fprintf(env.Stderr, "%-10s %s\n", what, name)
	}
	return nil
}

// extend adds to the end of a file.
func extend(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// exit is the end of a command whose verdict has that code. A file that can't
// be written changes the code of a run that held, and no other.
func (o *outputs) exit(env *ui.Env, code int, wrote error) error {
	if wrote == nil {
		return ui.Exit(code, nil)
	}
	if code == ui.Held {
		return ui.Exit(ui.WorldFailed, wrote)
	}
	fmt.Fprintf(env.Stderr, "error: %v\n", wrote)
	return ui.Exit(code, nil)
}
