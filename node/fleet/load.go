package fleet

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"slices"

	"drydock/node/unit"
	"drydock/node/wire"
)

// appendUnit appends a unit without its name and places.
func appendUnit(b []byte, u *Unit) []byte {
	b = append(b, u.Hash[:]...)
	b = append(b, byte(u.Desired))
	b = appendBool(b, u.Global)
	for _, v := range [...]uint64{u.Created, u.Changed, u.Asked, u.Kick} {
		b = wire.AppendUint(b, v)
	}
	return b
}

func readUnit(r *wire.Reader, u *Unit) {
	copy(u.Hash[:], r.Fixed("unit.hash", len(u.Hash)))
	u.Desired = Desired(r.Byte("unit.desired"))
	u.Global = readBool(r, "unit.global")
	for _, v := range [...]*uint64{&u.Created, &u.Changed, &u.Asked, &u.Kick} {
		*v = r.Uint("unit")
	}
	if u.Desired > Launched {
		r.Fail("unit.desired", "unknown")
	}
}

// append appends a placement without its machine.
func (p *Placement) append(b []byte) []byte {
	b = wire.AppendUint(b, p.Session)
	b = wire.AppendUint(b, p.Gen)
	return append(b, p.Hash[:]...)
}

func readPlacement(r *wire.Reader, machine string) Placement {
	p := Placement{Machine: machine, Session: r.Uint("place.session"), Gen: r.Uint("place.gen")}
	copy(p.Hash[:], r.Fixed("place.hash", len(p.Hash)))
	return p
}

// append appends what is leaving, without its machine.
func (l *Leaving) append(b []byte) []byte {
	b = wire.AppendUint(b, l.Session)
	return wire.AppendUint(b, l.Gen)
}

// append appends a state without its unit and machine.
func (st *State) append(b []byte) []byte { return appendTime(appendStateBody(b, st), st.Since) }

// append appends a machine.
func (h *host) append(b []byte) []byte {
	m := &h.machine
	if h.told == nil {
		h.told = appendTold(nil, m)
		h.told = wire.AppendUint(h.told, uint64(len(m.Patch)))
		for key, value := range sorted(m.Patch) {
			h.told = wire.AppendString(h.told, key)
			h.told = appendOptional(h.told, value)
		}
	}
	b = append(b, h.told...)
	b = wire.AppendUint(b, m.Session)
	b = appendTime(b, m.Since)
	b = appendBool(b, m.Drained)
	b = wire.AppendUint(b, m.Orders)
	return wire.AppendUint(b, m.Reported)
}

func readMachine(r *wire.Reader) Machine {
	var m Machine
	readTold(r, &m)
	m.Patch = readMap(r, "machine.patch", MaxMetadata, func() *string { return readOptional(r, "machine.patch") })
	m.Session, m.Since, m.Drained = r.Uint("machine.session"), readTime(r, "machine.since"), readBool(r, "machine.drained")
	m.Orders, m.Reported = r.Uint("machine.orders"), r.Uint("machine.reported")
	return m
}

// Loader builds a store of the records of a checkpoint, which it takes one by one,
// in any order.
type Loader struct {
	s    *Store
	meta bool
	// held are records that need others.
	held   [recordKinds][]heldRecord
	digest [16]byte
}

// heldRecord is a record of a unit on a machine.
type heldRecord struct {
	unit, machine string
	value         []byte
}

// NewLoader returns a loader that has seen no record.
func NewLoader() *Loader {
	l := &Loader{s: New()}
	l.s.loading = true
	return l
}

// Take takes a record. What Records can't have written is refused, with bucket and
// key in the error, which matches ErrCorrupt.
func (l *Loader) Take(rec Record) error {
	if err := l.take(rec); err != nil {
		return fmt.Errorf("%w: bucket %q, key %q: %w", ErrCorrupt, rec.Bucket, rec.Key, err)
	}
	return nil
}

func (l *Loader) take(rec Record) error {
	r := wire.NewReader(rec.Value)
	switch kind := recordKind(slices.Index(buckets[:], rec.Bucket)); kind {
	case recordMachine:
		m := readMachine(r)
		if m.ID != string(rec.Key) || !isWord(m.ID) || l.s.machines[m.ID] != nil {
			return fmt.Errorf("not the one record of a machine")
		}
		h := &host{machine: m}
		l.s.machines[m.ID] = h
		l.s.hosts.insert(h)
	case recordText:
		if sha1.Sum(rec.Value) != unit.Hash(padded(rec.Key)) {
			return fmt.Errorf("not the text of that hash")
		}
		l.s.texts[unit.Hash(rec.Key)] = &text{text: string(rec.Value)}
		return nil
	case recordUnit:
		e := &entry{unit: Unit{Name: string(rec.Key)}}
		readUnit(r, &e.unit)
		if _, err := unit.ParseName(e.unit.Name); err != nil || l.s.units[e.unit.Name] != nil {
			return fmt.Errorf("not the one record of a unit")
		}
		l.s.units[e.unit.Name] = e
		l.s.live.insert(e)
	case recordPlace, recordLeaving, recordState:
		name, machine, ok := bytes.Cut(rec.Key, []byte{0})
		if !ok {
			return fmt.Errorf("not a unit and a machine")
		}
		l.held[kind] = append(l.held[kind], heldRecord{string(name), string(machine), rec.Value})
		return nil
	case recordMeta:
		if string(rec.Key) != metaKey || l.meta {
			return fmt.Errorf("not the one meta record")
		}
		if format := r.Byte("format"); format != metaFormat {
			r.Fail("format", fmt.Sprintf("%d, not %d", format, metaFormat))
		}
		l.meta, l.s.changed = true, r.Uint("changed")
		copy(l.digest[:], r.Fixed("digest", len(l.digest)))
	default:
		return fmt.Errorf("not a bucket of the fleet's")
	}
	return r.Done("record")
}

