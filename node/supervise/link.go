package supervise

import "slices"

// links are the relations of a unit, both ways, sorted. A name need not be of a
// unit that is loaded.
type links struct {
	// earlier are the units that the unit comes after, later those before which
	// it comes.
	earlier, later []string
	// enemies are in conflict with it, whoever says so.
	enemies []string
	// needs are required or bound to; dependents require it, or are bound to it;
	// bound are only those that are bound to it; parts share its stops.
	needs, dependents, bound, parts []string
	// sockets and timers are the units that start it.
	triggers []string
}

// relink computes the relations of all units anew.
func (m *Machine) relink() {
	for _, name := range m.names {
		d := m.units[name].def
		m.units[name].links = links{
			earlier: slices.Clone(d.After), later: slices.Clone(d.Before), enemies: slices.Clone(d.Conflicts),
			needs: slices.Concat(d.Requires, d.BindsTo),
		}
	}
	for _, name := range m.names {
		d := m.units[name].def
		m.link(name, d.After, func(l *links) *[]string { return &l.later })
		m.link(name, d.Before, func(l *links) *[]string { return &l.earlier })
		m.link(name, d.Conflicts, func(l *links) *[]string { return &l.enemies })
		m.link(name, d.Requires, func(l *links) *[]string { return &l.dependents })
		m.link(name, d.Requisite, func(l *links) *[]string { return &l.dependents })
		m.link(name, d.BindsTo, func(l *links) *[]string { return &l.dependents })
		m.link(name, d.BindsTo, func(l *links) *[]string { return &l.bound })
		m.link(name, d.PartOf, func(l *links) *[]string { return &l.parts })
		if d.Timer != nil {
			m.link(name, []string{d.Timer.Unit}, func(l *links) *[]string { return &l.triggers })
		}
		if d.Socket != nil {
			// The sockets are open before the service looks for them.
			m.link(name, []string{d.Socket.Unit}, func(l *links) *[]string { return &l.triggers })
			m.link(name, []string{d.Socket.Unit}, func(l *links) *[]string { return &l.earlier })
			m.units[name].links.later = append(m.units[name].links.later, d.Socket.Unit)
		}
	}
	for _, name := range m.names {
		m.units[name].links.tidy(name)
	}
}

// link enters name with each of the others that is loaded.
func (m *Machine) link(name string, others []string, list func(*links) *[]string) {
	for _, other := range others {
		if e, ok := m.units[other]; ok {
			l := list(&e.links)
			*l = append(*l, name)
		}
	}
}

// tidy sorts, and leaves out what is there twice and the unit itself.
func (l *links) tidy(self string) {
	for _, list := range []*[]string{
		&l.earlier, &l.later, &l.enemies, &l.needs, &l.dependents, &l.bound, &l.parts, &l.triggers,
	} {
		slices.Sort(*list)
		*list = slices.DeleteFunc(slices.Compact(*list), func(s string) bool { return s == self })
	}
}
