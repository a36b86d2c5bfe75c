// Package reference places units by looking at everything, every time: slow, and
// plain enough to be seen to be right. Tests and benchmarks compare the scheduler
// with it. It knows nothing of draining, failures, rebalancing and rollouts.
package reference

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"drydock/node/scheduler"
	"drydock/node/unit"
)

// Solver is the slow solver. New makes one.
type Solver struct {
	machines []*machine // by id
	units    map[string]*record
	globals  []*record // in the order of their start
	suspects []*record // to be looked at, the last first
	seq      int
}

type machine struct {
	scheduler.Machine
	units   []*record // in the order of their arrival
	globals []*record
}

type record struct {
	name    string
	active  bool
	needs   unit.Requirements
	at      *machine
	seq     int
	mayKick bool
}

// New returns a solver that knows of nothing.
func New() *Solver { return &Solver{units: make(map[string]*record)} }

// SetMachine is as the scheduler's.
func (s *Solver) SetMachine(m scheduler.Machine) {
	i, ok := slices.BinarySearchFunc(s.machines, m.ID, func(o *machine, id string) int { return strings.Compare(o.ID, id) })
	if !ok {
		s.machines = slices.Insert(s.machines, i, &machine{Machine: m})
		s.settle(s.machines[i])
		return
	}
	at := s.machines[i]
	at.Machine = m
	s.settle(at)
	units := slices.Clone(at.units)
	slices.Reverse(units)
	slices.SortStableFunc(units, func(a, b *record) int { return cmp.Compare(a.needs.Priority, b.needs.Priority) })
	for _, u := range slices.Backward(units) {
		s.suspect(u)
	}
}

// RemoveMachine is as the scheduler's.
func (s *Solver) RemoveMachine(id string) {
	i := slices.IndexFunc(s.machines, func(m *machine) bool { return m.ID == id })
	if i < 0 {
		return
	}
	for _, u := range s.machines[i].units {
		u.at, u.mayKick = nil, true
	}
	s.machines = slices.Delete(s.machines, i, i+1)
}

// SetUnit is as the scheduler's.
func (s *Solver) SetUnit(u scheduler.Unit) {
	r := s.units[u.Name]
	if r == nil {
		r = &record{name: u.Name}
		s.units[u.Name] = r
	}
	var needs unit.Requirements
	if u.Needs != nil {
		needs = *u.Needs
	}
	changed := !same(r.needs, needs)
	if changed && (r.needs.Global || needs.Global) {
		active := r.active
		s.release(r)
		r.active = active
	}
	r.needs = needs
	if changed && r.at != nil {
		s.settleMissing(r.at)
	}
	switch {
	case !u.Active:
		s.release(r)
	case !r.active:
		r.active = true
		s.seq++
		r.seq = s.seq
		s.afresh(r)
	case changed:
		if r.at == nil && r.seq == 0 {
			s.seq++
			r.seq = s.seq
		}
		s.afresh(r)
	}
}

func same(a, b unit.Requirements) bool {
	list := slices.Equal[[]string]
	return list(a.MachineOf, b.MachineOf) && list(a.Conflicts, b.Conflicts) && list(a.Replaces, b.Replaces) &&
		list(a.Avoids, b.Avoids) && list(a.Spread, b.Spread) && a.Global == b.Global && a.Priority == b.Priority &&
		a.Pinned == b.Pinned && a.MachineID == b.MachineID && slices.Equal(a.Resources, b.Resources) &&
		a.SpreadLimit == b.SpreadLimit && list(a.SpreadWith, b.SpreadWith) &&
		slices.EqualFunc(a.Metadata, b.Metadata, func(x, y unit.Condition) bool { return x.String() == y.String() })
}

func (s *Solver) afresh(r *record) {
	r.mayKick = true
	switch {
	case r.needs.Global:
		s.globals = append(s.globals, r)
		for _, m := range s.machines {
			s.settle(m)
		}
	case r.at != nil:
		s.suspect(r)
		s.kick(r)
	}
}

func (s *Solver) release(r *record) {
	if r.needs.Global && r.active {
		s.globals = slices.DeleteFunc(s.globals, func(o *record) bool { return o == r })
		for _, m := range s.machines {
			if slices.Contains(m.globals, r) {
				m.globals = slices.DeleteFunc(m.globals, func(o *record) bool { return o == r })
				s.lost(m, r.name)
				s.settle(m)
			}
		}
	}
	r.active = false
	if r.at != nil {
		s.leave(r)
	}
	r.seq = 0
}

// RemoveUnit is as the scheduler's.
func (s *Solver) RemoveUnit(name string) {
	if r := s.units[name]; r != nil {
		s.release(r)
		delete(s.units, name)
	}
}

