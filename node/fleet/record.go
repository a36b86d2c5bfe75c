package fleet

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"maps"
	"math/bits"
	"slices"

	"drydock/node/unit"
	"drydock/node/wire"
)

// BucketPrefix begins the names of the buckets of a checkpoint that this package's
// records are in.
const BucketPrefix = "fleet."

// recordKind is a kind of records, a bucket of its own.
type recordKind uint8

const (
	// recordMachine is id → machine, recordPlace unit, zero, machine → placement, and
	// so recordLeaving and recordState; recordText is hash → text, recordUnit name →
	// unit without its places.
	recordMachine recordKind = iota
	recordPlace
	recordLeaving
	recordState
	recordText
	recordUnit
	// recordMeta is metaKey → format, revision and digest: one record, written with
	// every change, so that a checkpoint can be verified whole.
	recordMeta
	recordKinds
)

var buckets = [recordKinds]string{
	"fleet.machines", "fleet.places", "fleet.leaving", "fleet.states", "fleet.texts", "fleet.units", "fleet.meta",
}

const (
	metaKey    = "store"
	metaFormat = 1
)

// Record is a piece of the store on its way to or from a checkpoint. A nil Value
// deletes the key.
type Record struct {
	Bucket     string
	Key, Value []byte
}

// recordKey names a record: a has the unit's name, the machine's id or the hash, b
// the machine's id of what is a unit's on a machine.
type recordKey struct {
	kind recordKind
	a, b string
}

// append appends the key in its bucket.
func (k recordKey) append(b []byte) []byte {
	b = append(b, k.a...)
	if k.kind == recordPlace || k.kind == recordLeaving || k.kind == recordState {
		b = append(append(b, 0), k.b...)
	}
	return b
}

// sum is a number modulo 2^128; see package keys, whose digest adds up alike.
type sum struct{ hi, lo uint64 }

func (a *sum) add(b sum, sign int) {
	var carry uint64
	if sign > 0 {
		a.lo, carry = bits.Add64(a.lo, b.lo, 0)
		a.hi, _ = bits.Add64(a.hi, b.hi, carry)
		return
	}
	a.lo, carry = bits.Sub64(a.lo, b.lo, 0)
	a.hi, _ = bits.Sub64(a.hi, b.hi, carry)
}

// named begins the bytes that stand for a record in the digest; its value follows.
func (s *Store) named(kind recordKind, a, b string) []byte {
	buf := append(s.scratch[:0], byte(kind))
	buf = wire.AppendString(buf, a)
	return wire.AppendString(buf, b)
}

// hash returns a record's part of the digest: of what named began.
func (s *Store) hash(record []byte) sum {
	s.scratch = record
	h := sha256.Sum256(record)
	return sum{hi: binary.BigEndian.Uint64(h[:8]), lo: binary.BigEndian.Uint64(h[8:16])}
}

// resumUnit brings the sum of a unit's own record up to date.
func (s *Store) resumUnit(e *entry) {
	if e.stored {
		s.content.add(e.sum, -1)
	}
	if e.stored = !e.dead; e.stored {
		e.sum = s.hash(appendUnit(s.named(recordUnit, e.unit.Name, ""), &e.unit))
		s.content.add(e.sum, +1)
	}
	s.markUnit(e)
}

// resumHost brings the sum of a machine's record up to date.
func (s *Store) resumHost(h *host) {
	id := h.machine.ID
	if h.stored {
		s.content.add(h.sum, -1)
	}
	if h.stored = s.machines[id] == h; h.stored {
		h.sum = s.hash(h.append(s.named(recordMachine, id, "")))
		s.content.add(h.sum, +1)
	}
	s.markHost(h)
}

// putPlace counts a placement's record in, or out.
func (s *Store) putPlace(e *entry, p *Placement, sign int) {
	s.placements += sign
	s.content.add(s.hash(p.append(s.named(recordPlace, e.unit.Name, p.Machine))), sign)
	s.markOn(e, recordPlace, p.Machine)
	s.tellUnit(e)
}

// putLeaving counts the record of a placement that has ended in, or out.
func (s *Store) putLeaving(e *entry, l *Leaving, sign int) {
	s.content.add(s.hash(l.append(s.named(recordLeaving, e.unit.Name, l.Machine))), sign)
	s.markOn(e, recordLeaving, l.Machine)
	s.tellUnit(e)
}

