package scheduler

import (
	"maps"
	"slices"
	"strings"

	"drydock/node/unit"
)

// class is everything that units with the same requirements share. What differs
// between two units of a class is their name, and so their profile.
type class struct {
	refs int
	key  string
	// needs are those of the first unit of the class; all have equal ones.
	needs    *unit.Requirements
	selector *selector
	demand   *demand
	// peers, conflicts, replaces and avoids are the patterns of the options.
	peers, conflicts, replaces, avoids []*pattern
	// group are the units that Spread and Budget count together, nil if neither
	// is given; spreads are the group's counts by Spread's keys, in its order.
	group   *pattern
	spreads []*spread
}

// classOf returns the class of a unit's requirements.
func (s *Scheduler) classOf(name string, r *unit.Requirements) *class {
	s.key = appendClass(s.key[:0], name, r)
	if c := s.classes[string(s.key)]; c != nil {
		c.refs++
		return c
	}
	c := &class{refs: 1, key: string(s.key), needs: r}
	s.classes[c.key] = c
	c.selector, c.demand = s.selectorOf(r), s.demandOf(r)
	for _, peer := range r.MachineOf {
		p := s.patternOf(!unit.IsGlob(peer), peer)
		p.peers++
		c.peers = append(c.peers, p)
	}
	patterns := func(globs []string) (list []*pattern) {
		for _, g := range globs {
			if p := s.patternOf(false, g); !slices.Contains(list, p) {
				list = append(list, p)
			} else {
				s.dropPattern(p)
			}
		}
		return list
	}
	c.conflicts, c.replaces, c.avoids = patterns(r.Conflicts), patterns(r.Replaces), patterns(r.Avoids)
	if grouped(r) {
		c.group = s.patternOf(false, groupGlobs(name, r)...)
		for _, key := range r.Spread {
			c.spreads = append(c.spreads, s.spreadOf(c.group, key))
		}
	}
	return c
}

func (s *Scheduler) dropClass(c *class) {
	c.refs--
	if c.refs > 0 {
		return
	}
	delete(s.classes, c.key)
	s.dropSelector(c.selector)
	s.dropDemand(c.demand)
	for _, p := range c.peers {
		p.peers--
	}
	for _, sp := range c.spreads {
		s.dropSpread(sp)
	}
	for _, list := range [][]*pattern{c.peers, c.conflicts, c.replaces, c.avoids} {
		for _, p := range list {
			s.dropPattern(p)
		}
	}
	if c.group != nil {
		s.dropPattern(c.group)
	}
}

// grouped says whether the requirements speak of a group of units.
func grouped(r *unit.Requirements) bool {
	return len(r.Spread) > 0 || r.Budget != (unit.Budget{})
}

// groupGlobs match the units of a unit's group: the instances of its template, or
// itself, and what SpreadWith names.
func groupGlobs(name string, r *unit.Requirements) []string {
	escape := func(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }
	own := escape(name)
	if i, j := strings.IndexByte(name, '@'), strings.LastIndexByte(name, '.'); i >= 0 && i < j {
		own = escape(name[:i+1]) + "*" + escape(name[j:])
	}
	globs := []string{own}
	for _, g := range r.SpreadWith {
		if !slices.Contains(globs, g) {
			globs = append(globs, g)
		}
	}
	return globs
}

// appendClass writes what makes two units' requirements the same.
func appendClass(b []byte, name string, r *unit.Requirements) []byte {
	list := func(mark byte, words []string) {
		if len(words) == 0 {
			return
		}
		b = append(b, mark)
		for _, w := range words {
			b = append(append(b, w...), 0)
		}
		b = append(b, 0)
	}
	if r.Pinned {
		list('i', []string{r.MachineID})
	}
	list('o', r.MachineOf)
	for _, c := range r.Metadata {
		list('m', []string{c.Key, string(c.Op)})
		list('v', c.Values)
	}
	list('c', r.Conflicts)
	list('r', r.Replaces)
	list('a', r.Avoids)
	list('s', r.Spread)
	if grouped(r) {
		list('g', groupGlobs(name, r))
		b = appendInts(append(b, 'n'), int64(r.SpreadLimit), int64(r.Budget.Count), int64(r.Budget.Percent))
	}
	for _, one := range r.Resources {
		list('d', []string{one.Name})
		b = appendInts(b, one.Amount)
	}
	if r.Global {
		b = append(b, 'G')
	}
	if r.Rebalance {
		b = append(b, 'B')
	}
	if r.Priority != 0 || r.MoveAfter != 0 || r.Retry != 0 || r.RetryMax != 0 || r.Settle != 0 {
		b = appendInts(append(b, 'p'), int64(r.Priority), int64(r.MoveAfter), int64(r.Retry), int64(r.RetryMax), int64(r.Settle))
	}
	return b
}

// spread counts the placed units of a group by the values of a metadata key, and
// keeps the machines sorted by that count, so that the value with the fewest is
// found without looking at the values.
type spread struct {
	refs   int
	group  *pattern
	key    string
	counts map[string]int
	// level are the machines with the key, by the count of their value.
	level []set
}

// spreadOf returns the counts of a group over a key.
func (s *Scheduler) spreadOf(group *pattern, key string) *spread {
	for _, sp := range group.spreads {
		if sp.key == key {
			sp.refs++
			return sp
		}
	}
	s.settle()
	sp := &spread{refs: 1, group: group, key: key, counts: make(map[string]int)}
	for p := range group.units.each {
		if value, ok := s.machines[s.order[p]].metadata[key]; ok {
			sp.counts[value] += int(group.units.count(p))
		}
	}
	values := s.labels[key]
	for _, value := range slices.Sorted(maps.Keys(values)) {
		sp.at(sp.counts[value]).addAll(values[value])
	}
	group.spreads = append(group.spreads, sp)
	s.spreads = append(s.spreads, sp)
	return sp
}

func (s *Scheduler) dropSpread(sp *spread) {
	sp.refs--
	if sp.refs > 0 {
		return
	}
	is := func(o *spread) bool { return o == sp }
	sp.group.spreads = slices.DeleteFunc(sp.group.spreads, is)
	s.spreads = slices.DeleteFunc(s.spreads, is)
}

// at returns the machines whose value has n units.
func (sp *spread) at(n int) *set {
	for len(sp.level) <= n {
		sp.level = append(sp.level, set{})
	}
	return &sp.level[n]
}

func (sp *spread) join(m *machine) {
	if value, ok := m.metadata[sp.key]; ok {
		sp.at(sp.counts[value]).add(m.pos)
	}
}

func (sp *spread) leave(m *machine) {
	if value, ok := m.metadata[sp.key]; ok {
		sp.at(sp.counts[value]).remove(m.pos)
	}
}

// recount adds by to the units that a group has on machines with the value of m.
func (s *Scheduler) recount(sp *spread, m *machine, by int) {
	value, ok := m.metadata[sp.key]
	if !ok {
		return
	}
	n := sp.counts[value]
	sp.counts[value] = n + by
	sp.at(max(n, n+by))
	if with := s.labels[sp.key][value]; with != nil {
		sp.level[n].removeAll(with)
		sp.level[n+by].addAll(with)
	}
	if n+by == 0 {
		delete(sp.counts, value)
	}
}
