package keys

import "time"

// MaxExpiriesPerCommand bounds the work of one Expire. When more is due,
// NextExpiry stays in the past and the next Expire goes on.
const MaxExpiriesPerCommand = 1000

// NextExpiry is the cluster time at which something is due next.
func (s *Store) NextExpiry() (time.Duration, bool) {
	if len(s.due.heap) == 0 {
		return 0, false
	}
	return s.due.heap[0].view.Due, true
}

// expire takes away what is due, the earliest first and of those due together
// the first by path, so that a directory goes before what it takes with it.
func (s *Store) expire(at Stamp) (last *Event) {
	for range MaxExpiriesPerCommand {
		next, ok := s.NextExpiry()
		if !ok || next > at.Cluster {
			break
		}
		last = s.takeAway(ActionExpire, s.due.heap[0], at)
		s.count.ExpireCount++
	}
	return last
}

// dueQueue is a binary heap of the entries that expire, by due time, then
// path. An entry knows its place, so that it can be moved and dropped.
type dueQueue struct {
	heap []*entry
}

// set puts an entry where its view says: in, out or elsewhere in the queue.
func (q *dueQueue) set(e *entry) {
	switch {
	case !e.view.HasTTL:
		q.drop(e)
		return
	case e.due == 0:
		q.heap = append(q.heap, e)
		e.due = len(q.heap)
	}
	q.settle(e.due - 1)
}

// drop takes an entry out of the queue, if it is in it.
func (q *dueQueue) drop(e *entry) {
	if e.due == 0 {
		return
	}
	i, last := e.due-1, len(q.heap)-1
	q.swap(i, last)
	q.heap[last] = nil
	q.heap = q.heap[:last]
	e.due = 0
	if i < last {
		q.settle(i)
	}
}

// settle moves the entry at i to where it belongs.
func (q *dueQueue) settle(i int) {
	for i > 0 && q.less(i, (i-1)/2) {
		q.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		least := i
		for kid := 2*i + 1; kid <= 2*i+2 && kid < len(q.heap); kid++ {
			if q.less(kid, least) {
				least = kid
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

func (q *dueQueue) less(i, j int) bool {
	a, b := q.heap[i].view, q.heap[j].view
	if a.Due != b.Due {
		return a.Due < b.Due
	}
	return a.Key < b.Key
}

func (q *dueQueue) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].due, q.heap[j].due = i+1, j+1
}
