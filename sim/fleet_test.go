package sim

import (
	"testing"
	"time"

	"drydock/chaos"
	"drydock/sim/history"
)

// fleetConfig is a quiet cluster with three machines and a few units.
func fleetConfig(seed uint64, steps ...chaos.Step) Config {
	cfg := testConfig(seed, 3)
	cfg.Load.Clients, cfg.Load.Think = 1, 300*time.Millisecond
	cfg.Duration, cfg.HealAt = 30*time.Second, 22*time.Second
	cfg.Fleet = &FleetConfig{RestFrom: 26 * time.Second}
	for _, name := range []string{"w1", "w2", "w3"} {
		cfg.Fleet.Machines = append(cfg.Fleet.Machines, FleetMachine{Name: name})
	}
	for _, name := range []string{"a.service", "b.service", "c.service", "d.service"} {
		cfg.Fleet.Units = append(cfg.Fleet.Units, FleetUnit{
			Name: name, At: time.Second, Desired: "launched", Facts: []history.FleetUnit{{Name: name, Group: name}},
			Text: func(int) string { return "[Service]\nExecStart=/usr/bin/work down=50ms\n" },
		})
	}
	cfg.Plan = chaos.Plan{Steps: steps}
	return cfg
}

// strike is a step at a time.
func strike(at time.Duration, p chaos.Params, lasts time.Duration) chaos.Step {
	return chaos.Step{At: at, AtSet: true, Fault: p, For: lasts}
}

// first returns the first run of a unit, and the one after it, if there is one.
func firstRuns(t *testing.T, r *Result, unit string) (first, second *history.Ran) {
	t.Helper()
	for i := range r.Fleet.Runs {
		switch ran := &r.Fleet.Runs[i]; {
		case ran.Unit != unit:
		case first == nil:
			first = ran
		case second == nil:
			second = ran
		}
	}
	if first == nil {
		t.Fatalf("%s never ran", unit)
	}
	return first, second
}

// on finds a unit that runs on a machine in the first place.
func on(t *testing.T, r *Result, machine string) *history.Ran {
	t.Helper()
	for i := range r.Fleet.Runs {
		if r.Fleet.Runs[i].Machine == machine {
			return &r.Fleet.Runs[i]
		}
	}
	t.Fatalf("nothing ran on %s", machine)
	return nil
}

func TestMachinesRunWhatUsersAskFor(t *testing.T) {
	r := run(t, fleetConfig(1))
	for _, u := range r.Fleet.Units {
		first, second := firstRuns(t, r, u.Name)
		if first.End != 0 || second != nil || time.Duration(first.Begin) > 3*time.Second {
			t.Errorf("%s: %+v, then %+v", u.Name, first, second)
		}
	}
	if len(r.Fleet.Living) != 3 || len(r.Fleet.States) != 4 || len(r.Fleet.Actual) != 4 || !r.Fleet.Known {
		t.Errorf("at the end: %+v", r.Fleet)
	}
	for _, w := range r.Fleet.Wishes {
		if w.Done == 0 || w.Hash == "" || w.Desired != "launched" {
			t.Errorf("wish %+v", w)
		}
	}
}

func TestUnitsOfALostMachineRunElsewhere(t *testing.T) {
	r := run(t, fleetConfig(2, strike(8*time.Second, &chaos.Crash{Node: chaos.Selectors{"w1"}, LoseUnsynced: true}, 0)))
	lost := on(t, r, "w1")
	first, second := firstRuns(t, r, lost.Unit)
	if first.Why != "cut" || second == nil || second.Machine == "w1" {
		t.Fatalf("%+v, then %+v", first, second)
	}
	if gap := time.Duration(second.Begin - first.End); gap < 2*time.Second || gap > 4*time.Second {
		t.Errorf("it ran elsewhere %s after the loss", gap)
	}
}

