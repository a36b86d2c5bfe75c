package agent

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"time"

	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/unit"
)

// wantEvery is how soon a text is asked for again that hasn't come.
const wantEvery = 300 * time.Millisecond

// orders is what the machine is to have.
type orders struct {
	// known says that this session's orders are there in full, in version have. Before
	// that, floor is the smallest version that may be taken: an earlier life has had it.
	known       bool
	have, floor uint64
	// coming are the parts of a version that isn't complete, of total units.
	coming  []*link.Orders
	version uint64
	total   int
	// texts are those that are wanted and not loaded yet; missing are the hashes of
	// those that aren't there, to be asked for at wantAt.
	texts   map[unit.Hash]string
	missing []unit.Hash
	wantAt  time.Duration
}

// unorder forgets what was ordered in another session.
func (a *Agent) unorder() {
	a.orders = orders{texts: a.orders.texts}
	for _, l := range a.units {
		l.order, l.waits = nil, ""
	}
}

// take takes orders, or a part of them, unless they are not newer than those at hand.
func (a *Agent) take(o *link.Orders) {
	s := &a.orders
	if o.Session != a.session.id || !a.session.welcomed || s.known && o.Version <= s.have || o.Version < s.floor || o.Version < s.version {
		return
	}
	if o.Version != s.version || len(s.coming) != o.Parts || s.total != o.Total {
		s.version, s.total, s.coming = o.Version, o.Total, make([]*link.Orders, o.Parts)
	}
	s.coming[o.Part] = o
	units := 0
	for _, p := range s.coming {
		if p == nil {
			return
		}
		units += len(p.Units)
	}
	if units != s.total {
		s.coming = nil
		a.tell("", fmt.Sprintf("orders %d have %d units instead of %d", o.Version, units, s.total))
		return
	}
	parts := s.coming
	s.coming, s.known, s.have = nil, true, o.Version
	a.adopt(parts)
	a.stale = true
	a.keep(true)
}

// adopt makes complete orders the present ones.
func (a *Agent) adopt(parts []*link.Orders) {
	for _, l := range a.units {
		l.order = nil
	}
	texts := a.orders.texts
	a.orders.texts = make(map[unit.Hash]string)
	for _, p := range parts {
		for i := range p.Units {
			a.order(&p.Units[i])
		}
	}
	for _, l := range a.units {
		if l.order == nil {
			continue
		}
		if text, ok := texts[l.order.Hash]; ok {
			a.orders.texts[l.order.Hash] = text
		}
	}
	for _, p := range parts {
		a.takeTexts(p.Texts)
	}
}

// order takes one unit's order.
func (a *Agent) order(o *link.Order) {
	l := a.unit(o.Unit)
	if o.Desired == fleet.Inactive {
		if l == nil {
			a.gone(o.Unit, o.Gen)
		} else {
			l.gen = max(l.gen, o.Gen)
		}
		return
	}
	if l == nil {
		l = &local{name: o.Unit}
		a.add(l)
	}
	l.order, l.gen = o, max(l.gen, o.Gen)
}

// takeTexts keeps the texts that some order is about.
func (a *Agent) takeTexts(texts []string) {
	for _, text := range texts {
		h := unit.Hash(sha1.Sum([]byte(text)))
		if _, ok := a.orders.texts[h]; ok || !slices.ContainsFunc(a.units, func(l *local) bool { return l.order != nil && l.order.Hash == h }) {
			continue
		}
		a.orders.texts[h] = text
		a.stale = true
	}
}

// file returns the text that a unit is ordered with, read, or nil if it isn't there,
// or can't be read: then the unit has a problem.
func (a *Agent) file(l *local) *unit.Unit {
	h := l.order.Hash
	if l.file != nil && l.hash == h {
		return l.file
	}
	text, ok := a.orders.texts[h]
	if !ok {
		// Units that share a text share its hash: instances of a template.
		if i := slices.IndexFunc(a.units, func(o *local) bool { return o.hash == h && o.text != "" }); i >= 0 {
			text, ok = a.units[i].text, true
		}
	}
	if !ok {
		if !slices.Contains(a.orders.missing, h) {
			a.orders.missing = append(a.orders.missing, h)
		}
		return nil
	}
	f, err := unit.Parse(l.name, []byte(text))
	if err != nil {
		l.bad = &problem{hash: h, why: fmt.Sprintf("its text can't be read: %v", err), final: true}
		return nil
	}
	return f
}

// want asks for the texts that are missing.
func (a *Agent) want() {
	if len(a.orders.missing) == 0 || a.now < a.orders.wantAt {
		return
	}
	a.orders.wantAt = a.now + wantEvery
	hashes := a.orders.missing[:min(len(a.orders.missing), link.MaxUnits)]
	a.send(link.Frame{Want: &link.Want{Session: a.session.id, Hashes: hashes}})
}

func (o *orders) nextWant() time.Duration {
	if len(o.missing) == 0 {
		return Never
	}
	return o.wantAt
}
