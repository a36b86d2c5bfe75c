package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drydock/bench/fleetload"
	"drydock/bench/report"
	"drydock/bench/scheduler"
	"drydock/node/ui"
)

// schedulerOptions are the flags of bench scheduler.
type schedulerOptions struct {
	shapes, strategies   []string
	machines, perMachine []int
	rounds, most, enough int
	trace, profile       string
	seed                 uint64
	quick, json          bool
	noSpeed, noReplay    bool
	durable              durableOptions
	out                  outputs
}

const schedulerLong = `Measure the solver that places units on machines.

Speed: a cluster is filled from empty, 512 units at a time; then single units are
started and others ended in the full cluster; then single machines are lost. Shapes
are what units ask for: nothing (plain), conflicts, metadata, spread, resources, some
of each (mixed), all at once (all). Rates are of the process's CPU time, the garbage
collector's included, so they are those of one core. Growth is that cost a unit by
the smallest cluster's. In each run every shape goes through the same phases in the
slow reference solver, too, on a sample; one unit elsewhere, and nothing is printed.

Replay: the tasks of a GPU cluster's trace come to its machines, by strategy:
least-loaded is the scheduler's own, and is held against a scan of all machines;
best-fit and spread are policies of the benchmark's, for comparison. First at the
trace's own times, then under rising load: tasks come and stay. --trace names a folder
with the CSVs of the Alibaba 2023 GPU trace (openb_node_list_*.csv and
openb_pod_list_*.csv); without one a cluster of the same shape is made up.

Through three members: a cluster of whole members in this process, with its log on the
disk, whose machines are a load generator. Every unit is a command of its own; the clock
runs until a majority has committed a place for each. Then single units, lost machines,
and nothing at all; all members must be equal at the end. --durable runs only this.

Exit codes: 0 measured, 2 wrong call, 4 a placement was wrong or a file unreadable,
130 interrupted (what was measured until then is printed).`