func TestGuardEndsTheUnitsOfAStoppedAgent(t *testing.T) {
	r := run(t, fleetConfig(3, strike(8*time.Second, &chaos.Pause{Node: chaos.Selectors{"w1"}}, 7*time.Second)))
	lost := on(t, r, "w1")
	first, second := firstRuns(t, r, lost.Unit)
	if first.Why != "guarded" || !first.Cut || first.Awake || second == nil || second.Begin < first.End {
		t.Fatalf("%+v, then %+v", first, second)
	}
	if after := time.Duration(first.End) - 8*time.Second; after < 2*time.Second || after > 3*time.Second {
		t.Errorf("the guard came %s after the agent was stopped", after)
	}
}

func TestAgentThatComesBackAdopts(t *testing.T) {
	r := run(t, fleetConfig(4, strike(8*time.Second, &chaos.Crash{Node: chaos.Selectors{"w1"}, RestartAfter: time.Second}, 0)))
	lost := on(t, r, "w1")
	if first, second := firstRuns(t, r, lost.Unit); first.End != 0 || second != nil {
		t.Errorf("%+v, then %+v", first, second)
	}
	for _, s := range r.Fleet.States {
		if s.Active != "active" {
			t.Errorf("state %+v", s)
		}
	}
}

func TestCutOffMachineEndsItsUnitsByItself(t *testing.T) {
	r := run(t, fleetConfig(5, strike(8*time.Second, &chaos.Partition{Isolate: chaos.Selectors{"w1"}, Direction: "both"}, 7*time.Second)))
	lost := on(t, r, "w1")
	first, second := firstRuns(t, r, lost.Unit)
	if first.Why != "stopped" || !first.Cut || !first.Awake || second == nil || second.Begin < first.End {
		t.Fatalf("%+v, then %+v", first, second)
	}
	if len(r.Fleet.Losses) == 0 || r.Fleet.Losses[0].Machine != "w1" || r.Fleet.Losses[0].Dead {
		t.Errorf("losses %+v", r.Fleet.Losses)
	}
}

func TestUsersChangeTheirMinds(t *testing.T) {
	r := run(
		t, fleetConfig(
			6,
			strike(5*time.Second, &chaos.Units{Do: chaos.DoStop, Name: []string{"a.service"}}, 0),
			strike(7*time.Second, &chaos.Units{Do: chaos.DoStart, Name: []string{"a.service"}}, 0),
			strike(8*time.Second, &chaos.Units{Do: chaos.DoRestart, Name: []string{"b.service"}}, 0),
			strike(9*time.Second, &chaos.Units{Do: chaos.DoDestroy, Name: []string{"c.service"}}, 0),
			strike(10*time.Second, &chaos.Drain{Node: chaos.Selectors{"w1"}}, 2*time.Second),
			strike(14*time.Second, &chaos.UnitCrash{Unit: []string{"d.service"}, Node: chaos.Selectors{chaos.Workers}}, 0),
		))
	for _, tc := range []struct {
		unit, why string
		again     bool
	}{{"a.service", "stopped", true}, {"b.service", "stopped", true}, {"c.service", "stopped", false}} {
		first, second := firstRuns(t, r, tc.unit)
		if first.Why != tc.why || (second != nil) != tc.again || first.Told == 0 {
			t.Errorf("%s: %+v, then %+v", tc.unit, first, second)
		}
	}
	for _, o := range r.Outcomes {
		if o.Effective != 1 {
			t.Errorf("%+v", o)
		}
	}
}

func TestFleetRunsRepeat(t *testing.T) {
	cfg := func() Config {
		return fleetConfig(7, strike(5*time.Second, &chaos.Crash{Node: chaos.Selectors{chaos.Runner}, RestartAfter: time.Second}, 0))
	}
	a, b := run(t, cfg()), run(t, cfg())
	if a.Trace != b.Trace || a.Trace == "" {
		t.Errorf("traces %s and %s", a.Trace, b.Trace)
	}
	if plain := run(t, testConfig(1, 3)); plain.Fleet != nil {
		t.Error("a run without machines has records of them")
	}
}
