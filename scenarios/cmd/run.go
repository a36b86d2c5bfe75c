package cmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
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
	world  string
	driver string
	// driverNamed says that the call itself names it.
	driverNamed bool
	seed        uint64
	seeds       string
	jobs        int
	keepGoing   bool
	json        bool
	quiet       bool
	traceHash   bool
	history     string
	timeout     time.Duration
	out         outputs
	lasting     time.Duration
	runs        string
	profile     string
	// named is true if the call says which seed or seeds.
	named bool
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

Failing runs are recorded below .drydock/runs, for ` + "`drydock replay`" + ` and
` + "`drydock shrink`" + `. A scenario that names a seed of its own runs with that one,
unless the call names another.

In the world lab the nodes are real processes, on machines that --driver makes, and
a run takes as long as the scenario says. The seed decides what clients ask for, whom
faults strike and what links do; it does not decide the run, so none is recorded or
compared, and runs are made one after the other. What a lab has no evidence of is
named in the report, and not judged.

Exit status: 0 held; 1 violated; 2 the call or a file was wrong; 3 unknown;
4 the world failed; 130 interrupted.`,
		Example: `  drydock run leader-crash
  drydock run --seed 7 scenarios/lossy-network.yaml
  drydock run --seeds 1-1000 --keep-going scenarios
  drydock run --report run.html --trace run.json leader-crash
  drydock run --for 10m scenarios
  drydock run --profile profile.yaml --seeds 200 leader-crash
  drydock run --world lab leader-crash
  drydock run --driver uml --keep-going scenarios`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("seed") && o.seeds != "" {
				return inJSON(env, o.json, ui.Usagef("--seed and --seeds exclude one another"))
			}
			if c.Flags().Changed("for") && (o.seeds != "" || o.lasting <= 0) {
				return inJSON(env, o.json, ui.Usagef("--for takes a time such as 10m, and excludes --seeds; --seed N is where it begins"))
			}
			o.named = c.Flags().Changed("seed") || o.seeds != ""
			if o.driverNamed = c.Flags().Changed("driver"); !o.driverNamed {
				o.driver = env.Getenv(driverVariable)
			} else if !c.Flags().Changed("world") {
				o.world = drivenWorld(worlds, o.world)
			}
			return inJSON(env, o.json, runFunc(c.Context(), env, worlds, &o, args))
		},
	}
	f := c.Flags()
	f.StringVar(&o.world, "world", firstWorld(worlds), "where to run: "+worldNames(worlds))
	f.StringVar(&o.driver, "driver", "", "what makes a lab's machines: "+driverNames(worlds)+" (default: $"+driverVariable+", or the first); names the world lab, too")
	_ = c.RegisterFlagCompletionFunc("driver", cobra.FixedCompletions(strings.Split(driverNames(worlds), ", "), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("world", cobra.FixedCompletions(strings.Split(worldNames(worlds), ", "), cobra.ShellCompDirectiveNoFileComp))
	f.Uint64Var(&o.seed, "seed", 1, "the seed that decides everything random")
	f.StringVar(&o.seeds, "seeds", "", "many seeds: N for 1-N, or A-B")
	f.DurationVar(&o.lasting, "for", 0, "run seed after seed until this time is over")
	f.StringVar(&o.runs, "recordings", runner.RunsDir, "where failing runs are recorded; empty: nowhere")
	f.IntVarP(&o.jobs, "jobs", "j", runtime.NumCPU(), "worker processes for many runs")
	f.BoolVar(&o.keepGoing, "keep-going", false, "run on after a violation")
	f.BoolVar(&o.json, "json", false, "write one JSON line a run, and nothing else, to stdout")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress on stderr")
	f.BoolVar(&o.traceHash, "trace-hash", false, "write the hash of the full event trace instead of the report")
	f.StringVar(&o.history, "history", "", "write what the clients saw to this file, as JSON lines")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "real time that one run may take")
	f.StringVar(&o.profile, "profile", "", "let links, disks and starts take what was measured in a lab: a file of `drydock lab calibrate`")
	o.out.flags(c)
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
	w, err := o.where(worlds)
	if err != nil {
		return err
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
	list, skipped, err := load(args, w)
	if err != nil {
		return err
	}
	o.tellSkipped(env, skipped)
	if err := o.giveProfile(w, list); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(list) == 1 && len(seeds) == 1 && o.lasting == 0 {
		if !o.named && list[0].Seed > 0 {
			seeds[0] = uint64(list[0].Seed)
		}
		return runOne(ctx, env, w, o, list[0], seeds[0])
	}
	if o.history != "" {
		return ui.Usagef("--history holds one run: name one file and one seed")
	}
	if o.out.trace != "" {
		return ui.Usagef("--trace holds one run: name one file and one seed")
	}
	return runMany(ctx, env, w, o, list, seeds)
}

// giveProfile reads the profile, if there is one, for all scenarios.
func (o *runOptions) giveProfile(w runner.World, list []*scenario.Scenario) error {
	if o.profile == "" {
		return nil
	}
	if !runner.Repeats(w) {
		return ui.Usagef("--profile is for the simulator: the world %s takes what time it takes", w.Name())
	}
	text, err := readFile(o.profile)
	if err != nil {
		return err
	}
	p, err := scenario.ParseProfile(o.profile, text)
	if err != nil {
		return ui.Exit(ui.Usage, err)
	}
	for _, s := range list {
		s.Profile = p
	}
	return nil
}

// under says which profile runs are under, if any.
func (o *runOptions) under() string {
	if o.profile == "" {
		return ""
	}
	return ", profile " + o.profile
}

// runOne runs one scenario with one seed in this process.
func runOne(ctx context.Context, env *ui.Env, w runner.World, o *runOptions, s *scenario.Scenario, seed uint64) error {
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	plain := !o.json && !o.traceHash
	if plain {
		runner.Header(env, s, w.Name(), fmt.Sprintf("seed %d%s", seed, o.under()))
	}
	r := runner.Run(limited, w, runner.Spec{Scenario: s, Seed: seed, Quiet: o.traceHash, Tape: o.records(), Keep: o.keep(w)})
	if o.records() && r.Verdict == checker.Violated && runner.Repeats(w) {
		keepOne(env, o, s, r)
	}
	wrote := o.out.one(limited, env, w, s, r, o.quiet)
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
	return o.out.exit(env, r.Code(), wrote)
}

// records tells whether failures are recorded.
func (o *runOptions) records() bool { return o.runs != "" && !o.traceHash }

// keepOne records a failure. That it can't be is worth a warning; the verdict
// stands, and the seed repeats the run all the same.
func keepOne(env *ui.Env, o *runOptions, s *scenario.Scenario, r *runner.Report) {
	dir, err := runner.Shelve(o.runs, time.Now())
	if err == nil {
		err = runner.Keep(dir, s, r)
	}
	if err != nil {
		notRecorded(env, err)
	}
}

func notRecorded(env *ui.Env, err error) {
	fmt.Fprintf(env.Stderr, "warning: a failure is not recorded: %v\n", err)
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
	shelf := ""
	if o.records() && runner.Repeats(w) {
		var err error
		if shelf, err = runner.Shelve(o.runs, time.Now()); err != nil {
			notRecorded(env, err)
		}
		defer runner.Unshelve(shelf)
	}
	progress := ui.NewProgress(env, o.quiet || o.json, time.Now)
	batch := runner.Batch{
		Scenarios: list, Seeds: seeds, World: w.Name(), Jobs: o.jobs, KeepGoing: o.keepGoing, Limit: o.timeout,
		For: o.lasting, Own: !o.named, Recordings: shelf,
		Command: []string{env.Executable, workerName}, Here: o.here(w),
		OnReport: func(r *runner.Report, t *runner.Tally) {
			if o.json {
				writeJSON(env, r)
				return
			}
			if runner.Repeats(w) {
				progress.Update(t.Progress())
				return
			}
			// A run takes as long as its scenario says: each is told of as it ends.
			progress.Clear()
			r.Line(env, width)
			progress.Update(t.Progress())
		},
	}
	tally, err := batch.Run(ctx)
	progress.Clear()
	if err != nil {
		notRecorded(env, err)
	}
	switch {
	case o.traceHash:
		for _, r := range tally.Reports {
			fmt.Fprintf(env.Stdout, "%s  %d  %s\n", r.Trace, r.Seed, r.File)
		}
	case plain:
		many := len(seeds)
		if o.lasting > 0 {
			many = max(2, tally.Done) // however many there were
		}
		if !runner.Repeats(w) {
			fmt.Fprintln(env.Stdout)
		}
		if len(list) > 1 && (many > 1 || runner.Repeats(w)) {
			perFile(env, tally, list, many, width)
			if many > 1 || tally.Violated == 0 {
				fmt.Fprintln(env.Stdout)
			}
		}
		tally.Text(env, many)
	}
	return o.out.exit(env, tally.Code(), o.out.many(ctx, env, w, list, tally.Reports, o.quiet))
}

// title says what a batch runs.
func title(env *ui.Env, w runner.World, o *runOptions, list []*scenario.Scenario, seeds []uint64) {
	what := fmt.Sprintf("%d scenarios", len(list))
	if len(list) == 1 {
		what = list[0].Name
	}
	seed, workers := fmt.Sprintf("seed %d", seeds[0]), min(o.jobs, len(list)*len(seeds))
	if len(seeds) > 1 {
		seed = fmt.Sprintf("seeds %d-%d", seeds[0], seeds[len(seeds)-1])
	}
	if !o.named && !slices.ContainsFunc(list, func(s *scenario.Scenario) bool { return s.Seed == 0 }) {
		seed = "seeds of their own"
	}
	if o.lasting > 0 {
		seed, workers = fmt.Sprintf("for %s, from %s", o.lasting, seed), o.jobs
	}
	how := fmt.Sprintf("%d workers", workers)
	if !runner.Repeats(w) {
		how = "one after the other"
	}
	fmt.Fprintf(env.Stdout, "%s   %s   %s%s   %s\n\n", env.Paint(what, ui.Bold), w.Name(), seed, o.under(), how)
}

// perFile writes a line for each scenario of a batch.
func perFile(env *ui.Env, t *runner.Tally, list []*scenario.Scenario, seeds, width int) {
	for i, s := range list {
		f := t.Files[i]
		at := slices.IndexFunc(t.Reports, func(r *runner.Report) bool { return r.File == s.File })
		switch {
		case f.Done == 0:
			fmt.Fprintf(env.Stdout, "%-8s   %-*s   not run\n", "-", width, s.Name)
		case seeds == 1 && at >= 0:
			t.Reports[at].Line(env, width)
		default:
			word, style := "held", ui.Green
			switch f.Worst {
			case checker.Violated:
				word, style = "VIOLATED", ui.Red
			case checker.Unknown:
				word, style = "unknown", ui.Yellow
			}
			fmt.Fprintf(env.Stdout, "%s   %-*s   %d of %d seeds held\n", env.Paint(fmt.Sprintf("%-8s", word), style), width, s.Name, f.Held, max(f.Done, seedsOf(seeds, t)))
		}
	}
}

// seedsOf is how many seeds each file was to run with; of a batch with a time,
// as many as it ran with.
func seedsOf(seeds int, t *runner.Tally) int {
	if t.For > 0 {
		return 0
	}
	return seeds
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
