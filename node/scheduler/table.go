package scheduler

import "github.com/cespare/xxhash/v2"

// table finds units by name. It is many small open tables, so that none takes long
// to grow, without a pointer, and the names are looked at only where their hashes
// agree. The hash is the same in every process, as all else here; who may start units
// could choose names that collide, and would wait for them longer.
type table struct {
	shards [shards]shard
}

const shards = 256

// shard has a power of two of places, at most two thirds of them taken.
type shard struct {
	n int
	// marks are 0 at free places and else have seven bits of a hash: all marks of a
	// million names fit into a processor's cache, so that a name which isn't there is
	// missed without waiting for memory.
	marks []uint8
	slots []slot
}

// slot holds a unit's number and half of its name's hash, whose lowest bits say where
// in the shard it belongs: there, or in the next free place after.
type slot struct {
	hash uint32
	unit int32
}

func (one slot) mark() uint8 { return uint8(one.hash>>25) | 0x80 }

// hash is a name's. The lower bits choose the shard, the upper half is kept.
func (*table) hash(name string) uint64 { return xxhash.Sum64String(name) }

// lookup returns the number of the unit with a name.
func (s *Scheduler) lookup(name string) (int32, bool) { return s.find(s.byName.hash(name), name) }

func (s *Scheduler) find(hash uint64, name string) (int32, bool) {
	of, want := &s.byName.shards[hash%shards], slot{hash: uint32(hash >> 32)}
	if of.n == 0 {
		return none, false
	}
	mark, mask := want.mark(), uint32(len(of.marks)-1)
	for k := want.hash & mask; of.marks[k] != 0; k = (k + 1) & mask {
		if of.marks[k] != mark {
			continue
		}
		if at := of.slots[k]; at.hash == want.hash && s.name(at.unit) == name {
			return at.unit, true
		}
	}
	return none, false
}

// add enters a name that isn't there.
func (t *table) add(hash uint64, unit int32) {
	of := &t.shards[hash%shards]
	if 3*(of.n+1) > 2*len(of.slots) {
		was := *of
		places := max(8, 2*len(was.slots))
		of.marks, of.slots = make([]uint8, places), make([]slot, places)
		for k, mark := range was.marks {
			if mark != 0 {
				of.put(was.slots[k])
			}
		}
	}
	of.put(slot{uint32(hash >> 32), unit})
	of.n++
}

func (of *shard) put(one slot) {
	mask := uint32(len(of.marks) - 1)
	k := one.hash & mask
	for of.marks[k] != 0 {
		k = (k + 1) & mask
	}
	of.marks[k], of.slots[k] = one.mark(), one
}

// remove takes out a unit that is there. Those behind it that would no longer be
// found move up.
func (t *table) remove(hash uint64, unit int32) {
	of := &t.shards[hash%shards]
	mask := uint32(len(of.marks) - 1)
	k := uint32(hash>>32) & mask
	for of.slots[k].unit != unit || of.marks[k] == 0 {
		k = (k + 1) & mask
	}
	for next := (k + 1) & mask; of.marks[next] != 0; next = (next + 1) & mask {
		// It may move to k if that is no further back than where it belongs.
		if (next-of.slots[next].hash)&mask >= (next-k)&mask {
			of.marks[k], of.slots[k] = of.marks[next], of.slots[next]
			k = next
		}
	}
	of.marks[k] = 0
	of.n--
}
