package scheduler

import (
	"slices"

	"drydock/node/unit"
)

// Unit is what the scheduler knows of a unit.
type Unit struct {
	Name string
	// Active units are loaded or launched: they have a place. Inactive ones are
	// known, and no more.
	Active bool
	// Needs are the unit's requirements, nil for none. The scheduler keeps the
	// pointer; what it points to must not change.
	Needs *unit.Requirements

	_ struct{}
}

// SetUnit tells of a unit, new or changed. One that is placed stays where it is
// if its new requirements allow.
func (s *Scheduler) SetUnit(u Unit) {
	if u.Needs == nil {
		u.Needs = &s.nothing
	}
	if len(s.rollout) > 0 { // this is newer than what waits for its turn
		s.rollout = slices.DeleteFunc(s.rollout, func(o Unit) bool { return o.Name == u.Name })
	}
	hash := s.byName.hash(u.Name)
	i, known := s.find(hash, u.Name)
	c := s.classOf(u.Name, u.Needs)
	if !known {
		i = s.enter(hash, u.Name, c)
	}
	r := s.unit(i)
	changed := known && s.class(r) != c
	if known {
		s.adopt(i, c)
	}
	if u.Active == r.active && known {
		if changed && u.Active {
			s.afresh(i)
		}
		return
	}
	if !u.Active {
		s.release(i, "not to run any more")
		return
	}
	s.activate(i, true)
	s.afresh(i)
}

// enter makes a record for a new name, and returns its number.
func (s *Scheduler) enter(hash uint64, name string, c *class) int32 {
	i := s.numbered(name)
	s.byName.add(hash, i)
	s.names.add(name, i)
	r := s.unit(i)
	r.class, r.profile = c.at, s.profileOf(s.patternsFor(name)).at
	return i
}

// adopt gives a known unit its class, moving what counts it.
func (s *Scheduler) adopt(i int32, c *class) {
	r := s.unit(i)
	if s.class(r) == c {
		s.dropClass(c)
		return
	}
	s.passOn(i)
	old := s.class(r)
	again := r.wait != none || r.queued
	if r.wait != none {
		s.unwait(i)
	}
	was := r.active
	if old.needs.Global || c.needs.Global {
		s.release(i, "its requirements changed")
		again = false // afresh begins anew
	}
	slot := r.slot
	// What its name gives to others doesn't change.
	s.quiet = true
	if slot != none {
		s.lift(i)
	}
	r.class = c.at
	if slot != none {
		s.put(i, slot)
		s.loosen(slot)
		s.improve(slot)
		if s.machines[slot].missing > 0 {
			s.settleGlobals(slot)
		}
	}
	s.quiet = false
	s.activate(i, was)
	if r.queued = false; again {
		s.enqueue(i) // perhaps in another queue
	}
	s.dropClass(old)
}

// afresh looks at a unit that a user has changed.
func (s *Scheduler) afresh(i int32) {
	r := s.unit(i)
	r.mayKick = true
	s.forgive(i)
	switch {
	case s.class(r).needs.Global:
		s.startGlobal(i)
	case r.slot != none:
		s.recheck(i)
		s.kick(i)
	case r.wait != none:
		s.unwait(i)
		s.enqueue(i)
	case !r.queued:
		s.lastSeq++
		r.seq = s.lastSeq
		s.enqueue(i)
	}
}

// release takes a unit from wherever it is or waits.
func (s *Scheduler) release(i int32, why string) {
	r := s.unit(i)
	s.passOn(i)
	switch {
	case r.global:
		s.stopGlobal(i)
	case r.slot != none:
		s.leave(i, why)
	case r.wait != none:
		s.unwait(i)
	}
	r.queued = false
	s.activate(i, false)
}

// activate says whether a unit is to have a place. Groups count those that are,
// and of these as down those that have none.
func (s *Scheduler) activate(i int32, on bool) {
	r := s.unit(i)
	if r.active == on {
		return
	}
	r.active = on
	if s.class(r).needs.Global {
		return
	}
	by := 1
	if !on {
		by = -1
	}
	for _, p := range s.profile(r).patterns {
		p.active += by
		p.down += by
	}
}

// RemoveUnit forgets a unit, which leaves its place, and reports whether it was
// there.
func (s *Scheduler) RemoveUnit(name string) bool {
	hash := s.byName.hash(name)
	i, ok := s.find(hash, name)
	if !ok {
		return false
	}
	s.release(i, "destroyed")
	s.forgive(i)
	r := s.unit(i)
	if r.told > 0 && s.touched[r.told-1].was != none {
		s.goodbyes = append(s.goodbyes, Move{Unit: name, From: s.machines[s.touched[r.told-1].was].id, Why: "destroyed"})
	}
	s.byName.remove(hash, i)
	s.pages[i>>pageBits].names[i&(pageUnits-1)] = ""
	s.names.remove(s, name)
	s.dropProfile(s.profile(r))
	c, told, checking := s.class(r), r.told, r.checking
	*r = blank
	r.told, r.checking = told, checking
	s.dropClass(c)
	if told > 0 || checking {
		s.lost = append(s.lost, i)
		return true
	}
	s.freeUnits = append(s.freeUnits, i)
	return true
}

