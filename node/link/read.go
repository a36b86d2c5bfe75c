package link

import (
	"fmt"
	"math"
	"time"

	"drydock/node/fleet"
	"drydock/node/unit"
	"drydock/node/wire"
	"drydock/node/world"
)

// reader adds to wire's what the messages are made of.
type reader struct{ *wire.Reader }

func (r reader) hello() *Hello {
	h := &Hello{Nonce: r.Uint("hello.nonce"), Session: r.Uint("hello.session")}
	m := &h.Machine
	m.ID = r.String("hello.id", MaxIDBytes)
	m.Name = r.String("hello.name", MaxNameBytes)
	m.PrimaryIP = r.String("hello.ip", MaxNameBytes)
	m.Version = r.String("hello.version", MaxNameBytes)
	m.Boot = r.String("hello.boot", MaxNameBytes)
	m.URLs = r.strings("hello.urls", maxItems, MaxNameBytes)
	if n := r.Count("hello.metadata", maxItems); n > 0 {
		m.Metadata = make(map[string]string, n)
		for last := ""; n > 0 && r.Err() == nil; n-- {
			last = r.key("hello.metadata", last, len(m.Metadata))
			m.Metadata[last] = r.String("hello.metadata", MaxNameBytes)
		}
	}
	if n := r.Count("hello.resources", maxItems); n > 0 {
		m.Resources = make(map[string]int64, n)
		for last := ""; n > 0 && r.Err() == nil; n-- {
			last = r.key("hello.resources", last, len(m.Resources))
			m.Resources[last] = int64(r.Uint("hello.resources"))
		}
	}
	return h
}

// key reads a key of a map, which must come after the last one, if there was any.
func (r reader) key(field, last string, before int) string {
	key := r.String(field, MaxNameBytes)
	if before > 0 && key <= last {
		r.Fail(field, fmt.Sprintf("%q comes after %q", key, last))
	}
	return key
}

func (r reader) welcome() *Welcome {
	w := &Welcome{Nonce: r.Uint("welcome.nonce"), Session: r.Uint("welcome.session"), Term: r.Uint("welcome.term")}
	t := r.terms("welcome.beat", "welcome.lease", "welcome.drift", "welcome.keep")
	w.Beat, w.Lease, w.Drift, w.Keep = t.Beat, t.Lease, t.Drift, t.Keep
	return w
}

// terms are those of a message that has its fields called so.
func (r reader) terms(beat, lease, drift, keep string) Terms {
	t := Terms{Beat: r.span(beat), Lease: r.span(lease)}
	rate := r.Uint(drift)
	if rate >= million {
		r.Fail(drift, fmt.Sprintf("%d, want less than a million", rate))
	}
	t.Drift, t.Keep = int(rate), r.bool(keep)
	return t
}

func (r reader) redirect() *Redirect {
	return &Redirect{
		Leader: world.MemberID(r.Uint("redirect.leader")), URLs: r.strings("redirect.urls", maxItems, MaxNameBytes),
	}
}

// leastOrder is the length of the shortest order.
const leastOrder = 5 + len(unit.Hash{})

func (r reader) orders() *Orders {
	o := &Orders{Session: r.Uint("orders.session"), Term: r.Uint("orders.term"), Version: r.Uint("orders.version")}
	part, parts := r.Uint("orders.part"), r.Uint("orders.parts")
	if parts > MaxParts || part >= parts {
		r.Fail("orders.part", fmt.Sprintf("part %d of %d, at most %d", part, parts, MaxParts))
	}
	total := r.Uint("orders.total")
	if total > MaxParts*MaxUnits {
		r.Fail("orders.total", fmt.Sprintf("%d units, at most %d", total, MaxParts*MaxUnits))
	}
	o.Part, o.Parts, o.Total = int(part), int(parts), int(total)
	n := r.Count("orders.units", MaxUnits)
	if n > 0 {
		o.Units = make([]Order, 0, min(n, r.Len()/leastOrder))
		r.Share(true)
	}
	for ; n > 0 && r.Err() == nil; n-- {
		u := Order{Unit: r.String("order.unit", MaxNameBytes), Gen: r.Uint("order.gen"), Hash: r.hash("order.hash")}
		u.Desired = fleet.Desired(r.Byte("order.desired"))
		if u.Desired > fleet.Launched {
			r.Fail("order.desired", fmt.Sprintf("unknown state %d", u.Desired))
		}
		u.Global, u.Kick = r.bool("order.global"), r.Uint("order.kick")
		o.Units = append(o.Units, u)
	}
	r.Share(false) // texts are kept for longer
	o.Texts = r.strings("orders.texts", MaxUnits, MaxTextBytes)
	return o
}

func (r reader) report() *Report {
	p := fleet.Report{
		Machine: r.String("report.machine", MaxIDBytes), Session: r.Uint("report.session"), Seq: r.Uint("report.seq"),
	}
	for n := r.Count("report.states", MaxUnits); n > 0 && r.Err() == nil; n-- {
		p.States = append(p.States, fleet.State{
			Unit: r.String("state.unit", MaxNameBytes), Gen: r.Uint("state.gen"), Hash: r.hash("state.hash"),
			Load: r.String("state.load", MaxWordBytes), Active: r.String("state.active", MaxWordBytes),
			Sub: r.String("state.sub", MaxWordBytes), Result: r.String("state.result", MaxWordBytes),
			Launched: r.bool("state.launched"), Why: r.String("state.why", MaxWhyBytes),
		})
	}
	for n := r.Count("report.gone", MaxUnits); n > 0 && r.Err() == nil; n-- {
		p.Gone = append(p.Gone, fleet.Gone{Unit: r.String("gone.unit", MaxNameBytes), Gen: r.Uint("gone.gen")})
	}
	return &Report{Report: p}
}

func (r reader) strings(field string, limit, bytes int) []string {
	var list []string
	for n := r.Count(field, limit); n > 0 && r.Err() == nil; n-- {
		list = append(list, r.String(field, bytes))
	}
	return list
}

func (r reader) hashes(field string) []unit.Hash {
	var list []unit.Hash
	for n := r.Count(field, MaxUnits); n > 0 && r.Err() == nil; n-- {
		list = append(list, r.hash(field))
	}
	return list
}

func (r reader) hash(field string) (h unit.Hash) {
	copy(h[:], r.Fixed(field, len(h)))
	return h
}

// bool reads a byte that is 0 or 1.
func (r reader) bool(field string) bool {
	b := r.Byte(field)
	if b > 1 {
		r.Fail(field, fmt.Sprintf("%d is neither 0 nor 1", b))
	}
	return b == 1
}

func (r reader) span(field string) time.Duration {
	v := r.Uint(field)
	if v > math.MaxInt64 {
		r.Fail(field, "longer than time can be")
	}
	return time.Duration(v)
}
