package scheduler

import (
	"math/bits"
	"slices"
)

// query is a search for the machine of one unit: members of all of include, of
// none of exclude, for which check says nothing against it.
type query struct {
	unit    int32
	include []*set
	// exclude are bitmaps; few are lists, compared machine by machine.
	exclude []*set
	few     []*set
	demand  *demand
	// careful says that candidates need to be looked at for Replaces or trouble.
	careful bool
	// lacks are keys that the machine must not have.
	lacks []string
	// floor is a load that no machine of the first include is below.
	floor *selector
	// unions are bitmaps; a machine must be in one of each list.
	unions [][]*set
	// pads are room for the search by each key of Spread.
	pads []pad
}

func (q *query) without(s *set) {
	switch {
	case s.n == 0:
	case s.words == nil:
		q.few = append(q.few, s)
	default:
		q.exclude = append(q.exclude, s)
	}
}

// pick returns the position of the machine that a unit belongs on: of those that
// can run it, first those that it needn't avoid anybody on, then those whose
// values of Spread's keys have the fewest of its group, then the least loaded,
// then the one with the lowest id. It returns none if no machine can run it.
func (s *Scheduler) pick(i int32) int32 {
	r := s.unit(i)
	c := s.class(r)
	q := &s.query
	// Not as one value: moving so many pointers costs more than the search.
	q.unit, q.demand, q.floor = i, c.demand, nil
	q.include, q.exclude, q.few, q.lacks, q.unions = q.include[:0], q.exclude[:0], q.few[:0], q.lacks[:0], q.unions[:0]
	if c.selector != nil {
		q.include = append(q.include, &c.selector.set)
		q.floor = c.selector
	}
	for _, p := range c.peers {
		if p.globals.n == 0 {
			q.include = append(q.include, &p.units.set)
			continue
		}
		both := &set{}
		for pos := range p.units.each {
			both.add(pos)
		}
		for pos := range p.globals.each {
			both.add(pos)
		}
		q.include = append(q.include, both)
	}
	for _, p := range c.conflicts {
		q.without(&p.units.set)
		if !r.mayKick {
			q.without(&p.globals.set)
		}
	}
	q.careful = r.trouble || len(c.replaces) > 0
	for _, p := range s.profile(r).patterns {
		q.without(&p.conflicting.set)
		if !r.mayKick {
			q.without(&p.reserving.set)
		}
		if !q.careful {
			q.without(&p.replacing.set)
		}
	}
	q.without(&s.closed)
	if c.demand != nil {
		q.without(&c.demand.tight)
	}
	hard, hardFew := len(q.exclude), len(q.few)
	for _, p := range c.avoids {
		q.without(&p.units.set)
	}
	for _, p := range s.profile(r).patterns {
		q.without(&p.avoiding.set)
	}
	found := s.spreadOut(q, c.spreads)
	if found == none && (len(q.exclude) > hard || len(q.few) > hardFew) {
		q.exclude, q.few = q.exclude[:hard], q.few[:hardFew]
		found = s.spreadOut(q, c.spreads)
	}
	return found
}

// spreadOut searches among the machines whose values of the given keys have the
// fewest units of the group, then among those with one more, and so on; machines
// without the key come last.
func (s *Scheduler) spreadOut(q *query, keys []*spread) int32 {
	if len(keys) == 0 {
		return s.search(q)
	}
	sp := keys[0]
	limit := s.class(s.unit(q.unit)).needs.SpreadLimit
	if label := s.labelAt[sp.at]; label != nil {
		for len(q.pads) < len(keys) {
			q.pads = append(q.pads, pad{})
		}
		p := &q.pads[len(keys)-1]
		// None of the group: machines with the key but for those with some.
		exclude, few := len(q.exclude), len(q.few)
		found := none
		if some := s.exclude(q, sp, p); some < label.n {
			found = s.spreadAmong(q, &label.set, keys[1:])
		}
		q.exclude, q.few = q.exclude[:exclude], q.few[:few]
		for n := sp.above(0); found == none && n > 0 && (limit == 0 || n < limit); n = sp.above(n) {
			found = s.spreadWithin(q, p, p.with(sp, n), keys[1:])
		}
		if found != none {
			return found
		}
	}
	q.lacks = append(q.lacks, sp.key)
	found := s.spreadOut(q, keys[1:])
	q.lacks = q.lacks[:len(q.lacks)-1]
	return found
}

// exclude has q leave out the machines whose value has units of the group, and
// returns how many these are.
func (s *Scheduler) exclude(q *query, sp *spread, p *pad) (machines int) {
	machines = p.with(sp, anyCount)
	if len(p.of) > fewMax {
		q.without(p.unite(len(s.order)))
		return machines
	}
	for _, of := range p.of {
		q.without(of)
	}
	return machines
}

// unionMax is how many sets are united anew for each 64 machines that a search meets,
// rather than whole.
const unionMax = 8

// spreadWithin searches among the machines of p.of by the keys that are left.
func (s *Scheduler) spreadWithin(q *query, p *pad, machines int, keys []*spread) int32 {
	listed := slices.ContainsFunc(p.of, func(of *set) bool { return of.words == nil })
	if len(p.of) == 1 || len(p.of) > unionMax || listed || s.sparse(machines) {
		return s.spreadAmong(q, p.unite(len(s.order)), keys)
	}
	q.unions = append(q.unions, p.of)
	found := s.spreadOut(q, keys)
	q.unions = q.unions[:len(q.unions)-1]
	return found
}

