package scheduler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/scheduler"
	"drydock/node/unit"
)

// TestResumeMovesNobody: a scheduler that is told where units stand, as another one
// has placed them, leaves them there, global ones too.
func TestResumeMovesNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, next := scheduler.New(), scheduler.New()
		var log []string
		for range rapid.IntRange(0, 5).Draw(t, "machines") {
			m := small.machine(t)
			log = append(log, fmt.Sprintf("up %+v", m))
			old.SetMachine(m)
			next.SetMachine(m)
		}
		needs := map[string]*unit.Requirements{}
		for range rapid.IntRange(0, 12).Draw(t, "units") {
			name := rapid.SampledFrom(small.units).Draw(t, "unit")
			r := small.needs(t)
			r.Replaces, r.Priority = nil, 0
			needs[name] = r
			log = append(log, fmt.Sprintf("start %s %+v", name, *r))
			start(old, r, name)
			old.Solve(0)
		}
		for _, name := range rapid.Permutation(small.units).Draw(t, "order") {
			u := scheduler.Unit{Name: name, Active: true, Needs: needs[name]}
			switch id := old.Where(name); {
			case needs[name] == nil:
			case needs[name].Global:
				next.Resume(u, old.Everywhere(name)...)
			case id != "":
				next.Resume(u, id)
			}
		}
		for more := true; more; {
			var moves []scheduler.Move
			if moves, more = next.Solve(1); len(moves) > 0 {
				t.Fatalf("moves %+v\n%s", moves, strings.Join(log, "\n"))
			}
		}
		if moves := next.GlobalMoves(); len(moves) > 0 {
			t.Fatalf("global moves %+v\n%s", moves, strings.Join(log, "\n"))
		}
		for _, name := range small.units {
			if diff := cmp.Diff(old.Where(name), next.Where(name)); diff != "" {
				t.Fatalf("%s (-old +next):\n%s", name, diff)
			}
		}
	})
}

// TestResume: what may not stay goes, and what is missing comes.
func TestResume(t *testing.T) {
	s := up("m1", "m2", "m3")
	s.Resume(scheduler.Unit{Name: "g.service", Active: true, Needs: &unit.Requirements{Global: true}}, "m2", "m9")
	s.Resume(scheduler.Unit{Name: "a.service", Active: true, Needs: &unit.Requirements{Pinned: true, MachineID: "m3"}}, "m1")
	s.Resume(scheduler.Unit{Name: "b.service", Active: true}, "gone")
	s.SetMachine(scheduler.Machine{ID: "m0"}) // all positions change amid it
	moves, _ := s.Solve(0)
	if len(moves) != 2 || moves[0].Unit != "a.service" || moves[0].From != "m1" || moves[0].To != "m3" {
		t.Errorf("moves %+v", moves)
	}
	want(t, s, "a.service=m3 b.service=m0")
	var came []string
	for _, m := range s.GlobalMoves() {
		came = append(came, m.From+">"+m.To)
	}
	if diff := cmp.Diff([]string{">m0", ">m1", ">m3"}, came); diff != "" {
		t.Errorf("global moves (-want +got):\n%s", diff)
	}
	s.RemoveMachine("m2")
	s.RemoveUnit("g.service")
	if moves := s.GlobalMoves(); len(moves) != 4 {
		t.Errorf("global moves at the end %+v", moves)
	}
}
