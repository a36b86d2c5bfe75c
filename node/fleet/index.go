package fleet

import (
	"iter"
	"slices"
	"sort"
	"strings"
)

// chunkSize is how many things a chunk of an index holds at most.
const chunkSize = 512

// keyed is what an index can hold.
type keyed interface{ key() string }

// index holds things in the order of their keys, in chunks, so that neither
// inserting nor removing moves more than one chunk, however many there are, and
// a position is found without a walk over all before it.
type index[E keyed] struct {
	chunks [][]E
	n      int
	// last is where something was inserted last, if that chunk is still there.
	last int
}

// insertion is place for what is inserted: next to the last, more often than not.
func (x *index[E]) insertion(key string) (chunk, pos int, found bool) {
	c := x.last
	if c >= len(x.chunks) || x.chunks[c][0].key() > key || c+1 < len(x.chunks) && x.chunks[c+1][0].key() <= key {
		return x.place(key)
	}
	pos, found = search(x.chunks[c], key)
	return c, pos, found
}

// place finds the chunk that key belongs to and the position in it.
func (x *index[E]) place(key string) (chunk, pos int, found bool) {
	chunk = sort.Search(len(x.chunks), func(i int) bool { return x.chunks[i][0].key() > key })
	if chunk == 0 {
		return 0, 0, false
	}
	chunk--
	pos, found = search(x.chunks[chunk], key)
	return chunk, pos, found
}

// search finds key in a sorted list.
func search[E keyed](list []E, key string) (pos int, found bool) {
	return slices.BinarySearchFunc(list, key, func(e E, k string) int { return strings.Compare(e.key(), k) })
}

// insert adds e unless something of its key is there.
func (x *index[E]) insert(e E) {
	if len(x.chunks) == 0 {
		x.chunks, x.n = [][]E{{e}}, 1
		return
	}
	c, pos, found := x.insertion(e.key())
	if found {
		return
	}
	if len(x.chunks[c]) == chunkSize {
		// Names often arrive in order: then they fill chunk after chunk.
		at := chunkSize / 2
		if pos == chunkSize {
			at = chunkSize - 1
		}
		tail := slices.Clone(x.chunks[c][at:])
		clear(x.chunks[c][at:])
		x.chunks[c] = x.chunks[c][:at]
		x.chunks = slices.Insert(x.chunks, c+1, tail)
		if pos > at {
			c, pos = c+1, pos-at
		}
	}
	x.chunks[c] = slices.Insert(x.chunks[c], pos, e)
	x.n++
	x.last = c
}

// remove takes out what has the key, if anything has.
func (x *index[E]) remove(key string) {
	c, pos, found := x.place(key)
	if !found {
		return
	}
	x.n--
	if x.chunks[c] = slices.Delete(x.chunks[c], pos, pos+1); len(x.chunks[c]) == 0 {
		x.chunks = slices.Delete(x.chunks, c, c+1)
	}
}

// from yields everything from position i on, in order.
func (x *index[E]) from(i int) iter.Seq[E] {
	return func(yield func(E) bool) {
		for _, chunk := range x.chunks {
			if i >= len(chunk) {
				i -= len(chunk)
				continue
			}
			for _, e := range chunk[max(i, 0):] {
				if !yield(e) {
					return
				}
			}
			i = 0
		}
	}
}

// after yields everything whose key is greater.
func (x *index[E]) after(key string) iter.Seq[E] {
	return func(yield func(E) bool) {
		c, pos, found := x.place(key)
		if found {
			pos++
		}
		for ; c < len(x.chunks); c++ {
			for _, e := range x.chunks[c][pos:] {
				if !yield(e) {
					return
				}
			}
			pos = 0
		}
	}
}

// insertInto adds e to a short sorted list, unless it is there.
func insertInto[E keyed](list []E, e E) []E {
	i, found := search(list, e.key())
	if found {
		return list
	}
	return slices.Insert(list, i, e)
}

// removeFrom takes what has the key out of a short sorted list.
func removeFrom[E keyed](list []E, key string) []E {
	i, found := search(list, key)
	if !found {
		return list
	}
	return slices.Delete(list, i, i+1)
}
