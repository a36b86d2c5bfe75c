package fleet

import "drydock/node/unit"

// move applies a Place: each of its moves, or none of another term's.
func (s *Store) move(p *Place) (Outcome, error) {
	if err := s.thisTerm(p.Term); err != nil {
		return Outcome{}, err
	}
	var out Outcome
	for i := range p.Moves {
		if err := s.moveUnit(&p.Moves[i]); err != nil {
			out.Refused = append(out.Refused, Refused{Index: i, Why: err})
		}
	}
	return out, nil
}

// moveUnit carries out one move.
func (s *Store) moveUnit(m *Move) error {
	e := s.lookup(m.Unit)
	if e == nil {
		return stale("unit %s is gone", m.Unit)
	}
	if err := s.checkMove(e, m); err != nil {
		return err
	}
	to := s.machines[m.To]
	if m.From == m.To {
		s.renewPlace(e, to)
		return nil
	}
	if m.From != "" {
		i, _ := e.place(m.From)
		s.endPlace(e, i)
	}
	if to != nil {
		s.addPlace(e, to)
	}
	return nil
}

// checkMove says why a move was decided on a state that is no more.
func (s *Store) checkMove(e *entry, m *Move) error {
	u := &e.unit
	_, isThere := e.place(m.To)
	_, wasThere := e.place(m.From)
	to := s.machines[m.To]
	switch {
	case u.Changed != m.Changed:
		return stale("unit %s has changed", u.Name)
	case m.From == "" && m.To == "":
		return stale("unit %s moves from nowhere to nowhere", u.Name)
	case m.From != "" && !wasThere:
		return stale("unit %s isn't on machine %s", u.Name, m.From)
	case m.To == "":
		return nil
	case to == nil || to.machine.Session == 0 || to.machine.Session != m.Session:
		return stale("session %d of machine %s is over", m.Session, m.To)
	case u.Desired == Inactive:
		return stale("unit %s is to be inactive", u.Name)
	case isTemplate(u.Name):
		return stale("unit %s is a template, which runs nowhere", u.Name)
	case m.From != m.To && isThere:
		return stale("unit %s is on machine %s", u.Name, m.To)
	case !u.Global && m.From == "" && len(u.Places) > 0:
		return stale("unit %s is on machine %s", u.Name, u.Places[0].Machine)
	}
	return nil
}

func isTemplate(name string) bool {
	n, err := unit.ParseName(name)
	return err == nil && n.IsTemplate()
}
