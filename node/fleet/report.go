package fleet

// report applies a Report.
func (s *Store) report(r *Report) error {
	h := s.machines[r.Machine]
	switch {
	case h == nil || h.machine.Session == 0 || h.machine.Session != r.Session:
		return stale("session %d of machine %s is over", r.Session, r.Machine)
	case r.Seq <= h.machine.Reported:
		return stale("report %d after %d", r.Seq, h.machine.Reported)
	}
	h.machine.Reported = r.Seq
	s.touchHost(h)
	for i := range r.States {
		s.reportState(r.Machine, &r.States[i])
	}
	for i := range r.Gone {
		s.reportGone(r.Machine, &r.Gone[i])
	}
	return nil
}

// reportState takes a machine's word of a unit, if it is about what the machine
// was told last.
func (s *Store) reportState(machine string, told *State) {
	e := s.units[told.Unit]
	if e == nil {
		return
	}
	if i, ok := e.place(machine); ok {
		if e.unit.Places[i].Gen != told.Gen {
			return
		}
	} else if i, ok := e.leave(machine); !ok || e.unit.Leaving[i].Gen != told.Gen {
		return
	}
	st := *told
	st.Unit, st.Machine, st.Since = e.unit.Name, machine, s.env.Now
	s.setState(e, &st)
}

// reportGone takes a machine's word that it has nothing of a unit.
func (s *Store) reportGone(machine string, told *Gone) {
	e := s.units[told.Unit]
	if e == nil {
		return
	}
	if i, ok := e.state(machine); ok && e.states[i].Gen <= told.Gen {
		s.cutState(e, i)
	}
	if i, ok := e.leave(machine); ok && e.unit.Leaving[i].Gen <= told.Gen {
		s.cutLeaving(e, i)
	}
}
