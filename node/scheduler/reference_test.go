package scheduler_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"drydock/node/scheduler"
	"drydock/node/scheduler/reference"
	"drydock/node/unit"
)

// twins are the scheduler and the slow solver, told the same.
type twins struct {
	fast *scheduler.Scheduler
	slow *reference.Solver
	log  []string
	// placed is where the moves so far have brought each unit.
	placed map[string]string
	// assigned units were put where they are since moves were last seen.
	assigned map[string]bool
	// on is where the moves so far have brought each global unit.
	on map[string][]string
}

func (w *twins) did(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

// world is what random commands are made of.
type world struct {
	machines, units, globs []string
}

var small = world{
	machines: []string{"m1", "m2", "m3", "m4", "m5"},
	units:    []string{"a.service", "b.service", "g.service", "web@1.service", "web@2.service", "web@3.service", "db@1.service", "db@2.service"},
	globs:    []string{"web@*", "db@*.service", "a.service", "*", "[ab].service", "g*", "web@1.service", "[", "b.service"},
}

func (w world) needs(t *rapid.T) *unit.Requirements {
	r := &unit.Requirements{}
	glob := rapid.SampledFrom(w.globs)
	some := func(label string, chance int) bool { return rapid.IntRange(0, 99).Draw(t, label) < chance }
	if some("pinned", 5) {
		r.Pinned, r.MachineID = true, rapid.SampledFrom(w.machines).Draw(t, "id")
	}
	if some("of", 15) {
		r.MachineOf = []string{rapid.SampledFrom(append(w.units, "web@*")).Draw(t, "peer")}
	}
	if some("metadata", 20) {
		r.Metadata = []unit.Condition{{Key: "disk", Op: rapid.SampledFrom([]unit.Op{unit.Is, unit.IsNot}).Draw(t, "op"), Values: []string{"ssd"}}}
	}
	if some("conflicts", 25) {
		r.Conflicts = rapid.SliceOfN(glob, 1, 2).Draw(t, "globs")
	}
	if some("replaces", 12) {
		r.Replaces = []string{glob.Draw(t, "glob")}
	}
	if some("avoids", 12) {
		r.Avoids = []string{glob.Draw(t, "glob")}
	}
	if some("global", 12) {
		r.Global = true
	}
	if some("spread", 15) {
		r.Spread = rapid.SampledFrom([][]string{{"zone"}, {"zone", "disk"}, {"none"}}).Draw(t, "keys")
		r.SpreadLimit = rapid.IntRange(0, 2).Draw(t, "limit")
		if some("with", 30) {
			r.SpreadWith = []string{glob.Draw(t, "glob")}
		}
	}
	if some("priority", 25) {
		r.Priority = rapid.IntRange(-1, 2).Draw(t, "priority")
	}
	if some("resources", 30) {
		r.Resources = []unit.Resource{{Name: unit.Memory, Amount: rapid.Int64Range(1, 5).Draw(t, "memory")}}
		if some("gpu", 20) {
			r.Resources = append(r.Resources, unit.Resource{Name: "gpu", Amount: 1})
		}
	}
	for _, p := range r.MachineOf {
		// Whoever drives away whom it follows is refused before it comes here
		// (unit.Requirements.Validate): it would go as it comes, and who else looks at
		// the machine in between is a matter of order.
		if slices.ContainsFunc(slices.Concat(r.Conflicts, r.Replaces), func(g string) bool { return unit.Glob(g, p) || g == "*" }) {
			r.MachineOf = nil
			break
		}
	}
	return r
}

func (w world) machine(t *rapid.T) scheduler.Machine {
	m := scheduler.Machine{ID: rapid.SampledFrom(w.machines).Draw(t, "machine"), Metadata: map[string]string{}}
	if v := rapid.SampledFrom([]string{"", "ssd", "hdd"}).Draw(t, "disk"); v != "" {
		m.Metadata["disk"] = v
	}
	if v := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "zone"); v != "" {
		m.Metadata["zone"] = v
	}
	if v := rapid.Int64Range(0, 8).Draw(t, "memory"); v > 0 {
		m.Resources = map[string]int64{unit.Memory: v, "gpu": 1}
	}
	return m
}

// command does one random thing to both.
func (w *twins) command(t *rapid.T, of world) {
	name := func() string { return rapid.SampledFrom(of.units).Draw(t, "unit") }
	id := func() string { return rapid.SampledFrom(of.machines).Draw(t, "machine") }
	switch rapid.SampledFrom([]string{"up", "up", "down", "set", "set", "set", "set", "stop", "remove", "assign"}).Draw(t, "command") {
	case "up":
		m := of.machine(t)
		w.did("up %v", m)
		w.fast.SetMachine(m)
		w.slow.SetMachine(m)
	case "down":
		m := id()
		w.did("down %s", m)
		w.fast.RemoveMachine(m)
		w.slow.RemoveMachine(m)
	case "set":
		u := scheduler.Unit{Name: name(), Active: true, Needs: of.needs(t)}
		w.did("set %s %+v", u.Name, *u.Needs)
		w.fast.SetUnit(u)
		w.slow.SetUnit(u)
	case "stop":
		u := scheduler.Unit{Name: name(), Needs: of.needs(t)}
		w.did("stop %s %+v", u.Name, *u.Needs)
		w.fast.SetUnit(u)
		w.slow.SetUnit(u)
	case "remove":
		n := name()
		w.did("remove %s", n)
		w.fast.RemoveUnit(n)
		w.slow.RemoveUnit(n)
	case "assign":
		n, m := name(), id()
		w.did("assign %s %s", n, m)
		if w.fast.Assign(n, m) {
			w.placed[n], w.assigned[n] = m, true
		}
		w.slow.Assign(n, m)
	}
}

