package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"drydock/node/unit"
)

// kind is a reason for which a machine can't run a unit, in the order in which
// they are looked for.
type kind int

const (
	able kind = iota
	otherID
	metadata
	noPeer
	conflicts
	replaced
	full
	short
	shunned
	closed
)

// obstacle is what keeps a unit off a machine.
type obstacle struct {
	kind kind
	// condition, peer, key and resource say which, where there are several.
	condition *unit.Condition
	peer, key string
	resource  int
	// unit is the other unit, for conflicts and replaced.
	unit int32
}

// obstacle returns the first thing that keeps a unit, which isn't there, off a
// machine.
func (s *Scheduler) obstacle(i int32, m *machine) obstacle {
	r := s.unit(i)
	c := s.class(r)
	if !c.needs.AllowsMachine(m.id) {
		return obstacle{kind: otherID}
	}
	if f := failing(c.needs, m); f != nil {
		return obstacle{kind: metadata, condition: f}
	}
	for k, p := range c.peers {
		if !p.units.has(m.pos) && !p.globals.has(m.pos) {
			return obstacle{kind: noPeer, peer: c.needs.MachineOf[k]}
		}
	}
	if u := s.conflicting(i, m); u != none {
		return obstacle{kind: conflicts, unit: u}
	}
	if u := s.replacement(i, m); u != none {
		return obstacle{kind: replaced, unit: u}
	}
	if key, is := s.fullKey(i, m); is && !s.lenient {
		return obstacle{kind: full, key: key}
	}
	if c.demand != nil && !c.demand.fits(m) {
		return obstacle{kind: short, resource: c.demand.short(m)}
	}
	if s.shuns(i, m) {
		return obstacle{kind: shunned}
	}
	if m.closed {
		return obstacle{kind: closed}
	}
	return obstacle{}
}

// fullKey returns the metadata key, if any, of which the machine's value has as
// many of a unit's group as SpreadLimit allows.
func (s *Scheduler) fullKey(i int32, m *machine) (string, bool) {
	c := s.class(s.unit(i))
	if limit := c.needs.SpreadLimit; limit > 0 {
		for _, sp := range c.spreads {
			if value, ok := m.metadata[sp.key]; ok && sp.count(value) >= limit {
				return sp.key, true
			}
		}
	}
	return "", false
}

// conflicting returns a unit placed on a machine that conflicts with i, or none.
func (s *Scheduler) conflicting(i int32, m *machine) int32 {
	r := s.unit(i)
	near := false
	for _, p := range s.class(r).conflicts {
		near = near || p.units.has(m.pos)
	}
	for _, p := range s.profile(r).patterns {
		near = near || p.conflicting.has(m.pos)
	}
	if !r.mayKick && !s.staying && !r.global {
		for _, g := range m.globals {
			if s.conflict(i, g) {
				return g
			}
		}
	}
	if !near {
		return none
	}
	found := none
	for u := m.first; u != none; u = s.unit(u).next {
		if u != i && s.conflict(i, u) && (found == none || s.name(u) < s.name(found)) {
			found = u
		}
	}
	return found
}

// tell puts an obstacle into words, as what a machine is or does.
func (s *Scheduler) tell(i int32, o obstacle) string {
	needs := s.class(s.unit(i)).needs
	switch o.kind {
	case otherID:
		return fmt.Sprintf("its id isn't %q (MachineID)", needs.MachineID)
	case metadata:
		return fmt.Sprintf("its metadata doesn't meet %s (MachineMetadata)", o.condition)
	case closed:
		return "it is being drained"
	case shunned:
		return "the unit has failed there too often"
	case noPeer:
		return fmt.Sprintf("%s isn't there (MachineOf)%s", o.peer, s.peerNote(o.peer))
	case conflicts:
		return fmt.Sprintf("%s is there (Conflicts)", s.name(o.unit))
	case replaced:
		return fmt.Sprintf("%s is there (Replaces)", s.name(o.unit))
	case full:
		return fmt.Sprintf("its %s has the most it may have of the group (SpreadLimit=%d)", o.key, needs.SpreadLimit)
	case short:
		return s.resourceNames[o.resource] + " is short"
	}
	return "it is able to"
}

// peerNote says why a unit that is to be followed is nowhere.
func (s *Scheduler) peerNote(peer string) string {
	u, ok := s.lookup(peer)
	switch {
	case unit.IsGlob(peer):
		return ""
	case !ok:
		return ", no such unit is known"
	case !s.unit(u).active:
		return ", that unit is inactive"
	case s.unit(u).slot == none && !s.unit(u).global:
		return ", that unit has no machine either"
	}
	return ""
}

// Why says in words why a unit isn't placed; it is empty for one that is, and for
// a global unit that runs somewhere.
func (s *Scheduler) Why(name string) string {
	s.settle()
	i, ok := s.lookup(name)
	if !ok {
		return "no unit of this name is known"
	}
	r := s.unit(i)
	switch {
	case !r.active:
		return "inactive: load or start it"
	case r.slot != none || r.global && s.globalOf[i].on.n > 0:
		return ""
	case s.upCount == 0:
		return "no machine is up"
	}
	if words := s.tally(i, none); words != "" {
		return "no machine can run it: " + words
	}
	return "not decided yet"
}

// Elsewhere says in words why a placed unit can be on no other machine; it is empty
// if one could take it.
func (s *Scheduler) Elsewhere(name string) string {
	i, ok := s.lookup(name)
	if !ok || s.unit(i).slot == none {
		return ""
	}
	if s.upCount < 2 {
		return "there is no other machine"
	}
	return s.tally(i, s.unit(i).slot)
}

// tally counts the machines, but for one, by what keeps a unit off them; it returns
// nothing if they can run it.
func (s *Scheduler) tally(i, besides int32) string {
	r := s.unit(i)
	type cause struct {
		text  string
		n     int
		first string
		kind  kind
	}
	var causes []cause
	for _, slot := range s.order {
		m := &s.machines[slot]
		if !m.up || slot == besides {
			continue
		}
		o := s.obstacle(i, m)
		if r.global && (o.kind == able || o.kind == conflicts) {
			o = s.globalObstacle(i, m)
		}
		text := s.tell(i, o)
		k := slices.IndexFunc(causes, func(c cause) bool { return c.text == text })
		if k < 0 {
			k = len(causes)
			causes = append(causes, cause{text: text, first: m.id, kind: o.kind})
		}
		causes[k].n++
	}
	slices.SortStableFunc(causes, func(a, b cause) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.kind, b.kind)) })
	is := func(c cause) bool { return c.kind == able }
	if is(causes[0]) || besides != none && slices.ContainsFunc(causes, is) {
		return ""
	}
	const most = 5
	var words []string
	for k, c := range causes {
		if k == most {
			words = append(words, fmt.Sprintf("and %d other reasons", len(causes)-most))
			break
		}
		switch {
		case c.n == s.upCount && c.n > 1:
			words = append(words, fmt.Sprintf("all %d: %s", c.n, c.text))
		case c.n == 1:
			words = append(words, fmt.Sprintf("%s: %s", c.first, c.text))
		default:
			words = append(words, fmt.Sprintf("%d of %d: %s", c.n, s.upCount, c.text))
		}
	}
	return strings.Join(words, "; ")
}
