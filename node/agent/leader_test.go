package agent_test

import (
	"slices"
	"time"

	"drydock/node/agent"
	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/unit"
)

// leader is a cluster's leader without the cluster: it applies what it decides at
// once to the state, which outlives it.
type leader struct {
	u     *universe
	rate  float64
	store *fleet.Store
	rev   uint64
	term  uint64
	keep  bool
	// heard is when each machine was heard, by the leader's clock, opened the nonce of
	// its session. pushed is the version that was last sent.
	heard  map[string]time.Duration
	opened map[string]uint64
	pushed map[string]uint64
}

func machineFacts(id, boot string, resources map[string]int64) fleet.Machine {
	return fleet.Machine{ID: id, Name: id[:2], Boot: boot, Resources: resources}
}

func (l *leader) clock() time.Duration { return time.Duration(float64(l.u.now) * l.rate) }

// follow makes another member lead: it knows the state, and nothing that isn't in it.
func (l *leader) follow() {
	l.term++
	l.opened, l.pushed = make(map[string]uint64), make(map[string]uint64)
	for _, m := range l.u.machines {
		l.heard[m.id] = l.clock()
	}
}

func (l *leader) apply(c fleet.Command) fleet.Outcome {
	l.rev++
	out, err := l.store.Apply(fleet.Env{Revision: l.rev, Term: l.term, Now: l.u.now}, &c)
	if err != nil {
		l.u.note("leader: %v", err)
	}
	return out
}

func (l *leader) send(m *machine, f link.Frame) {
	f.Cluster, f.Machine = cluster, m.id
	b := f.Encode()
	life := m.life
	l.u.carry(m, func() {
		// Frames may reach a later life, too.
		_ = life
		m.input(agent.Received{Frame: b})
	})
}

func (l *leader) session(id string) uint64 {
	m, _ := l.store.Machine(id)
	return m.Session
}

func (l *leader) receive(m *machine, f *link.Frame) {
	live := l.session(m.id)
	switch {
	case f.Hello != nil:
		l.hello(m, f.Hello)
	case f.Beat != nil && f.Beat.Session == live:
		l.heard[m.id] = l.clock()
		list, version := l.store.OrdersFor(m.id)
		l.send(m, link.Frame{Ack: &link.Ack{Session: live, Seq: f.Beat.Seq, Term: l.term, Version: version}})
		if f.Beat.Have < version {
			l.push(m, list, version)
		}
	case f.Beat != nil:
		l.send(m, link.Frame{Closed: &link.Closed{Session: f.Beat.Session, Why: "it is over"}})
	case f.Report != nil && f.Report.Report.Session == live:
		l.apply(fleet.Command{Report: &f.Report.Report})
		l.send(m, link.Frame{Noted: &link.Noted{Session: live, Seq: f.Report.Report.Seq}})
	case f.Want != nil:
		var texts []string
		for _, h := range f.Want.Hashes {
			if text, ok := l.store.Text(h); ok {
				texts = append(texts, text)
			}
		}
		l.send(m, link.Frame{Texts: &link.Texts{Texts: texts}})
	case f.Bye != nil:
		if f.Bye.Session == live {
			l.apply(fleet.Command{Close: &fleet.Close{Machine: m.id, Session: live, Why: f.Bye.Why}})
		}
		l.send(m, link.Frame{Closed: &link.Closed{Session: f.Bye.Session, Why: "goodbye"}})
	}
}

func (l *leader) hello(m *machine, h *link.Hello) {
	live := l.session(m.id)
	passed := l.clock()-l.heard[m.id] > link.Stretch(lease, drift)
	switch {
	case live != 0 && (h.Session == live || h.Session == 0 && h.Nonce == l.opened[m.id]):
		l.heard[m.id] = l.clock()
		l.opened[m.id] = h.Nonce
	case h.Session != 0:
		l.send(m, link.Frame{Closed: &link.Closed{Session: h.Session, Why: "it is over"}})
		return
	case live != 0 && !passed:
		l.send(m, link.Frame{Sorry: &link.Sorry{Nonce: h.Nonce, Why: "it lives", After: time.Second}})
		return
	default:
		l.apply(fleet.Command{Open: &fleet.Open{Term: l.term, Machine: h.Machine, Was: live, Empty: true}})
		l.heard[m.id], l.opened[m.id], l.pushed[m.id] = l.clock(), h.Nonce, 0
	}
	l.send(m, link.Frame{Welcome: &link.Welcome{
		Nonce: h.Nonce, Session: l.session(m.id), Term: l.term, Beat: 500 * time.Millisecond, Lease: lease, Drift: drift, Keep: l.keep,
	}})
}

