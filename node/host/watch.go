package host

import (
	"context"
	"errors"
	"sync"

	"drydock/node"
)

// maxLag is how many events a watch may be behind before it is ended, as etcd's
// streams are.
const maxLag = 100

// Errors of a watch.
var (
	// ErrLagging ends a watch whose reader is too slow.
	ErrLagging = errors.New("host: the watch's reader is too slow")
	// ErrWatchOver is returned after the last news of a watch.
	ErrWatchOver = errors.New("host: the watch is over")
)

// Watch is what one watch has to tell and nobody has read yet.
type Watch struct {
	h     *Host
	token uint64

	mu     sync.Mutex
	queue  []node.WatchNews
	head   int
	past   int // how many of the queue came with the head
	over   error
	signal chan struct{}
}

func newWatch(h *Host, token uint64) *Watch {
	return &Watch{h: h, token: token, signal: make(chan struct{}, 1)}
}

// Next waits for the next news: the head first, then events; Last is set on the
// last. It returns ErrLagging, ErrStopped, the context's error, ErrWatchOver
// after the last news, or a *Refusal when the node did not take the watch.
func (w *Watch) Next(ctx context.Context) (node.WatchNews, error) {
	for {
		w.mu.Lock()
		switch {
		case w.head < len(w.queue):
			n := w.queue[w.head]
			w.queue[w.head] = node.WatchNews{}
			if w.head++; w.head == len(w.queue) {
				w.queue, w.head = w.queue[:0], 0
			}
			if w.past > 0 {
				w.past--
			}
			w.mu.Unlock()
			return n, nil
		case w.over != nil:
			err := w.over
			w.mu.Unlock()
			return node.WatchNews{}, err
		}
		w.mu.Unlock()
		select {
		case <-w.signal:
		case <-ctx.Done():
			return node.WatchNews{}, ctx.Err()
		}
	}
}

// Close ends the watch; whoever began it has to.
func (w *Watch) Close() {
	w.mu.Lock()
	over := w.over != nil
	if !over {
		w.over = ErrWatchOver
	}
	w.mu.Unlock()
	if !over {
		w.h.cancel(w.token)
	}
}

// Refusal is the error of a request that the node did not take.
type Refusal struct{ Answer node.Answer }

// Error implements error.
func (r *Refusal) Error() string { return r.Answer.Reason }

func (w *Watch) answer(a *node.Answer) { w.finish(&Refusal{Answer: *a}) }

func (w *Watch) lost(err error) { w.finish(err) }

func (w *Watch) finish(err error) {
	w.mu.Lock()
	if w.over == nil {
		w.over = err
	}
	w.mu.Unlock()
	w.wake()
}

// news is called by the reactor's goroutine. All that a watch's beginning brings
// comes in one step, before anything that happens later: the history is over as
// soon as the reader, or another step, has come in between.
func (w *Watch) news(n *node.WatchNews) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over != nil {
		return false
	}
	if n.Past || n.Head {
		w.past++
	} else if len(w.queue)-w.head-w.past >= maxLag {
		w.over = ErrLagging
		w.wake()
		return false
	}
	w.queue = append(w.queue, *n)
	if n.Last {
		w.over = ErrWatchOver
	}
	w.wake()
	return true
}

func (w *Watch) wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}
