package scheduler

// Drain has a machine emptied, or ends that, and reports whether it is up. No unit
// is placed on a drained machine; those on it move as soon as another can run them
// and their group's Budget allows, and stay until then. Global units end at once.
func (s *Scheduler) Drain(machineID string, on bool) bool {
	s.settle()
	slot, ok := s.machineByID[machineID]
	if !ok || !s.machines[slot].up {
		return false
	}
	m := &s.machines[slot]
	if m.closed == on {
		return true
	}
	m.closed = on
	if on {
		s.closed.add(m.pos)
		s.recheckMachine(slot)
	} else {
		s.closed.remove(m.pos)
		s.improve(slot)
	}
	s.settleGlobals(slot)
	return true
}

// withdraw moves a unit off a machine that is drained, if it can go anywhere;
// else it is tried again when something has changed.
func (s *Scheduler) withdraw(i int32) {
	if !s.mayDisturb(i) || !s.shift(i, -1, "machine "+s.machines[s.unit(i).slot].id+" is being drained") {
		s.stuck = append(s.stuck, i)
	}
}

// shift moves a placed unit to the machine that it would now be placed on, if that
// is another one and, unless most is negative, carries at most so many units.
func (s *Scheduler) shift(i, most int32, why string) bool {
	if s.rollsOut(i) >= 0 {
		return false // its new version may not suit where this one would go
	}
	slot := s.unit(i).slot
	s.quiet = true
	s.lift(i)
	kick := s.unit(i).mayKick
	s.unit(i).mayKick = false
	pos := s.pick(i)
	s.unit(i).mayKick = kick
	s.put(i, slot)
	s.quiet = false
	if pos == none || s.order[pos] == slot || most >= 0 && s.machines[s.order[pos]].load > most {
		return false
	}
	to := s.order[pos]
	s.leave(i, why)
	s.put(i, to)
	s.unsettle(i)
	s.yieldGlobals(i, to)
	return true
}

// mayDisturb says whether a unit's Budget lets it be stopped on purpose now.
func (s *Scheduler) mayDisturb(i int32) bool {
	c := s.class(s.unit(i))
	if c.group == nil {
		return true
	}
	n, limited := c.needs.Budget.Of(c.group.active)
	return !limited || c.group.down < n
}

// unsettle counts a unit as down until Running is told of it.
func (s *Scheduler) unsettle(i int32) {
	if r := s.unit(i); !r.settling {
		r.settling = true
		for _, p := range s.profile(r).patterns {
			p.down++
		}
	}
}

// Running tells that a unit runs, and has for its Settle: budgets count it as up.
func (s *Scheduler) Running(name string) {
	i, ok := s.lookup(name)
	if !ok {
		return
	}
	r := s.unit(i)
	if r.trouble {
		t := s.troubleOf[i]
		t.failures, t.delays = 0, 0
	}
	if !r.settling {
		return
	}
	s.resettle(i)
	s.unstick()
}

func (s *Scheduler) resettle(i int32) {
	if r := s.unit(i); r.settling {
		r.settling = false
		for _, p := range s.profile(r).patterns {
			p.down--
		}
	}
}

// unstick has the units looked at again that were to move and couldn't.
func (s *Scheduler) unstick() {
	stuck := s.stuck
	s.stuck = nil
	for _, i := range stuck {
		if s.unit(i).slot != none {
			s.recheck(i)
		}
	}
}

// Rebalance moves at most limit units from machines with more units to machines
// that have at least two fewer, if they allow that (Rebalance=) and their Budget
// does. The moves come with the next Solve. It returns how many there are.
func (s *Scheduler) Rebalance(limit int) int {
	s.settle()
	moved := 0
	for load := int32(len(s.levels.at)) - 1; load >= 2 && moved < limit; load-- {
		low := s.levels.next(0)
		if low < 0 || low+2 > load {
			break
		}
		var full []int32
		for _, slot := range s.order {
			if m := &s.machines[slot]; m.up && m.load == load {
				full = append(full, slot)
			}
		}
		for _, slot := range full {
			for _, u := range s.unitsOn(slot) {
				if moved == limit || s.machines[slot].load < load {
					break
				}
				if s.class(s.unit(u)).needs.Rebalance && s.mayDisturb(u) && s.shift(u, load-2, "another machine has fewer units") {
					moved++
				}
			}
		}
	}
	return moved
}
