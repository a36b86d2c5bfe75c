package scheduler

import (
	"slices"
	"strings"

	"drydock/node/unit"
)

// pattern is a set of unit names, and where units with such names are, or units
// that mention it. It is what makes the cost of a conflict independent of the
// number of units: both its sides are looked up by machine.
type pattern struct {
	id   int
	refs int
	key  string
	// globs match the names; a literal pattern's one is compared as it is, because
	// a name may hold a backslash.
	globs   []glob
	literal bool
	// units and globals count the placed units whose names match.
	units, globals tally
	// conflicting, replacing and avoiding count the placed units that mention
	// the pattern in Conflicts, Replaces and Avoids.
	conflicting, replacing, avoiding tally
	// reserving counts the global units that mention it in Conflicts.
	reserving tally
	// peers is how many classes mention it in MachineOf.
	peers int
	// active counts the units with such names that are to have a place, down
	// those of them that have none or are settling.
	active, down int
	// spreads count its units by values of metadata.
	spreads []*spread
	// alone is the profile of names that match nothing else, nil if there is none.
	alone *profile
}

func (p *pattern) matches(name string) bool {
	if p.literal {
		return p.globs[0].text == name
	}
	for i := range p.globs {
		if p.globs[i].matches(name) {
			return true
		}
	}
	return false
}

// glob is a glob of unit names.
type glob struct {
	text string
	// stem is what the names that it matches begin with, all up to the first
	// wildcard. Exact ones have none; in simple ones it is a star, and tail all the
	// rest.
	stem, tail    string
	exact, simple bool
}

func newGlob(text string) glob {
	i := strings.IndexAny(text, wild)
	if i < 0 {
		return glob{text: text, stem: text, exact: true}
	}
	g := glob{text: text, stem: text[:i], tail: text[i+1:]}
	g.simple = text[i] == '*' && !strings.ContainsAny(g.tail, wild)
	return g
}

