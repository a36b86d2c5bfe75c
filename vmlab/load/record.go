package load

import (
	"slices"
	"sync"
	"time"

	"drydock/sim/history"
)

// Recorder writes down what clients saw, on one clock.
type Recorder struct {
	began time.Time
	ended func(history.Observation)

	mu       sync.Mutex
	ops      []*history.Op
	watches  []*history.Watch
	held     []*history.Hold
	restarts []history.Restart
	nonsense []string
}

// NewRecorder returns a recorder whose clock begins at an instant. Ended, unless nil,
// is told of each operation that has ended, one at a time.
func NewRecorder(began time.Time, ended func(history.Observation)) *Recorder {
	return &Recorder{began: began, ended: ended}
}

// Began is when the run's clock began.
func (r *Recorder) Began() time.Time { return r.began }

// Restarts returns when members began new lives.
func (r *Recorder) Restarts() []history.Restart {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.restarts)
}

// Nonsense returns the answers that no member may give.
func (r *Recorder) Nonsense() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.nonsense)
}

// over tells of an operation that has ended.
func (r *Recorder) over(op *history.Op) {
	if r.ended == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended(history.Observation{Op: op})
}

// Now is the run's time.
func (r *Recorder) Now() int64 { return int64(time.Since(r.began)) }

// begin numbers an operation that is about to be asked.
func (r *Recorder) begin(op *history.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op)
	op.ID, op.Call = len(r.ops), r.Now()
}

// open numbers a watch session.
func (r *Recorder) open(w *history.Watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches = append(r.watches, w)
	w.ID, w.Opened = len(r.watches), r.Now()
}

// holds takes in a time that a client holds a lock.
func (r *Recorder) holds(h *history.Hold) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = append(r.held, h)
}

// Holds returns copies, in order of their beginning; all clients must have ended.
func (r *Recorder) Holds() []history.Hold {
	list := make([]history.Hold, 0, len(r.held))
	for _, h := range r.held {
		list = append(list, *h)
	}
	return list
}

// Restarted notes that a member's process begins a new life.
func (r *Recorder) Restarted(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restarts = append(r.restarts, history.Restart{Time: r.Now(), Node: name})
}

// wrong notes an answer that no member may give.
func (r *Recorder) wrong(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nonsense = append(r.nonsense, text)
}

// Operations returns copies, in order of their call; all clients must have
// ended.
func (r *Recorder) Operations() []history.Op {
	list := make([]history.Op, 0, len(r.ops))
	for _, op := range r.ops {
		list = append(list, *op)
	}
	return list
}

// Sessions returns copies of the watch sessions.
func (r *Recorder) Sessions() []history.Watch {
	list := make([]history.Watch, 0, len(r.watches))
	for _, w := range r.watches {
		one := *w
		one.Events = slices.Clip(w.Events)
		list = append(list, one)
	}
	return list
}
