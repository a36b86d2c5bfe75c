package scheduler

import "slices"

// global is where a global unit runs. It runs on every machine that its MachineID
// and MachineMetadata allow, save where a unit that is placed there conflicts:
// global units give way to a unit that a user places, and among themselves the earlier one
// stays.
type global struct {
	// on are the machines where it runs, missing those that would suit it but
	// for what is there; was those where GlobalMoves last had it, told those
	// where that may have changed.
	on, missing, was, told set
}

// touch notes that a global unit has come to a machine or gone.
func (s *Scheduler) touch(i, slot int32) {
	g := s.globalOf[i]
	if g.told.n == 0 {
		s.globalTold = append(s.globalTold, i)
	}
	g.told.add(s.machines[slot].pos)
}

// startGlobal has a global unit run wherever it can.
func (s *Scheduler) startGlobal(i int32) {
	s.settle()
	r := s.unit(i)
	if !r.global {
		r.global = true
		s.globalOf[i] = &global{}
		s.globals = append(s.globals, i)
	}
	for _, slot := range s.order {
		if s.machines[slot].up {
			s.settleGlobals(slot)
		}
	}
}

func (s *Scheduler) stopGlobal(i int32) {
	g := s.globalOf[i]
	s.globals = slices.DeleteFunc(s.globals, func(o int32) bool { return o == i })
	for pos := range g.was.each {
		s.globalGoodbyes = append(s.globalGoodbyes, Move{Unit: s.name(i), From: s.machines[s.order[pos]].id, Why: "not to run any more"})
	}
	on := slices.Collect(g.on.each)
	for _, pos := range on {
		s.leaveGlobal(i, s.order[pos])
	}
	for pos := range g.missing.each {
		s.machines[s.order[pos]].missing--
	}
	s.unit(i).global = false
	delete(s.globalOf, i)
	for _, pos := range on {
		if slot := s.order[pos]; s.machines[slot].missing > 0 {
			s.settleGlobals(slot)
		}
	}
}

// settleGlobals decides for every global unit whether it runs on a machine; first
// for those that do.
func (s *Scheduler) settleGlobals(slot int32) {
	for _, i := range slices.Clone(s.machines[slot].globals) {
		s.settleGlobal(i, slot)
	}
	for _, i := range s.globals {
		if !s.globalOf[i].on.has(s.machines[slot].pos) {
			s.settleGlobal(i, slot)
		}
	}
}

// settleGlobal starts or stops a global unit on a machine.
func (s *Scheduler) settleGlobal(i, slot int32) {
	r, m := s.unit(i), &s.machines[slot]
	g := s.globalOf[i]
	here := g.on.has(m.pos)
	if here {
		s.countGlobal(i, slot, -1)
	}
	suits := s.class(r).selector == nil || s.class(r).selector.has(m.pos)
	runs := suits && !m.closed && s.globalObstacle(i, m).kind == able
	if runs {
		s.countGlobal(i, slot, +1)
	}
	switch {
	case runs && !here:
		g.on.add(m.pos)
		s.touch(i, slot)
		s.improve(slot)
	case here && !runs:
		g.on.remove(m.pos)
		s.touch(i, slot)
		s.improve(slot)
		for _, p := range s.profile(r).patterns {
			if p.peers > 0 && !p.globals.has(m.pos) {
				s.recheckPeers(slot, p)
			}
		}
	}
	s.miss(g, m, suits && !runs)
}

// miss notes whether a global unit is kept off a machine that would suit it.
func (s *Scheduler) miss(g *global, m *machine, missing bool) {
	if missing && g.missing.add(m.pos) {
		m.missing++
	}
	if !missing && g.missing.remove(m.pos) {
		m.missing--
	}
}

// leaveGlobal ends a global unit on a machine that is about to go, or for good.
func (s *Scheduler) leaveGlobal(i, slot int32) {
	s.countGlobal(i, slot, -1)
	s.globalOf[i].on.remove(s.machines[slot].pos)
	s.touch(i, slot)
	s.improve(slot)
	for _, p := range s.profile(s.unit(i)).patterns {
		if p.peers > 0 && !p.globals.has(s.machines[slot].pos) {
			s.recheckPeers(slot, p)
		}
	}
}

