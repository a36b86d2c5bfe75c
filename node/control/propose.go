package control

import (
	"time"

	"drydock/node/fleet"
)

// kind is what a command under way is for.
type kind uint8

const (
	opening kind = iota
	closing
	reporting
	placing
)

// flight is a command that is proposed, or waits to be.
type flight struct {
	kind    kind
	command *fleet.Command
	machine string // of an opening
	nonce   uint64
	session *session // of a closing or a report
	why     string
	seq     uint64   // of a report
	units   []string // of a placing, one a move
}

// flights are the commands under way.
type flights struct {
	queue   []*flight
	byID    map[uint64]*flight
	last    uint64 // number of the latest, for the life of the Control
	opening map[string]bool
	placing int
	// pause is how long to wait after a proposal that wasn't taken, until.
	pause, until time.Duration
}

func (f *flights) reset() {
	*f = flights{byID: make(map[uint64]*flight), opening: make(map[string]bool), last: f.last}
}

func (f *flights) waiting() int { return len(f.queue) }

// maxFlights bounds the commands under way, maxPlacing the placings among them: enough
// that the log always has some to write while others are applied.
const maxFlights, maxPlacing = 512, 16

func (c *Control) queueFlight(f *flight) { c.flights.queue = append(c.flights.queue, f) }

// propose proposes what waits, as far as the bound allows.
func (c *Control) propose() {
	fs := &c.flights
	for len(fs.queue) > 0 && len(fs.byID) < maxFlights && c.now >= fs.until {
		f := fs.queue[0]
		fs.queue[0] = nil
		if fs.queue = fs.queue[1:]; len(fs.queue) == 0 {
			fs.queue = nil
		}
		if f.session != nil && f.session.gone {
			continue
		}
		fs.last++
		fs.byID[fs.last] = f
		c.out.Proposals = append(c.out.Proposals, Proposal{Seq: fs.last, Command: f.command})
	}
}

// Settled tells that a proposal was applied, with the state's refusal if it has
// one. It comes before the Run that is to see what has changed.
func (c *Control) Settled(now time.Duration, seq uint64, out fleet.Outcome, refusal error) {
	f := c.landed(now, seq)
	if f == nil {
		return
	}
	c.flights.pause = 0
	switch f.kind {
	case opening:
		c.opened(f, out.Session)
	case closing:
		if refusal == nil {
			c.end(f.session, f.why)
			return
		}
		c.reopen(f.session)
	case reporting:
		c.noted(f)
	case placing:
		c.placed(f, &out, refusal)
	}
}

// Ended tells that a proposal came to nothing, or that nobody knows what it came
// to.
func (c *Control) Ended(now time.Duration, seq uint64) {
	f := c.landed(now, seq)
	if f == nil {
		return
	}
	fs := &c.flights
	fs.pause = min(max(2*fs.pause, c.cfg.Gather/2), time.Second)
	fs.until = now + fs.pause
	switch f.kind {
	case opening:
		delete(fs.opening, f.machine)
	case closing:
		c.queueFlight(f) // it may still take effect, so the session stays as good as over
	case reporting:
		f.session.reported, f.session.reporting = 0, false
	case placing:
		c.placed(f, nil, nil)
	}
}

// landed takes a proposal off those under way; nil if it is of another time.
func (c *Control) landed(now time.Duration, seq uint64) *flight {
	f := c.flights.byID[seq]
	if c.store == nil || f == nil {
		return nil
	}
	c.now = now
	delete(c.flights.byID, seq)
	return f
}

// reopen takes a session whose end was refused for what it is in the state.
func (c *Control) reopen(s *session) {
	if s.gone {
		return
	}
	s.closing = false
	c.table.touch(s, c.now)
}
