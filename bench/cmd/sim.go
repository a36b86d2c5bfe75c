package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drydock/bench/report"
	"drydock/bench/simspeed"
	"drydock/node/ui"
	"drydock/scenarios"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
)

type simOptions struct {
	scenario    string
	seeds       int
	quick, json bool
	out         outputs
}

func newSim(env *ui.Env, world runner.World) *cobra.Command {
	o := &simOptions{}
	c := &cobra.Command{
		Use:   "sim",
		Short: "Simulated seconds and seeds per CPU second",
		Long: `Measure the simulator: simulated seconds, and seeds, per CPU second of this
process, for three and five members at 60 and 200 client operations per
simulated second, with all checkers and without any. Each row is the median over
its seeds, with the slowest and the fastest beside it.`,
		Example: "  drydock bench sim\n  drydock bench sim --quick\n  drydock bench sim --scenario lossy-network --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if o.quick {
				o.hurry(c.Flags().Changed)
			}
			s := &session{env: env, name: "bench sim", parts: []*part{o.part(env, world, c.Flags())}, out: &o.out, json: o.json, quick: o.quick}
			return s.run(ctx)
		},
	}
	o.addFlags(c.Flags())
	o.out.addFlags(c.Flags())
	c.Flags().BoolVar(&o.json, "json", false, "write one JSON line a row, and nothing else, to stdout")
	return c
}

func (o *simOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.scenario, "scenario", "everything", "the library's scenario whose faults are used")
	f.IntVar(&o.seeds, "seeds", 9, "seeds a row")
	f.BoolVar(&o.quick, "quick", false, "three seeds a row")
}

// hurry is --quick: it sets what was not given.
func (o *simOptions) hurry(changed func(string) bool) {
	if !changed("seeds") {
		o.seeds = 3
	}
}

// part is bench sim.
func (o *simOptions) part(env *ui.Env, world runner.World, flags *pflag.FlagSet) *part {
	var base *scenario.Scenario
	var rows []simspeed.Row
	return &part{
		kind: report.KindSim, flags: flags,
		check: func(context.Context) (err error) {
			if o.seeds < 1 {
				return fmt.Errorf("--seeds: %d, want at least 1", o.seeds)
			}
			text, ok := scenarios.Find(o.scenario)
			if !ok {
				return fmt.Errorf("--scenario: the library has no %q; see `drydock scenario list`", o.scenario)
			}
			base, err = scenario.Parse(o.scenario, text)
			return err
		},
		attach: func(f *report.File, flags report.Flags) { f.Sim = &report.Sim{Flags: flags, Rows: []simspeed.Row{}} },
		run: func(ctx context.Context, f *report.File) (err error) {
			if os.Getenv("GOGC") == "" {
				// As the workers of `run` do: a run lives briefly and makes much garbage.
				defer debug.SetGCPercent(debug.SetGCPercent(300))
			}
			rows, err = simRows(ctx, env, world, base, o)
			f.Sim.Rows = append(f.Sim.Rows, rows...)
			return err
		},
		text: func() {
			if len(rows) > 0 {
				printSim(env, rows, o)
			}
		},
		lines: func() error {
			for _, row := range rows {
				if err := json.NewEncoder(env.Stdout).Encode(row); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func simRows(ctx context.Context, env *ui.Env, world runner.World, base *scenario.Scenario, o *simOptions) ([]simspeed.Row, error) {
	progress := ui.NewProgress(env, o.json, time.Now)
	defer progress.Clear()
	var rows []simspeed.Row
	for i, c := range simspeed.Cases() {
		progress.Update(fmt.Sprintf("row %d of %d: %d members, %.0f operations a second", i+1, len(simspeed.Cases()), c.Members, c.Rate))
		row, err := simspeed.Measure(ctx, world, base, c, o.seeds, simspeed.ProcessCPU)
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func printSim(env *ui.Env, rows []simspeed.Row, o *simOptions) {
	fmt.Fprintf(env.Stdout, "bench sim   faults of %s, %d seeds a row, CPU seconds of this process\n\n", o.scenario, o.seeds)
	t := ui.NewTable(env.Stdout)
	t.Row("members", "ops/s asked", "ops/s made", "checkers", "simulated s per CPU s", "(slowest - fastest)", "seeds per CPU s")
	for _, r := range rows {
		checkers := "none"
		if r.Checked {
			checkers = "all"
		}
		t.Row(fmt.Sprint(r.Members), fmt.Sprintf("%.0f", r.Rate), fmt.Sprintf("%.0f", r.Operations), checkers,
			fmt.Sprintf("%.0f", r.SimPerCPU), fmt.Sprintf("(%.0f - %.0f)", r.Least, r.Most), fmt.Sprintf("%.1f", r.SeedsPerCPU))
	}
	t.Flush()
}
