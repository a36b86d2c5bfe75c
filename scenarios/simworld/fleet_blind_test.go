package simworld_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/scenarios/simworld"
	"drydock/sim/history"
)

// fleetBlind has units of every kind that a checker looks at.
const fleetBlind = `
scenario: fleet-blind
cluster: {members: 3, workers: 4, machines: [{metadata: [disk=ssd], cpu: 4, memory: 4096}, {cpu: 4, memory: 4096}]}
load:
  kv: {clients: 2, think: 100ms}
  units:
    - {name: web, count: 4, cpu: 0.5, memory: 512}
    - {name: apart, count: 2, conflicts: ["apart@*"]}
    - {name: fast, metadata: [disk=ssd]}
    - {name: everywhere, global: true}
steps:
  - {at: 10s, crash: {node: runner, restart_after: 1s}}
duration: 40s
settle: 20s
rest: 6s
expect:
%s`

var fleetChecks = []string{
	"units-once", "conflicts-apart", "placed-where-allowed", "within-capacity", "restarts-have-causes",
	"machines-heard", "units-running: 10s", "units-up-within: 15s", "states-true", "at-rest-nothing-is-logged",
}

func fleetBlindScenario(t *testing.T, expect []string) *scenario.Scenario {
	t.Helper()
	list := ""
	for _, x := range expect {
		list += "  - " + x + "\n"
	}
	s, err := scenario.Parse("fleet-blind.yaml", fmt.Appendf(nil, fleetBlind, list))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fleetViolated(t *testing.T, expect []string, res *runner.Result) (list []string) {
	t.Helper()
	r := runner.Run(context.Background(), evidence{res}, runner.Spec{Scenario: fleetBlindScenario(t, expect), Seed: 1})
	if r.Failed() {
		t.Fatal(r.Error)
	}
	for _, f := range r.Findings {
		if f.Status == checker.Violated {
			list = append(list, f.Expect)
		}
	}
	return list
}

// copyFleet is a copy whose lists may be changed.
func copyFleet(f *history.Fleet) *history.Fleet {
	c := *f
	c.Runs, c.States, c.Actual = slices.Clone(f.Runs), slices.Clone(f.States), slices.Clone(f.Actual)
	c.Units, c.Machines, c.Wishes = slices.Clone(f.Units), slices.Clone(f.Machines), slices.Clone(f.Wishes)
	return &c
}

// lastRun is the run of a unit that lasts.
func lastRun(f *history.Fleet, unit string) *history.Ran {
	for i := range f.Runs {
		if f.Runs[i].Unit == unit && f.Runs[i].End == 0 {
			return &f.Runs[i]
		}
	}
	return nil
}

// TestEveryFleetCheckerBearsLoad spoils what machines ran in a good run in a way
// that one checker alone can see.
func TestEveryFleetCheckerBearsLoad(t *testing.T) {
	k := &keeper{World: simworld.New()}
	good := runner.Run(context.Background(), k, runner.Spec{Scenario: fleetBlindScenario(t, fleetChecks), Seed: 3})
	if good.Verdict != checker.Held {
		t.Fatalf("the good run is %s: %+v", good.Verdict, good.Worst())
	}
	short := int64(time.Millisecond)
	for sees, spoil := range map[string]func(f *history.Fleet, r *runner.Result){
		"units-once": func(f *history.Fleet, _ *runner.Result) {
			r := *lastRun(f, "web@1.service")
			for _, m := range f.Machines {
				if m.Name != r.Machine {
					r.Machine = m.Name
				}
			}
			r.Begin += short
			r.End, r.Why = r.Begin+short, "cut"
			f.Runs = append(f.Runs, r)
		},
		"conflicts-apart": func(f *history.Fleet, _ *runner.Result) {
			for i := range f.Units {
				if f.Units[i].Name == "everywhere.service" {
					f.Units[i].Conflicts = []string{"web@1.*"}
				}
			}
		},
		"placed-where-allowed": func(f *history.Fleet, _ *runner.Result) {
			for i := range f.Units {
				if f.Units[i].Name == "web@1.service" {
					f.Units[i].Metadata = []string{"disk=floppy"}
				}
			}
		},
		"within-capacity": func(f *history.Fleet, _ *runner.Result) {
			for i := range f.Machines {
				f.Machines[i].CPU = 400
			}
		},
		"restarts-have-causes": func(f *history.Fleet, _ *runner.Result) {
			r := lastRun(f, "web@1.service")
			again := *r
			again.Begin = int64(19 * time.Second)
			r.End, r.Why, r.Cut = again.Begin-short, "stopped", false
			f.Runs = append(f.Runs, again)
			slices.SortStableFunc(f.Runs, func(a, b history.Ran) int { return int(a.Begin - b.Begin) })
		},
		"units-running: 10s": func(f *history.Fleet, _ *runner.Result) {
			w := f.Wishes[0]
			w.Asked, w.Done, w.Hash, w.Do = w.Done+1, w.Done+2, "another", "replace"
			f.Wishes = append(f.Wishes, w)
		},
		"units-up-within: 15s": func(f *history.Fleet, _ *runner.Result) {
			w := f.Wishes[0]
			w.Asked, w.Done = 1, 2 // long before it ran
			lastRun(f, w.Unit).Begin = int64(19 * time.Second)
			f.Runs = slices.DeleteFunc(f.Runs, func(r history.Ran) bool { return r.Unit == w.Unit && r.End != 0 })
			slices.SortStableFunc(f.Runs, func(a, b history.Ran) int { return int(a.Begin - b.Begin) })
			f.Wishes = slices.Insert(f.Wishes, 0, w)
		},
		"machines-heard": func(f *history.Fleet, _ *runner.Result) {
			f.Losses = append(slices.Clone(f.Losses), history.FleetLoss{Machine: "w1", Begin: 7, End: 8})
		},
		"states-true": func(f *history.Fleet, _ *runner.Result) { f.States[0].Active = "failed" },
		"at-rest-nothing-is-logged": func(_ *history.Fleet, r *runner.Result) {
			a := r.Applied[len(r.Applied)-1]
			a.Time, a.Index = int64(39*time.Second), a.Index+1
			r.Applied = append(slices.Clone(r.Applied), a)
		},
	} {
		t.Run(sees, func(t *testing.T) {
			res := *k.kept
			res.Fleet = copyFleet(res.Fleet)
			spoil(res.Fleet, &res)
			if got := fleetViolated(t, fleetChecks, &res); !slices.Equal(got, []string{sees}) {
				t.Errorf("violated: %q, want %q alone", got, sees)
			}
			without := slices.DeleteFunc(slices.Clone(fleetChecks), func(x string) bool { return x == sees })
			if got := fleetViolated(t, without, &res); len(got) > 0 {
				t.Errorf("without it, violated: %q", got)
			}
		})
	}
}

// TestRunsStopAtTheFirstWrongRun shows each check that follows a run something
// wrong: the run ends there.
func TestRunsStopAtTheFirstWrongRun(t *testing.T) {
	k := &keeper{World: simworld.New()}
	s := fleetBlindScenario(t, fleetChecks)
	runner.Run(context.Background(), k, runner.Spec{Scenario: s, Seed: 3})
	ran := func(unit, machine string, at int64) history.Observation {
		return history.Observation{Ran: &history.Ran{Unit: unit, Machine: machine, Begin: at}}
	}
	for expect, wrong := range map[string][]history.Observation{
		"units-once":           {ran("web@1.service", "w1", 1), ran("web@1.service", "w2", 7)},
		"conflicts-apart":      {ran("apart@1.service", "w1", 1), ran("apart@2.service", "w1", 7)},
		"placed-where-allowed": {ran("fast.service", "w1", 1), ran("fast.service", "w2", 7)},
		"within-capacity": {
			ran("web@1.service", "w1", 1), ran("web@1.service", "w1", 1), ran("web@1.service", "w1", 1), ran("web@1.service", "w1", 1),
			ran("web@1.service", "w1", 1), ran("web@1.service", "w1", 1), ran("web@1.service", "w1", 1), ran("web@1.service", "w1", 1),
			ran("web@1.service", "w1", 7),
		},
	} {
		t.Run(expect, func(t *testing.T) {
			one := fleetBlindScenario(t, []string{expect})
			w := &stopping{Result: k.kept, shown: append(wrong, ran("web@4.service", "w4", 9))}
			r := runner.Run(context.Background(), w, runner.Spec{Scenario: one, Seed: 1})
			bad := r.Worst()
			if r.Verdict != checker.Violated || bad.Expect != expect || bad.Violation == nil || bad.At != 7 {
				t.Errorf("%s by %+v", r.Verdict, bad)
			}
			if w.seen != len(wrong) {
				t.Errorf("the observer was shown %d things, want %d", w.seen, len(wrong))
			}
		})
	}
}
