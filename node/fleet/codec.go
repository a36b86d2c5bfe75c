package fleet

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"drydock/node/unit"
	"drydock/node/wire"
)

var (
	// ErrCorrupt is matched by the errors of all that reads what this package wrote.
	ErrCorrupt = errors.New("fleet: corrupt data")
	// ErrUnknown is matched, besides, when a command is of a kind that this program
	// doesn't know.
	ErrUnknown = errors.New("fleet: unknown kind of command")
)

// The kinds of commands, as encoded.
const (
	kindPut = 1 + iota
	kindDestroy
	kindPatch
	kindDrain
	kindOpen
	kindClose
	kindReport
	kindPlace
)

// AppendBinary appends the command's encoding to b.
func (c *Command) AppendBinary(b []byte) []byte {
	switch {
	case c.Put != nil:
		return c.Put.append(append(b, kindPut))
	case c.Destroy != nil:
		return wire.AppendString(append(b, kindDestroy), c.Destroy.Name)
	case c.Patch != nil:
		return c.Patch.append(append(b, kindPatch))
	case c.Drain != nil:
		b = wire.AppendString(append(b, kindDrain), c.Drain.Machine)
		return appendBool(b, c.Drain.On)
	case c.Open != nil:
		return c.Open.append(append(b, kindOpen))
	case c.Close != nil:
		b = wire.AppendUint(append(b, kindClose), c.Close.Term)
		b = wire.AppendString(b, c.Close.Machine)
		b = wire.AppendString(b, c.Close.Why)
		return wire.AppendUint(b, c.Close.Session)
	case c.Report != nil:
		return c.Report.append(append(b, kindReport))
	case c.Place != nil:
		return c.Place.append(append(b, kindPlace))
	}
	panic("fleet: a command of nothing")
}

// DecodeCommand reads what AppendBinary wrote. It refuses every command that Check
// refuses; its errors match ErrCorrupt.
func DecodeCommand(b []byte) (Command, error) {
	r := wire.NewReader(b)
	var c Command
	switch kind := r.Byte("kind"); kind {
	case kindPut:
		c.Put = readPut(r)
	case kindDestroy:
		c.Destroy = &Destroy{Name: r.String("unit", unit.MaxName)}
	case kindPatch:
		c.Patch = readPatch(r)
	case kindDrain:
		c.Drain = &Drain{Machine: r.String("machine", MaxWordBytes), On: readBool(r, "drain")}
	case kindOpen:
		c.Open = readOpen(r)
	case kindClose:
		c.Close = &Close{Term: r.Uint("term")}
		c.Close.Machine, c.Close.Why = r.String("machine", MaxWordBytes), r.String("why", MaxValueBytes)
		c.Close.Session = r.Uint("session")
	case kindReport:
		c.Report = readReport(r)
	case kindPlace:
		c.Place = readPlace(r)
	default:
		if r.Err() == nil {
			return Command{}, fmt.Errorf("%w: %w: %d", ErrCorrupt, ErrUnknown, kind)
		}
	}
	if err := r.Done("fleet command"); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := c.Check(); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return c, nil
}

// Flags of an encoded Put.
const (
	putDesired = 1 << iota
	putCreate
	putRestart
	putFlagsEnd
)

func (p *Put) append(b []byte) []byte {
	var flags byte
	var desired Desired
	if p.Desired != nil {
		flags, desired = putDesired, *p.Desired
	}
	if p.Create {
		flags |= putCreate
	}
	if p.Restart {
		flags |= putRestart
	}
	b = append(b, flags, byte(desired))
	b = wire.AppendString(b, p.Name)
	return wire.AppendString(b, p.Text)
}

func readPut(r *wire.Reader) *Put {
	flags, desired := r.Byte("put.flags"), Desired(r.Byte("put.desired"))
	p := &Put{Create: flags&putCreate != 0, Restart: flags&putRestart != 0}
	switch {
	case flags >= putFlagsEnd:
		r.Fail("put.flags", "unknown")
	case flags&putDesired != 0:
		p.Desired = &desired
	case desired != 0:
		r.Fail("put.desired", "set, and not set")
	}
	p.Name, p.Text = r.String("put.name", unit.MaxName), r.String("put.text", MaxTextBytes)
	return p
}

