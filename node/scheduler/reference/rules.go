package reference

import (
	"cmp"
	"slices"

	"drydock/node/unit"
)

// able says whether a machine can run a unit, which may be there already.
func (s *Solver) able(r *record, m *machine) bool {
	return suits(r, m) && peers(r, m) && !conflicted(r, m) && !replaced(r, m) && s.withinLimit(r, m) && fits(r, m)
}

// suits says whether a machine itself is what a unit asks for.
func suits(r *record, m *machine) bool {
	if !r.needs.AllowsMachine(m.ID) {
		return false
	}
	for _, c := range r.needs.Metadata {
		value, has := m.Metadata[c.Key]
		if !c.Holds(value, has) {
			return false
		}
	}
	return true
}

func peers(r *record, m *machine) bool {
	for _, p := range r.needs.MachineOf {
		if !m.hasPeer(p, r) {
			return false
		}
	}
	return true
}

func peer(pattern, name string) bool {
	return pattern == name || unit.IsGlob(pattern) && unit.Glob(pattern, name)
}

func (m *machine) hasPeer(pattern string, besides *record) bool {
	is := func(u *record) bool { return u != besides && peer(pattern, u.name) }
	return slices.ContainsFunc(m.units, is) || slices.ContainsFunc(m.globals, is)
}

func anyGlob(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return unit.Glob(g, name) })
}

func conflict(a, b *record) bool {
	return a != b && (anyGlob(a.needs.Conflicts, b.name) || anyGlob(b.needs.Conflicts, a.name))
}

func conflicted(r *record, m *machine) bool {
	if r.at != m && !r.mayKick && !r.needs.Global &&
		slices.ContainsFunc(m.globals, func(g *record) bool { return conflict(r, g) }) {
		return true
	}
	return slices.ContainsFunc(m.units, func(u *record) bool { return conflict(r, u) })
}

// drives says whether a replaces b, and b doesn't replace a.
func drives(a, b *record) bool {
	return a != b && anyGlob(a.needs.Replaces, b.name) && !anyGlob(b.needs.Replaces, a.name)
}

func replaced(r *record, m *machine) bool {
	return slices.ContainsFunc(m.units, func(u *record) bool { return drives(u, r) || !r.mayKick && drives(r, u) })
}

// kick drives away what a unit replaces on its machine.
func (s *Solver) kick(r *record) {
	r.mayKick = false
	for _, u := range slices.Backward(slices.Clone(r.at.units)) {
		if drives(r, u) {
			s.leave(u)
		}
	}
}

func (s *Solver) withinLimit(r *record, m *machine) bool {
	if r.needs.SpreadLimit == 0 {
		return true
	}
	for _, key := range r.needs.Spread {
		if value, ok := m.Metadata[key]; ok && s.inGroup(r, key, value) >= r.needs.SpreadLimit {
			return false
		}
	}
	return true
}

// free returns what of a resource a machine has left besides one unit.
func (m *machine) free(resource string, besides *record) int64 {
	free := m.Resources[resource]
	for _, u := range slices.Concat(m.units, m.globals) {
		if u != besides {
			free -= u.takes(resource)
		}
	}
	return free
}

func (r *record) takes(resource string) (n int64) {
	for _, one := range r.needs.Resources {
		if one.Name == resource {
			n += one.Amount
		}
	}
	return n
}

func fits(r *record, m *machine) bool {
	if len(m.Resources) == 0 {
		return true
	}
	for _, one := range r.needs.Resources {
		if n := r.takes(one.Name); n > 0 && m.free(one.Name, r) < n {
			return false
		}
	}
	return true
}

// settle decides which global units run on a machine: those that do stay if they
// can, then others join in the order of their start.
func (s *Solver) settle(m *machine) {
	may := func(g *record) bool {
		return suits(g, m) && !conflicted(g, m) && fits(g, m) &&
			!slices.ContainsFunc(m.globals, func(o *record) bool { return conflict(g, o) })
	}
	for _, g := range slices.Clone(m.globals) {
		if !may(g) {
			m.globals = slices.DeleteFunc(m.globals, func(o *record) bool { return o == g })
			s.lost(m, g.name)
		}
	}
	for _, g := range s.globals {
		if !slices.Contains(m.globals, g) && may(g) {
			m.globals = append(m.globals, g)
		}
	}
}

// yield has global units give way to a unit on its machine.
func (s *Solver) yield(r *record) {
	if slices.ContainsFunc(r.at.globals, func(g *record) bool { return conflict(g, r) }) {
		s.settle(r.at)
	}
}

// preempt makes room for a unit at the cost of units of lower priority.
func (s *Solver) preempt(r *record) bool {
	var best []*record
	var least []int
	for _, m := range s.machines {
		victims, ok := s.victims(r, m)
		if !ok {
			continue
		}
		worst := -1 << 31
		for _, v := range victims {
			worst = max(worst, v.needs.Priority)
		}
		if rank := []int{worst, len(victims), len(m.units) + len(m.globals)}; best == nil || slices.Compare(rank, least) < 0 {
			best, least = victims, rank
		}
	}
	for _, v := range best {
		s.leave(v)
	}
	return best != nil
}

// victims returns who has to leave a machine for a unit to run there: all of lower
// priority that exclude it, then the least important and latest of those that hold
// what it lacks, until it fits.
func (s *Solver) victims(r *record, m *machine) (victims []*record, ok bool) {
	if !suits(r, m) || !peers(r, m) || !s.withinLimit(r, m) ||
		!r.mayKick && slices.ContainsFunc(m.globals, func(g *record) bool { return conflict(r, g) }) {
		return nil, false
	}
	left := &machine{Machine: m.Machine, units: slices.Clone(m.units), globals: m.globals}
	out := func(u *record) {
		victims = append(victims, u)
		left.units = slices.DeleteFunc(left.units, func(o *record) bool { return o == u })
	}
	for _, u := range slices.Backward(slices.Clone(left.units)) {
		if conflict(r, u) || drives(u, r) || !r.mayKick && drives(r, u) {
			if u.needs.Priority >= r.needs.Priority {
				return nil, false
			}
			out(u)
		}
	}
	others := slices.Clone(left.units)
	slices.Reverse(others)
	slices.SortStableFunc(others, func(a, b *record) int { return cmp.Compare(a.needs.Priority, b.needs.Priority) })
	for _, u := range others {
		holds := slices.ContainsFunc(r.needs.Resources, func(one unit.Resource) bool {
			return u.takes(one.Name) > 0 && left.free(one.Name, r) < r.takes(one.Name)
		})
		if len(m.Resources) > 0 && u.needs.Priority < r.needs.Priority && holds {
			out(u)
		}
	}
	if len(victims) == 0 || !fits(r, left) {
		return nil, false
	}
	// Who wanted a victim there goes, too, and must not be one whom r wants.
	for again := true; again; {
		again = false
		for _, u := range left.units {
			if !peers(u, left) {
				left.units = slices.DeleteFunc(left.units, func(o *record) bool { return o == u })
				again = true
				break
			}
		}
	}
	return victims, peers(r, left)
}

// Where returns the id of the machine that a unit is placed on, empty if none.
func (s *Solver) Where(name string) string {
	if r := s.units[name]; r != nil && r.at != nil {
		return r.at.ID
	}
	return ""
}

// Everywhere returns the ids of the machines that a global unit runs on.
func (s *Solver) Everywhere(name string) (ids []string) {
	for _, m := range s.machines {
		if slices.ContainsFunc(m.globals, func(g *record) bool { return g.name == name }) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