// push sends orders, in one part or two, with or without their texts.
func (l *leader) push(m *machine, list []link.Order, version uint64) {
	l.pushed[m.id] = version
	half := len(list) / 2
	parts := [][]link.Order{list}
	if half > 0 && l.u.chance(0.5) {
		parts = [][]link.Order{list[:half], list[half:]}
	}
	for i, p := range parts {
		o := &link.Orders{Session: l.session(m.id), Term: l.term, Version: version, Part: i, Parts: len(parts), Total: len(list), Units: p}
		for _, order := range p {
			if text, ok := l.store.Text(order.Hash); ok && l.u.chance(0.5) {
				o.Texts = append(o.Texts, text)
			}
		}
		l.send(m, link.Frame{Orders: o})
	}
}

// tick is what the leader does by itself.
func (l *leader) tick() {
	l.u.after(100*time.Millisecond, l.tick)
	for _, m := range l.u.machines {
		if s := l.session(m.id); s != 0 && l.clock()-l.heard[m.id] > link.Stretch(lease, drift) {
			l.u.note("leader: %s is gone", m.id[:2])
			l.apply(fleet.Command{Close: &fleet.Close{Term: l.term, Machine: m.id, Session: s, Why: "lease"}})
		}
	}
	for u := range l.store.UnitsFrom(0) {
		l.place(u)
	}
	for _, m := range l.u.machines {
		if s := l.session(m.id); s != 0 {
			if list, version := l.store.OrdersFor(m.id); version > l.pushed[m.id] {
				l.push(m, list, version)
			}
		}
	}
}

// place finds a place for a unit that needs one, and has it take its new text.
func (l *leader) place(u fleet.Unit) {
	if u.Desired == fleet.Inactive {
		return
	}
	req := l.store.Requirements(u.Name, u.Hash)
	for _, p := range u.Places {
		if p.Hash != u.Hash {
			l.move(u, p.Machine, p.Machine)
			return
		}
	}
	for i := range l.u.machines {
		m := l.u.machines[(i+int(l.rev))%len(l.u.machines)]
		placed := slices.ContainsFunc(u.Places, func(p fleet.Placement) bool { return p.Machine == m.id })
		if l.session(m.id) == 0 || placed || !u.Global && len(u.Places) > 0 || !l.fits(u.Name, req, m) {
			continue
		}
		l.move(u, "", m.id)
		return
	}
}

func (l *leader) move(u fleet.Unit, from, to string) {
	l.apply(fleet.Command{Place: &fleet.Place{Term: l.term, Moves: []fleet.Move{
		{Unit: u.Name, Changed: u.Changed, From: from, To: to, Session: l.session(to)},
	}}})
}

// fits says whether a unit may be placed beside what is placed on a machine.
func (l *leader) fits(name string, req *unit.Requirements, m *machine) bool {
	used := make(map[string]int64)
	for _, o := range l.store.PlacedOn(m.id) {
		if o == name {
			continue
		}
		other, _ := l.store.Unit(o)
		theirs := l.store.Requirements(o, other.Hash)
		for _, p := range other.Places {
			if p.Machine == m.id {
				theirs = l.store.Requirements(o, p.Hash)
			}
		}
		if globbed(req.Conflicts, o) || globbed(theirs.Conflicts, name) {
			return false
		}
		for _, r := range theirs.Resources {
			used[r.Name] += r.Amount
		}
	}
	for _, r := range req.Resources {
		if used[r.Name]+r.Amount > m.resist[r.Name] {
			return false
		}
	}
	return true
}
