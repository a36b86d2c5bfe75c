package fleet

import (
	"encoding/binary"

	"drydock/node/unit"
)

// dirty is what has changed since the last Drain: of each kind in the order of the
// first change.
//
// Whether something is in it is known to its unit or machine. Where a unit has changed
// on more than one machine, seen knows of the others. Each thing in a queue has one
// such mark, which goes when the thing is taken.
type dirty struct {
	hosts []*host
	units queue[*entry]
	// on are placements, leavings and states, by kind.
	on    [recordState + 1]queue[onMachine]
	texts []unit.Hash
	seen  map[recordKey]struct{}
	// taken is what was drained before it was asked for.
	taken Drained
}

// maxUnsaved is how many records of units wait to be drained at most: what is beyond is
// drained with each command, the oldest first, so that a checkpoint finds as good as
// everything ready, however much has changed. What changes again is drained again.
const maxUnsaved = 1 << 15

// onMachine is what is a unit's on a machine.
type onMachine struct {
	e       *entry
	machine string
}

// unsaved says which of a unit's records are in dirty, by bits of their kinds: its own,
// and those on one machine, the first of which any is.
type unsaved struct {
	kinds   uint8
	machine string
}

// onKinds are the bits of what is on a machine.
const onKinds = 1<<recordPlace | 1<<recordLeaving | 1<<recordState

func newDirty() dirty { return dirty{seen: make(map[recordKey]struct{})} }

// queue is a list that is taken from the front.
type queue[T any] struct {
	list []T
	head int
}

func (q *queue[T]) len() int { return len(q.list) - q.head }

func (q *queue[T]) add(v T) { q.list = append(q.list, v) }

