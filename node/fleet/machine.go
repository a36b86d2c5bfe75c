package fleet

import (
	"fmt"
	"maps"
	"slices"
)

// open applies an Open.
func (s *Store) open(o *Open) (Outcome, error) {
	if err := s.thisTerm(o.Term); err != nil {
		return Outcome{}, err
	}
	h := s.machines[o.Machine.ID]
	var was uint64
	if h != nil {
		was = h.machine.Session
	}
	if was != o.Was {
		return Outcome{}, stale("machine %s has session %d, not %d", o.Machine.ID, was, o.Was)
	}
	if h == nil {
		var err error
		if h, err = s.enroll(o.Machine.ID); err != nil {
			return Outcome{}, err
		}
	}
	if was != 0 && o.Empty {
		s.endSession(h)
	}
	told := &o.Machine
	m := &h.machine
	m.Session = s.env.Revision
	s.list(h)
	m.Name, m.PrimaryIP, m.Version, m.Boot = told.Name, told.PrimaryIP, told.Version, told.Boot
	m.URLs, m.Metadata, m.Resources = slices.Clone(told.URLs), maps.Clone(told.Metadata), maps.Clone(told.Resources)
	m.Since, m.Reported, h.told = s.env.Now, 0, nil
	s.touchHost(h)
	for _, e := range h.places {
		s.takeOver(e, h)
	}
	for _, e := range h.leaves {
		s.takeOver(e, h)
	}
	s.order(h)
	return Outcome{Session: m.Session}, nil
}

// takeOver gives what a unit has on a machine to the machine's new session.
func (s *Store) takeOver(e *entry, h *host) {
	e.own()
	if i, ok := e.place(h.machine.ID); ok {
		p := &e.unit.Places[i]
		s.putPlace(e, p, -1)
		p.Session = h.machine.Session
		s.putPlace(e, p, +1)
	}
	if i, ok := e.leave(h.machine.ID); ok {
		l := &e.unit.Leaving[i]
		s.putLeaving(e, l, -1)
		l.Session = h.machine.Session
		s.putLeaving(e, l, +1)
	}
}

// enroll makes a machine that nothing is known of.
func (s *Store) enroll(id string) (*host, error) {
	if s.hosts.n >= MaxMachines {
		return nil, fmt.Errorf("%w: %d machines", ErrFull, s.hosts.n)
	}
	h := &host{machine: Machine{ID: id}}
	s.machines[id] = h
	s.hosts.insert(h)
	return h, nil
}

// close applies a Close.
func (s *Store) close(c *Close) error {
	if c.Term != 0 {
		if err := s.thisTerm(c.Term); err != nil {
			return err
		}
	}
	h := s.machines[c.Machine]
	if h == nil || h.machine.Session != c.Session {
		return stale("session %d of machine %s is over", c.Session, c.Machine)
	}
	s.endSession(h)
	s.list(h)
	return nil
}

// endSession ends a machine's session, and with it all that was to run there and
// all that is known of what did.
func (s *Store) endSession(h *host) {
	id := h.machine.ID
	for _, e := range slices.Clone(h.places) {
		i, _ := e.place(id)
		s.cutPlace(e, i)
		s.cutStateOf(e, id)
	}
	for _, e := range slices.Clone(h.leaves) {
		i, _ := e.leave(id)
		s.cutStateOf(e, id)
		s.cutLeaving(e, i)
	}
	h.machine.Session, h.machine.Since, h.machine.Reported = 0, s.env.Now, 0
	s.touchHost(h)
	s.order(h)
}

// EndSessions ends the sessions of all machines: they were those of a cluster that
// is no more.
func (s *Store) EndSessions(env Env) {
	s.env = env
	for _, h := range slices.Collect(s.hosts.from(0)) {
		if h.machine.Session != 0 {
			s.endSession(h)
			s.list(h)
		}
	}
	s.settle()
}

// cutStateOf forgets what a machine said of a unit, if it did.
func (s *Store) cutStateOf(e *entry, machine string) {
	if i, ok := e.state(machine); ok {
		s.cutState(e, i)
	}
}

// drain applies a Drain.
func (s *Store) drain(d *Drain) error {
	h := s.machines[d.Machine]
	if h == nil {
		return fmt.Errorf("%w: %s", ErrNoMachine, d.Machine)
	}
	if h.machine.Drained != d.On {
		h.machine.Drained = d.On
		s.touchHost(h)
		s.tellMachine(h)
		s.list(h)
	}
	return nil
}

// patch applies a Patch: the machines need not be known.
func (s *Store) patch(p *Patch) error {
	after := make(map[string]map[string]*string)
	var order []string
	for _, op := range p.Ops {
		if after[op.Machine] == nil {
			after[op.Machine] = make(map[string]*string)
			if h := s.machines[op.Machine]; h != nil {
				maps.Copy(after[op.Machine], h.machine.Patch)
			}
			order = append(order, op.Machine)
		}
		after[op.Machine][op.Key] = op.Value
	}
	fresh := 0
	for _, id := range order {
		if s.machines[id] == nil {
			fresh++
		}
		if n := len(after[id]); n > MaxMetadata {
			return fmt.Errorf("%w: %d keys set of machine %s, at most %d", ErrTooLarge, n, id, MaxMetadata)
		}
	}
	if s.hosts.n+fresh > MaxMachines {
		return fmt.Errorf("%w: %d machines", ErrFull, s.hosts.n)
	}
	for _, id := range order {
		s.patchMachine(id, after[id])
	}
	return nil
}

// patchMachine sets what users have set of a machine.
func (s *Store) patchMachine(id string, patch map[string]*string) {
	h := s.machines[id]
	if h == nil {
		h, _ = s.enroll(id) // patch has made sure that there is room
	}
	same := func(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
	if maps.EqualFunc(h.machine.Patch, patch, same) {
		return
	}
	h.machine.Patch, h.told = patch, nil
	s.touchHost(h)
	s.tellMachine(h)
	s.list(h)
}

// Effective returns the machine's metadata as the scheduler and lists see it: what
// users have set outranks what the machine says.
func (m Machine) Effective() map[string]string {
	all := maps.Clone(m.Metadata)
	if all == nil {
		all = make(map[string]string)
	}
	for key, value := range sorted(m.Patch) {
		if value == nil {
			delete(all, key)
			continue
		}
		all[key] = *value
	}
	return all
}
