package scheduler

import (
	"cmp"
	"slices"
)

// eviction is what it would take to make room for a unit on a machine.
type eviction struct {
	slot    int32
	victims []int32
	// worst is the highest priority among the victims.
	worst int
}

// preempt makes room for a unit that no machine can run as it is, at the cost of
// units of lower priority, and reports whether it could. It takes the machine
// whose most important victim matters least, then the one with the fewest
// victims, then the least loaded, then the lowest id. It looks at all machines:
// that is dear, and is done once for all units alike until something changes.
func (s *Scheduler) preempt(i int32) bool {
	if !s.outranks(i) {
		return false
	}
	var best *eviction
	for _, slot := range s.order {
		m := &s.machines[slot]
		if !m.up || m.first == none || !s.suits(i, m) {
			continue
		}
		e, ok := s.makeRoom(i, slot)
		if ok && (best == nil || s.milder(e, best)) {
			best = e
		}
	}
	if best == nil {
		return false
	}
	for _, u := range best.victims {
		s.evict(u, "makes room for "+s.name(i)+", which has a higher priority")
	}
	return true
}

// outranks says whether a unit of lower priority has a place.
func (s *Scheduler) outranks(i int32) bool {
	priority := s.class(s.unit(i)).needs.Priority
	return slices.ContainsFunc(s.queues, func(q *queue) bool { return q.priority < priority && q.placed > 0 })
}

func (s *Scheduler) milder(a, b *eviction) bool {
	ma, mb := &s.machines[a.slot], &s.machines[b.slot]
	return cmp.Or(cmp.Compare(a.worst, b.worst), cmp.Compare(len(a.victims), len(b.victims)),
		cmp.Compare(ma.load, mb.load), cmp.Compare(ma.pos, mb.pos)) < 0
}

// suits says whether a unit could be on a machine if nothing else were there but
// its peers.
func (s *Scheduler) suits(i int32, m *machine) bool {
	switch s.obstacle(i, m).kind {
	case able, conflicts, replaced, short:
		_, full := s.fullKey(i, m)
		return !full && !m.closed && !s.shuns(i, m)
	}
	return false
}

// makeRoom returns which units of lower priority have to leave a machine for a
// unit to run there: all that exclude it, and as few more as free what it needs.
func (s *Scheduler) makeRoom(i, slot int32) (*eviction, bool) {
	r, m := s.unit(i), &s.machines[slot]
	if !r.mayKick && slices.ContainsFunc(m.globals, func(g int32) bool { return s.conflict(i, g) }) {
		return nil, false
	}
	priority := s.class(r).needs.Priority
	e := &eviction{slot: slot, worst: -1 << 31}
	var others []int32
	need := s.shortage(i, m)
	for _, u := range s.unitsOn(slot) {
		lower := s.class(s.unit(u)).needs.Priority < priority
		switch {
		case s.conflict(i, u), s.replaces(u, i) != s.replaces(i, u) && (s.replaces(u, i) || !r.mayKick):
			if !lower {
				return nil, false
			}
			e.add(s, u, need)
		case lower && s.class(s.unit(u)).demand != nil:
			others = append(others, u)
		}
	}
	slices.SortStableFunc(others, func(a, b int32) int {
		return cmp.Compare(s.class(s.unit(a)).needs.Priority, s.class(s.unit(b)).needs.Priority)
	})
	for _, u := range others {
		if slices.ContainsFunc(need, func(n amount) bool { return n.n > 0 && s.class(s.unit(u)).demand.asks(n.resource) }) {
			e.add(s, u, need)
		}
	}
	if slices.ContainsFunc(need, func(n amount) bool { return n.n > 0 }) {
		return nil, false
	}
	return e, s.keepsPeers(i, e.victims, m)
}

// keepsPeers says whether a machine still has a unit's peers without some others,
// and without those who would go because they want one of these there.
func (s *Scheduler) keepsPeers(i int32, without []int32, m *machine) bool {
	if len(s.class(s.unit(i)).peers) == 0 {
		return true
	}
	without = slices.Clone(without)
	for again := true; again; {
		again = false
		for u := m.first; u != none; u = s.unit(u).next {
			if len(s.class(s.unit(u)).peers) > 0 && !slices.Contains(without, u) && !s.peersLeft(u, without, m) {
				without, again = append(without, u), true
			}
		}
	}
	return s.peersLeft(i, without, m)
}

// peersLeft says whether a unit's peers are on a machine besides some units, and
// besides itself.
func (s *Scheduler) peersLeft(i int32, without []int32, m *machine) bool {
	for _, p := range s.class(s.unit(i)).peers {
		left := p.globals.count(m.pos) + p.units.count(m.pos)
		for _, u := range without {
			if p.matches(s.name(u)) {
				left--
			}
		}
		if s.unit(i).slot != none && s.machines[s.unit(i).slot].pos == m.pos && p.matches(s.name(i)) {
			left--
		}
		if left <= 0 {
			return false
		}
	}
	return true
}

// add counts a unit among the victims, and what it frees.
func (e *eviction) add(s *Scheduler, u int32, need []amount) {
	e.victims = append(e.victims, u)
	e.worst = max(e.worst, s.class(s.unit(u)).needs.Priority)
	if d := s.class(s.unit(u)).demand; d != nil {
		for _, a := range d.of {
			for k := range need {
				if need[k].resource == a.resource {
					need[k].n -= a.n
				}
			}
		}
	}
}

// shortage returns how much of each resource a machine has too little for a unit;
// zero or less is enough.
func (s *Scheduler) shortage(i int32, m *machine) []amount {
	d := s.class(s.unit(i)).demand
	if d == nil || !m.accounted {
		return nil
	}
	need := slices.Clone(d.of)
	for k := range need {
		if r := need[k].resource; r < len(m.free) {
			need[k].n -= m.free[r]
		}
	}
	return need
}

func (d *demand) asks(resource int) bool {
	return slices.ContainsFunc(d.of, func(a amount) bool { return a.resource == resource })
}
