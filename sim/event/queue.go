// Package event is the simulator's virtual clock: a queue of functions, each
// due at a time, run one after another by whoever owns the queue.
//
// Invariants:
//
//   - Time never goes back, and moves only when an event is taken from the
//     queue or RunUntil reaches its end.
//   - Events run in the order of (time, number of the scheduling): two events
//     that are due together run in the order in which they were scheduled. The
//     order is therefore a function of the calls alone, never of addresses,
//     maps or threads.
//   - There is no goroutine and no lock here; a queue belongs to one goroutine.
package event

import (
	"fmt"
	"time"
)

// Queue is a virtual clock with the events that are still to come. The zero
// value is an empty queue at time zero.
type Queue struct {
	now  time.Duration
	heap []*item
	// free holds items that have left the heap, for the next schedulings: a run
	// schedules millions of events, most of which live for microseconds.
	free []*item
	// scheduled counts schedulings; it is the number of the newest one.
	scheduled uint64
	// fired counts the events that have run.
	fired uint64
}

// item is a scheduled event. Invariant: index is its place in the heap, or -1
// when it's not there, and then fn is nil.
type item struct {
	at    time.Duration
	seq   uint64
	index int
	fn    func()
}

// Handle names one scheduling, to cancel it. The zero value names none.
type Handle struct {
	item *item
	// seq tells this scheduling from a later one that reuses the item.
	seq uint64
}

// Now returns the virtual time: that of the event which runs or ran last.
func (q *Queue) Now() time.Duration { return q.now }

// Len returns the number of events still to come.
func (q *Queue) Len() int { return len(q.heap) }

// Fired returns how many events have run so far.
func (q *Queue) Fired() uint64 { return q.fired }

// Next returns when the next event is due, and false if there is none.
func (q *Queue) Next() (time.Duration, bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].at, true
}

// At schedules fn for the time t, which must not be in the past. An event
// scheduled for now runs after those that were already scheduled for now.
func (q *Queue) At(t time.Duration, fn func()) Handle {
	if t < q.now {
		panic(fmt.Sprintf("event: scheduled for %v, which is before now (%v)", t, q.now))
	}
	if fn == nil {
		panic("event: scheduled a nil function")
	}
	q.scheduled++
	it := q.take()
	it.at, it.seq, it.fn = t, q.scheduled, fn
	q.push(it)
	return Handle{item: it, seq: it.seq}
}

// After schedules fn for d from now; d must not be negative.
func (q *Queue) After(d time.Duration, fn func()) Handle {
	return q.At(q.now+d, fn)
}

// Cancel takes an event out of the queue and says whether it was still there:
// false if it has run, is running, was cancelled before, or h is zero.
func (q *Queue) Cancel(h Handle) bool {
	if !q.Pending(h) {
		return false
	}
	q.remove(h.item)
	return true
}

// Pending says whether the event is still to come.
func (q *Queue) Pending(h Handle) bool {
	return h.item != nil && h.item.seq == h.seq && h.item.index >= 0
}

// Step moves the clock to the next event and runs it. It returns false if there
// is none; time then stands still.
func (q *Queue) Step() bool {
	if len(q.heap) == 0 {
		return false
	}
	next := q.heap[0]
	if next.at < q.now {
		panic(fmt.Sprintf("event: next is due at %v, which is before now (%v)", next.at, q.now))
	}
	fn := next.fn
	q.now = next.at
	// The item goes back before fn runs: fn may schedule, or cancel itself.
	q.remove(next)
	q.fired++
	fn()
	return true
}

// RunUntil runs every event due at t or before, those included that are
// scheduled meanwhile, and leaves the clock at t.
func (q *Queue) RunUntil(t time.Duration) {
	if t < q.now {
		panic(fmt.Sprintf("event: asked to run until %v, which is before now (%v)", t, q.now))
	}
	for len(q.heap) > 0 && q.heap[0].at <= t {
		q.Step()
	}
	q.now = t
}

// take returns an item that is in no heap.
func (q *Queue) take() *item {
	if n := len(q.free); n > 0 {
		it := q.free[n-1]
		q.free = q.free[:n-1]
		return it
	}
	return &item{index: -1}
}