// countGlobal counts a global unit on a machine, or no longer, apart from placed
// ones, which need not give way to it.
func (s *Scheduler) countGlobal(i, slot int32, by int32) {
	r, m := s.unit(i), &s.machines[slot]
	count := (*tally).inc
	if by < 0 {
		count = (*tally).dec
		m.globals = slices.DeleteFunc(m.globals, func(o int32) bool { return o == i })
	} else {
		m.globals = append(m.globals, i)
	}
	for _, p := range s.profile(r).patterns {
		count(&p.globals, m.pos)
	}
	for _, p := range s.class(r).conflicts {
		count(&p.reserving, m.pos)
	}
	if s.class(r).demand != nil {
		s.class(r).demand.take(m, int64(-by))
		s.loosen(slot)
	}
	s.setLoad(m, m.load+by)
}

// yieldGlobals ends the global units on a machine that conflict with a unit that
// has been placed there.
func (s *Scheduler) yieldGlobals(i, slot int32) {
	m := &s.machines[slot]
	if len(m.globals) == 0 {
		return
	}
	if slices.ContainsFunc(m.globals, func(g int32) bool { return s.conflict(g, i) }) {
		s.settleGlobals(slot)
	}
}

// conflict says whether either of two units' Conflicts match the other.
func (s *Scheduler) conflict(a, b int32) bool {
	for _, p := range s.class(s.unit(a)).conflicts {
		if p.matches(s.name(b)) {
			return true
		}
	}
	for _, p := range s.class(s.unit(b)).conflicts {
		if p.matches(s.name(a)) {
			return true
		}
	}
	return false
}

// globalObstacle returns what keeps a global unit, which isn't there, off a
// machine that suits it.
func (s *Scheduler) globalObstacle(i int32, m *machine) obstacle {
	r := s.unit(i)
	if u := s.conflicting(i, m); u != none {
		return obstacle{kind: conflicts, unit: u}
	}
	for _, g := range m.globals {
		if s.conflict(i, g) {
			return obstacle{kind: conflicts, unit: g}
		}
	}
	if d := s.class(r).demand; d != nil && !d.fits(m) {
		return obstacle{kind: short, resource: d.short(m)}
	}
	return obstacle{}
}

// whyGone says why a global unit runs on a machine no longer.
func (s *Scheduler) whyGone(i int32, m *machine) string {
	switch {
	case !m.up:
		return "machine " + m.id + " is gone"
	case m.closed:
		return "machine " + m.id + " is being drained"
	}
	o := s.obstacle(i, m)
	if o.kind == able || o.kind == conflicts {
		o = s.globalObstacle(i, m)
	}
	return "machine " + m.id + " can't run it any more: " + s.tell(i, o)
}

// Resume tells of a unit that stands on machines already, as when a leader takes
// over: it is placed there, allowed or not, and has had its landing. The next Solve
// moves it if it may not stay, and has a global unit start where it is missing.
// Machines that aren't up are passed over. Units come in the order of their start.
func (s *Scheduler) Resume(u Unit, machineIDs ...string) {
	if u.Needs == nil {
		u.Needs = &s.nothing
	}
	hash := s.byName.hash(u.Name)
	if _, known := s.find(hash, u.Name); known || !u.Active {
		s.SetUnit(u)
		return
	}
	if !u.Needs.Global {
		s.SetUnit(u)
		if len(machineIDs) > 0 && s.Assign(u.Name, machineIDs[0]) {
			i, _ := s.find(hash, u.Name)
			r := s.unit(i)
			r.mayKick, r.resumed = false, true
		}
		return
	}
	s.settle()
	i := s.enter(hash, u.Name, s.classOf(u.Name, u.Needs))
	g := &global{}
	s.unit(i).global, s.globalOf[i] = true, g
	s.globals = append(s.globals, i)
	s.activate(i, true)
	for _, id := range machineIDs {
		slot, ok := s.machineByID[id]
		if !ok || !s.machines[slot].up || !g.on.add(s.machines[slot].pos) {
			continue
		}
		g.was.add(s.machines[slot].pos)
		s.countGlobal(i, slot, +1)
	}
	s.resumed = int32(len(s.order))
}

// GlobalMoves returns where global units have come and gone since it was last
// called, one machine a move. Solve's moves leave them out.
func (s *Scheduler) GlobalMoves() []Move {
	moves := s.globalGoodbyes
	s.globalGoodbyes = nil
	for _, i := range s.globalTold {
		g := s.globalOf[i]
		if g == nil {
			continue // stopped: said already
		}
		for pos := range g.told.each {
			m := &s.machines[s.order[pos]]
			switch here := g.on.has(pos); {
			case here && g.was.add(pos):
				moves = append(moves, Move{Unit: s.name(i), To: m.id})
			case !here && g.was.remove(pos):
				moves = append(moves, Move{Unit: s.name(i), From: m.id, Why: s.whyGone(i, m)})
			}
		}
		g.told = set{}
	}
	s.globalTold = s.globalTold[:0]
	return moves
}