// wild are the characters that don't stand for themselves in a glob.
const wild = `*?[\`

// matches is unit.Glob, quicker for what most globs are.
func (g *glob) matches(name string) bool {
	if g.exact {
		return g.text == name
	}
	if !g.simple {
		return unit.Glob(g.text, name)
	}
	return len(name) >= len(g.stem)+len(g.tail) && strings.HasPrefix(name, g.stem) && strings.HasSuffix(name, g.tail) &&
		strings.IndexByte(name[len(g.stem):len(name)-len(g.tail)], '/') < 0
}

// stems are the beginnings that the names matched by the pattern have, without
// any wildcard.
func (p *pattern) stems() []string {
	if p.literal {
		return []string{p.globs[0].text}
	}
	stems := make([]string, 0, len(p.globs))
	for _, g := range p.globs {
		if !slices.Contains(stems, g.stem) {
			stems = append(stems, g.stem)
		}
	}
	return stems
}

// patternOf returns the pattern for globs, entering it on every unit that it
// matches if it is new.
func (s *Scheduler) patternOf(literal bool, globs ...string) *pattern {
	key := strings.Join(globs, "\x00")
	if literal {
		key += "\x01"
	}
	if p := s.patternByKey[key]; p != nil {
		p.refs++
		return p
	}
	p := &pattern{id: s.lastPattern, refs: 1, key: key, literal: literal}
	for _, g := range globs {
		p.globs = append(p.globs, newGlob(g))
	}
	s.lastPattern++
	s.patternByKey[key] = p
	s.patterns = append(s.patterns, p)
	for _, stem := range p.stems() {
		if s.stems[stem] == nil {
			s.countStem(stem, +1)
		}
		s.stems[stem] = append(s.stems[stem], p)
	}
	for _, u := range s.matching(p) {
		s.enterPattern(u, p, true)
	}
	return p
}

// stemLength counts the stems of one length, by their last byte: most are an @ or a
// dash, which a name has at few places.
type stemLength struct {
	n    int
	ends [256]int32
}

// has says whether there may be a stem that is how a name begins.
func (l *stemLength) has(name string, length int) bool {
	return l != nil && l.n > 0 && (length == 0 || l.ends[name[length-1]] > 0)
}

func (s *Scheduler) countStem(stem string, by int) {
	for len(s.stemLengths) <= len(stem) {
		s.stemLengths = append(s.stemLengths, nil)
	}
	l := s.stemLengths[len(stem)]
	if l == nil {
		l = &stemLength{}
		s.stemLengths[len(stem)] = l
	}
	l.n += by
	if stem != "" {
		l.ends[stem[len(stem)-1]] += int32(by)
	}
}

func (s *Scheduler) dropPattern(p *pattern) {
	p.refs--
	if p.refs > 0 {
		return
	}
	for _, u := range s.matching(p) {
		s.enterPattern(u, p, false)
	}
	for _, stem := range p.stems() {
		rest := slices.DeleteFunc(s.stems[stem], func(o *pattern) bool { return o == p })
		s.stems[stem] = rest
		if len(rest) == 0 {
			delete(s.stems, stem)
			s.countStem(stem, -1)
		}
	}
	delete(s.patternByKey, p.key)
	i, _ := slices.BinarySearchFunc(s.patterns, p.id, func(o *pattern, id int) int { return o.id - id })
	s.patterns = slices.Delete(s.patterns, i, i+1)
}

// patternsFor returns the patterns that match a name, by number.
func (s *Scheduler) patternsFor(name string) []*pattern {
	s.found = s.found[:0]
	for n, l := range s.stemLengths[:min(len(s.stemLengths), len(name)+1)] {
		if !l.has(name, n) {
			continue
		}
		for _, p := range s.stems[name[:n]] {
			if p.matches(name) && !slices.Contains(s.found, p) {
				s.found = append(s.found, p)
			}
		}
	}
	slices.SortFunc(s.found, func(a, b *pattern) int { return a.id - b.id })
	return s.found
}

// matching returns the known units that a pattern matches.
func (s *Scheduler) matching(p *pattern) []int32 {
	if p.literal {
		if u, ok := s.lookup(p.globs[0].text); ok {
			return []int32{u}
		}
		return nil
	}
	var found []int32
	for _, stem := range p.stems() {
		for _, u := range s.names.beginning(s, stem) {
			if p.matches(s.name(u)) {
				found = append(found, u)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// profile is the set of patterns that match a name, shared by the names with the
// same one.
type profile struct {
	refs     int
	at       int32 // its number
	key      string
	patterns []*pattern
}

// profileOf returns the profile for a set of patterns in order of their numbers.
func (s *Scheduler) profileOf(patterns []*pattern) *profile {
	switch {
	case len(patterns) == 0:
		return s.profiles[0]
	case len(patterns) == 1 && patterns[0].alone != nil:
		patterns[0].alone.refs++
		return patterns[0].alone
	}
	s.key = s.key[:0]
	for _, p := range patterns {
		s.key = appendInts(s.key, int64(p.id))
	}
	if f := s.profileByKey[string(s.key)]; f != nil {
		f.refs++
		return f
	}
	f := &profile{refs: 1, key: string(s.key), patterns: slices.Clone(patterns)}
	f.at, s.freeProfiles = number(&s.profiles, f, s.freeProfiles)
	s.profileByKey[f.key] = f
	if len(patterns) == 1 {
		patterns[0].alone = f
	}
	return f
}

func (s *Scheduler) dropProfile(f *profile) {
	if f.at == 0 {
		return
	}
	f.refs--
	if f.refs == 0 {
		delete(s.profileByKey, f.key)
		if len(f.patterns) == 1 {
			f.patterns[0].alone = nil
		}
		s.profiles[f.at] = nil
		s.freeProfiles = append(s.freeProfiles, f.at)
	}
}

// enterPattern adds a pattern to the profile of a unit that it matches, or takes
// it away.
func (s *Scheduler) enterPattern(u int32, p *pattern, in bool) {
	r := s.unit(u)
	old := s.profile(r)
	patterns := slices.Clone(old.patterns)
	i, has := slices.BinarySearchFunc(patterns, p.id, func(o *pattern, id int) int { return o.id - id })
	switch {
	case has == in:
		return
	case in:
		patterns = slices.Insert(patterns, i, p)
	default:
		patterns = slices.Delete(patterns, i, i+1)
	}
	asleep := r.wait != none
	if asleep {
		s.unwait(u)
	}
	r.profile = s.profileOf(patterns).at
	s.dropProfile(old)
	if asleep {
		s.enqueue(u)
	}
	n := 1
	if !in {
		n = -1
	}
	if r.active && !s.class(r).needs.Global {
		p.active += n
		if r.slot == none {
			p.down += n
		}
		if r.settling {
			p.down += n
		}
	}
	by := func(t *tally, pos int32) {
		if in {
			t.inc(pos)
		} else {
			t.dec(pos)
		}
	}
	if r.slot != none {
		by(&p.units, s.machines[r.slot].pos)
	}
	if r.global {
		for pos := range s.globalOf[u].on.each {
			by(&p.globals, pos)
		}
	}
}
