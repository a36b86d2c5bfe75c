package control

import (
	"maps"
	"slices"
	"time"

	"drydock/node/fleet"
	"drydock/node/link"
)

// hello answers a machine that wants a session, or to go on with one.
func (c *Control) hello(machine string, s *session, h *link.Hello) {
	if h.Machine.ID != machine || h.Nonce == 0 || c.flights.opening[machine] {
		return // the answer to the first one comes
	}
	if s != nil && s.closing {
		return // it will hear that its session is over
	}
	open := &fleet.Command{Open: &fleet.Open{Term: c.term, Machine: h.Machine}}
	if err := open.Check(); err != nil {
		c.sorry(machine, h.Nonce, err.Error(), refusedFor)
		return
	}
	m, _ := c.store.Machine(machine)
	switch {
	case s != nil && h.Session != s.number && h.Nonce == s.nonce:
		c.welcome(s, h.Nonce) // the first was lost
	case s == nil && h.Session != 0 || s != nil && h.Session != 0 && h.Session != s.number:
		c.sayOver(machine, h.Session)
	case s == nil:
		open.Open.Empty = true
		c.open(machine, h.Nonce, open)
	case h.Session == s.number && h.Machine.Boot != m.Boot:
		// No session outlives its system's boot: this is another system, made from an
		// image of the first, which may well be alive.
		c.later(machine, s, h.Nonce)
	case h.Session == s.number && sameFacts(&h.Machine, &m):
		c.table.touch(s, c.now)
		s.hello = h.Nonce
		c.rounds.await(s)
	case h.Session == s.number:
		// It goes on, and what it tells of itself is other than before.
		open.Open.Was = s.number
		c.open(machine, h.Nonce, open)
	default:
		c.later(machine, s, h.Nonce)
	}
}

// later has a machine wait until the session that it has is over, or goes on. That
// it was booted since is no reason for haste: two hosts may have one id.
func (c *Control) later(machine string, s *session, nonce uint64) {
	left := max(s.heard+c.lease-c.now, 0) + c.cfg.Gather
	c.sorry(machine, nonce, "the machine has a session, in which it was heard "+ago(c.now-s.heard), left)
}

// refusedFor is how long a machine is to wait whose hello can't be accepted at all.
const refusedFor = 5 * time.Second

func (c *Control) sorry(machine string, nonce uint64, why string, after time.Duration) {
	c.send(machine, &link.Frame{Sorry: &link.Sorry{Nonce: nonce, Why: clip(why, link.MaxWhyBytes), After: after}})
}

// clip cuts a text to n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// ago says how long ago something was.
func ago(d time.Duration) string { return d.Round(100*time.Millisecond).String() + " ago" }

// open proposes a session.
func (c *Control) open(machine string, nonce uint64, command *fleet.Command) {
	c.flights.opening[machine] = true
	c.queueFlight(&flight{kind: opening, machine: machine, nonce: nonce, command: command})
}

// opened takes the end of an Open; session is 0 if it had no effect.
func (c *Control) opened(f *flight, number uint64) {
	delete(c.flights.opening, f.machine)
	m, ok := c.store.Machine(f.machine)
	if number == 0 || !ok || m.Session != number {
		return // the machine asks again
	}
	c.count.Opened++
	old := c.table.byID[f.machine]
	if old != nil {
		// What it runs was taken over, or is gone with its system: it need not end.
		c.forget(old)
	}
	s := c.begin(&m)
	s.nonce, s.held = f.nonce, true
	if f.command.Open.Empty {
		s.base = 0
	}
	if old != nil {
		// The scheduler has had the machine all along.
		s.inScheduler, s.metadata, s.resources, s.drained = old.inScheduler, old.metadata, old.resources, old.drained
	}
	c.timers.add(timer{at: c.now + heldFor, kind: letGo, session: s})
	c.wantPush(s)
	c.welcome(s, f.nonce)
}

// welcome tells a machine its session.
func (c *Control) welcome(s *session, nonce uint64) {
	c.send(s.machine, &link.Frame{Welcome: &link.Welcome{
		Nonce: nonce, Session: s.number, Term: c.term,
		Beat: c.cfg.Beat, Lease: c.cfg.Lease, Drift: c.cfg.Drift, Keep: c.cfg.Keep,
	}})
}

// bye takes a machine's goodbye: nothing that isn't global runs there any more.
func (c *Control) bye(machine string, s *session, b *link.Bye) {
	if c.live(machine, s, b.Session) {
		c.close(s, 0, goodbye(b.Why))
	}
}

// goodbye says why a session has ended that the machine itself ended.
func goodbye(why string) string {
	if why == "" {
		return "the machine said goodbye"
	}
	return clip("the machine said goodbye: "+why, fleet.MaxValueBytes)
}

// sameFacts says whether a machine tells of itself what the state has.
func sameFacts(a, b *fleet.Machine) bool {
	return a.Name == b.Name && a.PrimaryIP == b.PrimaryIP && a.Version == b.Version && a.Boot == b.Boot &&
		slices.Equal(a.URLs, b.URLs) && maps.Equal(a.Metadata, b.Metadata) && maps.Equal(a.Resources, b.Resources)
}
