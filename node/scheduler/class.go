package scheduler

import (
	"slices"
	"strings"

	"drydock/node/unit"
)

// class is everything that units with the same requirements share. What differs
// between two units of a class is their name, and so their profile.
type class struct {
	refs int
	at   int32 // its number
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
	// queue is where its units wait for their turn.
	queue *queue
	// before and after are what the names of a group's units have before and after
	// their instance, if it is a template's.
	before, after string
	// met are pointers that stand for it in Scheduler.classByNeeds; next is which of
	// them goes when there are too many.
	met  []*unit.Requirements
	next int
}

// metMax bounds how many pointers to equal requirements are known by a class: units
// of one text share one.
const metMax = 16

// classOf returns the class of a unit's requirements, counting one more of its units.
func (s *Scheduler) classOf(name string, r *unit.Requirements) *class {
	c := s.classByNeeds[r]
	group := grouped(r)
	if group {
		// The class depends on the template, too.
		c = s.lastGrouped
		if c != nil && (c.refs == 0 || c.needs != r || c.before == "" || len(name) < len(c.before)+len(c.after) ||
			!strings.HasPrefix(name, c.before) || !strings.HasSuffix(name, c.after) ||
			strings.LastIndexByte(name, '.') != len(name)-len(c.after)) {
			c = nil
		}
	}
	if c != nil {
		c.refs++
		return c
	}
	c = s.classFor(name, r)
	if group {
		s.lastGrouped = c
		return c
	}
	if len(c.met) < metMax {
		c.met = append(c.met, r)
	} else {
		delete(s.classByNeeds, c.met[c.next])
		c.met[c.next] = r
		c.next = (c.next + 1) % metMax
	}
	s.classByNeeds[r] = c
	return c
}

// classFor finds the class by what makes it, or makes it.
func (s *Scheduler) classFor(name string, r *unit.Requirements) *class {
	s.key = appendClass(s.key[:0], name, r)
	if c := s.classByKey[string(s.key)]; c != nil {
		c.refs++
		return c
	}
	c := &class{refs: 1, key: string(s.key), needs: r, queue: s.queueOf(r.Priority)}
	c.at, s.freeClasses = number(&s.classes, c, s.freeClasses)
	s.classByKey[c.key] = c
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
		c.before, c.after = around(name)
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
	delete(s.classByKey, c.key)
	for _, r := range c.met {
		delete(s.classByNeeds, r)
	}
	s.classes[c.at] = nil
	s.freeClasses = append(s.freeClasses, c.at)
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

// around returns what an instance's name has before and after its instance, nothing
// if it is no template's.
func around(name string) (before, after string) {
	if i, j := strings.IndexByte(name, '@'), strings.LastIndexByte(name, '.'); i >= 0 && i < j {
		return name[:i+1], name[j:]
	}
	return "", ""
}

// groupGlobs match the units of a unit's group: the instances of its template, or
// itself, and what SpreadWith names.
func groupGlobs(name string, r *unit.Requirements) []string {
	escape := func(s string) string { return strings.ReplaceAll(s, `\`, `\\`) }
	own := escape(name)
	if before, after := around(name); before != "" {
		own = escape(before) + "*" + escape(after)
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

// spread counts the placed units of a group by the values of a metadata key.
type spread struct {
	refs  int
	group *pattern
	key   string
	at    int // the key's number
	// counts are those above zero, by value.
	counts []valueCount
}

type valueCount struct {
	value string
	of    *set // the machines with the value, some of the group's among them
	n     int
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
	sp := &spread{refs: 1, group: group, key: key, at: s.labelNumber(key)}
	for p := range group.units.each {
		sp.recount(&s.machines[s.order[p]], int(group.units.count(p)))
	}
	group.spreads = append(group.spreads, sp)
	return sp
}

func (s *Scheduler) dropSpread(sp *spread) {
	sp.refs--
	if sp.refs == 0 {
		sp.group.spreads = slices.DeleteFunc(sp.group.spreads, func(o *spread) bool { return o == sp })
	}
}

func (sp *spread) find(value string) (int, bool) {
	return slices.BinarySearchFunc(sp.counts, value, func(c valueCount, v string) int { return strings.Compare(c.value, v) })
}

// count is how many of the group are on machines with a value.
func (sp *spread) count(value string) int {
	if i, ok := sp.find(value); ok {
		return sp.counts[i].n
	}
	return 0
}

// recount adds by to the units that a group has on machines with the value of m.
func (sp *spread) recount(m *machine, by int) {
	if sp.at >= len(m.values) || m.values[sp.at] == nil {
		return
	}
	i, of := -1, m.values[sp.at]
	if len(sp.counts) <= fewMax {
		i = slices.IndexFunc(sp.counts, func(c valueCount) bool { return c.of == of })
	}
	if i < 0 {
		value, known := m.metadata[sp.key], false
		if i, known = sp.find(value); !known {
			sp.counts = slices.Insert(sp.counts, i, valueCount{value: value, of: of})
		}
	}
	if sp.counts[i].n += by; sp.counts[i].n == 0 {
		sp.counts = slices.Delete(sp.counts, i, i+1)
	}
}

// above returns the lowest count above n, or -1.
func (sp *spread) above(n int) int {
	least := -1
	for _, c := range sp.counts {
		if c.n > n && (least < 0 || c.n < least) {
			least = c.n
		}
	}
	return least
}

// anyCount stands for every count above zero.
const anyCount = 0

// pad is room for what a search by a key of Spread makes up.
type pad struct {
	set
	of []*set
}

// with sets p.of to the machines of each value that has n units of the group, or any.
// Their number is machines.
func (p *pad) with(sp *spread, n int) (machines int) {
	p.of = p.of[:0]
	for i := range sp.counts {
		if c := &sp.counts[i]; n == anyCount || c.n == n {
			p.of = append(p.of, c.of)
			machines += c.of.n
		}
	}
	return machines
}

// unite returns the sets of p.of as one, for so many positions.
func (p *pad) unite(positions int) *set {
	if len(p.of) == 1 {
		return p.of[0]
	}
	p.become(positions)
	for _, one := range p.of {
		p.set.unite(one)
	}
	return &p.set
}

// label is the machines that are up and have a metadata key, and of these the
// machines with each value.
type label struct {
	set
	at     int // its key's number
	values map[string]*set
}

// labelNumber returns the number of a metadata key, which it keeps for good.
func (s *Scheduler) labelNumber(key string) int {
	at, ok := s.labelNumbers[key]
	if !ok {
		at = len(s.labelAt)
		s.labelNumbers[key] = at
		s.labelAt = append(s.labelAt, s.labels[key])
	}
	return at
}

// value returns the machines with a value, nil if there are none.
func (l *label) value(value string) *set {
	if l == nil {
		return nil
	}
	return l.values[value]
}
