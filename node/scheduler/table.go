package scheduler

import "hash/maphash"

// table finds units by name. It is many small open tables, so that none takes long
// to grow; a slot is eight bytes without a pointer, and the names are looked at only
// where their hashes agree. Like a map's, its hash is another in every process, and
// nothing shows its order.
type table struct {
	seed   maphash.Seed
	shards [shards]shard
}

const shards = 256

// shard is a power of two of slots, at most two thirds of them taken.
type shard struct {
	slots []slot
	n     int
}

// slot holds a unit's number plus one, 0 if it is free, and half of its name's hash,
// whose lowest bits say where in the shard it belongs: there, or in the next free
// place after.
type slot struct {
	hash uint32
	unit int32
}

func newTable() table { return table{seed: maphash.MakeSeed()} }

// hash is a name's. The lower bits choose the shard, the upper half is kept.
func (t *table) hash(name string) uint64 { return maphash.String(t.seed, name) }

// lookup returns the number of the unit with a name.
func (s *Scheduler) lookup(name string) (int32, bool) { return s.find(s.byName.hash(name), name) }

func (s *Scheduler) find(hash uint64, name string) (int32, bool) {
	of, half := &s.byName.shards[hash%shards], uint32(hash>>32)
	mask := uint32(len(of.slots) - 1)
	if of.n == 0 {
		return none, false
	}
	for k := half & mask; of.slots[k].unit != 0; k = (k + 1) & mask {
		if of.slots[k].hash == half && s.name(of.slots[k].unit-1) == name {
			return of.slots[k].unit - 1, true
		}
	}
	return none, false
}

// add enters a name that isn't there.
func (t *table) add(hash uint64, unit int32) {
	of := &t.shards[hash%shards]
	if 3*(of.n+1) > 2*len(of.slots) {
		old := of.slots
		of.slots = make([]slot, max(8, 2*len(old)))
		for _, one := range old {
			if one.unit != 0 {
				of.put(one)
			}
		}
	}
	of.put(slot{uint32(hash >> 32), unit + 1})
	of.n++
}

func (of *shard) put(one slot) {
	mask := uint32(len(of.slots) - 1)
	k := one.hash & mask
	for of.slots[k].unit != 0 {
		k = (k + 1) & mask
	}
	of.slots[k] = one
}

// remove takes out a unit that is there. Those behind it that would no longer be
// found move up.
func (t *table) remove(hash uint64, unit int32) {
	of := &t.shards[hash%shards]
	mask := uint32(len(of.slots) - 1)
	k := uint32(hash>>32) & mask
	for of.slots[k].unit != unit+1 {
		k = (k + 1) & mask
	}
	for next := (k + 1) & mask; of.slots[next].unit != 0; next = (next + 1) & mask {
		// It may move to k if that is no further back than where it belongs.
		if (next-of.slots[next].hash)&mask >= (next-k)&mask {
			of.slots[k] = of.slots[next]
			k = next
		}
	}
	of.slots[k] = slot{}
	of.n--
}
