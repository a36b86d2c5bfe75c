package scheduler

import (
	"math/bits"
	"slices"
)

// A set is a sorted list up to fewMax members, and beyond up to a member for every
// 32 positions or listMax: below that a bitmap over all machines costs more memory
// than it saves time.
const (
	fewMax  = 24
	listMax = 512
)

// listed says whether a list that is to take in p, and has members up to the last,
// stays one.
func listed(few []int32, p int32) bool {
	n := len(few)
	return n < fewMax || n < min(int(max(p, few[n-1]))>>5, listMax)
}

// set is a set of machine positions. It is a sorted list while it is small and a
// bitmap from then on, until it is empty.
type set struct {
	n     int
	few   []int32
	words []uint64
}

func (s *set) has(p int32) bool {
	if s.words != nil {
		i := int(p >> 6)
		return i < len(s.words) && s.words[i]>>(p&63)&1 == 1
	}
	_, ok := slices.BinarySearch(s.few, p)
	return ok
}

// add reports whether p is new.
func (s *set) add(p int32) bool {
	if s.words == nil {
		i, ok := slices.BinarySearch(s.few, p)
		if ok {
			return false
		}
		s.n++
		if listed(s.few, p) {
			s.few = slices.Insert(s.few, i, p)
			return true
		}
		s.words = make([]uint64, int(max(p, s.few[len(s.few)-1]))>>6+1)
		for _, q := range s.few {
			s.words[q>>6] |= 1 << (q & 63)
		}
		s.words[p>>6] |= 1 << (p & 63)
		s.few = nil
		return true
	}
	s.words = reach(s.words, p)
	w := &s.words[p>>6]
	if *w>>(p&63)&1 == 1 {
		return false
	}
	*w |= 1 << (p & 63)
	s.n++
	return true
}

// remove reports whether p was there.
func (s *set) remove(p int32) bool {
	if !s.has(p) {
		return false
	}
	s.n--
	if s.words == nil {
		i, _ := slices.BinarySearch(s.few, p)
		s.few = slices.Delete(s.few, i, i+1)
		return true
	}
	s.words[p>>6] &^= 1 << (p & 63)
	if s.n == 0 {
		s.words = nil
	}
	return true
}

// become makes the set an empty bitmap for so many positions.
func (s *set) become(positions int) {
	need := (positions + 63) >> 6
	s.n, s.few = 0, nil
	clear(s.words)
	if need > len(s.words) {
		s.words = make([]uint64, need)
	}
}

// unite adds the members of o, none of which is in s, to a bitmap that reaches as
// far.
func (s *set) unite(o *set) {
	for _, p := range o.few {
		s.words[p>>6] |= 1 << (p & 63)
	}
	for i, w := range o.words {
		if w != 0 {
			s.words[i] |= w
		}
	}
	s.n += o.n
}

// each yields the members in ascending order. The set must not change meanwhile.
func (s *set) each(yield func(p int32) bool) {
	for _, p := range s.few {
		if !yield(p) {
			return
		}
	}
	for i, w := range s.words {
		for ; w != 0; w &= w - 1 {
			if !yield(int32(i<<6 + bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}

// renumber gives every member its new position.
func (s *set) renumber(to []int32) {
	var moved set
	for p := range s.each {
		moved.add(to[p])
	}
	*s = moved
}

// reach returns words, long enough for position p.
func reach(words []uint64, p int32) []uint64 {
	if need := int(p>>6) + 1; need > len(words) {
		words = append(words, make([]uint64, max(need, len(words)*5/4)-len(words))...)
	}
	return words
}

// tally counts something per machine; the positions with a count above zero are
// its set.
type tally struct {
	set
	// counts are those of few, in its order, or by position.
	counts []int32
}

func (t *tally) count(p int32) int32 {
	if t.words != nil {
		if int(p) < len(t.counts) {
			return t.counts[p]
		}
		return 0
	}
	if i, ok := slices.BinarySearch(t.few, p); ok {
		return t.counts[i]
	}
	return 0
}

// inc counts one more at p and reports whether it is the first there.
func (t *tally) inc(p int32) bool {
	if t.words == nil {
		i, ok := slices.BinarySearch(t.few, p)
		if ok {
			t.counts[i]++
			return false
		}
		if listed(t.few, p) {
			t.counts = slices.Insert(t.counts, i, 1)
		} else {
			dense := make([]int32, max(p, t.few[len(t.few)-1])+1)
			for i, q := range t.few {
				dense[q] = t.counts[i]
			}
			dense[p] = 1
			t.counts = dense
		}
		return t.add(p)
	}
	if int(p) >= len(t.counts) {
		t.counts = append(t.counts, make([]int32, max(int(p)+1, len(t.counts)*5/4)-len(t.counts))...)
	}
	t.counts[p]++
	return t.counts[p] == 1 && t.add(p)
}

// dec counts one less at p and reports whether none is left there.
func (t *tally) dec(p int32) bool {
	if t.words == nil {
		i, ok := slices.BinarySearch(t.few, p)
		if !ok {
			panic("scheduler: a count below zero")
		}
		t.counts[i]--
		if t.counts[i] > 0 {
			return false
		}
		t.counts = slices.Delete(t.counts, i, i+1)
		return t.remove(p)
	}
	t.counts[p]--
	if t.counts[p] > 0 {
		return false
	}
	t.remove(p)
	if t.n == 0 {
		t.counts = nil
	}
	return true
}

func (t *tally) renumber(to []int32) {
	var moved tally
	for p := range t.each {
		n := t.count(p)
		moved.inc(to[p])
		moved.bump(to[p], n-1)
	}
	*t = moved
}

// bump adds n to a count that isn't zero.
func (t *tally) bump(p, n int32) {
	if t.words != nil {
		t.counts[p] += n
		return
	}
	i, _ := slices.BinarySearch(t.few, p)
	t.counts[i] += n
}

// level is the set of machines that carry one and the same number of units. A
// second bitmap says which words of the first hold any.
type level struct {
	n     int
	words []uint64
	sum   []uint64
}

// levels sorts the machines by load; those of one load are in order of their ids.
type levels struct {
	at []level
	// some has a bit for every load that a machine has.
	some []uint64
	// drops grows when a machine's load falls or a machine joins: then whoever
	// remembers that its machines are all above a load must look again.
	drops uint64
}

func (l *levels) add(p, load int32) {
	for int(load) >= len(l.at) {
		l.at = append(l.at, level{})
	}
	v := &l.at[load]
	if v.n == 0 {
		l.some = reach(l.some, load)
		l.some[load>>6] |= 1 << (load & 63)
	}
	v.n++
	v.words = reach(v.words, p)
	v.words[p>>6] |= 1 << (p & 63)
	v.sum = reach(v.sum, p>>6)
	v.sum[p>>12] |= 1 << (p >> 6 & 63)
}

func (l *levels) remove(p, load int32) {
	v := &l.at[load]
	v.n--
	v.words[p>>6] &^= 1 << (p & 63)
	if v.words[p>>6] == 0 {
		v.sum[p>>12] &^= 1 << (p >> 6 & 63)
	}
	if v.n == 0 {
		l.some[load>>6] &^= 1 << (load & 63)
	}
}

// next returns the lowest load from a given one upwards that a machine has, or -1.
func (l *levels) next(load int32) int32 {
	for i := int(load >> 6); i < len(l.some); i++ {
		w := l.some[i]
		if i == int(load>>6) {
			w &= ^uint64(0) << (load & 63)
		}
		if w != 0 {
			return int32(i<<6 + bits.TrailingZeros64(w))
		}
	}
	return -1
}