// spreadAmong searches among some machines by the keys that are left.
func (s *Scheduler) spreadAmong(q *query, in *set, keys []*spread) int32 {
	if in.n == 0 {
		return none
	}
	q.include = append(q.include, in)
	found := s.spreadOut(q, keys)
	q.include = q.include[:len(q.include)-1]
	return found
}

// search returns the least loaded machine that q allows, the lowest id among
// equals.
func (s *Scheduler) search(q *query) int32 {
	smallest, listed := -1, false
	for i, in := range q.include {
		if in.n == 0 {
			return none
		}
		if smallest < 0 || in.n < q.include[smallest].n {
			smallest = i
		}
		listed = listed || in.words == nil
	}
	if smallest >= 0 && (listed || s.sparse(q.include[smallest].n)) {
		return s.searchMembers(q, smallest)
	}
	return s.searchLevels(q)
}

// sparse says whether it costs less to look at so many machines than at the levels.
func (s *Scheduler) sparse(machines int) bool { return machines*16 < len(s.order) }

// searchMembers looks at every member of one set.
func (s *Scheduler) searchMembers(q *query, smallest int) int32 {
	best, least := none, int32(0)
members:
	for pos := range q.include[smallest].each {
		load := s.machines[s.order[pos]].load
		if best != none && load >= least {
			continue
		}
		for i, in := range q.include {
			if i != smallest && !in.has(pos) {
				continue members
			}
		}
		for _, of := range q.unions {
			if !slices.ContainsFunc(of, func(one *set) bool { return one.has(pos) }) {
				continue members
			}
		}
		for _, ex := range q.exclude {
			if ex.has(pos) {
				continue members
			}
		}
		if s.admits(q, pos) {
			best, least = pos, load
		}
	}
	return best
}

// searchLevels goes through the machines by load, 64 at a time.
func (s *Scheduler) searchLevels(q *query) int32 {
	start, raise := int32(0), false
	if q.floor != nil {
		if q.floor.drops != s.levels.drops {
			q.floor.low, q.floor.drops = 0, s.levels.drops
		}
		start, raise = q.floor.low, true
	}
	for load := s.levels.next(start); load >= 0; load = s.levels.next(load + 1) {
		if raise {
			q.floor.low = load
		}
		l := &s.levels.at[load]
		for si, sum := range l.sum {
			for ; sum != 0; sum &= sum - 1 {
				i := si<<6 + bits.TrailingZeros64(sum)
				w := l.words[i]
				for k, in := range q.include {
					if i >= len(in.words) {
						w = 0
						break
					}
					w &= in.words[i]
					if k == 0 && w != 0 {
						raise = false
					}
				}
				for _, of := range q.unions {
					w &= united(of, i)
				}
				for _, ex := range q.exclude {
					if w == 0 {
						break
					}
					if i < len(ex.words) {
						w &^= ex.words[i]
					}
				}
				for ; w != 0; w &= w - 1 {
					if pos := int32(i<<6 + bits.TrailingZeros64(w)); s.admits(q, pos) {
						return pos
					}
				}
			}
		}
	}
	return none
}

// united returns word i of some bitmaps together.
func united(of []*set, i int) (w uint64) {
	for _, one := range of {
		if i < len(one.words) {
			w |= one.words[i]
		}
	}
	return w
}

// admits looks at what bitmaps don't say about one machine.
func (s *Scheduler) admits(q *query, pos int32) bool {
	for _, ex := range q.few {
		if ex.has(pos) {
			return false
		}
	}
	m := &s.machines[s.order[pos]]
	for _, key := range q.lacks {
		if _, has := m.metadata[key]; has {
			return false
		}
	}
	if q.careful && (s.shuns(q.unit, m) || s.replacement(q.unit, m) != none) {
		return false
	}
	if q.demand != nil && !q.demand.fits(m) {
		s.tighten(q.demand, m)
		return false
	}
	return true
}

// replacement returns a unit on m that Replaces keeps i away from, none if there
// is none: one that replaces i, or, unless i may drive it away, one that i
// replaces. Units that replace each other don't mind.
func (s *Scheduler) replacement(i int32, m *machine) int32 {
	r := s.unit(i)
	near := false
	for _, p := range s.profile(r).patterns {
		near = near || p.replacing.has(m.pos)
	}
	for _, p := range s.class(r).replaces {
		near = near || !r.mayKick && p.units.has(m.pos)
	}
	if !near {
		return none
	}
	for u := m.first; u != none; u = s.unit(u).next {
		if u == i {
			continue
		}
		mine, other := s.replaces(i, u), s.replaces(u, i)
		if other && !mine || mine && !other && !r.mayKick {
			return u
		}
	}
	return none
}

// replaces says whether unit i's Replaces match unit u.
func (s *Scheduler) replaces(i, u int32) bool {
	for _, p := range s.class(s.unit(i)).replaces {
		if p.matches(s.name(u)) {
			return true
		}
	}
	return false
}

// kick drives away what a unit replaces on its machine, and uses up its right to.
func (s *Scheduler) kick(i int32) {
	r := s.unit(i)
	r.mayKick = false
	if len(s.class(r).replaces) == 0 {
		return
	}
	for _, u := range s.unitsOn(r.slot) {
		if u != i && s.replaces(i, u) && !s.replaces(u, i) {
			s.evict(u, "replaced by "+s.name(i))
		}
	}
}
