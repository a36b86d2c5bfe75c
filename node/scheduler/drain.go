package scheduler

// Drain has a machine emptied, or ends that, and reports whether it is up. No unit
// is placed on a drained machine; those on it move as soon as another can run
// them, and stay until then.
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
	m.closed, m.draining = on, on
	if !on {
		s.closed.remove(m.pos)
		s.settleGlobals(slot)
		s.improve(slot)
		return true
	}
	s.closed.add(m.pos)
	s.recheckMachine(slot)
	return true
}