// Assign places a unit where it stands already, allowed or not; the next Solve
// moves it if it isn't. It reports whether both are known and the machine is up.
func (s *Scheduler) Assign(name, machineID string) bool {
	s.settle()
	i, ok := s.lookup(name)
	slot, up := s.machineByID[machineID]
	if !ok || !up || !s.machines[slot].up || s.class(s.unit(i)).needs.Global || !s.unit(i).active {
		return false
	}
	r := s.unit(i)
	s.passOn(i)
	if r.slot != none {
		s.leave(i, "assigned elsewhere")
	}
	if r.wait != none {
		s.unwait(i)
	}
	s.put(i, slot)
	note := s.told(i)
	note.was, note.why = slot, "assigned"
	s.recheck(i)
	return true
}

// put enters a unit on a machine, in all that counts it.
func (s *Scheduler) put(i, slot int32) {
	r, m := s.unit(i), &s.machines[slot]
	c := s.class(r)
	r.slot, r.prev, r.next = slot, none, m.first
	if m.first != none {
		s.unit(m.first).prev = i
	}
	m.first = i
	c.queue.placed++
	for _, p := range s.profile(r).patterns {
		p.down--
		if p.units.inc(m.pos) && p.peers > 0 && !s.quiet {
			s.improve(slot)
		}
		for _, sp := range p.spreads {
			sp.recount(m, +1)
		}
	}
	s.mention(c, m.pos, (*tally).inc)
	if c.demand != nil {
		c.demand.take(m, -1)
	}
	s.setLoad(m, m.load+1)
}

// lift takes a unit off its machine, the reverse of put.
func (s *Scheduler) lift(i int32) {
	r := s.unit(i)
	slot, c := r.slot, s.class(r)
	m := &s.machines[slot]
	if r.prev != none {
		s.unit(r.prev).next = r.next
	} else {
		m.first = r.next
	}
	if r.next != none {
		s.unit(r.next).prev = r.prev
	}
	r.slot, r.next, r.prev = none, none, none
	c.queue.placed--
	for _, p := range s.profile(r).patterns {
		p.down++
		gone := p.units.dec(m.pos)
		// The last one left may be the unit that wants another of them.
		if p.peers > 0 && !s.quiet && (gone || p.units.count(m.pos) == 1) {
			s.recheckPeers(slot, p)
		}
		for _, sp := range p.spreads {
			sp.recount(m, -1)
		}
		s.limitsEased = s.limitsEased || len(p.spreads) > 0 && len(s.waitList) > 0 && !s.quiet
	}
	s.mention(c, m.pos, (*tally).dec)
	if c.demand != nil {
		c.demand.take(m, +1)
		if !s.quiet {
			s.loosen(slot)
		}
	}
	s.setLoad(m, m.load-1)
}

// mention counts the patterns that a class mentions at a position.
func (s *Scheduler) mention(c *class, pos int32, count func(*tally, int32) bool) {
	for _, p := range c.conflicts {
		count(&p.conflicting, pos)
	}
	for _, p := range c.replaces {
		count(&p.replacing, pos)
	}
	for _, p := range c.avoids {
		count(&p.avoiding, pos)
	}
}

// countSpread counts a unit at its machine's values of metadata.
func (s *Scheduler) countSpread(i, slot int32, by int) {
	for _, p := range s.profile(s.unit(i)).patterns {
		for _, sp := range p.spreads {
			sp.recount(&s.machines[slot], by)
		}
	}
}

// recheckPeers looks again at the units of a machine that want a unit of p there.
func (s *Scheduler) recheckPeers(slot int32, p *pattern) {
	for _, u := range s.unitsOn(slot) {
		if slices.Contains(s.class(s.unit(u)).peers, p) {
			s.recheck(u)
		}
	}
}

// leave takes a unit off its machine, which others may now use.
func (s *Scheduler) leave(i int32, why string) {
	r := s.unit(i)
	slot := r.slot
	s.told(i).why = why
	s.resettle(i)
	s.lift(i)
	s.improve(slot)
	if s.machines[slot].missing > 0 {
		s.settleGlobals(slot)
	}
}

// evict takes a unit off its machine and has it placed elsewhere.
func (s *Scheduler) evict(i int32, why string) {
	s.leave(i, why)
	s.enqueue(i)
}
