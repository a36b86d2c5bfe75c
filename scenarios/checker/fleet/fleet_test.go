package fleet_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/fleet"
	"drydock/sim/history"
)

// at is a moment in seconds.
func at(seconds float64) int64 { return int64(seconds * float64(time.Second)) }

// ran is a run of a unit's edition one; an end of 0 is none.
func ran(unit, machine string, begin, end float64, why string) history.Ran {
	return history.Ran{Unit: unit, Machine: machine, Hash: "one", Begin: at(begin), End: at(end), Why: why}
}

// wish is a granted wish.
func wish(unit, do, desired string, asked, done float64) history.FleetWish {
	return history.FleetWish{Unit: unit, Do: do, Desired: desired, Asked: at(asked), Done: at(done)}
}

// base is a record of a quiet life: two machines, each with one unit that was
// started at once and runs to the end at 60 s.
func base() *history.Fleet {
	start := func(unit string) history.FleetWish {
		w := wish(unit, "start", "launched", 1, 1.5)
		w.Hash = "one"
		return w
	}
	return &history.Fleet{
		Units: []history.FleetUnit{
			{Name: "a.service", Group: "a", Conflicts: []string{"b.*"}, Metadata: []string{"disk=ssd", "disk=nvme"}, CPU: 1500},
			{Name: "b.service", Group: "b", Memory: 600},
			{Name: "g.service", Group: "g", Global: true, Memory: 300},
		},
		Machines: []history.FleetMachine{
			{Name: "w1", Metadata: []string{"disk=ssd"}, CPU: 2000, Memory: 1000},
			{Name: "w2", Metadata: []string{"disk=hdd"}, CPU: 2000, Memory: 1000},
		},
		Wishes: []history.FleetWish{start("a.service"), start("b.service"), start("g.service")},
		Runs: []history.Ran{
			ran("a.service", "w1", 2, 0, ""), ran("b.service", "w2", 2, 0, ""),
			ran("g.service", "w1", 2.5, 0, ""), ran("g.service", "w2", 2.5, 0, ""),
		},
		States: []history.FleetState{
			state("a.service", "w1"), state("b.service", "w2"), state("g.service", "w1"), state("g.service", "w2"),
		},
		Actual: []history.FleetActual{
			actual("a.service", "w1"), actual("b.service", "w2"), actual("g.service", "w1"), actual("g.service", "w2"),
		},
		Living: []string{"w1", "w2"}, Known: true, RestFrom: at(50),
	}
}

func state(unit, machine string) history.FleetState {
	return history.FleetState{Unit: unit, Machine: machine, Hash: "one", Load: "loaded", Active: "active", Sub: "running", Launched: true}
}

func actual(unit, machine string) history.FleetActual {
	return history.FleetActual{Unit: unit, Machine: machine, Active: "active", Sub: "running"}
}

const end = 60 * time.Second

// checks are all of them, by what a scenario calls each.
var checks = map[string]func(f *history.Fleet) checker.Verdict{
	"once":     func(f *history.Fleet) checker.Verdict { return fleet.CheckOnce(f, false) },
	"apart":    fleet.CheckApart,
	"placed":   fleet.CheckPlaced,
	"capacity": fleet.CheckCapacity,
	"causes":   fleet.CheckCauses,
	"running": func(f *history.Fleet) checker.Verdict {
		return fleet.CheckRunning(f, fleet.RunningOptions{Healed: 20 * time.Second, End: end, Within: 10 * time.Second})
	},
	"up": func(f *history.Fleet) checker.Verdict {
		return fleet.CheckUp(f, fleet.RunningOptions{End: end, Within: 5 * time.Second})
	},
	"states": func(f *history.Fleet) checker.Verdict { return fleet.CheckStates(f, end) },
	"heard":  fleet.CheckHeard,
	"rest": func(f *history.Fleet) checker.Verdict {
		return fleet.CheckRest(f, []history.Applied{{Time: at(10), Node: "n1", Index: 7}, {Time: at(55), Node: "n2", Index: 7}}, end)
	},
}