// padded returns a key as a hash has it; a key of another length is no hash.
func padded(key []byte) []byte {
	if len(key) != len(unit.Hash{}) {
		return make([]byte, len(unit.Hash{}))
	}
	return key
}

// Done returns the store, which must have the digest that it was stored with. No
// record at all is an empty store. Errors match ErrCorrupt.
func (l *Loader) Done() (*Store, error) {
	s := l.s
	if err := l.build(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if none := s.live.n+s.dead.n+s.hosts.n+len(s.texts) == 0; l.meta == s.Empty() || !l.meta && !none {
		return nil, fmt.Errorf("%w: bucket %q, key %q: missing, or that of an empty store", ErrCorrupt, buckets[recordMeta], metaKey)
	}
	if got := s.Digest(); !s.Empty() && got != l.digest {
		return nil, fmt.Errorf("%w: bucket %q, key %q: digest %x, of the content %x", ErrCorrupt, buckets[recordMeta], metaKey, l.digest, got)
	}
	s.loading = false
	s.mutated = false
	return s, nil
}

// build puts the parts together and checks that they fit.
func (l *Loader) build() error {
	s := l.s
	for kind, add := range [recordKinds]func(e *entry, h *host, value []byte) error{
		recordPlace: l.addPlace, recordLeaving: l.addLeaving, recordState: l.addState,
	} {
		for _, rec := range l.held[kind] {
			e, h := s.units[rec.unit], s.machines[rec.machine]
			if e == nil && recordKind(kind) == recordLeaving {
				e = &entry{unit: Unit{Name: rec.unit}, dead: true}
				s.units[rec.unit] = e
				s.dead.insert(e)
			}
			err := fmt.Errorf("there is no such unit or machine")
			if e != nil && h != nil {
				err = add(e, h, rec.value)
			}
			if err != nil {
				return fmt.Errorf("bucket %q, unit %q, machine %q: %w", buckets[kind], rec.unit, rec.machine, err)
			}
		}
	}
	for e := range s.live.from(0) {
		s.touchUnit(e)
		u, t := &e.unit, s.texts[e.unit.Hash]
		if t == nil || len(u.Places) > 1 && !u.Global || len(u.Places) > 0 && u.Desired == Inactive {
			return fmt.Errorf("unit %s has no text, or too many places", u.Name)
		}
		t.refs++
	}
	for _, h := range slices.Collect(s.hosts.from(0)) {
		s.touchHost(h)
		s.list(h)
	}
	for key := range s.keys() {
		if key.kind == recordText && s.texts[unit.Hash([]byte(key.a))].refs == 0 {
			return fmt.Errorf("text %x is nobody's", key.a)
		}
	}
	s.env.Revision = s.changed
	s.settle()
	return nil
}

// addPlace, addLeaving and addState add a record to what it belongs to.
func (l *Loader) addPlace(e *entry, h *host, value []byte) error {
	r := wire.NewReader(value)
	p := readPlacement(r, h.machine.ID)
	i, twice := e.place(p.Machine)
	t := l.s.texts[p.Hash]
	if twice || e.dead || t == nil || h.machine.Session != p.Session || p.Session == 0 {
		return fmt.Errorf("a placement that can't be")
	}
	t.refs++
	e.insertPlace(i, p)
	h.places = insertInto(h.places, e)
	l.s.putPlace(e, &p, +1)
	return r.Done("placement")
}

func (l *Loader) addLeaving(e *entry, h *host, value []byte) error {
	r := wire.NewReader(value)
	v := Leaving{Machine: h.machine.ID, Session: r.Uint("leaving.session"), Gen: r.Uint("leaving.gen")}
	i, twice := e.leave(v.Machine)
	_, placed := e.place(v.Machine)
	if twice || placed || h.machine.Session != v.Session || v.Session == 0 {
		return fmt.Errorf("leaving what it can't")
	}
	e.unit.Leaving = slices.Insert(e.unit.Leaving, i, v)
	h.leaves = insertInto(h.leaves, e)
	l.s.putLeaving(e, &v, +1)
	return r.Done("leaving")
}

func (l *Loader) addState(e *entry, h *host, value []byte) error {
	r := wire.NewReader(value)
	st := &State{Unit: e.unit.Name, Machine: h.machine.ID}
	readStateBody(r, st)
	st.Since = readTime(r, "state.since")
	i, twice := e.state(st.Machine)
	_, placed := e.place(st.Machine)
	_, leaving := e.leave(st.Machine)
	if twice || !placed && !leaving {
		return fmt.Errorf("a state of what isn't there")
	}
	e.states = slices.Insert(e.states, i, st)
	l.s.states++
	l.s.putState(e, st, +1)
	return r.Done("state")
}
