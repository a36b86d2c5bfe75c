package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/chaos"
	"drydock/node/ui"
	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/scenarios/shrink"
)

// tryFor bounds one run of a search by real time.
const tryFor = 20 * time.Second

// shrinkOptions are the flags of shrink.
type shrinkOptions struct {
	world   string
	runs    string
	out     string
	jobs    int
	timeout time.Duration
	quiet   bool
	force   bool
}

func newShrink(env *ui.Env, worlds []runner.World) *cobra.Command {
	var o shrinkOptions
	c := &cobra.Command{
		Use:   "shrink NAME@SEED|DIR|FILE",
		Short: "Find the smallest scenario that still fails in the same way",
		Long: `Find the smallest scenario that still fails in the same way as a recorded run, or
as a scenario file with its seed: the fewest faults, then a shorter run, fewer
members, clients, keys and kinds of operations. It is written as a scenario file
of its own that names its seed.

Keep it as a regression scenario by -o scenarios/regress/NAME.yaml: the tests run
all that are there.

Exit status: 0 a file was written; 1 it fails, but nothing smaller does; 2 the call
or a file was wrong; 3 it does not fail; 4 the world failed; 130 interrupted.`,
		Example: `  drydock shrink leader-crash@217
  drydock shrink --timeout 5m -o scenarios/regress/lost-vote.yaml swarm@17`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return shrinkFunc(c.Context(), env, worlds, &o, args[0])
		},
	}
	f := c.Flags()
	f.StringVar(&o.world, "world", firstWorld(worlds), "where to run: "+worldNames(worlds))
	f.StringVar(&o.runs, "recordings", runner.RunsDir, "where recordings are looked up")
	f.StringVarP(&o.out, "output", "o", "", "the file to write; absent: NAME-small.yaml")
	f.BoolVarP(&o.force, "force", "f", false, "replace the file if it exists")
	f.IntVarP(&o.jobs, "jobs", "j", runtime.NumCPU(), "worker processes")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "stop searching after this real time")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress on stderr")
	return c
}

