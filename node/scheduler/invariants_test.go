package scheduler_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"drydock/node/scheduler"
	"drydock/node/unit"
)

// model is what a scheduler was told, to judge what it says.
type model struct {
	s        *scheduler.Scheduler
	machines map[string]scheduler.Machine
	units    map[string]*unit.Requirements
	log      []string
}

// TestInvariants: with everything that moves units on purpose, too, it comes to
// rest, and no unit is where it may not be.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{s: scheduler.New(), machines: map[string]scheduler.Machine{}, units: map[string]*unit.Requirements{}}
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			m.command(t)
			for n := 0; ; n++ {
				moves, more := m.s.Solve(4)
				for _, move := range moves {
					if rapid.Bool().Draw(t, "runs") {
						m.s.Running(move.Unit)
					}
				}
				if !more {
					break
				}
				if n > 500 {
					t.Fatalf("no end:\n%s", strings.Join(m.log, "\n"))
				}
			}
			if broken := m.broken(); broken != "" {
				t.Fatalf("%s:\n%s", broken, strings.Join(m.log, "\n"))
			}
		}
	})
}

func (m *model) command(t *rapid.T) {
	name := rapid.SampledFrom(small.units).Draw(t, "unit")
	id := rapid.SampledFrom(small.machines).Draw(t, "machine")
	what := rapid.SampledFrom([]string{"up", "down", "set", "set", "stop", "drain", "undrain", "failed", "running", "replace", "rebalance"}).Draw(t, "command")
	m.log = append(m.log, fmt.Sprintf("%s %s %s", what, name, id))
	needs := func() *unit.Requirements {
		r := small.needs(t)
		r.Rebalance, r.MoveAfter = rapid.Bool().Draw(t, "rebalance"), rapid.IntRange(0, 2).Draw(t, "move after")
		r.Budget.Count = rapid.IntRange(0, 1).Draw(t, "budget")
		m.log = append(m.log, fmt.Sprintf("  %+v", *r))
		return r
	}
	switch what {
	case "up":
		one := small.machine(t)
		m.log = append(m.log, fmt.Sprintf("  %v", one))
		m.machines[one.ID] = one
		m.s.SetMachine(one)
	case "down":
		delete(m.machines, id)
		m.s.RemoveMachine(id)
	case "set":
		m.units[name] = needs()
		m.s.SetUnit(scheduler.Unit{Name: name, Active: true, Needs: m.units[name]})
	case "stop":
		m.s.SetUnit(scheduler.Unit{Name: name, Needs: m.units[name]})
	case "drain", "undrain":
		m.s.Drain(id, what == "drain")
	case "failed":
		m.s.Failed(name)
	case "running":
		m.s.Running(name)
	case "rebalance":
		m.s.Rebalance(2)
	case "replace":
		// Its new needs may come later: only the placement-free ones change.
		if old := m.units[name]; old != nil {
			changed := *old
			changed.Retry++
			m.s.Replace(scheduler.Unit{Name: name, Active: true, Needs: &changed})
		}
	}
}

// broken says which rule a placement breaks, empty if none.
func (m *model) broken() string {
	used := map[string]int64{}
	for _, a := range small.units {
		where := m.s.Everywhere(a)
		if id := m.s.Where(a); id != "" {
			where = append(where, id)
		}
		for _, id := range where {
			machine, up := m.machines[id]
			if !up {
				return a + " is on a machine that is gone"
			}
			r := m.units[a]
			for _, c := range r.Metadata {
				if value, has := machine.Metadata[c.Key]; !c.Holds(value, has) {
					return a + " is where its metadata forbids"
				}
			}
			if !r.AllowsMachine(id) {
				return a + " isn't on its machine"
			}
			for _, one := range r.Resources {
				used[id+one.Name] += one.Amount
				if len(machine.Resources) > 0 && used[id+one.Name] > machine.Resources[one.Name] {
					return a + " has no room on " + id
				}
			}
			for _, b := range small.units {
				there := m.s.Where(b) == id || slices.Contains(m.s.Everywhere(b), id)
				if there && a != b && slices.ContainsFunc(r.Conflicts, func(g string) bool { return unit.Glob(g, b) }) {
					return a + " and " + b + " conflict"
				}
			}
		}
	}
	return ""
}
