package control

import (
	"time"

	"drydock/node/fleet"
	"drydock/node/link"
)

const (
	// repeatAfter is when orders are sent again to a machine that hasn't got them by
	// its own word, heldFor the longest that a new session's first wait for the
	// scheduler.
	repeatAfter, heldFor = time.Second, time.Second
	// partUnits are in one frame of orders at most, partText is about how much text.
	partUnits, partText = 1000, 256 << 10
	// wantedText is about how much text one Want gets.
	wantedText = 1 << 20
)

// Orders are all that a machine is to have, so that a machine which gets one unit after
// another would be told of the first ones over and over. While more is being decided, it
// waits for its next orders longer the longer its last ones were: perOrder for each unit
// of them, beyond a few, and orderedWithin at most.
const (
	perOrder, orderedWithin = 100 * time.Millisecond, 4 * time.Second
	fewOrders               = 4
)

// wantPush has a machine's orders sent: by this or the next Run, unless they wait.
func (c *Control) wantPush(s *session) {
	if s.pushing {
		return
	}
	s.pushing = true
	wait := s.pushedAt + min(time.Duration(s.size)*perOrder, orderedWithin)
	if s.size <= fewOrders || c.now >= wait {
		c.pushes = append(c.pushes, s)
		return
	}
	s.late = true
	c.late = append(c.late, s)
	c.timers.add(timer{at: wait, kind: orderLate, session: s})
}

// hasten has late orders sent: of all, if there is nothing more to wait for.
func (c *Control) hasten(s *session) {
	if s.late {
		s.late = false
		c.pushes = append(c.pushes, s)
	}
}

// settled says whether nothing is being decided.
func (c *Control) settled() bool {
	return c.taking == nil && !c.busy && len(c.changed.list) == 0 && len(c.dirty.list) == 0 && c.flights.placing == 0
}

// push sends the orders that are to be sent. A new session's first ones wait until
// the scheduler has placed what belongs there, global units above all: a machine
// stops what isn't ordered.
func (c *Control) push() {
	c.pushesLeft = false
	if len(c.pushes)+len(c.late) == 0 {
		return
	}
	left := maxPushes
	settled := c.settled()
	if settled {
		for _, s := range c.late {
			c.hasten(s)
		}
		c.late = nil
	}
	rest := c.pushes[:0]
	for _, s := range c.pushes {
		switch {
		case s.gone:
		case s.held && !settled:
			rest = append(rest, s)
		case left == 0:
			rest, c.pushesLeft = append(rest, s), true
		default:
			left--
			s.pushing, s.held = false, false
			c.order(s)
		}
	}
	clear(c.pushes[len(rest):])
	c.pushes = rest
}

// order sends a machine its orders, whole.
func (c *Control) order(s *session) {
	list, version := c.store.AppendOrders(c.orders[:0], s.machine)
	c.orders = list
	starts := 0
	parts := max(1, (len(list)+partUnits-1)/partUnits)
	for part := range parts {
		some := list[part*partUnits : min((part+1)*partUnits, len(list))]
		o := &link.Orders{Session: s.number, Term: c.term, Version: version, Part: part, Parts: parts, Total: len(list), Units: some}
		size := 0
		for i := range some {
			one := &some[i]
			if one.Desired == fleet.Inactive {
				continue
			}
			if starts++; one.Gen <= s.base {
				continue
			}
			if text, ok := c.store.Text(one.Hash); ok && size+len(text) <= partText {
				size += len(text)
				o.Texts = append(o.Texts, text)
			}
		}
		c.send(s.machine, &link.Frame{Orders: o})
		c.count.Pushes++
	}
	// A unit that another machine may still run comes later, by its earlier Gen.
	if c.store.PlacedNumber(s.machine) <= starts {
		s.base = max(s.base, version)
	}
	s.pushedAt, s.size = c.now, len(list)
}

// want sends the texts that a machine lacks; for those that this answer has no room
// for it asks again.
func (c *Control) want(machine string, s *session, w *link.Want) {
	if !c.live(machine, s, w.Session) {
		return
	}
	t, size := &link.Texts{}, 0
	for _, h := range w.Hashes {
		text, ok := c.store.Text(h)
		if !ok || size > 0 && size+len(text) > wantedText {
			continue
		}
		size += len(text)
		t.Texts = append(t.Texts, text)
	}
	if len(t.Texts) > 0 {
		c.send(machine, &link.Frame{Texts: t})
	}
}