func newScheduler(env *ui.Env) *cobra.Command {
	o := &schedulerOptions{}
	c := &cobra.Command{
		Use:   "scheduler",
		Short: "Placements a second, time of a decision, and how well tasks are packed",
		Long:  schedulerLong,
		Example: `  drydock bench scheduler --quick
  drydock bench scheduler --shape mixed --machines 10000 --per-machine 100
  drydock bench scheduler --no-speed --trace alibaba-gpu-v2023
  drydock bench scheduler --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			o.hurry(c.Flags().Changed)
			s := &session{env: env, name: "bench scheduler", parts: []*part{o.part(env, c.Flags())}, out: &o.out, json: o.json, quick: o.quick, dir: o.durable.dir}
			return s.run(ctx)
		},
	}
	o.addFlags(c.Flags())
	o.out.addFlags(c.Flags())
	c.Flags().BoolVar(&o.json, "json", false, "write one JSON line a row, and nothing else, to stdout")
	return c
}

func (o *schedulerOptions) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.shapes, "shape", names(scheduler.Shapes), "what units ask for")
	f.IntSliceVar(&o.machines, "machines", []int{100, 1000, 10_000, 100_000}, "machines of a cluster")
	f.IntSliceVar(&o.perMachine, "per-machine", []int{10, 100}, "units a machine")
	f.IntVar(&o.most, "most", 1_000_000, "units of the largest cluster; larger ones are left out")
	f.IntVar(&o.rounds, "rounds", 3, "rounds of each case")
	f.IntVar(&o.enough, "enough", 100_000, "placements of a round's fill, in several clusters if one has fewer: or garbage would never be collected")
	f.StringSliceVar(&o.strategies, "strategy", names(scheduler.Strategies), "strategies of the replay")
	f.StringVar(&o.trace, "trace", "", "folder with a trace to replay (default: one is made up)")
	f.BoolVar(&o.noSpeed, "no-speed", false, "only replay")
	f.BoolVar(&o.noReplay, "no-replay", false, "only measure speed")
	f.StringVar(&o.profile, "cpuprofile", "", "write where this process's CPU time went into a file, for `go tool pprof`")
	f.Uint64Var(&o.seed, "seed", 1, "decides a made-up trace, and what is drawn from any")
	f.BoolVar(&o.quick, "quick", false, "a minute's look: clusters of up to 100,000 units, one round")
	o.durable.flags(f)
}

func names[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = string(one)
	}
	return out
}

// schedulerReport is what is printed.
type schedulerReport struct {
	env     *ui.Env
	o       *schedulerOptions
	run     *scheduler.Run
	by      []scheduler.Strategy
	rows    []scheduler.Row
	replays []scheduler.Replay

	durableRun *fleetload.Run
	durable    *fleetload.Result // nil if it was left out
}

// Bounds of what may be asked for.
const (
	mostMachines = 1_000_000
	mostUnits    = 10_000_000
)

// selection checks the flags.
func (o *schedulerOptions) selection() (*schedulerReport, error) {
	var errs []error
	r := &schedulerReport{o: o, run: &scheduler.Run{
		Shapes: words(&errs, "shape", o.shapes, scheduler.Shapes...), Machines: o.machines, PerMachine: o.perMachine,
		Rounds: o.rounds, MostUnits: o.most, Enough: o.enough,
	}}
	r.by = words(&errs, "strategy", o.strategies, scheduler.Strategies...)
	// Each of ten classes of machines needs room for ten instances that conflict.
	numbers(&errs, "machines", o.machines, 100, mostMachines)
	numbers(&errs, "per-machine", o.perMachine, 1, 200)
	numbers(&errs, "rounds", []int{o.rounds}, 1, 1000)
	numbers(&errs, "enough", []int{o.enough}, 1, mostUnits)
	numbers(&errs, "most", []int{o.most}, 100, mostUnits)
	if o.noSpeed && o.noReplay && o.durable.off {
		errs = append(errs, errors.New("--no-speed, --no-replay and --no-durable leave nothing"))
	}
	var err error
	if r.durableRun, err = o.durable.run(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) == 0 && !o.noSpeed && len(r.run.Cases()) == 0 {
		errs = append(errs, fmt.Errorf("--most: %d units leave no case", o.most))
	}
	return r, errors.Join(errs...)
}

// hurry is --quick, and what follows from --durable: it sets what was not given.
func (o *schedulerOptions) hurry(changed func(string) bool) {
	if o.quick {
		if !changed("most") {
			o.most = 100_000
		}
		if !changed("rounds") {
			o.rounds = 1
		}
		o.durable.quick(changed)
	}
	if o.durable.only {
		o.noSpeed, o.noReplay = true, true
	}
}

// part is bench scheduler.
func (o *schedulerOptions) part(env *ui.Env, flags *pflag.FlagSet) *part {
	var r *schedulerReport
	wrong := false // a placement was: nothing of it is said
	return &part{
		kind: report.KindScheduler, flags: flags,
		selects: []string{"shape", "machines", "per-machine", "most", "strategy", "no-speed", "no-replay", "no-durable", "durable", "durable-machines", "durable-units", "increments", "losses", "rest"},
		check: func(context.Context) (err error) {
			r, err = o.selection()
			r.env = env
			return err
		},
		attach: func(f *report.File, flags report.Flags) {
			f.Scheduler = &report.Scheduler{Flags: flags, Rows: []scheduler.Row{}}
		},
		run: func(ctx context.Context, f *report.File) error {
			err := r.measure(ctx)
			if wrong = errors.Is(err, scheduler.ErrDiffers); wrong {
				return err
			}
			s := f.Scheduler
			s.Rows, s.Growths, s.Replays, s.Durable = append(s.Rows, r.rows...), scheduler.Growths(r.rows), r.replays, r.durable
			return err
		},
		text: func() {
			if !wrong {
				r.printText()
			}
		},
		lines: func() error {
			if wrong {
				return nil
			}
			return r.printJSON()
		},
	}
}

// measure fills the report.
func (r *schedulerReport) measure(ctx context.Context) error {
	progress := ui.NewProgress(r.env, r.o.json, time.Now)
	defer progress.Clear()
	stop, err := profileCPU(r.o.profile)
	if err != nil {
		return err
	}
	defer stop()
	var traces []scheduler.Trace
	if !r.o.noReplay {
		// A folder that can't be read is said before the measurement.
		if traces, err = r.traces(); err != nil {
			return err
		}
	}
	if !r.o.noSpeed {
		r.run.Progress = func(done, all int, c scheduler.Case) {
			progress.Update(fmt.Sprintf("%d of %d: %s", done+1, all, c))
		}
		if r.rows, err = r.run.Measure(ctx); err != nil {
			return err
		}
	}
	for i := range traces {
		progress.Update(fmt.Sprintf("replay %d of %d: %s", i+1, len(traces), traces[i].Name))
		replay, err := scheduler.ReplayTrace(ctx, &traces[i], r.by, r.o.seed)
		if len(replay.Results) > 0 {
			r.replays = append(r.replays, replay)
		}
		if err != nil {
			return err
		}
	}
	if !r.o.durable.off {
		return r.measureDurable(ctx, progress.Update)
	}
	return nil
}

// The size of the trace that is made up: Alibaba's.
const (
	inventedMachines = 1523
	inventedTasks    = 8152
)

func (r *schedulerReport) traces() ([]scheduler.Trace, error) {
	if r.o.trace != "" {
		return scheduler.ReadTraces(r.o.trace)
	}
	return []scheduler.Trace{scheduler.Invent(inventedMachines, inventedTasks, r.o.seed)}, nil
}

func (r *schedulerReport) printJSON() error {
	e := json.NewEncoder(r.env.Stdout)
	for i := range r.rows {
		if err := e.Encode(map[string]*scheduler.Row{"row": &r.rows[i]}); err != nil {
			return err
		}
	}
	for _, g := range scheduler.Growths(r.rows) {
		if err := e.Encode(map[string]scheduler.Growth{"growth": g}); err != nil {
			return err
		}
	}
	for i := range r.replays {
		if err := e.Encode(map[string]*scheduler.Replay{"replay": &r.replays[i]}); err != nil {
			return err
		}
	}
	if r.durable != nil {
		return e.Encode(map[string]*fleetload.Result{"durable": r.durable})
	}
	return nil
}