// shrinkFunc runs what is named once, to learn how it fails and which faults
// struck, and then smaller ones in workers.
func shrinkFunc(ctx context.Context, env *ui.Env, worlds []runner.World, o *shrinkOptions, ref string) error {
	w, err := runner.FindWorld(worlds, o.world, "")
	if err != nil {
		return ui.Exit(ui.Usage, err)
	}
	if !runner.Repeats(w) {
		return unrepeatable(w)
	}
	if o.jobs < 1 || o.timeout <= 0 {
		return ui.Usagef("--jobs and --timeout must be more than nothing")
	}
	sub, err := find(o.runs, ref)
	if err != nil {
		return err
	}
	file := o.file(sub)
	if _, err := os.Stat(file); err == nil && !o.force {
		return ui.Usagef("%s exists already; -o names another file, --force replaces it", file)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	searching, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	began := time.Now()
	again := runner.Again(searching, w, nil, runner.Spec{Scenario: sub.scenario, Seed: sub.seed, Quiet: true})
	fmt.Fprintf(env.Stdout, "%s   %s   seed %d   %s\n", env.Paint(sub.scenario.Name, ui.Bold), w.Name(), sub.seed, shrink.Size(sub.scenario))
	switch {
	case ctx.Err() != nil:
		return ui.Exit(ui.Interrupted, nil)
	case again.Failed():
		return ui.Exit(ui.WorldFailed, fmt.Errorf("the world %s failed: %s", w.Name(), again.Error))
	case again.Verdict != checker.Violated:
		fmt.Fprintf(env.Stdout, "%s   nothing to shrink: the run does not fail\n", again.Verdict)
		return ui.Exit(ui.Unknown, nil)
	}
	fmt.Fprintf(env.Stdout, "faults     %d struck\n", len(again.Result().Strikes))
	fmt.Fprintf(env.Stdout, "fails      %s: %s\n\n", again.Worst().Expect, again.Worst().Measured)
	small := o.search(searching, env, w, sub, again.Report)
	if ctx.Err() != nil && small == nil {
		return ui.Exit(ui.Interrupted, nil)
	}
	if small == nil {
		fmt.Fprintf(env.Stdout, "nothing smaller fails in the same way\nreplay     drydock replay %s\n", sub.ref)
		return ui.Exit(ui.Violated, nil)
	}
	if err := o.write(file, sub, small); err != nil {
		return ui.Exit(ui.Usage, err)
	}
	o.tell(env, file, small, time.Since(began))
	if ctx.Err() != nil {
		return ui.Exit(ui.Interrupted, nil)
	}
	return nil
}

func (o *shrinkOptions) file(sub *subject) string {
	if o.out != "" {
		return o.out
	}
	return smallName(sub.scenario.Name) + ".yaml"
}

// name is what the scenario is called in its file: as the file is, if the
// caller chose that.
func (o *shrinkOptions) name(sub *subject) string {
	base := filepath.Base(o.out)
	name := strings.TrimSuffix(base, filepath.Ext(base))
	if o.out == "" || !scenario.IsName(name) {
		return smallName(sub.scenario.Name)
	}
	return name
}

// smallName is the name of what a scenario is shrunk to.
func smallName(name string) string { return strings.TrimSuffix(name, "-small") + "-small" }

// search looks for the smallest in workers. It is nil if none was found that
// fails.
func (o *shrinkOptions) search(ctx context.Context, env *ui.Env, w runner.World, sub *subject, r *runner.Report) *shrink.Result {
	pool := runner.NewPool(w.Name(), []string{env.Executable, workerName}, o.jobs, tryFor)
	defer pool.Close()
	began := time.Now()
	progress := ui.NewProgress(env, o.quiet, time.Now)
	k := shrink.Shrinker{Try: pool.Run, Jobs: o.jobs, OnTry: func(p shrink.Progress) {
		progress.Update(fmt.Sprintf("%s   %.0fs of %s", p, time.Since(began).Seconds(), o.timeout))
	}}
	drawn := sub.scenario.Plan(sub.seed, w.Supports).Steps
	count := map[chaos.Kind]int{}
	for i := range drawn {
		// A step keeps the draws that go with its name when others are left out.
		kind := drawn[i].Fault.Kind()
		if count[kind]++; drawn[i].Name == "" {
			drawn[i].Name = fmt.Sprintf("%s#%d", kind, count[kind])
		}
	}
	small := k.Run(ctx, sub.scenario, sub.seed, r, r.Result().Strikes, drawn)
	progress.Clear()
	return small
}

// write writes the scenario under a name of its own.
func (o *shrinkOptions) write(file string, sub *subject, small *shrink.Result) error {
	s := small.Scenario
	f := small.Report.Worst()
	s.Name, s.Seed, s.RunsOn = o.name(sub), int(small.Seed), sub.scenario.RunsOn
	s.Why = fmt.Sprintf("the smallest found of %s with seed %d that violates: %s", sub.scenario.Name, sub.seed, f.Expect)
	end := "the search had come to its end"
	if !small.Complete {
		end = "the search was stopped"
	}
	text := scenario.Encode(s,
		fmt.Sprintf("Shrunk by `drydock shrink` from %s with seed %d", sub.scenario.Name, sub.seed),
		fmt.Sprintf("(%s) in %d runs; %s.", shrink.Size(sub.scenario), small.Tries, end),
		"What failed was: "+strings.Join(strings.Fields(f.Measured), " "),
	)
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if o.force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	out, err := os.OpenFile(file, how, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; -o names another file, --force replaces it", file)
	} else if err != nil {
		return err
	}
	_, err = out.Write(text)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// tell says what was found.
func (o *shrinkOptions) tell(env *ui.Env, file string, small *shrink.Result, took time.Duration) {
	for i := range small.Scenario.Steps {
		step := &small.Scenario.Steps[i]
		fmt.Fprintf(env.Stdout, "  %s\n", scenario.StepText(step))
	}
	switch {
	case shrink.Drawn(small.Scenario):
		fmt.Fprintln(env.Stdout, "  its faults are still drawn by the nemesis: written out as steps, they did not fail alike")
	case len(small.Scenario.Steps) == 0:
		fmt.Fprintln(env.Stdout, "  it fails without any fault")
	}
	stopped := ""
	if !small.Complete {
		stopped = ", stopped by --timeout"
	}
	fmt.Fprintf(env.Stdout, "\n%s   %s   %d runs in %.1fs%s\n", env.Paint("smallest", ui.Bold), shrink.Size(small.Scenario), small.Tries, took.Seconds(), stopped)
	fmt.Fprintf(env.Stdout, "fails      %s: %s\n", small.Report.Worst().Expect, small.Report.Worst().Measured)
	fmt.Fprintf(env.Stdout, "written    %s\n", file)
	fmt.Fprintf(env.Stdout, "run it     drydock run %s%s\n", small.Scenario.Profile.Flag(), file)
}
