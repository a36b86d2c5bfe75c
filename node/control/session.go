package control

import (
	"maps"
	"time"

	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/scheduler"
)

// session is a machine that has one.
type session struct {
	machine string
	number  uint64
	// heard is when the last beat came, or when this member began to lead. prev and
	// next are neighbours in the order of that; both nil at the ends and while the
	// session's end is proposed (closing).
	heard      time.Duration
	prev, next *session
	listed     bool
	closing    bool
	gone       bool

	// waiting says that it is to be answered after the next round: the beat seq, or a
	// hello, if that isn't 0. askedSeq and askedHello are those of the round under way.
	waiting              bool
	seq, askedSeq        uint64
	hello, askedHello    uint64
	nonce                uint64 // of the Hello that opened it here
	version              uint64 // of the orders in the state
	have                 uint64 // by the machine's own word
	pushedAt             time.Duration
	size                 int  // units in the orders that were sent last
	late                 bool // it is in Control.late
	pushing              bool
	base                 uint64 // texts of orders up to this Gen are at the machine
	held                 bool   // the first orders wait for the scheduler
	reported             uint64 // the last report that was proposed
	reporting            bool   // it is under way
	metadata             map[string]string
	resources            map[string]int64
	drained, inScheduler bool
}

// table holds the sessions, and those with their lease running in the order in
// which they were heard, so that who is silent for longest is found at once.
type table struct {
	byID        map[string]*session
	first, last *session
}

func newTable() table { return table{byID: make(map[string]*session)} }

// touch puts a session last.
func (t *table) touch(s *session, now time.Duration) {
	s.heard = now
	if t.last == s {
		return
	}
	t.unlist(s)
	s.prev, s.listed = t.last, true
	if t.last != nil {
		t.last.next = s
	} else {
		t.first = s
	}
	t.last = s
}

// unlist takes a session out of the order.
func (t *table) unlist(s *session) {
	if !s.listed {
		return
	}
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		t.first = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		t.last = s.prev
	}
	s.prev, s.next, s.listed = nil, nil, false
}

// begin enters a session that the state has.
func (c *Control) begin(m *fleet.Machine) *session {
	s := &session{machine: m.ID, number: m.Session, reported: m.Reported, version: m.Orders, base: m.Orders}
	c.table.byID[m.ID] = s
	c.table.touch(s, c.now)
	return s
}

// forget drops a session that the state has no more.
func (c *Control) forget(s *session) {
	s.gone = true
	c.table.unlist(s)
	if c.table.byID[s.machine] == s {
		delete(c.table.byID, s.machine)
	}
}

// end forgets a session and tells the machine that it is over.
func (c *Control) end(s *session, why string) {
	if s.gone {
		return
	}
	c.forget(s)
	c.send(s.machine, &link.Frame{Closed: &link.Closed{Session: s.number, Why: why}})
}

// expire proposes the end of sessions whose lease has passed.
func (c *Control) expire() {
	for s := c.table.first; s != nil && c.now-s.heard >= c.lease; s = c.table.first {
		c.close(s, c.term, "not heard for "+c.cfg.Lease.String())
	}
}

// close proposes a session's end. From here on none of its beats is acknowledged.
func (c *Control) close(s *session, term uint64, why string) {
	c.table.unlist(s)
	s.closing = true
	c.queueFlight(&flight{
		kind: closing, session: s, why: why,
		command: &fleet.Command{Close: &fleet.Close{Term: term, Machine: s.machine, Why: why, Session: s.number}},
	})
	c.count.Closed++
}

// followMachine takes in what the state has of a machine.
func (c *Control) followMachine(id string) {
	m, ok := c.store.Machine(id)
	s := c.table.byID[id]
	if s != nil && (!ok || m.Session != s.number) {
		c.end(s, "the session is over")
		s = nil
	}
	if ok && m.Session != 0 {
		if s == nil {
			s = c.begin(&m)
		}
		if m.Orders != s.version {
			s.version = m.Orders
			c.wantPush(s)
		}
	}
	if c.taking == nil {
		c.tellMachine(id, &m, s)
	}
}

// tellMachine tells the scheduler of a machine, if that is news.
func (c *Control) tellMachine(id string, m *fleet.Machine, s *session) {
	if s == nil {
		c.sched.RemoveMachine(id)
		return
	}
	metadata := m.Effective()
	if !s.inScheduler || !maps.Equal(s.metadata, metadata) || !maps.Equal(s.resources, m.Resources) {
		c.sched.SetMachine(scheduler.Machine{ID: id, Metadata: metadata, Resources: m.Resources})
		if !s.inScheduler {
			c.joined()
		}
		s.inScheduler, s.metadata, s.resources = true, metadata, m.Resources
		c.busy = true
	}
	if s.drained != m.Drained {
		s.drained = m.Drained
		c.sched.Drain(id, m.Drained)
		if !m.Drained {
			c.joined()
		}
		c.busy = true
	}
}
