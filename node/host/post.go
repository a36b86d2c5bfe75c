package host

import (
	"sync"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
)

// Asked is one call of those that are handed over together.
type Asked struct {
	// Call is what is asked for; of a watch the Asker is a Watcher. It must not change until it is
	// answered or cancelled.
	Call *api.Call
	// Asker is told the answer.
	Asker Asker
	// Token is set by Post: the call's name, for Cancel.
	Token uint64
	// cancel says that nobody waits for Token any more; there is no call then.
	cancel bool
}

// Asker takes the answer to a call that was posted.
type Asker interface {
	// Answer is called once, unless the call is cancelled before, and must not block:
	// by the reactor's goroutine, or by Post if the node has stopped. The answer is
	// valid until it returns. What it returns, if not nil, is flushed after the last
	// answer of the step.
	Answer(a *node.Answer) Flusher
}

// Watcher is the Asker of a watch. Answer tells it that the watch could not begin, or
// that the node has stopped.
type Watcher interface {
	Asker
	// News is called for all that the watch has to tell, until the Last or until it is
	// cancelled; it is bound as Answer is.
	News(n *node.WatchNews) Flusher
}

// Flusher has taken answers and is told when those of a step are complete.
type Flusher interface{ Flush() }

// Post hands over calls that came together: they reach the node in one step, unless
// there are very many, and nothing waits meanwhile. The list stays the caller's, who
// must bound how many calls wait for their answers.
func (h *Host) Post(list []Asked) {
	last := h.tokens.Add(uint64(len(list)))
	for i := range list {
		list[i].Token = last - uint64(len(list)-1-i)
	}
	if h.posts.put(list) {
		return
	}
	var f flushes
	for i := range list {
		f.add(list[i].Asker.Answer(&node.Answer{
			Token: list[i].Token, Status: consensus.Refused, Reason: ErrStopped.Error(),
		}))
	}
	f.flush()
}

// Cancel says that nobody waits for the answer to a call that was posted. It may
// still come, if it was on its way.
func (h *Host) Cancel(token uint64) {
	// When the node has stopped there is nothing to cancel.
	_ = h.posts.put([]Asked{{Token: token, cancel: true}})
}

// inbox holds what was posted until the reactor's goroutine takes it.
type inbox struct {
	mu     sync.Mutex
	list   []Asked
	closed bool
	// ready holds a token while the list isn't empty.
	ready chan struct{}
}

// put returns false when nothing is taken any more.
func (b *inbox) put(list []Asked) bool {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false
	}
	wake := len(b.list) == 0
	b.list = append(b.list, list...)
	b.mu.Unlock()
	if wake && len(list) > 0 {
		select {
		case b.ready <- struct{}{}:
		default:
		}
	}
	return true
}

// swap takes all there is, and leaves an empty list to be filled.
func (b *inbox) swap(empty []Asked) []Asked {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) == 0 {
		return empty
	}
	list := b.list
	b.list = empty
	return list
}

func (b *inbox) close() []Asked {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.list
}

// posted is what the loop has taken of the inbox and not yet given to the node.
type posted struct {
	list []Asked
	next int
}

func (p *posted) empty() bool { return p.next == len(p.list) }

// takePosts adds what was posted to the step's inputs, as far as there is room.
func (l *loop) takePosts() {
	p := &l.posted
	if p.empty() {
		clear(p.list)
		p.list, p.next = l.h.posts.swap(p.list[:0]), 0
	}
	for ; !p.empty() && len(l.batch) < maxTurn; p.next++ {
		a := &p.list[p.next]
		if a.cancel {
			l.take(&input{in: node.Cancel{Token: a.Token}})
			continue
		}
		l.waiting[a.Token] = waiting{asker: a.Asker}
		l.asked = true
		l.batch = append(l.batch, node.Request{Token: a.Token, Call: a.Call})
	}
}

// endPosts answers what has not reached the node and never will.
func (l *loop) endPosts(why string) {
	list := append(l.posted.list[l.posted.next:], l.h.posts.close()...)
	for i := range list {
		if a := &list[i]; !a.cancel {
			l.flushes.add(a.Asker.Answer(&node.Answer{Token: a.Token, Status: consensus.Refused, Reason: why}))
		}
	}
	l.flushes.flush()
}

// flushes are those who have taken answers of a step: few, however many answers.
type flushes struct{ list []Flusher }

func (f *flushes) add(x Flusher) {
	if x == nil {
		return
	}
	for _, has := range f.list {
		if has == x {
			return
		}
	}
	f.list = append(f.list, x)
}

func (f *flushes) flush() {
	for i, x := range f.list {
		x.Flush()
		f.list[i] = nil
	}
	f.list = f.list[:0]
}