func TestQuietLifeHolds(t *testing.T) {
	for name, check := range checks {
		if v := check(base()); v.Status != checker.Held || v.Check == "" || v.Summary == "" {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// spoiled is a record in which something is wrong, or only looks so.
type spoiled struct {
	name  string
	sees  string // checks that must object
	says  string // what the first of them says
	spoil func(f *history.Fleet)
}

// move ends the first run.
func move(f *history.Fleet, from float64, why string) *history.Ran {
	r := &f.Runs[0]
	r.End, r.Why = at(from), why
	return r
}

var ofPlaces = []spoiled{
	{"twice", "once", "while it runs on w2", func(f *history.Fleet) {
		f.Units[1].Memory = 0
		f.Runs = append(f.Runs, ran("b.service", "w1", 15, 15.1, "cut"))
		f.Units[0].Conflicts = nil
	}},
	{"globals may", "", "", func(f *history.Fleet) { f.Runs = append(f.Runs, ran("g.service", "w9", 15, 16, "cut")) }},
	{"in conflict, named by the other", "apart", "where a.service runs", func(f *history.Fleet) {
		f.Units[1].Memory, f.Runs[1].End, f.Runs[1].Why = 0, at(15), "cut"
		f.Runs = append(f.Runs, ran("b.service", "w1", 15, 0, ""))
		f.States[1].Machine, f.Actual[1].Machine = "w1", "w1"
	}},
	{"for a moment", "apart", "in conflict", func(f *history.Fleet) {
		f.Units[0].Metadata = nil
		move(f, 15, "cut")
		f.Runs = append(f.Runs, ran("a.service", "w2", 15, 15.001, "cut"), ran("a.service", "w1", 15.1, 0, ""))
	}},
	{"not allowed", "placed", "wants disk=ssd disk=nvme", func(f *history.Fleet) {
		move(f, 15, "cut")
		f.Units[0].Conflicts = nil
		f.Runs = append(f.Runs, ran("a.service", "w2", 15, 0, ""))
		f.States[0].Machine, f.Actual[0].Machine = "w2", "w2"
	}},
	{"allowed a moment ago", "", "", func(f *history.Fleet) {
		move(f, 14, "cut")
		f.Wishes = append(f.Wishes, history.FleetWish{Machine: "w1", Do: "metadata", Metadata: []string{"disk=hdd"}, Asked: at(10), Done: at(10.1)})
		f.Runs = append(f.Runs, ran("a.service", "w1", 15, 0, ""))
	}},
	{"allowed long ago", "placed", "which is disk=hdd", func(f *history.Fleet) {
		move(f, 18, "cut")
		f.Wishes = append(f.Wishes, history.FleetWish{Machine: "w1", Do: "metadata", Metadata: []string{"disk=hdd"}, Asked: at(3), Done: at(3.1)})
		f.Runs = append(f.Runs, ran("a.service", "w1", 18, 0, ""))
	}},
	{"too much memory", "capacity", "1200 MiB of 1000", func(f *history.Fleet) {
		f.Units[2].Memory = 600
	}},
	{"too much of a core", "capacity", "2500 thousandths of a core of 2000", func(f *history.Fleet) {
		f.Units[2].CPU = 1000
	}},
}

var ofCauses = []spoiled{
	{"stopped", "causes", "nobody had asked", func(f *history.Fleet) {
		move(f, 15, "stopped")
		f.Runs = append(f.Runs, ran("a.service", "w1", 16, 0, ""))
	}},
	{"guarded while it had the leader's word", "causes", "nobody had asked", func(f *history.Fleet) {
		move(f, 15, "guarded")
		f.Runs = append(f.Runs, ran("a.service", "w1", 16, 0, ""))
	}},
	{"stopped while cut off", "", "", func(f *history.Fleet) {
		move(f, 15, "stopped").Cut = true
		f.Runs = append(f.Runs, ran("a.service", "w1", 16, 0, ""))
	}},
	{"stopped on a wish", "", "", func(f *history.Fleet) {
		move(f, 15, "stopped")
		f.Wishes = append(f.Wishes, wish("a.service", "restart", "launched", 14, 14.1))
		f.Runs = append(f.Runs, ran("a.service", "w1", 16, 0, ""))
	}},
	{"stopped on an old wish", "causes", "nobody had asked", func(f *history.Fleet) {
		move(f, 18, "stopped")
		f.Wishes = append(f.Wishes, wish("a.service", "restart", "launched", 4, 4.1))
		f.Runs = append(f.Runs, ran("a.service", "w1", 18.5, 0, ""))
	}},
	{"started again after it had exited", "causes", "doesn't ask for it", func(f *history.Fleet) {
		move(f, 15, "exited")
		f.Runs = append(f.Runs, ran("a.service", "w1", 16, 0, ""))
	}},
	{"started again, as its file asks", "", "", func(f *history.Fleet) {
		f.Units[0].Revives = true
		move(f, 15, "exited")
		f.Runs = append(f.Runs, ran("a.service", "w1", 16, 0, ""))
	}},
	{"started again elsewhere, its machine was lost", "", "", func(f *history.Fleet) {
		move(f, 15, "exited")
		f.Losses = []history.FleetLoss{{Machine: "w1", Begin: at(17), End: at(21), Dead: true}}
		f.Runs = append(f.Runs, ran("a.service", "w1", 19.5, 0, ""))
	}},
	{"started though nobody wants it", "causes running", "since 3.000s it was to be loaded", func(f *history.Fleet) {
		f.Wishes = append(f.Wishes, wish("a.service", "stop", "loaded", 2.5, 3))
		move(f, 3, "stopped")
		f.Runs = append(f.Runs, ran("a.service", "w1", 40, 0, ""))
	}},
}

var ofWishes = []spoiled{
	{"not running", "running up", "0 ran", func(f *history.Fleet) {
		f.Runs, f.States, f.Actual = f.Runs[1:], f.States[1:], f.Actual[1:]
	}},
	{"running late", "running up", "0 ran", func(f *history.Fleet) { f.Runs[0].Begin = at(31) }},
	{"a global unit on one machine of two", "running", "of the group g, 2 units", func(f *history.Fleet) {
		f.Runs, f.States, f.Actual = f.Runs[:3], f.States[:3], f.Actual[:3]
	}},
	{"in an old edition", "running", "edition that was replaced", func(f *history.Fleet) {
		w := wish("b.service", "replace", "launched", 10, 10.1)
		w.Hash = "two"
		f.Wishes = append(f.Wishes, w)
	}},
	{"a wish that was never granted", "running", "never granted", func(f *history.Fleet) {
		f.Wishes = append(f.Wishes, wish("b.service", "restart", "launched", 10, 0))
	}},
	{"guarded though the agent lived", "causes", "though the agent lived", func(f *history.Fleet) {
		r := move(f, 15, "guarded")
		r.Cut, r.Awake = true, true
		f.Runs = append(f.Runs, ran("a.service", "w1", 16, 0, ""))
	}},
	{"a machine that hears nothing", "heard", "after 15.000s until 18.000s", func(f *history.Fleet) {
		f.Losses = []history.FleetLoss{{Machine: "w2", Begin: at(15), End: at(18)}}
	}},
	{"a machine that was dead", "", "", func(f *history.Fleet) {
		f.Losses = []history.FleetLoss{{Machine: "w2", Begin: at(15), End: at(18), Dead: true}, {Machine: "w1", End: at(2)}}
	}},
	{"a gap", "up", "from 10.000s until 16.000s", func(f *history.Fleet) {
		move(f, 10, "cut")
		f.Runs = append(f.Runs, ran("a.service", "w1", 16, 0, ""))
	}},
	{"a state of nothing", "states", "the machine has nothing of it", func(f *history.Fleet) {
		f.States = append(f.States, state("a.service", "w2"))
	}},
	{"a state of a machine without a session", "states", "no session", func(f *history.Fleet) { f.Living = f.Living[:1] }},
	{"a state that lags", "states", "it is active/running", func(f *history.Fleet) { f.States[0].Active, f.States[0].Sub = "failed", "failed" }},
	{"a state of another edition", "states", "in edition two", func(f *history.Fleet) { f.States[0].Hash = "two" }},
	{"no state", "states", "the cluster knows nothing of it", func(f *history.Fleet) { f.States = f.States[1:] }},
	{"a state that changes just now", "running", "0 ran", func(f *history.Fleet) {
		f.Units[0].Revives = true
		move(f, 59.5, "exited")
		f.Runs = append(f.Runs, ran("a.service", "w1", 59.6, 0, ""))
		f.States[0].Active = "failed"
	}},
}

// TestEachCheckSees has, for each check, records that only it, and others that are
// named, must object to.
func TestEachCheckSees(t *testing.T) {
	for _, tc := range slices.Concat(ofPlaces, ofCauses, ofWishes) {
		t.Run(tc.name, func(t *testing.T) {
			for name, check := range checks {
				f := base()
				tc.spoil(f)
				v := check(f)
				want := strings.Contains(" "+tc.sees+" ", " "+name+" ")
				if (v.Status == checker.Violated) != want {
					t.Errorf("%s: %s, %s", name, v.Status, v.Summary)
				}
				if first, _, _ := strings.Cut(tc.sees, " "); want && name == first && !strings.Contains(v.Violation.Why, tc.says) {
					t.Errorf("%s says %q", name, v.Violation.Why)
				}
			}
		})
	}
}

func TestRestSeesEntries(t *testing.T) {
	applied := []history.Applied{{Time: at(51), Node: "n1", Index: 7}, {Time: at(53), Node: "n2", Index: 7}, {Time: at(57), Node: "n1", Index: 8}}
	if v := fleet.CheckRest(base(), applied, end); v.Status != checker.Violated || !strings.Contains(v.Summary, "entry 8 at 57.000s") {
		t.Errorf("%+v", v)
	}
	if v := fleet.CheckRest(base(), applied, 52*time.Second); v.Status != checker.Unknown {
		t.Errorf("without a rest: %+v", v)
	}
}

// TestNothingToGoBy pins that a check of nothing isn't held.
func TestNothingToGoBy(t *testing.T) {
	for name, check := range checks {
		if v := check(new(history.Fleet)); v.Status != checker.Unknown {
			t.Errorf("%s: %+v", name, v)
		}
	}
	short := base()
	if v := fleet.CheckRunning(short, fleet.RunningOptions{Healed: 55 * time.Second, End: end, Within: 10 * time.Second}); v.Status != checker.Unknown {
		t.Errorf("a run that ends too soon: %+v", v)
	}
}

// TestKeepRunning pins that machines which are to keep their units running when
// they are cut off may run one twice.
func TestKeepRunning(t *testing.T) {
	f := base()
	f.Runs = append(f.Runs, ran("b.service", "w9", 30, 31, "cut"))
	if fleet.CheckOnce(f, false).Status != checker.Violated || fleet.CheckOnce(f, true).Status != checker.Held {
		t.Error("the choice makes no difference")
	}
}
