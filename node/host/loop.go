package host

import (
	"time"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/state"
)

// Bounds of the reactor's queues.
const (
	maxInner = 4096 // frames and completions of jobs
	maxOuter = 4096 // requests
	maxTurn  = 512  // inputs of one step
)

// input is what the reactor's goroutine takes from its queues: an input for the
// node, with whoever waits for its answer, or a function that looks at it.
type input struct {
	in    node.Input
	token uint64
	wait  waiter
	look  func(*node.Node)
}

// waiter takes what the node has to say to one token. Its methods are called by
// the reactor's goroutine and must not block.
type waiter interface {
	answer(a *node.Answer)
	news(w *node.WatchNews) (goOn bool)
	// lost says that the node has stopped.
	lost(err error)
}

// unarmed is no time at which a timer is due.
const unarmed = time.Duration(-1)

// loop is the state of the reactor's goroutine: nobody else touches it.
type loop struct {
	h       *Host
	node    *node.Node
	timer   *timer
	armed   time.Duration // when the timer fires, or unarmed
	due     time.Duration // when the node wants its tick
	follows bool          // another member leads
	waiting map[uint64]waiter
	batch   []node.Input
	looks   []func(*node.Node)
	cancels []node.Input // for the next step
	members []state.Member
	rest    rest
	asked   bool // somebody wants something of the batch at hand
}

func (l *loop) run() {
	defer close(l.h.done)
	defer l.timer.Stop()
	defer func() { l.rest.work(l.rest.last) }()
	fx := l.node.Start(l.h.clock.now())
	for {
		l.carryOut(fx)
		if fx.Halt != nil {
			l.h.err = fx.Halt
			l.end(fx.Halt)
			return
		}
		if !l.gather() {
			l.end(ErrStopped)
			return
		}
		if len(l.batch) > 0 {
			now := l.h.clock.now()
			if l.asked {
				l.rest.work(now.Mono)
			} else {
				l.rest.look(now.Mono)
			}
			fx = l.node.Step(now, l.batch...)
			l.h.meters.steps.observe(l.h.clock.now().Mono - now.Mono)
		} else {
			fx = &node.Effects{Timer: fx.Timer}
		}
	}
}

// gather waits for something to do and takes what is at hand, up to a turn's
// worth. It returns false when the host is to stop.
func (l *loop) gather() bool {
	clear(l.batch)
	l.asked = false
	l.batch = append(l.batch[:0], l.cancels...)
	l.cancels = l.cancels[:0]
	if len(l.batch) == 0 {
		select {
		case in := <-l.h.inner:
			l.take(&in)
		case in := <-l.h.outer:
			l.take(&in)
		case <-l.timer.C:
			l.armed = unarmed
			l.batch = append(l.batch, node.Tick{})
		case <-l.h.stop:
			return false
		}
	}
	// The cluster's own mail first: under a flood of requests its heartbeats and
	// completions must not wait behind them.
	for len(l.batch) < maxTurn && len(l.h.inner) > 0 {
		in := <-l.h.inner
		l.take(&in)
	}
	for len(l.batch) < maxTurn && len(l.h.outer) > 0 {
		in := <-l.h.outer
		l.take(&in)
	}
	if l.armed != unarmed && l.due < l.armed && l.h.clock.now().Mono >= l.due {
		l.batch = append(l.batch, node.Tick{}) // whose time had come
		l.armed = unarmed
	}
	for i, look := range l.looks {
		look(l.node)
		l.looks[i] = nil
	}
	l.looks = l.looks[:0]
	return true
}

func (l *loop) take(in *input) {
	if in.look != nil {
		l.looks = append(l.looks, in.look)
		return
	}
	if in.wait != nil {
		l.waiting[in.token] = in.wait
		l.asked = true
	}
	if c, ok := in.in.(node.Cancel); ok {
		if _, waits := l.waiting[c.Token]; !waits {
			return // it has been answered
		}
		delete(l.waiting, c.Token)
	}
	l.batch = append(l.batch, in.in)
}

func (l *loop) carryOut(fx *node.Effects) {
	// Before the answers: who is told of a change must find it made.
	l.h.users.follow(l.node.State())
	l.h.fleet.follow(l.node.State().Fleet())
	if len(fx.Jobs) > 0 {
		l.rest.work(l.h.clock.now().Mono)
	}
	for _, s := range fx.Jobs {
		l.h.lanes.submit(s)
	}
	for _, s := range fx.Sends {
		l.h.peers.Send(s.To, s.Frame)
	}
	l.h.sendToMachines(fx.ToMachines)
	for i := range fx.Answers {
		a := &fx.Answers[i]
		if w, ok := l.waiting[a.Token]; ok {
			w.answer(a)
			delete(l.waiting, a.Token)
		}
	}
	for i := range fx.Watches {
		l.news(&fx.Watches[i])
	}
	if fx.Role != nil {
		l.h.meters.role(*fx.Role, time.Now())
		if l.h.onRole != nil {
			l.h.onRole(*fx.Role)
		}
	}
	if l.h.onMembers != nil && !l.node.State().SameMembers(l.members) {
		l.members = l.node.State().Members()
		l.h.onMembers(l.members)
	}
	if fx.Role != nil {
		l.follows = fx.Role.Lead != 0 && !fx.Role.Leader
	}
	if fx.Halt == nil {
		l.arm(fx.Timer)
	}
}

// arm sets the timer. Setting it anew wakes the runtime's poller, so it is left
// alone while it is right: most steps leave it as it is.
//
// A follower's tick only counts time, and may as well wait for the leader's next
// heartbeat, which is about to come: that spares a follower at rest every other
// wake-up. Without heartbeats its clock is late by the slack, once.
func (l *loop) arm(due time.Duration) {
	l.due = due
	at, now := due, l.h.clock.now().Mono
	if l.follows && due > now {
		at += l.h.slack
	}
	if at != l.armed {
		l.armed = at
		l.timer.Reset(l.h.clock.real(max(at-now, 0)))
	}
}

func (l *loop) news(n *node.WatchNews) {
	w, ok := l.waiting[n.Token]
	if !ok {
		return
	}
	goOn := w.news(n)
	if goOn && !n.Last {
		return
	}
	delete(l.waiting, n.Token)
	if !goOn {
		l.cancels = append(l.cancels, node.Cancel{Token: n.Token})
	}
}

// end tells everybody who waits, or stands in the queue, that nothing comes any
// more.
func (l *loop) end(err error) {
	for _, w := range l.waiting {
		w.lost(err)
	}
	clear(l.waiting)
	for {
		select {
		case in := <-l.h.outer:
			switch {
			case in.wait != nil:
				// It has not reached the node and never will.
				in.wait.answer(&node.Answer{Token: in.token, Status: consensus.Refused, Reason: err.Error()})
			case in.look != nil:
				in.look(nil)
			}
		case <-l.h.inner:
		default:
			return
		}
	}
}
