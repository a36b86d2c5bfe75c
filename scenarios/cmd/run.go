package cmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
)

// runOptions are the flags of run.
type runOptions struct {
	world     string
	seed      uint64
	seeds     string
	jobs      int
	keepGoing bool
	json      bool
	quiet     bool
	traceHash bool
	history   string
	timeout   time.Duration
}

func newRun(env *ui.Env, worlds []runner.World) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run FILE|DIR|NAME…",
		Short: "Run scenarios and judge what came of them",
		Long: `Run scenarios: files, all files of directories, or scenarios of the library by
name. One file with one seed shows its timeline and every expectation with its
measured value; several files or seeds run in worker processes and show a
summary. Each violation ends with the command that repeats it.

A twentieth of many seeds runs twice, and the traces are compared.

Exit status: 0 held; 1 violated; 2 the call or a file was wrong; 3 unknown;
4 the world failed; 130 interrupted.`,
		Example: `  drydock run leader-crash
  drydock run --seed 7 scenarios/lossy-network.yaml
  drydock run --seeds 1-1000 --keep-going scenarios`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("seed") && o.seeds != "" {
				return inJSON(env, o.json, ui.Usagef("--seed and --seeds exclude one another"))
			}
			return inJSON(env, o.json, runFunc(c.Context(), env, worlds, &o, args))
		},
	}
	f := c.Flags()
	f.StringVar(&o.world, "world", firstWorld(worlds), "where to run: "+worldNames(worlds))
	f.Uint64Var(&o.seed, "seed", 1, "the seed that decides everything random")
	f.StringVar(&o.seeds, "seeds", "", "many seeds: N for 1-N, or A-B")
	f.IntVarP(&o.jobs, "jobs", "j", runtime.NumCPU(), "worker processes for many runs")
	f.BoolVar(&o.keepGoing, "keep-going", false, "run on after a violation")
	f.BoolVar(&o.json, "json", false, "write one JSON line a run, and nothing else, to stdout")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress on stderr")
	f.BoolVar(&o.traceHash, "trace-hash", false, "write the hash of the full event trace instead of the report")
	f.StringVar(&o.history, "history", "", "write what the clients saw to this file, as JSON lines")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "real time that one run may take")
	return c
}

func firstWorld(worlds []runner.World) string {
	if len(worlds) == 0 {
		return ""
	}
	return worlds[0].Name()
}

func worldNames(worlds []runner.World) string {
	var names []string
	for _, w := range worlds {
		names = append(names, w.Name())
	}
	return strings.Join(names, ", ")
}

// runFunc reads the scenarios and runs them, here or in workers.
func runFunc(ctx context.Context, env *ui.Env, worlds []runner.World, o *runOptions, args []string) error {
	w, err := runner.FindWorld(worlds, o.world)
	if err != nil {
		return ui.Exit(ui.Usage, err)
	}
	if o.jobs < 1 || o.timeout <= 0 {
		return ui.Usagef("--jobs and --timeout must be more than nothing")
	}
	seeds := []uint64{o.seed}
	if o.seeds != "" {
		if seeds, err = runner.ParseSeeds(o.seeds); err != nil {
			return ui.Exit(ui.Usage, err)
		}
	}
	list, err := load(args, w)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if len(list) == 1 && len(seeds) == 1 {
		return runOne(ctx, env, w, o, list[0], seeds[0])
	}
	if o.history != "" {
		return ui.Usagef("--history holds one run: name one file and one seed")
	}
	return runMany(ctx, env, w, o, list, seeds)
}

// runOne runs one scenario with one seed in this process.
func runOne(ctx context.Context, env *ui.Env, w runner.World, o *runOptions, s *scenario.Scenario, seed uint64) error {
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	plain := !o.json && !o.traceHash
	if plain {
		runner.Header(env, s, w.Name(), fmt.Sprintf("seed %d", seed))
	}
	r := runner.Run(limited, w, runner.Spec{Scenario: s, Seed: seed, Quiet: o.traceHash})
	if o.history != "" {
		if err := writeHistory(o.history, r); err != nil {
			return ui.Exit(ui.WorldFailed, err)
		}
	}
	switch {
	case o.json:
		writeJSON(env, r)
	case o.traceHash && !r.Failed():
		fmt.Fprintln(env.Stdout, r.Trace)
	case o.traceHash:
		return ui.Exit(r.Code(), fmt.Errorf("the world %s failed: %s", r.World, r.Error))
	default:
		r.Text(env)
	}
	if ctx.Err() != nil {
		return ui.Exit(ui.Interrupted, nil)
	}
	return ui.Exit(r.Code(), nil)
}

