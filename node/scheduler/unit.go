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

// record is a unit, by its number in Scheduler.units.
type record struct {
	name    string
	class   *class
	profile *profile
	// slot is the machine it is placed on; next and prev are its neighbours in
	// that machine's list.
	slot, next, prev int32
	// was is where it was when moves were last handed out, told says that it is
	// in the list of those to look at.
	was    int32
	told   bool
	active bool
	// mayKick units may, on landing, drive away those that they replace, and
	// global units that they conflict with. A user or a machine's loss gives
	// that, and one landing uses it up: so units that drive each other away in a
	// circle come to rest.
	mayKick  bool
	checking bool
	queued   bool
	resumed  bool // it stood there before this scheduler knew it
	woken    bool // it comes from a group that waits, to be tried for all of it
	// seq orders units that wait: the time since which it is to run.
	seq  uint64
	wait *waitGroup
	why  string
	// settling units were moved or replaced on purpose, and aren't known to run
	// since; replaced ones are to be told of though they stay.
	settling, replaced bool
	// global is where a global unit runs, nil for others.
	global *global
	// trouble is its record of failing, nil without.
	trouble *trouble
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
	i, known := s.unitByName[u.Name]
	var c *class
	if known && s.units[i].class.needs == u.Needs && !grouped(u.Needs) {
		c = s.units[i].class
		c.refs++
	} else {
		c = s.classOf(u.Name, u.Needs)
	}
	if !known {
		i = s.enter(u.Name, c)
	}
	r := &s.units[i]
	changed := known && r.class != c
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
func (s *Scheduler) enter(name string, c *class) int32 {
	i := int32(len(s.units))
	if n := len(s.freeUnits); n > 0 {
		i = s.freeUnits[n-1]
		s.freeUnits = s.freeUnits[:n-1]
		s.units[i] = record{}
	} else {
		s.units = append(s.units, record{})
	}
	r := &s.units[i]
	*r = record{name: name, class: c, slot: none, next: none, prev: none, was: none}
	s.unitByName[name] = i
	s.names.fresh = append(s.names.fresh, i)
	r.profile = s.profileOf(s.patternsFor(name))
	return i
}

// adopt gives a known unit its class, moving what counts it.
func (s *Scheduler) adopt(i int32, c *class) {
	r := &s.units[i]
	if r.class == c {
		s.dropClass(c)
		return
	}
	s.passOn(i)
	old := r.class
	again := r.wait != nil || r.queued
	if r.wait != nil {
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
	r.class = c
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
	r := &s.units[i]
	r.mayKick, r.trouble = true, nil
	switch {
	case r.class.needs.Global:
		s.startGlobal(i)
	case r.slot != none:
		s.recheck(i)
		s.kick(i)
	case r.wait != nil:
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
	r := &s.units[i]
	s.passOn(i)
	switch {
	case r.global != nil:
		s.stopGlobal(i)
	case r.slot != none:
		s.leave(i, why)
	case r.wait != nil:
		s.unwait(i)
	}
	r.queued = false
	s.activate(i, false)
}

// activate says whether a unit is to have a place. Groups count those that are,
// and of these as down those that have none.
func (s *Scheduler) activate(i int32, on bool) {
	r := &s.units[i]
	if r.active == on {
		return
	}
	r.active = on
	if r.class.needs.Global {
		return
	}
	by := 1
	if !on {
		by = -1
	}
	for _, p := range r.profile.patterns {
		p.active += by
		p.down += by
	}
}

// RemoveUnit forgets a unit, which leaves its place, and reports whether it was
// there.
func (s *Scheduler) RemoveUnit(name string) bool {
	i, ok := s.unitByName[name]
	if !ok {
		return false
	}
	s.release(i, "destroyed")
	r := &s.units[i]
	if r.was != none {
		s.goodbyes = append(s.goodbyes, Move{Unit: name, From: s.machines[r.was].id, Why: "destroyed"})
	}
	delete(s.unitByName, name)
	s.names.stale = true
	s.dropProfile(r.profile)
	c := r.class
	*r = record{slot: none, next: none, prev: none, was: none, told: r.told, checking: r.checking}
	s.dropClass(c)
	if r.told || r.checking {
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
	i, ok := s.unitByName[name]
	slot, up := s.machineByID[machineID]
	if !ok || !up || !s.machines[slot].up || s.units[i].class.needs.Global || !s.units[i].active {
		return false
	}
	r := &s.units[i]
	s.passOn(i)
	if r.slot != none {
		s.leave(i, "assigned elsewhere")
	}
	if r.wait != nil {
		s.unwait(i)
	}
	s.put(i, slot)
	s.told(i)
	r.was, r.why = slot, "assigned"
	s.recheck(i)
	return true
}

// put enters a unit on a machine, in all that counts it.
func (s *Scheduler) put(i, slot int32) {
	r, m := &s.units[i], &s.machines[slot]
	r.slot, r.prev, r.next = slot, none, m.first
	if m.first != none {
		s.units[m.first].prev = i
	}
	m.first = i
	s.queueOf(r.class.needs.Priority).placed++
	for _, p := range r.profile.patterns {
		p.down--
		if p.units.inc(m.pos) && p.peers > 0 && !s.quiet {
			s.improve(slot)
		}
		for _, sp := range p.spreads {
			sp.recount(m, +1)
		}
	}
	s.mention(r.class, m.pos, (*tally).inc)
	if r.class.demand != nil {
		r.class.demand.take(m, -1)
	}
	s.setLoad(m, m.load+1)
}

// lift takes a unit off its machine, the reverse of put.
func (s *Scheduler) lift(i int32) {
	r := &s.units[i]
	slot := r.slot
	m := &s.machines[slot]
	if r.prev != none {
		s.units[r.prev].next = r.next
	} else {
		m.first = r.next
	}
	if r.next != none {
		s.units[r.next].prev = r.prev
	}
	r.slot, r.next, r.prev = none, none, none
	s.queueOf(r.class.needs.Priority).placed--
	for _, p := range r.profile.patterns {
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
	s.mention(r.class, m.pos, (*tally).dec)
	if r.class.demand != nil {
		r.class.demand.take(m, +1)
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
	for _, p := range s.units[i].profile.patterns {
		for _, sp := range p.spreads {
			sp.recount(&s.machines[slot], by)
		}
	}
}

// recheckPeers looks again at the units of a machine that want a unit of p there.
func (s *Scheduler) recheckPeers(slot int32, p *pattern) {
	for _, u := range s.unitsOn(slot) {
		if slices.Contains(s.units[u].class.peers, p) {
			s.recheck(u)
		}
	}
}

// leave takes a unit off its machine, which others may now use.
func (s *Scheduler) leave(i int32, why string) {
	r := &s.units[i]
	slot := r.slot
	s.told(i)
	r.why = why
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

// told notes that a unit's place may have changed since moves were handed out.
func (s *Scheduler) told(i int32) {
	r := &s.units[i]
	if !r.told {
		r.told = true
		r.was = r.slot
		s.touched = append(s.touched, i)
	}
}
