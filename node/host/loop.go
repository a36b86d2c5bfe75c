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

// waiting is who waits for what the node has to say to one token: the one or the
// other.
type waiting struct {
	waiter waiter
	asker  Asker
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
	waiting map[uint64]waiting
	posted  posted
	flushes flushes
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
			for _, s := range l.node.Finish().Jobs {
				l.h.lanes.submit(s)
			}
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
			fx = &node.Effects{Timer: fx.Timer, Prompt: fx.Prompt}
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
	if len(l.batch) == 0 && l.posted.empty() {
		select {
		case in := <-l.h.inner:
			l.take(&in)
		case in := <-l.h.outer:
			l.take(&in)
		case <-l.h.posts.ready:
		case <-l.timer.C:
			l.armed = unarmed
			if l.h.clock.now().Mono >= l.due {
				l.batch = append(l.batch, node.Tick{})
			}
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
	l.takePosts()
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
		l.waiting[in.token] = waiting{waiter: in.wait}
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
		w, ok := l.waiting[a.Token]
		switch {
		case !ok:
			continue
		case w.asker != nil:
			l.flushes.add(w.asker.Answer(a))
		default:
			w.waiter.answer(a)
		}
		delete(l.waiting, a.Token)
	}
	for i := range fx.Watches {
		l.news(&fx.Watches[i])
	}
	l.flushes.flush()
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
		l.arm(fx.Timer, fx.Prompt)
	}
}

// arm sets the timer. Setting it costs a system call, and most steps move its time
// a little, so it is left alone while it is early enough: it is armed anew when it
// has fired.
//
// A follower's tick for which nothing waits only counts time, and may as well wait for
// the leader's next heartbeat, which is about to come: that spares a follower at rest
// every other wake-up. Without heartbeats its clock is late by the slack, once.
func (l *loop) arm(due time.Duration, prompt bool) {
	l.due = due
	at, now := due, l.h.clock.now().Mono
	if l.follows && !prompt && due > now {
		at += l.h.slack
	}
	if l.armed == unarmed || at < l.armed {
		l.armed = at
		l.timer.Reset(l.h.clock.real(max(at-now, 0)))
	}
}

func (l *loop) news(n *node.WatchNews) {
	w, ok := l.waiting[n.Token]
	if !ok {
		return
	}
	if watcher, ok := w.asker.(Watcher); ok {
		l.flushes.add(watcher.News(n))
		if n.Last {
			delete(l.waiting, n.Token)
		}
		return
	}
	goOn := w.waiter.news(n)
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
	for token, w := range l.waiting {
		if w.asker != nil {
			l.flushes.add(w.asker.Answer(&node.Answer{Token: token, Status: consensus.Unknown, Reason: err.Error()}))
			continue
		}
		w.waiter.lost(err)
	}
	clear(l.waiting)
	l.endPosts(err.Error())
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