// large has more machines than a set lists, so that bitmaps are compared, too.
var large = func() world {
	w := world{globs: []string{"web@*", "db@*.service", "web@1*", "u1*", "u?.service", "*5.service"}}
	for i := range 70 {
		w.machines = append(w.machines, fmt.Sprintf("m%02d", i))
	}
	for i := range 40 {
		w.units = append(w.units, fmt.Sprintf("web@%d.service", i), fmt.Sprintf("u%d.service", i))
	}
	for i := range 8 {
		w.units = append(w.units, fmt.Sprintf("db@%d.service", i))
	}
	return w
}()

// TestSameAsReference: whatever happens, the scheduler places every unit where the
// slow solver does, though it looks only at what has changed.
func TestSameAsReference(t *testing.T) {
	t.Run("small", func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { compare(t, small, 12, 4) }) })
	t.Run("large", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes seconds")
		}
		calls, failed := 0, false
		rapid.Check(t, func(t *rapid.T) {
			defer func() { failed = failed || t.Failed() }()
			if calls++; calls <= 12 || failed { // a failure is cut down for as long as it takes
				compare(t, large, 3, 300)
			}
		})
	})
}

func compare(t *rapid.T, of world, rounds, commands int) {
	w := &twins{fast: scheduler.New(), slow: reference.New(), placed: make(map[string]string), assigned: make(map[string]bool), on: make(map[string][]string)}
	for range rapid.IntRange(1, rounds).Draw(t, "rounds") {
		for range rapid.IntRange(commands/4, commands).Draw(t, "commands") {
			w.command(t, of)
		}
		w.solve(t)
		for _, name := range of.units {
			if diff := cmp.Diff(w.slow.Where(name), w.fast.Where(name)); diff != "" {
				t.Fatalf("%s (-slow +fast):\n%swhy: %s\n%s", name, diff, w.fast.Why(name), strings.Join(w.log, "\n"))
			}
			if diff := cmp.Diff(w.slow.Everywhere(name), w.fast.Everywhere(name)); diff != "" {
				t.Fatalf("global %s (-slow +fast):\n%s\n%s", name, diff, strings.Join(w.log, "\n"))
			}
			if diff := cmp.Diff(w.on[name], w.fast.Everywhere(name), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("global %s (-moves +fast):\n%s\n%s", name, diff, strings.Join(w.log, "\n"))
			}
			w.explained(t, name)
		}
		clear(w.assigned)
	}
}

// solve has both decide, the scheduler in small steps whose moves are followed.
func (w *twins) solve(t *rapid.T) {
	for n := 0; ; n++ {
		limit := rapid.IntRange(0, 3).Draw(t, "limit")
		if limit == 0 {
			limit = 10_000 // all that there is, unless it never ends
		}
		moves, more := w.fast.Solve(limit)
		for _, m := range moves {
			if w.placed[m.Unit] != m.From && !w.assigned[m.Unit] {
				t.Fatalf("%+v, but it was on %q:\n%s", m, w.placed[m.Unit], strings.Join(w.log, "\n"))
			}
			if m.From != "" && m.Why == "" {
				t.Fatalf("%+v gives no reason:\n%s", m, strings.Join(w.log, "\n"))
			}
			w.placed[m.Unit] = m.To
		}
		for _, m := range w.fast.GlobalMoves() {
			w.follow(t, m)
		}
		if !more {
			break
		}
		if n > 5000 || more && limit > 3 {
			t.Fatalf("no end:\n%s", strings.Join(w.log, "\n"))
		}
	}
	w.slow.Solve()
	w.did("solve")
}

// follow carries out a move of a global unit.
func (w *twins) follow(t *rapid.T, m scheduler.Move) {
	on := w.on[m.Unit]
	i, there := slices.BinarySearch(on, m.From+m.To)
	switch {
	case m.To == "" && m.From != "" && m.Why != "" && there:
		on = slices.Delete(on, i, i+1)
	case m.From == "" && m.To != "" && !there:
		on = slices.Insert(on, i, m.To)
	default:
		t.Fatalf("%+v, but it was on %q:\n%s", m, on, strings.Join(w.log, "\n"))
	}
	w.on[m.Unit] = on
}

// explained checks that the moves add up to the place, and that a unit has either
// a place or a reason.
func (w *twins) explained(t *rapid.T, name string) {
	where := w.fast.Where(name)
	if w.assigned[name] {
		w.placed[name] = where
	}
	if w.placed[name] != where {
		t.Fatalf("%s is on %q, the moves say %q:\n%s", name, where, w.placed[name], strings.Join(w.log, "\n"))
	}
	why := w.fast.Why(name)
	if running := where != "" || len(w.fast.Everywhere(name)) > 0; running == (why != "") || strings.Contains(why, "not decided") {
		t.Fatalf("%s is on %q because %q:\n%s", name, where, why, strings.Join(w.log, "\n"))
	}
}