// putState counts a state's record in, or out.
func (s *Store) putState(e *entry, st *State, sign int) {
	s.content.add(s.hash(st.append(s.named(recordState, st.Unit, st.Machine))), sign)
	s.markOn(e, recordState, st.Machine)
}

// Digest is a fingerprint of the whole content: stores with equal content have
// equal digests. It costs no more than the hashing of what has changed, done when
// it changed. Texts count by their hashes.
func (s *Store) Digest() [16]byte { return digestOf(s.changed, s.content) }

func digestOf(changed uint64, content sum) [16]byte {
	b := binary.BigEndian.AppendUint64([]byte("drydock fleet 1"), changed)
	b = binary.BigEndian.AppendUint64(b, content.hi)
	b = binary.BigEndian.AppendUint64(b, content.lo)
	h := sha256.Sum256(b)
	return [16]byte(h[:16])
}

// Recompute is Digest from scratch. The two differ only by a mistake of this
// package or of the machine's memory.
func (s *Store) Recompute() [16]byte {
	var content sum
	for key := range s.keys() {
		if key.kind != recordText && key.kind != recordMeta {
			value, _ := s.value(key)
			content.add(s.hash(append(s.named(key.kind, key.a, key.b), value...)), +1)
		}
	}
	return digestOf(s.changed, content)
}

// Records returns the whole store, as for a snapshot. Load is the way back. A store
// that was never changed has none.
func (s *Store) Records() []Record {
	if s.Empty() {
		return nil
	}
	var list []Record
	for key := range s.keys() {
		value, _ := s.value(key)
		list = append(list, Record{Bucket: buckets[key.kind], Key: key.append(nil), Value: value})
	}
	return append(list, s.metaRecord())
}

// keys yields the keys of all records but recordMeta.
func (s *Store) keys() iter.Seq[recordKey] {
	return func(yield func(recordKey) bool) {
		for h := range s.hosts.from(0) {
			if !yield(recordKey{recordMachine, h.machine.ID, ""}) {
				return
			}
		}
		for e := range s.entries() {
			if !e.keys(yield) {
				return
			}
		}
		byHash := func(a, b unit.Hash) int { return slices.Compare(a[:], b[:]) }
		for _, h := range slices.SortedFunc(maps.Keys(s.texts), byHash) {
			if !yield(recordKey{recordText, string(h[:]), ""}) {
				return
			}
		}
	}
}

// keys yields the keys of a unit's records.
func (e *entry) keys(yield func(recordKey) bool) bool {
	name := e.unit.Name
	for i := range e.unit.Places {
		if !yield(recordKey{recordPlace, name, e.unit.Places[i].Machine}) {
			return false
		}
	}
	for i := range e.unit.Leaving {
		if !yield(recordKey{recordLeaving, name, e.unit.Leaving[i].Machine}) {
			return false
		}
	}
	for _, st := range e.states {
		if !yield(recordKey{recordState, name, st.Machine}) {
			return false
		}
	}
	return e.dead || yield(recordKey{recordUnit, name, ""})
}

// value returns a record's value, if there is that record.
func (s *Store) value(key recordKey) ([]byte, bool) {
	b := []byte{} // nil would delete
	switch key.kind {
	case recordMachine:
		if h := s.machines[key.a]; h != nil {
			return h.append(b), true
		}
		return nil, false
	case recordText:
		if t := s.texts[unit.Hash([]byte(key.a))]; t != nil {
			return append(b, t.text...), true
		}
		return nil, false
	}
	e := s.units[key.a]
	if e == nil {
		return nil, false
	}
	switch key.kind {
	case recordPlace:
		if i, ok := e.place(key.b); ok {
			return e.unit.Places[i].append(b), true
		}
	case recordLeaving:
		if i, ok := e.leave(key.b); ok {
			return e.unit.Leaving[i].append(b), true
		}
	case recordState:
		if i, ok := e.state(key.b); ok {
			return e.states[i].append(b), true
		}
	case recordUnit:
		if !e.dead {
			return appendUnit(b, &e.unit), true
		}
	}
	return nil, false
}

func (s *Store) metaRecord() Record {
	b := wire.AppendUint([]byte{metaFormat}, s.changed)
	digest := s.Digest()
	return Record{Bucket: buckets[recordMeta], Key: []byte(metaKey), Value: append(b, digest[:]...)}
}

// sorted yields a map's entries in order of key.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
