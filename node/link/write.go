package link

import (
	"maps"
	"slices"

	"drydock/node/fleet"
	"drydock/node/unit"
	"drydock/node/wire"
)

func (h *Hello) append(b []byte) []byte {
	b = wire.AppendUint(b, h.Nonce)
	b = wire.AppendUint(b, h.Session)
	m := &h.Machine
	for _, s := range [...]string{m.ID, m.Name, m.PrimaryIP, m.Version, m.Boot} {
		b = wire.AppendString(b, s)
	}
	b = appendStrings(b, m.URLs)
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

func (w *Welcome) append(b []byte) []byte {
	for _, v := range [...]uint64{w.Nonce, w.Session, w.Term} {
		b = wire.AppendUint(b, v)
	}
	t := Terms{Beat: w.Beat, Lease: w.Lease, Drift: w.Drift, Keep: w.Keep}
	return t.append(b)
}

func (r *Redirect) append(b []byte) []byte {
	return appendStrings(wire.AppendUint(b, uint64(r.Leader)), r.URLs)
}

func (s *Sorry) append(b []byte) []byte {
	b = wire.AppendUint(b, s.Nonce)
	b = wire.AppendString(b, s.Why)
	return wire.AppendUint(b, uint64(s.After))
}

func (t *Beat) append(b []byte) []byte {
	b = wire.AppendUint(b, t.Session)
	b = wire.AppendUint(b, t.Seq)
	return wire.AppendUint(b, t.Have)
}

func (a *Ack) append(b []byte) []byte {
	b = wire.AppendUint(b, a.Session)
	b = wire.AppendUint(b, a.Seq)
	b = wire.AppendUint(b, a.Term)
	b = wire.AppendUint(b, a.Version)
	return a.Terms.append(b)
}

func (t *Terms) append(b []byte) []byte {
	for _, v := range [...]uint64{uint64(t.Beat), uint64(t.Lease), uint64(t.Drift)} {
		b = wire.AppendUint(b, v)
	}
	return appendBool(b, t.Keep)
}

func (o *Orders) append(b []byte) []byte {
	for _, v := range [...]uint64{o.Session, o.Term, o.Version, uint64(o.Part), uint64(o.Parts), uint64(o.Total), uint64(len(o.Units))} {
		b = wire.AppendUint(b, v)
	}
	for i := range o.Units {
		u := &o.Units[i]
		b = wire.AppendString(b, u.Unit)
		b = wire.AppendUint(b, u.Gen)
		b = append(b, u.Hash[:]...)
		b = append(b, byte(u.Desired))
		b = appendBool(b, u.Global)
		b = wire.AppendUint(b, u.Kick)
	}
	return appendStrings(b, o.Texts)
}

func (w *Want) append(b []byte) []byte {
	return appendHashes(wire.AppendUint(b, w.Session), w.Hashes)
}

func (t *Texts) append(b []byte) []byte { return appendStrings(b, t.Texts) }

func (r *Report) append(b []byte) []byte {
	p := &r.Report
	b = wire.AppendString(b, p.Machine)
	b = wire.AppendUint(b, p.Session)
	b = wire.AppendUint(b, p.Seq)
	b = wire.AppendUint(b, uint64(len(p.States)))
	for i := range p.States {
		b = appendState(b, &p.States[i])
	}
	b = wire.AppendUint(b, uint64(len(p.Gone)))
	for _, g := range p.Gone {
		b = wire.AppendString(b, g.Unit)
		b = wire.AppendUint(b, g.Gen)
	}
	return b
}

func appendState(b []byte, s *fleet.State) []byte {
	b = wire.AppendString(b, s.Unit)
	b = wire.AppendUint(b, s.Gen)
	b = append(b, s.Hash[:]...)
	for _, word := range [...]string{s.Load, s.Active, s.Sub, s.Result} {
		b = wire.AppendString(b, word)
	}
	b = appendBool(b, s.Launched)
	return wire.AppendString(b, s.Why)
}

func (n *Noted) append(b []byte) []byte {
	return wire.AppendUint(wire.AppendUint(b, n.Session), n.Seq)
}

func (y *Bye) append(b []byte) []byte {
	return wire.AppendString(wire.AppendUint(b, y.Session), y.Why)
}

func (c *Closed) append(b []byte) []byte {
	return wire.AppendString(wire.AppendUint(b, c.Session), c.Why)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendStrings(b []byte, list []string) []byte {
	b = wire.AppendUint(b, uint64(len(list)))
	for _, s := range list {
		b = wire.AppendString(b, s)
	}
	return b
}

func appendHashes(b []byte, list []unit.Hash) []byte {
	b = wire.AppendUint(b, uint64(len(list)))
	for i := range list {
		b = append(b, list[i][:]...)
	}
	return b
}
