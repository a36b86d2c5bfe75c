package fleet

import (
	"drydock/node/unit"
)

// dirty is what has changed since the last Drain: of each kind in the order of the
// first change.
//
// Whether something is in it is known to its unit or machine. Where a unit has changed
// on more than one machine, seen knows of the others.
type dirty struct {
	hosts []*host
	units []*entry
	// on are placements, leavings and states, by kind.
	on    [recordState + 1][]onMachine
	texts []unit.Hash
	seen  map[recordKey]struct{}
	n     int
}

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

func newDirty() dirty { return dirty{seen: make(map[recordKey]struct{})} }

// first notes a key that neither a unit nor a machine knows of, and says whether it is
// new.
func (d *dirty) first(key recordKey) bool {
	if _, ok := d.seen[key]; ok {
		return false
	}
	d.seen[key] = struct{}{}
	return true
}

// reset forgets everything.
func (d *dirty) reset() {
	for _, h := range d.hosts {
		h.unsaved = false
	}
	for _, e := range d.units {
		e.unsaved = unsaved{}
	}
	for _, list := range d.on {
		for _, o := range list {
			o.e.unsaved = unsaved{}
		}
	}
	*d = newDirty()
}

// markText notes that a text's record is to go to the next checkpoint.
func (s *Store) markText(h unit.Hash) {
	s.mutated = true
	if s.dirty.first(recordKey{recordText, string(h[:]), ""}) {
		s.dirty.texts = append(s.dirty.texts, h)
		s.dirty.n++
	}
}

// markHost notes that of a machine.
func (s *Store) markHost(h *host) {
	s.mutated = true
	if !h.unsaved {
		h.unsaved = true
		s.dirty.hosts = append(s.dirty.hosts, h)
		s.dirty.n++
	}
}

// markUnit notes that of a unit.
func (s *Store) markUnit(e *entry) {
	s.mutated = true
	if bit := uint8(1) << recordUnit; e.unsaved.kinds&bit == 0 {
		e.unsaved.kinds |= bit
		s.dirty.units = append(s.dirty.units, e)
		s.dirty.n++
	}
}

// markOn notes that of what a unit is on a machine.
func (s *Store) markOn(e *entry, kind recordKind, machine string) {
	s.mutated = true
	d, u, bit := &s.dirty, &e.unsaved, uint8(1)<<kind
	switch {
	case u.machine == machine || u.machine == "":
		if u.kinds&bit != 0 {
			return
		}
		u.machine = machine
		u.kinds |= bit
	case !d.first(recordKey{kind, e.unit.Name, machine}):
		return
	}
	d.on[kind] = append(d.on[kind], onMachine{e, machine})
	d.n++
}

// Drained is what has changed, as it was when it was drained: what the store does
// later doesn't touch it. Encoding it costs several times what draining does, and can be
// done elsewhere.
type Drained struct {
	hosts  []Record
	on     [recordState + 1][]drainedOn
	texts  []drainedText
	units  []drainedUnit
	meta   Record
	number int
}

// drainedUnit is a unit's record, of a unit without its places; drainedOn one of what it
// is on a machine. Gone ones are to be deleted.
type drainedUnit struct {
	unit Unit
	gone bool
}

type drainedOn struct {
	unit, machine string
	// place is a placement, or, without its Hash, what is leaving; a state has state.
	place         Placement
	state         *State
	leaving, gone bool
}

type drainedText struct {
	hash unit.Hash
	text string
	gone bool
}

