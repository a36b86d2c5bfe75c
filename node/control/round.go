package control

import (
	"cmp"
	"time"

	"drydock/node/link"
)

// rounds gathers what is to be answered only once this member is known to lead
// still: beats, and hellos of machines that go on with a session.
type rounds struct {
	// next are answered after the next round, asked after the one under way.
	next, asked []*session
	number      uint64 // of the round under way, 0 for none
	counter     uint64
	began       bool
	last        time.Duration // when the last one began
}

func (r *rounds) reset() {
	clear(r.next)
	clear(r.asked)
	*r = rounds{next: r.next[:0], asked: r.asked[:0], counter: r.counter}
}

// await has a session answered after the next round.
func (r *rounds) await(s *session) {
	if !s.waiting {
		s.waiting = true
		r.next = append(r.next, s)
	}
}

// beat takes a machine's sign of life.
func (c *Control) beat(machine string, s *session, b *link.Beat) {
	c.count.Beats++
	if !c.live(machine, s, b.Session) {
		return
	}
	c.table.touch(s, c.now)
	s.seq = b.Seq
	c.rounds.await(s)
	s.have = b.Have
	if b.Have < s.version && c.now-s.pushedAt >= repeatAfter {
		c.wantPush(s)
	}
}

// live says whether a machine's word is of its session, which isn't about to end;
// to another's it answers that that is over.
func (c *Control) live(machine string, s *session, number uint64) bool {
	if s == nil || s.number != number {
		c.sayOver(machine, number)
		return false
	}
	return !s.closing
}

// sayOver tells a machine that a session is over. One that is later than all that this
// member has applied isn't: another leader has opened it, and this one has yet to hear
// that it was deposed. What runs must not end for that.
func (c *Control) sayOver(machine string, number uint64) {
	if number <= c.store.Revision() {
		c.send(machine, &link.Frame{Closed: &link.Closed{Session: number, Why: "the session is over"}})
	}
}

// beginRound asks for a round if somebody waits for one, none is under way, and
// the last one isn't too recent.
func (c *Control) beginRound() {
	r := &c.rounds
	if r.number != 0 || len(r.next) == 0 || r.began && c.now-r.last < c.cfg.Gather {
		return
	}
	r.counter++
	r.number, r.began, r.last = r.counter, true, c.now
	r.asked, r.next = r.next, r.asked[:0]
	for _, s := range r.asked {
		s.waiting = false
		s.askedSeq, s.askedHello, s.seq, s.hello = s.seq, s.hello, 0, 0
	}
	c.out.Round = r.number
	c.count.Rounds++
}

// Confirmed tells that a quorum has confirmed, in answer to a round asked for by
// this number, that this member leads.
func (c *Control) Confirmed(now time.Duration, number uint64) {
	r := &c.rounds
	if c.store == nil || number != r.number {
		return
	}
	c.now = now
	for _, s := range r.asked {
		if s.gone || s.closing {
			continue
		}
		if s.askedHello != 0 {
			c.welcome(s, s.askedHello)
		}
		if s.askedSeq != 0 {
			c.count.Acks++
			c.send(s.machine, &link.Frame{Ack: &link.Ack{
				Session: s.number, Seq: s.askedSeq, Term: c.term, Version: s.version,
				Terms: link.Terms{Beat: c.cfg.Beat, Lease: c.cfg.Lease, Drift: c.cfg.Drift, Keep: c.cfg.Keep},
			}})
		}
	}
	clear(r.asked)
	r.asked, r.number = r.asked[:0], 0
}

// RoundEnded tells that a round was not confirmed in time. Those who waited for it
// wait for the next.
func (c *Control) RoundEnded(number uint64) {
	r := &c.rounds
	if c.store == nil || number != r.number {
		return
	}
	for _, s := range r.asked {
		if s.gone {
			continue
		}
		s.seq, s.hello = cmp.Or(s.seq, s.askedSeq), cmp.Or(s.hello, s.askedHello)
		r.await(s)
	}
	clear(r.asked)
	r.asked, r.number = r.asked[:0], 0
}