func (q *queue[T]) take() T {
	var none T
	v := q.list[q.head]
	q.list[q.head] = none
	if q.head++; q.head >= 1024 && q.head > len(q.list)/2 {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	return v
}

// first notes a key that neither a unit nor a machine knows of, and says whether it is
// new.
func (d *dirty) first(key recordKey) bool {
	if _, ok := d.seen[key]; ok {
		return false
	}
	d.seen[key] = struct{}{}
	return true
}

// none says whether nothing has changed.
func (d *dirty) none() bool {
	return len(d.hosts)+d.pending()+len(d.texts)+d.taken.number() == 0
}

// pending is how many records of units wait.
func (d *dirty) pending() int {
	n := d.units.len()
	for kind := range d.on {
		n += d.on[kind].len()
	}
	return n
}

// takeUnit takes the next unit.
func (d *dirty) takeUnit() *entry {
	e := d.units.take()
	e.unsaved.kinds &^= 1 << recordUnit
	return e
}

// takeOn takes what comes next of a kind.
func (d *dirty) takeOn(kind recordKind) onMachine {
	o := d.on[kind].take()
	u, bit := &o.e.unsaved, uint8(1)<<kind
	if u.machine != o.machine || u.kinds&bit == 0 {
		delete(d.seen, recordKey{kind, o.e.unit.Name, o.machine})
		return o
	}
	if u.kinds &^= bit; u.kinds&onKinds == 0 {
		u.machine = ""
	}
	return o
}

// markText notes that a text's record is to go to the next checkpoint.
func (s *Store) markText(h unit.Hash) {
	s.mutated = true
	if !s.loading && s.dirty.first(recordKey{recordText, string(h[:]), ""}) {
		s.dirty.texts = append(s.dirty.texts, h)
	}
}

// markHost notes that of a machine.
func (s *Store) markHost(h *host) {
	s.mutated = true
	if !s.loading && !h.unsaved {
		h.unsaved = true
		s.dirty.hosts = append(s.dirty.hosts, h)
	}
}

// markUnit notes that of a unit.
func (s *Store) markUnit(e *entry) {
	s.mutated = true
	if bit := uint8(1) << recordUnit; !s.loading && e.unsaved.kinds&bit == 0 {
		e.unsaved.kinds |= bit
		s.dirty.units.add(e)
	}
}

// markOn notes that of what a unit is on a machine.
func (s *Store) markOn(e *entry, kind recordKind, machine string) {
	s.mutated = true
	d, u, bit := &s.dirty, &e.unsaved, uint8(1)<<kind
	switch {
	case s.loading:
		return
	case u.machine == machine || u.machine == "":
		if u.kinds&bit != 0 {
			return
		}
		u.machine = machine
		u.kinds |= bit
	case !d.first(recordKey{kind, e.unit.Name, machine}):
		return
	}
	d.on[kind].add(onMachine{e, machine})
}

// Drained is what has changed, as it was when it was drained: what the store does
// later doesn't touch it.
type Drained struct {
	machines, texts []Record
	// units are units' records, by kind, on are those of what they are on machines.
	units recordLog
	on    [recordState + 1]recordLog
	meta  []Record // one, or none
}

// recordLog holds small records in few pieces, one behind the other: the length of the
// key and the key, and, unless the record is to be deleted, the length of the value and
// the value, each length in four bytes; gone stands for no value.
type recordLog struct {
	chunks [][]byte
	n      int
}

const (
	// chunkBytes is how much is set aside at a time, smallBytes what most records are
	// within.
	chunkBytes, smallBytes = 64 << 10, 512
	gone                   = 1<<32 - 1
)

// add adds a record. A nil value is one to delete.
func (l *recordLog) add(key recordKey, value func([]byte) []byte) {
	last := len(l.chunks) - 1
	if last < 0 || cap(l.chunks[last])-len(l.chunks[last]) < smallBytes {
		l.chunks = append(l.chunks, make([]byte, 0, chunkBytes))
		last++
	}
	b := sized(l.chunks[last], key.append)
	if value != nil {
		b = sized(b, value)
	} else {
		b = binary.BigEndian.AppendUint32(b, gone)
	}
	l.chunks[last] = b
	l.n++
}

// sized appends what fill appends, with its length in front.
func sized(b []byte, fill func([]byte) []byte) []byte {
	at := len(b)
	b = fill(append(b, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// records hands over the records, which are of a bucket.
func (l *recordLog) records(kind recordKind, each func(Record)) {
	for _, b := range l.chunks {
		for len(b) > 0 {
			r := Record{Bucket: buckets[kind]}
			n := binary.BigEndian.Uint32(b) + 4
			r.Key, b = b[4:n:n], b[n:]
			if n = binary.BigEndian.Uint32(b); n == gone {
				b = b[4:]
			} else {
				n += 4
				r.Value, b = b[4:n:n], b[n:]
			}
			each(r)
		}
	}
}

// drainSome drains the oldest changes of units until few enough are left.
func (s *Store) drainSome(left int) {
	d := &s.dirty
	for n := d.pending() - left; n > 0; n-- {
		most, kind := d.units.len(), recordUnit
		for k := range d.on {
			if d.on[k].len() > most {
				most, kind = d.on[k].len(), recordKind(k)
			}
		}
		if kind != recordUnit {
			s.drainOn(kind, d.takeOn(kind))
			continue
		}
		e := s.present(d.takeUnit())
		value := func(b []byte) []byte { return appendUnit(b, &e.unit) }
		if e.dead {
			value = nil
		}
		d.taken.units.add(recordKey{recordUnit, e.unit.Name, ""}, value)
	}
}

// drainOn drains what a unit is on a machine.
func (s *Store) drainOn(kind recordKind, o onMachine) {
	e := s.present(o.e)
	var value func([]byte) []byte
	switch kind {
	case recordPlace:
		if i, ok := e.place(o.machine); ok {
			value = e.unit.Places[i].append
		}
	case recordLeaving:
		if i, ok := e.leave(o.machine); ok {
			value = e.unit.Leaving[i].append
		}
	default:
		if i, ok := e.state(o.machine); ok {
			value = e.states[i].append
		}
	}
	s.dirty.taken.on[kind].add(recordKey{kind, e.unit.Name, o.machine}, value)
}

// Drain returns what has changed since the last call, or since Load.
func (s *Store) Drain() *Drained {
	if s.dirty.none() {
		return &Drained{}
	}
	s.drainSome(0)
	d := s.dirty.taken
	for _, h := range s.dirty.hosts {
		h.unsaved = false
		d.machines = append(d.machines, s.record(recordKey{recordMachine, h.machine.ID, ""}))
	}
	for _, h := range s.dirty.texts {
		d.texts = append(d.texts, s.record(recordKey{recordText, string(h[:]), ""}))
	}
	d.meta = []Record{s.metaRecord()}
	s.dirty = newDirty()
	return &d
}

// record returns a record as it is now, without a value if there is none.
func (s *Store) record(key recordKey) Record {
	r := Record{Bucket: buckets[key.kind], Key: key.append(nil)}
	if value, ok := s.value(key); ok {
		r.Value = value
	}
	return r
}

// present returns the entry that has e's name by now: e itself, unless it was forgotten
// and another was made.
func (s *Store) present(e *entry) *entry {
	if e.dead {
		if now := s.units[e.unit.Name]; now != nil {
			return now
		}
	}
	return e
}

// number is how many records of units there are.
func (d *Drained) number() int {
	n := d.units.n
	for kind := range d.on {
		n += d.on[kind].n
	}
	return n
}

// Len returns how many records there are.
func (d *Drained) Len() int { return len(d.machines) + d.number() + len(d.texts) + len(d.meta) }

// Each hands over what was drained, bucket after bucket: laid over the records drained
// before, it makes up Store.Records. Of one key, the last counts.
func (d *Drained) Each(each func(Record)) {
	all := func(list []Record) {
		for _, r := range list {
			each(r)
		}
	}
	all(d.machines)
	for kind := range d.on {
		d.on[kind].records(recordKind(kind), each)
	}
	all(d.texts)
	d.units.records(recordUnit, each)
	all(d.meta)
}

// Records lists what Each hands over.
func (d *Drained) Records() []Record {
	if d.Len() == 0 {
		return nil
	}
	list := make([]Record, 0, d.Len())
	d.Each(func(r Record) { list = append(list, r) })
	return list
}

// DrainDirty drains and lists.
func (s *Store) DrainDirty() []Record { return s.Drain().Records() }
