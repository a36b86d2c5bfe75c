package agent

import (
	"fmt"
	"slices"
	"time"

	"drydock/node/link"
)

const (
	// helloEvery is how soon a Hello is repeated that nobody answers.
	helloEvery = 250 * time.Millisecond
	// minSorry and maxSorry bound how long a refused machine waits.
	minSorry = 100 * time.Millisecond
	maxSorry = time.Minute
	// byeEvery is how often goodbye is said, and maxByes how many times at most.
	byeEvery = 200 * time.Millisecond
	maxByes  = 5
)

// session is the machine's with the cluster.
type session struct {
	// id is 0 if there is none. What was taken over from an earlier life or leader is
	// welcomed first.
	id       uint64
	welcomed bool
	// nonce names the wish for a session; asked is when it was first said, if it was.
	nonce uint64
	asked time.Duration
	said  bool
	// helloAt is when a Hello is due.
	helloAt time.Duration
	// sorry is what the last refusal said, until when it has the machine wait.
	sorry string
	until time.Duration
}

// greet has the member hear at once who is there.
func (a *Agent) greet() { a.greetBy(a.now) }

func (a *Agent) greetBy(at time.Duration) {
	a.session.helloAt = min(a.session.helloAt, at)
	a.lease.beatAt = min(a.lease.beatAt, at)
}

// asking says whether a Hello is to be said: there is a session to go on with, or
// nothing runs that would need one.
func (a *Agent) asking() bool {
	s := &a.session
	return !s.welcomed && (s.id != 0 || !a.leave && a.clear())
}

// talk says what is due to be said for the session.
func (a *Agent) talk() {
	s := &a.session
	asking := a.asking()
	a.peers.contact(a, asking || s.welcomed)
	switch {
	case a.peers.url == "" || a.peers.then != "":
	case s.welcomed:
		if a.now >= a.lease.beatAt {
			a.beat()
		}
		a.want()
	case asking && a.now >= s.helloAt:
		if !s.said {
			s.said, s.asked = true, a.now
		}
		s.helloAt = a.now + helloEvery
		a.send(link.Frame{Hello: &link.Hello{Nonce: s.nonce, Session: s.id, Machine: a.cfg.Machine}})
	}
	a.tellGuard()
}

// nextTalk is when talk has something to do.
func (a *Agent) nextTalk() time.Duration {
	s, p := &a.session, &a.peers
	asking := a.asking()
	switch {
	case p.then != "":
		return p.dialAt
	case p.url == "" || !asking && !s.welcomed:
		return Never
	case asking:
		return min(s.helloAt, p.since+a.silence())
	}
	return min(a.lease.beatAt, p.since+a.silence(), a.orders.nextWant())
}

// welcome takes an answer to Hello.
func (a *Agent) welcome(w *link.Welcome) {
	s := &a.session
	if w.Nonce != s.nonce || s.welcomed || w.Session == 0 || s.id == 0 && !a.asking() {
		return // or it was asked for before something came to light that still runs
	}
	if w.Lease <= 0 || w.Beat <= 0 {
		a.tell("", fmt.Sprintf("a welcome with a lease of %v and beats every %v makes no sense", w.Lease, w.Beat))
		return
	}
	if s.id == 0 {
		a.lease.deadline = 0
	}
	if w.Session != s.id {
		a.unorder()
	}
	s.id, s.welcomed, s.sorry, s.until = w.Session, true, "", 0
	a.beginReports()
	a.lease.terms = terms{beat: w.Beat, lease: w.Lease, drift: w.Drift, keep: w.Keep}
	a.lease.sent = a.lease.sent[:0]
	a.stale = true
	a.keep(true)
	a.tell("", fmt.Sprintf("session %d, lease %v", s.id, w.Lease))
	// The leader has led since it had the Hello, which it may have had when it was
	// first said.
	a.prolong(s.asked)
	a.greet()
}

// sorry waits as long as a refusal asks for.
func (a *Agent) sorry(r *link.Sorry) {
	s := &a.session
	if r.Nonce != s.nonce || s.welcomed {
		return
	}
	if r.Why != s.sorry {
		s.sorry = r.Why
		a.tell("", "the cluster refuses a session: "+r.Why)
	}
	s.helloAt = a.now + min(max(r.After, minSorry), maxSorry)
	s.until, a.peers.since = s.helloAt, s.helloAt
}

// closed ends the session: what isn't global is killed before there is another.
func (a *Agent) closed(c *link.Closed) {
	if c.Session == 0 || c.Session != a.session.id {
		return
	}
	a.tell("", fmt.Sprintf("session %d is closed: %s", c.Session, c.Why))
	a.endSession()
}

func (a *Agent) endSession() {
	s := &a.session
	s.id, s.welcomed, s.said = 0, false, false
	s.nonce++
	s.helloAt = a.now
	a.unorder()
	a.beginReports()
	a.lease.sent = a.lease.sent[:0]
	a.stale = true
	a.keep(true)
}

// farewell ends an agent that is to leave: goodbye when nothing runs that isn't
// global, the end when nothing does.
func (a *Agent) farewell() {
	if !a.leave {
		return
	}
	if a.session.id != 0 && a.clear() && a.byes < maxByes && a.now >= a.byeAt {
		a.byes++
		a.byeAt = a.now + byeEvery
		a.send(link.Frame{Bye: &link.Bye{Session: a.session.id, Why: a.why}})
	}
	said := a.session.id == 0 || a.byes == maxByes && a.now >= a.byeAt
	// What is ordered stays known, but nothing may be left of it.
	if !said || slices.ContainsFunc(a.units, func(l *local) bool { return !l.absent() }) {
		return
	}
	a.left, a.out.Left = true, true
	a.session.id, a.session.welcomed = 0, false
	a.keep(true)
}

// nextBye is when farewell has something to do.
func (a *Agent) nextBye() time.Duration {
	if !a.leave || a.session.id == 0 || !a.clear() || a.left {
		return Never
	}
	return a.byeAt
}