func (p *Patch) append(b []byte) []byte {
	b = wire.AppendUint(b, uint64(len(p.Ops)))
	for _, op := range p.Ops {
		b = wire.AppendString(b, op.Machine)
		b = wire.AppendString(b, op.Key)
		b = appendOptional(b, op.Value)
	}
	return b
}

func readPatch(r *wire.Reader) *Patch {
	p := &Patch{}
	for n := r.Count("patch.ops", MaxOps); n > 0 && r.Err() == nil; n-- {
		op := PatchOp{Machine: r.String("patch.machine", MaxWordBytes), Key: r.String("patch.key", MaxWordBytes)}
		op.Value = readOptional(r, "patch.value")
		p.Ops = append(p.Ops, op)
	}
	return p
}

func (o *Open) append(b []byte) []byte {
	b = wire.AppendUint(b, o.Term)
	b = wire.AppendUint(b, o.Was)
	b = appendBool(b, o.Empty)
	return appendTold(b, &o.Machine)
}

func readOpen(r *wire.Reader) *Open {
	o := &Open{Term: r.Uint("open.term"), Was: r.Uint("open.was"), Empty: readBool(r, "open.empty")}
	readTold(r, &o.Machine)
	return o
}

func (p *Report) append(b []byte) []byte {
	b = wire.AppendString(b, p.Machine)
	b = wire.AppendUint(b, p.Session)
	b = wire.AppendUint(b, p.Seq)
	b = wire.AppendUint(b, uint64(len(p.States)))
	for i := range p.States {
		b = wire.AppendString(b, p.States[i].Unit)
		b = appendStateBody(b, &p.States[i])
	}
	b = wire.AppendUint(b, uint64(len(p.Gone)))
	for _, g := range p.Gone {
		b = wire.AppendString(b, g.Unit)
		b = wire.AppendUint(b, g.Gen)
	}
	return b
}

func readReport(r *wire.Reader) *Report {
	p := &Report{Machine: r.String("report.machine", MaxWordBytes), Session: r.Uint("report.session"), Seq: r.Uint("report.seq")}
	for n := r.Count("report.states", MaxReported); n > 0 && r.Err() == nil; n-- {
		st := State{Unit: r.String("report.unit", unit.MaxName)}
		readStateBody(r, &st)
		p.States = append(p.States, st)
	}
	for n := r.Count("report.gone", MaxReported); n > 0 && r.Err() == nil; n-- {
		p.Gone = append(p.Gone, Gone{Unit: r.String("gone.unit", unit.MaxName), Gen: r.Uint("gone.gen")})
	}
	return p
}

func (p *Place) append(b []byte) []byte {
	b = wire.AppendUint(b, p.Term)
	b = wire.AppendUint(b, uint64(len(p.Moves)))
	for _, m := range p.Moves {
		b = wire.AppendString(b, m.Unit)
		b = wire.AppendUint(b, m.Changed)
		b = wire.AppendString(b, m.From)
		b = wire.AppendString(b, m.To)
		b = wire.AppendUint(b, m.Session)
		b = wire.AppendString(b, m.Why)
	}
	return b
}

// leastMove is the length of the shortest move.
const leastMove = 6

func readPlace(r *wire.Reader) *Place {
	p := &Place{Term: r.Uint("place.term")}
	n := r.Count("place.moves", MaxMoves)
	if n > 0 {
		p.Moves = make([]Move, 0, min(n, r.Len()/leastMove))
		r.Share(true) // the state keeps none of them
	}
	for ; n > 0 && r.Err() == nil; n-- {
		m := Move{Unit: r.String("move.unit", unit.MaxName), Changed: r.Uint("move.changed")}
		m.From, m.To = r.String("move.from", MaxWordBytes), r.String("move.to", MaxWordBytes)
		m.Session, m.Why = r.Uint("move.session"), r.String("move.why", MaxValueBytes)
		p.Moves = append(p.Moves, m)
	}
	return p
}

