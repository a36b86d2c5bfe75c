package agent

import (
	"fmt"
	"time"

	"drydock/node/link"
)

// terms are what the last leader that was heard has granted.
type terms struct {
	beat, lease time.Duration
	drift       int
	keep        bool
}

// killMargin is how long before the deadline the agent kills by itself, if the
// lease isn't so short that it is less: the guard should find nothing left to do.
const killMargin = 100 * time.Millisecond

// After hurryAfter half beats without an answer the agent beats hurry times as often:
// where messages get lost now and then, a few of them must not cost a unit its lease.
const (
	hurryAfter = 3
	hurry      = 4
)

// lease is how long what isn't global may run, and the beats that prolong it.
type lease struct {
	terms terms
	// deadline is the lease's, 0 if nobody has given one.
	deadline time.Duration
	// term is the greatest of an acknowledgement.
	term uint64
	// seq is that of the last beat; sent are those without an answer, oldest first.
	seq  uint64
	sent []sentBeat
	// beatAt is when the next beat is due.
	beatAt time.Duration
	// told is the last lease that the guard was told.
	told Lease
	// knows says that it was told anything.
	knows bool
}

// sentBeat is a beat without an answer.
type sentBeat struct {
	seq uint64
	at  time.Duration
}

// span is how long an acknowledged beat is good for, by this machine's clock.
func (l *lease) span() time.Duration { return link.Shorten(l.terms.lease, l.terms.drift) }

// extend moves the deadline, but not back.
func (l *lease) extend(deadline time.Duration) { l.deadline = max(l.deadline, deadline) }

// holdAt is when starts wait for the next acknowledgement: what is started a moment
// before it would be stopped is started in vain.
func (l *lease) holdAt() time.Duration { return l.deadline - l.span()/2 }

// graceAt is when stops begin, killAt when what is left is killed.
func (l *lease) graceAt() time.Duration { return l.deadline - l.span()/3 }

func (l *lease) killAt() time.Duration { return l.deadline - min(killMargin, l.span()/10) }

// fenced says how much of the lease has passed, as far as units go that aren't
// global: hold, that none may be started; stop, that those that run are to end in
// good order; dead, that they must be dead.
func (a *Agent) fenced() (hold, stop, dead bool) {
	switch {
	case a.session.id == 0:
		return true, true, true
	case a.lease.terms.keep:
		return a.now >= a.lease.holdAt(), false, false
	}
	return a.now >= a.lease.holdAt(), a.now >= a.lease.graceAt(), a.now >= a.lease.killAt()
}

// nextFence is when the next of these comes to pass.
func (a *Agent) nextFence() time.Duration {
	switch {
	case a.session.id == 0 || a.lease.terms.keep || a.now >= a.lease.killAt():
		return Never
	case a.now >= a.lease.graceAt():
		return a.lease.killAt()
	}
	return a.lease.graceAt()
}

// passed sees what time alone has brought. What the guard may have bitten is to be
// killed for certain, and started again, even if an acknowledgement comes in this
// very step: it may have waited while the agent didn't get to run.
func (a *Agent) passed() {
	_, stop, dead := a.fenced()
	if !stop {
		return
	}
	for _, l := range a.units {
		switch {
		case l.global():
		case dead && l.touched && l.kill == nil:
			l.doomed, a.stale = true, true
		case l.op == nil && !l.quiet():
			a.stale = true
		}
	}
}

// doom has all that the guard has killed be killed for certain, and started again. An
// acknowledgement had come in time, but not to the guard.
func (a *Agent) doom() {
	for _, l := range a.units {
		if !l.global() && l.touched && l.kill == nil {
			l.doomed, a.stale = true, true
		}
	}
}

// ack takes the leader's word that it had a beat while it led.
func (a *Agent) ack(k *link.Ack) {
	if k.Session != a.session.id || !a.session.welcomed || k.Term < a.lease.term {
		return
	}
	a.lease.term = k.Term
	for i, b := range a.lease.sent {
		if b.seq != k.Seq {
			continue
		}
		a.lease.sent = append(a.lease.sent[:0], a.lease.sent[i+1:]...)
		a.agree(&k.Terms, b.at)
		a.prolong(b.at)
		break
	}
}

// agree takes a leader's terms. If they are other than the last one's, what that one has
// granted is forgotten: this leader doesn't wait for it.
func (a *Agent) agree(t *link.Terms, sent time.Duration) {
	now := terms{beat: t.Beat, lease: t.Lease, drift: t.Drift, keep: t.Keep}
	l := &a.lease
	if t.Lease <= 0 || t.Beat <= 0 || now == l.terms {
		return
	}
	l.terms = now
	l.deadline = min(l.deadline, sent+l.span())
	a.stale = true
	a.keep(true)
	a.tell("", fmt.Sprintf("the lease is %v from now on", now.lease))
}

// prolong counts the lease from when something was sent that is acknowledged now.
func (a *Agent) prolong(sent time.Duration) {
	was, _, _ := a.fenced()
	a.lease.extend(sent + a.lease.span())
	if hold, _, _ := a.fenced(); was && !hold {
		a.stale = true // what waited for a lease may start
	}
	a.tellGuard()
}

// tellGuard hands the guard what it must know, if it doesn't.
func (a *Agent) tellGuard() {
	next := Lease{Deadline: a.lease.deadline}
	switch {
	case a.left:
		next = Lease{Rests: true}
	case a.lease.terms.keep && a.session.id != 0:
		next = Lease{Rests: true, Always: true}
	case a.session.id == 0 && a.clear():
		next = Lease{Rests: true}
	}
	if a.lease.knows && next == a.lease.told || next.Deadline == 0 && !next.Rests {
		return
	}
	a.lease.knows, a.lease.told = true, next
	a.out.Lease = &next
}

// clear says whether there is nothing that isn't global.
func (a *Agent) clear() bool {
	for _, l := range a.units {
		if !l.global() && (l.held || l.touched) {
			return false
		}
	}
	return true
}

// beat sends a beat.
func (a *Agent) beat() {
	l := &a.lease
	l.seq++
	seq := a.lives<<32 | l.seq
	for len(l.sent) > 0 && a.now-l.sent[0].at > l.terms.lease {
		l.sent = l.sent[1:]
	}
	l.sent = append(l.sent, sentBeat{seq: seq, at: a.now})
	pause := l.terms.beat
	switch heard := l.deadline - l.span(); { // when the last beat with an answer was sent
	case a.now-heard > hurryAfter*l.terms.beat/2:
		pause /= hurry
	case l.seq == 1:
		// Machines that were welcomed together don't go on beating together.
		pause = pause/4 + pause*3/4*time.Duration(spread(a.cfg.Machine.ID))/256
	}
	l.beatAt = a.now + pause
	a.send(link.Frame{Beat: &link.Beat{Session: a.session.id, Seq: seq, Have: a.orders.have}})
}

// spread is a number below 256 that differs from machine to machine.
func spread(id string) uint8 {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return uint8(h >> 16)
}

// fenceWhy says in words why units that aren't global end now.
func (a *Agent) fenceWhy() string {
	if a.session.id == 0 {
		return "the session is over"
	}
	left := max(0, a.lease.deadline-a.now).Round(time.Millisecond)
	return fmt.Sprintf("no word from the leader, %v of the lease left", left)
}
