package sim

import (
	"slices"
	"strings"
	"time"

	"drydock/node/agent"
	"drydock/sim/impair"
)

// boxIndex is what boxes' numbers begin with in the trace, beyond those of members.
const boxIndex = 1000

// dial connects the agent with the member of a URL from now on. Nothing is said
// if the way there is cut; a host without the process refuses.
func (b *box) dial(url string) {
	name := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), ":2380")
	m := b.w.byName[name]
	b.dialled = m
	if m == nil {
		b.soon(func() { b.deliver(agent.Unreachable{URL: url, Why: "no such host"}) })
		return
	}
	b.w.net.between(b, m, true).message(b.w.net, func() {
		if !m.alive() {
			b.w.net.between(b, m, false).message(b.w.net, func() { b.unreachable(m) })
			return
		}
		m.lines[b.id] = b // the newer connection of an id takes over
	})
}

// unreachable tells the agent that its member has hung up.
func (b *box) unreachable(m *machine) {
	if b.dialled == m {
		b.deliver(agent.Unreachable{URL: peerURL(m), Why: "connection refused"})
	}
}

func peerURL(m *machine) string { return "http://" + m.name + ":2380" }

// send sends a frame to the member that was dialled last.
func (b *box) send(frame []byte) {
	m := b.dialled
	if m == nil {
		return
	}
	b.w.fleet.referee.sent(b, frame)
	b.w.net.between(b, m, true).carry(b.w.net, frame, func(frame []byte) {
		if m.alive() {
			m.fromMachine(b, frame)
			return
		}
		b.w.net.between(b, m, false).message(b.w.net, func() { b.unreachable(m) })
	})
}

// toBox sends a frame from a member to a box.
func (m *machine) toBox(b *box, frame []byte) {
	m.w.net.between(b, m, false).carry(m.w.net, slices.Clone(frame), func(frame []byte) {
		// The connection with another member was given up.
		if b.agent == nil || b.dialled != m {
			return
		}
		if b.status == up {
			m.w.fleet.referee.received(b, frame)
		} else {
			b.unread = append(b.unread, frame)
		}
		b.deliver(agent.Received{Frame: frame})
	})
}

// hangUp tells the boxes that were connected with a member's process that it died.
func (m *machine) hangUp() {
	if m.w.fleet == nil {
		return
	}
	for _, b := range m.w.fleet.boxes {
		if b.dialled == m && b.agent != nil {
			m.w.net.between(b, m, false).message(m.w.net, func() { b.unreachable(m) })
		}
	}
}

// between returns one direction of the link between a box and a member; up is what
// the box sends.
func (n *network) between(b *box, m *machine, up bool) *link {
	if h := b.host; h != nil && h != m {
		if up {
			return n.links[h.index][m.index]
		}
		return n.links[m.index][h.index]
	}
	k := boxLink{b.index, m.index, up}
	l := n.boxes[k]
	if l == nil {
		name := "net/" + m.name + "-" + b.name
		a, z := uint64(m.index), uint64(boxIndex+b.index)
		if up {
			name = "net/" + b.name + "-" + m.name
			a, z = z, a
		}
		l = &link{Line: impair.Line{Rng: n.w.src.Stream(name)}, a: a, z: z}
		n.boxes[k] = l
	}
	return l
}

// boxLink names one direction of a link of a box.
type boxLink struct {
	box, member int
	up          bool
}

// carry sends a frame of a machine's.
func (l *link) carry(n *network, frame []byte, arrived func([]byte)) {
	n.sent++
	n.w.trace.add(n.w.now(), traceSend, l.a, l.z, frame)
	if l.Lost(&n.usual) {
		n.lost++
		n.w.trace.add(n.w.now(), traceLost, l.a, l.z, nil)
		return
	}
	deliver := func(frame []byte) {
		at, _ := l.Arrival(n.w.now(), &n.usual)
		n.w.queue.At(at, func() {
			if l.Cut() {
				n.cuts++
				return
			}
			n.w.trace.add(n.w.now(), traceDeliver, l.a, l.z, nil)
			arrived(frame)
		})
	}
	deliver(frame)
	if l.Duplicated(&n.usual) {
		deliver(slices.Clone(frame))
	}
}

// message lets something happen at the other end, if the way is not cut.
func (l *link) message(n *network, fn func()) {
	if l.Cut() {
		return
	}
	n.w.queue.After(n.usual.Delay.Least()+time.Duration(l.Rng.Int64N(int64(time.Millisecond))), func() {
		if !l.Cut() {
			fn()
		}
	})
}
