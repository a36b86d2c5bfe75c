package scheduler_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/scheduler"
	"drydock/node/scheduler/reference"
	"drydock/node/unit"
)

// up returns a scheduler with machines that state no resources.
func up(ids ...string) *scheduler.Scheduler {
	s := scheduler.New()
	for _, id := range ids {
		s.SetMachine(scheduler.Machine{ID: id})
	}
	return s
}

func start(s *scheduler.Scheduler, needs *unit.Requirements, names ...string) {
	for _, name := range names {
		s.SetUnit(scheduler.Unit{Name: name, Active: true, Needs: needs})
	}
}

// want compares where units are with "a.service=m1 b.service=".
func want(t *testing.T, s *scheduler.Scheduler, expected string) {
	t.Helper()
	var words []string
	for _, word := range strings.Fields(expected) {
		name, _, _ := strings.Cut(word, "=")
		words = append(words, name+"="+s.Where(name))
	}
	if diff := cmp.Diff(expected, strings.Join(words, " ")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDrain(t *testing.T) {
	s := up("m1", "m2", "m3")
	pinned := &unit.Requirements{Pinned: true, MachineID: "m1"}
	start(s, nil, "a.service", "b.service", "c.service", "d.service")
	start(s, pinned, "pinned.service")
	start(s, &unit.Requirements{Global: true}, "g.service")
	s.Solve(0)
	want(t, s, "a.service=m1 b.service=m2 c.service=m3 d.service=m1 pinned.service=m1")
	if s.Drain("m9", true) || !s.Drain("m1", true) {
		t.Error("which machines can be drained?")
	}
	moves, _ := s.Solve(0)
	if len(moves) != 2 || !strings.Contains(moves[0].Why, "being drained") {
		t.Errorf("moves %+v", moves)
	}
	want(t, s, "a.service=m3 d.service=m2 pinned.service=m1")
	if diff := cmp.Diff([]string{"m2", "m3"}, s.Everywhere("g.service")); diff != "" {
		t.Errorf("global units leave at once:\n%s", diff)
	}
	if why := s.Elsewhere("pinned.service"); why != "2 of 3: its id isn't \"m1\" (MachineID)" {
		t.Errorf("pinned.service stays: %s", why)
	}
	if why := s.Elsewhere("a.service"); why != "" {
		t.Errorf("a.service can't go: %s", why)
	}
	start(s, nil, "e.service")
	s.Solve(0)
	want(t, s, "e.service=m2")
	// The one that had nowhere to go leaves when it has.
	start(s, nil, "pinned.service")
	s.Solve(0)
	want(t, s, "pinned.service=m3")
	s.Drain("m1", false)
	start(s, nil, "f.service")
	s.Solve(0)
	want(t, s, "f.service=m1")
}

// TestDrainWithinBudget: one of a group at a time, the next when it runs.
func TestDrainWithinBudget(t *testing.T) {
	s := up("m1", "m2")
	start(s, &unit.Requirements{Budget: unit.Budget{Count: 1}}, "web@1.service", "web@2.service", "web@3.service", "web@4.service")
	s.Solve(0)
	s.Drain("m1", true)
	for round := range 3 {
		moves, _ := s.Solve(0)
		if wantMoves := min(1, 2-round); len(moves) != wantMoves {
			t.Fatalf("round %d: moves %+v", round, moves)
		}
		for _, m := range moves {
			s.Running(m.Unit)
		}
	}
	if got := s.Load("m1"); got != 0 {
		t.Errorf("%d units are left on m1", got)
	}
}

func TestRebalance(t *testing.T) {
	s := up("m1")
	may := &unit.Requirements{Rebalance: true}
	for i := range 6 {
		start(s, may, fmt.Sprintf("may@%d.service", i))
	}
	start(s, nil, "fixed.service")
	s.Solve(0)
	s.SetMachine(scheduler.Machine{ID: "m2"})
	if moves, _ := s.Solve(0); len(moves) != 0 {
		t.Errorf("a machine's coming moves %+v", moves)
	}
	if n := s.Rebalance(2); n != 2 {
		t.Errorf("moved %d, want 2", n)
	}
	if n := s.Rebalance(100); n != 1 {
		t.Errorf("moved %d more, want 1", n)
	}
	s.Solve(0)
	if a, b := s.Load("m1"), s.Load("m2"); a != 4 || b != 3 {
		t.Errorf("loads %d and %d, want 4 and 3", a, b)
	}
	want(t, s, "fixed.service=m1")
}

// TestReplace: new versions of a group one after the other, in place.
func TestReplace(t *testing.T) {
	s := up("m1", "m2")
	old, changed := &unit.Requirements{}, &unit.Requirements{Avoids: []string{"x"}}
	names := []string{"web@1.service", "web@2.service", "web@3.service"}
	start(s, old, names...)
	s.Solve(0)
	for _, name := range names {
		s.Replace(scheduler.Unit{Name: name, Active: true, Needs: changed})
	}
	for i, name := range names {
		moves, _ := s.Solve(0)
		if len(moves) != 1 || moves[0].Unit != name || moves[0].From != moves[0].To || moves[0].Why == "" {
			t.Fatalf("moves %+v, want %s in place", moves, name)
		}
		if again, _ := s.Solve(0); len(again) != 0 {
			t.Fatalf("%d: the next didn't wait: %+v", i, again)
		}
		s.Running(name)
	}
	if moves, _ := s.Solve(0); len(moves) != 0 {
		t.Errorf("moves %+v at the end", moves)
	}
}

// TestReplaceOfTheDisplaced: a unit that loses its machine before its turn starts
// elsewhere by its new version's rules.
func TestReplaceOfTheDisplaced(t *testing.T) {
	s := up("m1", "m2")
	s.SetMachine(scheduler.Machine{ID: "m3", Metadata: map[string]string{"disk": "ssd"}})
	start(s, nil, "web@1.service", "web@2.service")
	s.Solve(0)
	want(t, s, "web@1.service=m1 web@2.service=m2")
	ssd := &unit.Requirements{Metadata: []unit.Condition{{Key: "disk", Op: unit.Is, Values: []string{"ssd"}}}}
	s.Replace(scheduler.Unit{Name: "web@1.service", Active: true})
	s.Replace(scheduler.Unit{Name: "web@2.service", Active: true, Needs: ssd})
	s.Solve(0)
	s.Drain("m2", true)
	if moves, _ := s.Solve(0); len(moves) != 0 {
		t.Errorf("the old version moves: %+v", moves)
	}
	s.RemoveMachine("m2")
	s.Solve(0)
	want(t, s, "web@1.service=m1 web@2.service=m3")
	s.Running("web@1.service")
	if moves, _ := s.Solve(0); len(moves) != 0 {
		t.Errorf("moves %+v at the end", moves)
	}
}

func TestFailed(t *testing.T) {
	s := up("m1", "m2")
	start(s, &unit.Requirements{MoveAfter: 2, Retry: time.Second, RetryMax: 3 * time.Second}, "a.service")
	s.Solve(0)
	type step struct {
		Wait  time.Duration
		Where string
	}
	for i, want := range []step{
		{1 * time.Second, "m1"},
		{2 * time.Second, "m2"},
		{3 * time.Second, "m2"},
		{3 * time.Second, "m1"}, // it has failed everywhere: back to the first
	} {
		wait := s.Failed("a.service")
		moves, _ := s.Solve(0)
		if got := (step{wait, s.Where("a.service")}); got != want {
			t.Errorf("failure %d: %+v, want %+v (moves %+v)", i+1, got, want, moves)
		}
	}
	s.Running("a.service")
	if wait := s.Failed("a.service"); wait != time.Second {
		t.Errorf("after it ran: wait %v", wait)
	}
	if wait := s.Failed("nobody.service"); wait != 0 {
		t.Errorf("an unknown unit waits %v", wait)
	}
}

// TestPriority: the least important victims, as few as it takes.
func TestPriority(t *testing.T) {
	s := scheduler.New()
	for _, id := range []string{"m1", "m2"} {
		s.SetMachine(scheduler.Machine{ID: id, Resources: map[string]int64{unit.Memory: 10}})
	}
	needs := func(memory int64, priority int) *unit.Requirements {
		return &unit.Requirements{Priority: priority, Resources: []unit.Resource{{Name: unit.Memory, Amount: memory}}}
	}
	start(s, needs(6, 5), "high.service")
	start(s, needs(5, 1), "low1.service")
	start(s, needs(5, 0), "low2.service")
	s.Solve(0)
	want(t, s, "high.service=m1 low1.service=m2 low2.service=m2")
	start(s, needs(5, 3), "vip.service")
	s.Solve(0)
	want(t, s, "vip.service=m2 low1.service=m2 low2.service=")
	if why := s.Why("low2.service"); !strings.Contains(why, "memory is short") {
		t.Errorf("why: %s", why)
	}
	start(s, needs(5, 3), "equal.service")
	s.Solve(0)
	want(t, s, "equal.service=m2 vip.service=m2 low1.service=")
}

// TestCirclesRest: units that would drive each other away for ever come to rest.
func TestCirclesRest(t *testing.T) {
	s := up("m1")
	for i := range 5 {
		start(s, &unit.Requirements{Replaces: []string{fmt.Sprintf("c%d.service", (i+1)%5)}}, fmt.Sprintf("c%d.service", i))
	}
	for i := 0; ; i++ {
		if _, more := s.Solve(1); !more {
			break
		}
		if i > 200 {
			t.Fatal("no end")
		}
	}
	if moves, more := s.Solve(0); len(moves) > 0 || more {
		t.Errorf("moves at rest: %+v", moves)
	}
}

// TestBoundedStep: a limit bounds a step, and steps add up to the same.
func TestBoundedStep(t *testing.T) {
	whole, steps := up("m1", "m2", "m3"), up("m1", "m2", "m3")
	for i := range 100 {
		name := fmt.Sprintf("u%d.service", i)
		start(whole, nil, name)
		start(steps, nil, name)
	}
	whole.Solve(0)
	n := 0
	for more := true; more; n++ {
		var moves []scheduler.Move
		moves, more = steps.Solve(7)
		if len(moves) > 7 {
			t.Fatalf("%d moves in a step of 7", len(moves))
		}
	}
	if n < 100/7 {
		t.Errorf("took %d steps", n)
	}
	for i := range 100 {
		name := fmt.Sprintf("u%d.service", i)
		if whole.Where(name) != steps.Where(name) {
			t.Errorf("%s is on %s and on %s", name, whole.Where(name), steps.Where(name))
		}
	}
}

// TestAllAlikeWait: when a machine comes, all units alike that have waited are placed,
// not the first alone.
func TestAllAlikeWait(t *testing.T) {
	s := scheduler.New()
	start(s, &unit.Requirements{Replaces: []string{"x*"}}, "a@1.service", "a@2.service", "a@3.service")
	s.Solve(0)
	s.SetMachine(scheduler.Machine{ID: "m1"})
	s.Solve(1)
	start(s, &unit.Requirements{Priority: 1}, "a@1.service") // another key, while its group is being tried
	s.Solve(0)
	want(t, s, "a@1.service=m1 a@2.service=m1 a@3.service=m1")
	s.RemoveMachine("m1")
	s.Solve(0)
	s.SetMachine(scheduler.Machine{ID: "m1"})
	s.Solve(1)
	s.RemoveUnit("a@2.service")
	s.Solve(0)
	want(t, s, "a@1.service=m1 a@3.service=m1")
}

func TestInstances(t *testing.T) {
	name := func(s string) unit.Name {
		n, err := unit.ParseName(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	are := []unit.Name{name("web@1.service"), name("web@7.service"), name("web@blue.service"), name("db@3.service"), name("web@03.service")}
	begin, end, err := scheduler.Instances(name("web@.service"), 2, are)
	if err != nil || fmt.Sprint(begin, end) != "[web@2.service] [web@7.service]" {
		t.Errorf("start %v, destroy %v (%v)", begin, end, err)
	}
	if _, _, err := scheduler.Instances(name("plain.service"), 1, nil); err == nil {
		t.Error("a plain unit has instances")
	}
}

// TestAllThatWaitedIsPlaced has units that are alike wait before there is a machine.
func TestAllThatWaitedIsPlaced(t *testing.T) {
	s := scheduler.New()
	start(s, nil, "a.service", "b.service", "c.service")
	s.Solve(0)
	s.SetMachine(scheduler.Machine{ID: "m1"})
	s.Solve(0)
	want(t, s, "a.service=m1 b.service=m1 c.service=m1")
}

// TestSpreadOverMany: over a key with more values than a set lists, with a second key
// and a limit, as the slow solver does.
func TestSpreadOverMany(t *testing.T) {
	fast, slow := scheduler.New(), reference.New()
	for i := range 90 {
		m := scheduler.Machine{ID: fmt.Sprintf("m%02d", i), Metadata: map[string]string{"host": fmt.Sprint(i / 2)}}
		if i%3 > 0 {
			m.Metadata["zone"] = fmt.Sprint(i % 3)
		}
		fast.SetMachine(m)
		slow.SetMachine(m)
	}
	needs := &unit.Requirements{Spread: []string{"host", "zone"}, SpreadLimit: 70}
	for i := range 150 {
		u := scheduler.Unit{Name: fmt.Sprintf("web@%d.service", i), Active: true, Needs: needs}
		fast.SetUnit(u)
		slow.SetUnit(u)
		fast.Solve(0)
		slow.Solve()
		if got, want := fast.Where(u.Name), slow.Where(u.Name); got != want {
			t.Fatalf("%s is on %s, the slow solver has it on %s", u.Name, got, want)
		}
	}
	for i := 0; i < 90; i += 7 {
		id := fmt.Sprintf("m%02d", i)
		fast.RemoveMachine(id)
		slow.RemoveMachine(id)
		fast.Solve(0)
		slow.Solve()
	}
	for i := range 150 {
		name := fmt.Sprintf("web@%d.service", i)
		if got, want := fast.Where(name), slow.Where(name); got != want {
			t.Errorf("%s is on %q, the slow solver has it on %q", name, got, want)
		}
	}
}