// appendTold appends what a machine tells of itself, and its id.
func appendTold(b []byte, m *Machine) []byte {
	for _, word := range [...]string{m.ID, m.Name, m.PrimaryIP, m.Version, m.Boot} {
		b = wire.AppendString(b, word)
	}
	b = wire.AppendUint(b, uint64(len(m.URLs)))
	for _, u := range m.URLs {
		b = wire.AppendString(b, u)
	}
	b = wire.AppendUint(b, uint64(len(m.Metadata)))
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		b = wire.AppendString(b, key)
		b = wire.AppendString(b, m.Metadata[key])
	}
	b = wire.AppendUint(b, uint64(len(m.Resources)))
	for _, name := range slices.Sorted(maps.Keys(m.Resources)) {
		b = wire.AppendString(b, name)
		b = wire.AppendUint(b, uint64(m.Resources[name]))
	}
	return b
}

func readTold(r *wire.Reader, m *Machine) {
	for _, word := range [...]*string{&m.ID, &m.Name, &m.PrimaryIP, &m.Version, &m.Boot} {
		*word = r.String("machine", MaxWordBytes)
	}
	for n := r.Count("machine.urls", MaxURLs); n > 0 && r.Err() == nil; n-- {
		m.URLs = append(m.URLs, r.String("machine.url", MaxValueBytes))
	}
	m.Metadata = readMap(r, "machine.metadata", MaxMetadata, func() string { return r.String("machine.metadata", MaxValueBytes) })
	m.Resources = readMap(r, "machine.resources", MaxResources, func() int64 { return int64(r.Uint("machine.resources")) })
}

// readMap reads keys, each greater than the one before, with their values. No key
// makes no map.
func readMap[V any](r *wire.Reader, field string, limit int, value func() V) map[string]V {
	n := r.Count(field, limit)
	if n == 0 {
		return nil
	}
	all := make(map[string]V, n)
	last := ""
	for i := 0; i < n && r.Err() == nil; i++ {
		key := r.String(field, MaxWordBytes)
		if i > 0 && key <= last {
			r.Fail(field, "not in order")
		}
		last, all[key] = key, value()
	}
	return all
}

// appendStateBody appends a state without its unit, machine and time.
func appendStateBody(b []byte, st *State) []byte {
	b = wire.AppendUint(b, st.Gen)
	b = append(b, st.Hash[:]...)
	for _, word := range [...]string{st.Load, st.Active, st.Sub, st.Result, st.Why} {
		b = wire.AppendString(b, word)
	}
	return appendBool(b, st.Launched)
}

func readStateBody(r *wire.Reader, st *State) {
	st.Gen = r.Uint("state.gen")
	copy(st.Hash[:], r.Fixed("state.hash", len(st.Hash)))
	for _, word := range [...]*string{&st.Load, &st.Active, &st.Sub, &st.Result} {
		*word = r.String("state", MaxWordBytes)
	}
	st.Why = r.String("state.why", MaxValueBytes)
	st.Launched = readBool(r, "state.launched")
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func readBool(r *wire.Reader, field string) bool {
	v := r.Byte(field)
	if v > 1 {
		r.Fail(field, "neither 0 nor 1")
	}
	return v == 1
}

// appendOptional appends a string that may be missing.
func appendOptional(b []byte, s *string) []byte {
	if s == nil {
		return append(b, 0)
	}
	return wire.AppendString(append(b, 1), *s)
}

func readOptional(r *wire.Reader, field string) *string {
	if !readBool(r, field) {
		return nil
	}
	s := r.String(field, MaxValueBytes)
	return &s
}

func appendTime(b []byte, d time.Duration) []byte { return wire.AppendUint(b, uint64(d)) }

func readTime(r *wire.Reader, field string) time.Duration {
	d := time.Duration(r.Uint(field))
	if d < 0 {
		r.Fail(field, "negative")
	}
	return d
}
