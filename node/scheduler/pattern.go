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
	// globs match the names; literal ones are compared as they are, because a
	// name may hold a backslash.
	globs   []string
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
}

func (p *pattern) matches(name string) bool {
	if p.literal {
		return p.globs[0] == name
	}
	return slices.ContainsFunc(p.globs, func(g string) bool { return unit.Glob(g, name) })
}

// stems are the beginnings that the names matched by the pattern have, without
// any wildcard.
func (p *pattern) stems() []string {
	if p.literal {
		return p.globs
	}
	stems := make([]string, 0, len(p.globs))
	for _, g := range p.globs {
		stem := g
		if i := strings.IndexAny(g, `*?[\`); i >= 0 {
			stem = g[:i]
		}
		if !slices.Contains(stems, stem) {
			stems = append(stems, stem)
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
	p := &pattern{id: s.lastPattern, refs: 1, key: key, globs: globs, literal: literal}
	s.lastPattern++
	s.patternByKey[key] = p
	s.patterns = append(s.patterns, p)
	for _, stem := range p.stems() {
		if s.stems[stem] == nil {
			s.stemLengths = countLength(s.stemLengths, len(stem), +1)
		}
		s.stems[stem] = append(s.stems[stem], p)
	}
	for _, u := range s.matching(p) {
		s.enterPattern(u, p, true)
	}
	return p
}

// countLength changes the number of stems of a length.
func countLength(lengths []int, n, by int) []int {
	for len(lengths) <= n {
		lengths = append(lengths, 0)
	}
	lengths[n] += by
	return lengths
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
			s.stemLengths = countLength(s.stemLengths, len(stem), -1)
		}
	}
	delete(s.patternByKey, p.key)
	i, _ := slices.BinarySearchFunc(s.patterns, p.id, func(o *pattern, id int) int { return o.id - id })
	s.patterns = slices.Delete(s.patterns, i, i+1)
}

// patternsFor returns the patterns that match a name, by number.
func (s *Scheduler) patternsFor(name string) []*pattern {
	s.found = s.found[:0]
	for n, stems := range s.stemLengths {
		if stems == 0 || n > len(name) {
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
		if u, ok := s.unitByName[p.globs[0]]; ok {
			return []int32{u}
		}
		return nil
	}
	var found []int32
	for _, stem := range p.stems() {
		for _, u := range s.names.withPrefix(s, stem) {
			if p.matches(s.units[u].name) {
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
	key      string
	patterns []*pattern
}

// profileOf returns the profile for a set of patterns in order of their numbers.
func (s *Scheduler) profileOf(patterns []*pattern) *profile {
	s.key = s.key[:0]
	for _, p := range patterns {
		s.key = appendInts(s.key, int64(p.id))
	}
	if f := s.profiles[string(s.key)]; f != nil {
		f.refs++
		return f
	}
	f := &profile{refs: 1, key: string(s.key), patterns: slices.Clone(patterns)}
	s.profiles[f.key] = f
	return f
}

func (s *Scheduler) dropProfile(f *profile) {
	f.refs--
	if f.refs == 0 {
		delete(s.profiles, f.key)
	}
}

// enterPattern adds a pattern to the profile of a unit that it matches, or takes
// it away.
func (s *Scheduler) enterPattern(u int32, p *pattern, in bool) {
	r := &s.units[u]
	old := r.profile
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
	asleep := r.wait != nil
	if asleep {
		s.unwait(u)
	}
	r.profile = s.profileOf(patterns)
	s.dropProfile(old)
	if asleep {
		s.enqueue(u)
	}
	n := 1
	if !in {
		n = -1
	}
	if r.active && !r.class.needs.Global {
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
	if r.global != nil {
		for pos := range r.global.on.each {
			by(&p.globals, pos)
		}
	}
}

// names finds units by the beginning of their names. New names are put in order
// only when somebody asks: most clusters have few patterns.
type names struct {
	fresh []int32
	// runs are sorted; each is at most half as long as the one before.
	runs [][]string
	// stale says that runs may hold names that have no unit any more, or twice.
	stale bool
}

// freshMax is how many names are looked through rather than sorted.
const freshMax = 32

func (n *names) withPrefix(s *Scheduler, prefix string) []int32 {
	if len(n.fresh) > freshMax {
		n.sort(s)
	}
	var found []int32
	for _, u := range n.fresh {
		if s.units[u].name != "" && strings.HasPrefix(s.units[u].name, prefix) {
			found = append(found, u)
		}
	}
	for _, run := range n.runs {
		i, _ := slices.BinarySearch(run, prefix)
		for ; i < len(run) && strings.HasPrefix(run[i], prefix); i++ {
			if u, ok := s.unitByName[run[i]]; ok {
				found = append(found, u)
			}
		}
	}
	return found
}

// sort makes a run of the fresh names and merges runs until each is short beside
// the one before.
func (n *names) sort(s *Scheduler) {
	run := make([]string, 0, len(n.fresh))
	for _, u := range n.fresh {
		if s.units[u].name != "" {
			run = append(run, s.units[u].name)
		}
	}
	n.fresh = n.fresh[:0]
	slices.Sort(run)
	for len(n.runs) > 0 && len(n.runs[len(n.runs)-1]) < 2*len(run) {
		last := n.runs[len(n.runs)-1]
		n.runs = n.runs[:len(n.runs)-1]
		run = merge(s, last, run, n.stale)
	}
	n.stale = n.stale && len(n.runs) > 0
	n.runs = append(n.runs, run)
}

// merge joins two sorted runs; if they may be stale, without the names that have no
// unit any more, and each once.
func merge(s *Scheduler, a, b []string, stale bool) []string {
	out := make([]string, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && b[0] < a[0] {
			from = &b
		}
		name := (*from)[0]
		*from = (*from)[1:]
		if stale {
			if _, ok := s.unitByName[name]; !ok || len(out) > 0 && out[len(out)-1] == name {
				continue
			}
		}
		out = append(out, name)
	}
	return out
}
