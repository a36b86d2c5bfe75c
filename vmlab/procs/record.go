package procs

import (
	"slices"
	"sync"
	"time"

	"drydock/sim/history"
)

// recorder writes down what clients saw, on one clock.
type recorder struct {
	began time.Time

	mu       sync.Mutex
	ops      []*history.Op
	watches  []*history.Watch
	restarts []history.Restart
	nonsense []string
}

// now is the run's time.
func (r *recorder) now() int64 { return int64(time.Since(r.began)) }

// begin numbers an operation that is about to be asked.
func (r *recorder) begin(op *history.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op)
	op.ID, op.Call = len(r.ops), r.now()
}

// open numbers a watch session.
func (r *recorder) open(w *history.Watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches = append(r.watches, w)
	w.ID, w.Opened = len(r.watches), r.now()
}

// restarted notes that a member's process begins a new life.
func (r *recorder) restarted(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restarts = append(r.restarts, history.Restart{Time: r.now(), Node: name})
}

// wrong notes an answer that no member may give.
func (r *recorder) wrong(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nonsense = append(r.nonsense, text)
}

// operations returns copies, in order of their call; all clients must have
// ended.
func (r *recorder) operations() []history.Op {
	list := make([]history.Op, 0, len(r.ops))
	for _, op := range r.ops {
		list = append(list, *op)
	}
	return list
}

// sessions returns copies of the watch sessions.
func (r *recorder) sessions() []history.Watch {
	list := make([]history.Watch, 0, len(r.watches))
	for _, w := range r.watches {
		one := *w
		one.Events = slices.Clip(w.Events)
		list = append(list, one)
	}
	return list
}