// Drain returns what has changed since the last call, or since Load.
func (s *Store) Drain() *Drained {
	d := &Drained{number: s.dirty.n}
	if d.number == 0 {
		return d
	}
	d.number++
	for _, h := range s.dirty.hosts {
		value, ok := s.value(recordKey{recordMachine, h.machine.ID, ""})
		if !ok {
			value = nil
		}
		d.hosts = append(d.hosts, Record{Bucket: buckets[recordMachine], Key: []byte(h.machine.ID), Value: value})
	}
	for kind, list := range s.dirty.on {
		d.on[kind] = make([]drainedOn, 0, len(list))
		for _, o := range list {
			d.on[kind] = append(d.on[kind], s.drainOn(recordKind(kind), o))
		}
	}
	for _, h := range s.dirty.texts {
		t := drainedText{hash: h, gone: s.texts[h] == nil}
		if !t.gone {
			t.text = s.texts[h].text
		}
		d.texts = append(d.texts, t)
	}
	d.units = make([]drainedUnit, 0, len(s.dirty.units))
	for _, e := range s.dirty.units {
		e = s.present(e)
		u := e.unit
		u.Places, u.Leaving = nil, nil
		d.units = append(d.units, drainedUnit{u, e.dead})
	}
	d.meta = s.metaRecord()
	s.dirty.reset()
	return d
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

func (s *Store) drainOn(kind recordKind, o onMachine) drainedOn {
	e := s.present(o.e)
	d := drainedOn{unit: e.unit.Name, machine: o.machine}
	switch kind {
	case recordPlace:
		if i, ok := e.place(o.machine); ok {
			d.place = e.unit.Places[i]
			return d
		}
	case recordLeaving:
		if i, ok := e.leave(o.machine); ok {
			l := &e.unit.Leaving[i]
			d.leaving, d.place.Session, d.place.Gen = true, l.Session, l.Gen
			return d
		}
	default:
		if i, ok := e.state(o.machine); ok {
			d.state = e.states[i]
			return d
		}
	}
	d.gone = true
	return d
}

// Len returns how many records there are.
func (d *Drained) Len() int { return d.number }

// slab holds small pieces one behind the other.
type slab []byte

// slabBytes is how much is set aside at a time, pieceBytes what most pieces are within.
const slabBytes, pieceBytes = 64 << 10, 512

// add returns what fill appends.
func (b *slab) add(fill func([]byte) []byte) []byte {
	if cap(*b)-len(*b) < pieceBytes {
		*b = make([]byte, 0, slabBytes)
	}
	at := len(*b)
	*b = fill(*b)
	return (*b)[at:len(*b):len(*b)]
}

// Records encodes what was drained, bucket after bucket: laid over the records drained
// before, it makes up Store.Records.
func (d *Drained) Records() []Record {
	if d.number == 0 {
		return nil
	}
	var b slab
	list := append(make([]Record, 0, d.number), d.hosts...)
	for kind := recordPlace; kind <= recordState; kind++ {
		for i := range d.on[kind] {
			o := &d.on[kind][i]
			r := Record{Bucket: buckets[kind], Key: b.add(recordKey{kind, o.unit, o.machine}.append)}
			if !o.gone {
				r.Value = b.add(o.append)
			}
			list = append(list, r)
		}
	}
	for i := range d.texts {
		t := &d.texts[i]
		r := Record{Bucket: buckets[recordText], Key: t.hash[:]}
		if !t.gone {
			r.Value = []byte(t.text)
		}
		list = append(list, r)
	}
	for i := range d.units {
		u := &d.units[i]
		r := Record{Bucket: buckets[recordUnit], Key: b.add(recordKey{recordUnit, u.unit.Name, ""}.append)}
		if !u.gone {
			r.Value = b.add(func(b []byte) []byte { return appendUnit(b, &u.unit) })
		}
		list = append(list, r)
	}
	return append(list, d.meta)
}

// append appends the record's value, of one that isn't gone.
func (o *drainedOn) append(b []byte) []byte {
	switch {
	case o.state != nil:
		return o.state.append(b)
	case o.leaving:
		return (&Leaving{Session: o.place.Session, Gen: o.place.Gen}).append(b)
	}
	return o.place.append(b)
}

// DrainDirty drains and encodes.
func (s *Store) DrainDirty() []Record { return s.Drain().Records() }