// writeHistory writes what the clients of a run saw.
func writeHistory(name string, r *runner.Report) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = history.Encode(f, history.Header{Scenario: r.Scenario, Seed: fmt.Sprint(r.Seed)}, r.Ops())
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// runMany runs every scenario with every seed in worker processes.
func runMany(ctx context.Context, env *ui.Env, w runner.World, o *runOptions, list []*scenario.Scenario, seeds []uint64) error {
	plain := !o.json && !o.traceHash
	if plain {
		title(env, w, o, list, seeds)
	}
	width := 0
	for _, s := range list {
		width = max(width, len(s.Name))
	}
	progress := ui.NewProgress(env, o.quiet || o.json, time.Now)
	batch := runner.Batch{
		Scenarios: list, Seeds: seeds, World: w.Name(), Jobs: o.jobs, KeepGoing: o.keepGoing, Limit: o.timeout,
		Command: []string{env.Executable, workerName},
		OnReport: func(r *runner.Report, t *runner.Tally) {
			if o.json {
				writeJSON(env, r)
				return
			}
			progress.Update(t.Progress())
		},
	}
	tally, err := batch.Run(ctx)
	progress.Clear()
	if err != nil {
		return ui.Exit(ui.WorldFailed, err)
	}
	switch {
	case o.traceHash:
		for _, r := range tally.Reports {
			fmt.Fprintf(env.Stdout, "%s  %d  %s\n", r.Trace, r.Seed, r.File)
		}
	case plain:
		if len(list) > 1 {
			perFile(env, tally, list, len(seeds), width)
			if len(seeds) > 1 || tally.Violated == 0 {
				fmt.Fprintln(env.Stdout)
			}
		}
		tally.Text(env, len(seeds))
	}
	return ui.Exit(tally.Code(), nil)
}

// title says what a batch runs.
func title(env *ui.Env, w runner.World, o *runOptions, list []*scenario.Scenario, seeds []uint64) {
	what := fmt.Sprintf("%d scenarios", len(list))
	if len(list) == 1 {
		what = list[0].Name
	}
	seed := fmt.Sprintf("seed %d", seeds[0])
	if len(seeds) > 1 {
		seed = fmt.Sprintf("seeds %d-%d", seeds[0], seeds[len(seeds)-1])
	}
	fmt.Fprintf(env.Stdout, "%s   %s   %s   %d workers\n\n", env.Paint(what, ui.Bold), w.Name(), seed, min(o.jobs, len(list)*len(seeds)))
}

// perFile writes a line for each scenario of a batch.
func perFile(env *ui.Env, t *runner.Tally, list []*scenario.Scenario, seeds, width int) {
	for _, s := range list {
		var of []*runner.Report
		for _, r := range t.Reports {
			if r.File == s.File {
				of = append(of, r)
			}
		}
		switch {
		case len(of) == 0:
			fmt.Fprintf(env.Stdout, "%-8s   %-*s   not run\n", "-", width, s.Name)
		case seeds == 1:
			of[0].Line(env, width)
		default:
			linesOfSeeds(env, s, of, seeds, width)
		}
	}
}

// linesOfSeeds writes one line for all the seeds of a scenario.
func linesOfSeeds(env *ui.Env, s *scenario.Scenario, of []*runner.Report, seeds, width int) {
	held, word, style := 0, "held", ui.Green
	for _, r := range of {
		switch {
		case r.Verdict == checker.Held:
			held++
		case r.Verdict == checker.Violated:
			word, style = "VIOLATED", ui.Red
		case word == "held":
			word, style = "unknown", ui.Yellow
		}
	}
	fmt.Fprintf(env.Stdout, "%s   %-*s   %d of %d seeds held\n", env.Paint(fmt.Sprintf("%-8s", word), style), width, s.Name, held, seeds)
}

// workerName is the hidden command that worker processes run.
const workerName = "run-worker"

func newWorker(env *ui.Env, worlds []runner.World) *cobra.Command {
	return &cobra.Command{
		Use:     workerName,
		Short:   "Answer run tasks on stdin with reports on stdout",
		Example: `  drydock run --seeds 100 leader-crash    # starts its workers by itself`,
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			// The parent decides what an interrupt means; a worker ends when its
			// input does.
			signal.Ignore(os.Interrupt)
			if err := runner.Worker(c.Context(), env.Stdin, env.Stdout, worlds); err != nil {
				return ui.Exit(ui.WorldFailed, err)
			}
			return nil
		},
	}
}
