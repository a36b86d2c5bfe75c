package scheduler

import (
	"fmt"
	"testing"

	"drydock/node/unit"
)

// TestEqualNeedsShareAClass: requirements that are equal are so at any address, and
// few addresses are remembered.
func TestEqualNeedsShareAClass(t *testing.T) {
	s := New()
	for round := range 3 {
		for i := range 5 * metMax {
			s.SetUnit(Unit{Name: fmt.Sprintf("u%d.service", i), Active: true, Needs: &unit.Requirements{Conflicts: []string{"v*"}, Priority: 3}})
		}
		if len(s.classByKey) != 1 || len(s.classByNeeds) > metMax {
			t.Fatalf("round %d: %d classes, %d addresses", round, len(s.classByKey), len(s.classByNeeds))
		}
	}
	// One of them changes: a class of its own, though the others stay.
	s.SetUnit(Unit{Name: "u1.service", Active: true, Needs: &unit.Requirements{Conflicts: []string{"v*"}, Priority: 4}})
	if len(s.classByKey) != 2 {
		t.Errorf("%d classes, want 2", len(s.classByKey))
	}
}

// TestInstancesShareAClass: a group's units do, units of another template and units
// with the same requirements as no template's don't.
func TestInstancesShareAClass(t *testing.T) {
	s := New()
	needs := &unit.Requirements{Spread: []string{"zone"}}
	for _, name := range []string{"a@1.service", "a@2.service", "b@1.service", "a@3.service", "a@3.4.service", "a@1.timer", "a@.service", "x.service", "y.service"} {
		s.SetUnit(Unit{Name: name, Active: true, Needs: needs})
	}
	// a@ and b@ and a@'s timers, x and y.
	if len(s.classByKey) != 5 {
		t.Errorf("%d classes, want 5", len(s.classByKey))
	}
	of := func(name string) *class {
		i, _ := s.lookup(name)
		return s.class(s.unit(i))
	}
	for _, name := range []string{"a@2.service", "a@3.service", "a@3.4.service", "a@.service"} {
		if of(name) != of("a@1.service") {
			t.Errorf("%s isn't of the class of a@1.service", name)
		}
	}
}

// TestNothingIsKept: when all units are gone, nothing is known of what they were.
func TestNothingIsKept(t *testing.T) {
	s := New()
	for i := range 70 {
		s.SetMachine(Machine{ID: fmt.Sprintf("m%d", i), Metadata: map[string]string{"zone": fmt.Sprint(i % 3)}, Resources: map[string]int64{unit.CPU: 1000}})
	}
	needs := []*unit.Requirements{
		nil,
		{Conflicts: []string{"a@*"}, Spread: []string{"zone"}, Budget: unit.Budget{Count: 1}},
		{Metadata: []unit.Condition{{Key: "zone", Op: unit.Is, Values: []string{"1"}}}, Resources: []unit.Resource{{Name: unit.CPU, Amount: 900}}},
		{MachineOf: []string{"a@1.service"}},
		{Global: true, Avoids: []string{"b*"}},
		{Pinned: true, MachineID: "none", Priority: 5, MoveAfter: 1},
	}
	for round := range 3 {
		var names []string
		for i := range 300 {
			names = append(names, fmt.Sprintf("%c@%d.service", 'a'+i%7, i))
			s.SetUnit(Unit{Name: names[i], Active: true, Needs: needs[(i+round)%len(needs)]})
		}
		s.Solve(0)
		for _, name := range names {
			s.Failed(name)
		}
		s.Solve(0)
		for _, name := range names {
			s.RemoveUnit(name)
		}
		s.Solve(0)
		for what, n := range map[string]int{
			"class by key": len(s.classByKey), "class by address": len(s.classByNeeds), "profile": len(s.profileByKey),
			"pattern": len(s.patternByKey), "stem": len(s.stems), "template": len(s.names.templates), "selector": len(s.selectors),
			"demand": len(s.demands), "group that waits": len(s.waits), "trouble": len(s.troubleOf), "global": len(s.globalOf),
			"touched": len(s.touched), "number": s.unitCount - len(s.freeUnits), "class": len(s.classes) - len(s.freeClasses),
			"profile number": len(s.profiles) - 1 - len(s.freeProfiles), "waiting number": len(s.waitGroups) - len(s.freeWaitGroups),
		} {
			if n != 0 {
				t.Errorf("round %d: %d kept: %s", round, n, what)
			}
		}
	}
}