// Assign is as the scheduler's.
func (s *Solver) Assign(name, id string) {
	r := s.units[name]
	i := slices.IndexFunc(s.machines, func(m *machine) bool { return m.ID == id })
	if r == nil || !r.active || r.needs.Global || i < 0 {
		return
	}
	if r.at != nil {
		s.leave(r)
	}
	r.at = s.machines[i]
	r.at.units = append(r.at.units, r)
	s.suspect(r)
}

func (s *Solver) suspect(r *record) {
	if !slices.Contains(s.suspects, r) {
		s.suspects = append(s.suspects, r)
	}
}

// leave takes a unit off its machine.
func (s *Solver) leave(r *record) {
	m := r.at
	m.units = slices.DeleteFunc(m.units, func(o *record) bool { return o == r })
	r.at = nil
	s.lost(m, r.name)
	s.settleMissing(m)
}

// settleMissing looks at a machine's global units if one is missing there.
func (s *Solver) settleMissing(m *machine) {
	if slices.ContainsFunc(s.globals, func(g *record) bool { return suits(g, m) && !slices.Contains(m.globals, g) }) {
		s.settle(m)
	}
}

// lost looks at who needed a unit that is gone from a machine.
func (s *Solver) lost(m *machine, name string) {
	for _, u := range slices.Backward(m.units) {
		for _, p := range u.needs.MachineOf {
			if peer(p, name) && !m.hasPeer(p, u) {
				s.suspect(u)
			}
		}
	}
}

// Solve decides until nothing is left to decide.
func (s *Solver) Solve() {
	for {
		if n := len(s.suspects); n > 0 {
			r := s.suspects[n-1]
			s.suspects = s.suspects[:n-1]
			s.check(r)
			continue
		}
		if !s.placeOne() {
			return
		}
	}
}

func (s *Solver) check(r *record) {
	if r.at == nil || !r.active {
		return
	}
	m := r.at
	if s.able(r, m) {
		s.yield(r)
		return
	}
	s.leave(r)
}

// placeOne places the first unit, by priority and then by the time of its start,
// that has a machine.
func (s *Solver) placeOne() bool {
	var waiting []*record
	for _, name := range slices.Sorted(maps.Keys(s.units)) {
		if r := s.units[name]; r.active && r.at == nil && !r.needs.Global {
			waiting = append(waiting, r)
		}
	}
	slices.SortFunc(waiting, func(a, b *record) int {
		return cmp.Or(cmp.Compare(b.needs.Priority, a.needs.Priority), cmp.Compare(a.seq, b.seq))
	})
	for _, r := range waiting {
		m := s.best(r)
		made := m == nil && s.preempt(r)
		if made {
			m = s.best(r)
		}
		if m != nil {
			r.at = m
			m.units = append(m.units, r)
			s.yield(r)
			if r.mayKick {
				s.kick(r)
			}
			return true
		}
		if made {
			return true // a global unit has taken the room; who had it may go elsewhere
		}
	}
	return false
}

// best returns the machine that a unit belongs on.
func (s *Solver) best(r *record) *machine {
	var found *machine
	var least []int
	for _, m := range s.machines {
		if !s.able(r, m) {
			continue
		}
		if rank := s.rank(r, m); found == nil || slices.Compare(rank, least) < 0 {
			found, least = m, rank
		}
	}
	return found
}

// rank orders machines: avoided units, the group's units on each value, load.
func (s *Solver) rank(r *record, m *machine) []int {
	rank := []int{0}
	for _, u := range m.units {
		if u != r && (anyGlob(r.needs.Avoids, u.name) || anyGlob(u.needs.Avoids, r.name)) {
			rank[0] = 1
		}
	}
	for _, key := range r.needs.Spread {
		n := 1 << 30
		if value, ok := m.Metadata[key]; ok {
			n = s.inGroup(r, key, value)
		}
		rank = append(rank, n)
	}
	return append(rank, len(m.units)+len(m.globals))
}

// inGroup counts the units of r's group, without r, on machines with a value.
func (s *Solver) inGroup(r *record, key, value string) (n int) {
	for _, m := range s.machines {
		if got, ok := m.Metadata[key]; !ok || got != value {
			continue
		}
		for _, u := range m.units {
			if u != r && (u.name == r.name || template(u.name) == template(r.name) && template(r.name) != "" ||
				anyGlob(r.needs.SpreadWith, u.name)) {
				n++
			}
		}
	}
	return n
}

func template(name string) string {
	i, j := strings.IndexByte(name, '@'), strings.LastIndexByte(name, '.')
	if i < 0 || j < i {
		return ""
	}
	return name[:i+1] + name[j:]
}
