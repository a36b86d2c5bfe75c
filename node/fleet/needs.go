package fleet

import (
	"slices"

	"drydock/node/unit"
)

// need is what a text asks for under a unit's name.
type need struct {
	hash  unit.Hash
	needs *unit.Requirements
}

// remember keeps what a unit's text asks for, beside what it is placed with.
func (e *entry) remember(h unit.Hash, needs *unit.Requirements) {
	e.needs = slices.DeleteFunc(e.needs, func(n need) bool {
		placed := slices.ContainsFunc(e.unit.Places, func(p Placement) bool { return p.Hash == n.hash })
		return n.hash == h || n.hash != e.unit.Hash && !placed
	})
	e.needs = append(e.needs, need{h, needs})
}

// Requirements returns what the text of hash h asks of the scheduler under the
// unit's name, nil if there is no such text. The pointer stays the same while the
// unit has the text, and must not be written through.
func (s *Store) Requirements(name string, h unit.Hash) *unit.Requirements {
	t := s.texts[h]
	if t == nil {
		return nil
	}
	if t.needs != nil {
		return t.needs
	}
	e := s.units[name]
	if e != nil {
		if i := slices.IndexFunc(e.needs, func(n need) bool { return n.hash == h }); i >= 0 {
			return e.needs[i].needs
		}
	}
	u, err := unit.Parse(name, []byte(t.text))
	if err != nil {
		// It was read when it came. What can't be read now is placed nowhere: no
		// machine has an empty id.
		return &unit.Requirements{Pinned: true}
	}
	needs := u.Fleet()
	switch {
	case isPlain(u):
		t.needs = &needs
	case e != nil:
		e.remember(h, &needs)
	}
	return &needs
}
