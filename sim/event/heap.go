package event

// The binary heap is written out, rather than container/heap's, because it is
// the innermost loop of a simulation and its calls would go through an
// interface.

// before is the order of events: by time, then by scheduling.
func (a *item) before(b *item) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.seq < b.seq
}

// push puts an item into the heap.
func (q *Queue) push(it *item) {
	it.index = len(q.heap)
	q.heap = append(q.heap, it)
	q.up(it.index)
}

// remove takes an item out of the heap and keeps it for reuse.
func (q *Queue) remove(it *item) {
	hole, last := it.index, len(q.heap)-1
	moved := q.heap[last]
	q.heap[last] = nil
	q.heap = q.heap[:last]
	if moved != it {
		q.heap[hole] = moved
		moved.index = hole
		q.down(hole)
		q.up(moved.index)
	}
	it.index, it.fn = -1, nil
	q.free = append(q.free, it)
}

// up moves the item at i towards the root until its parent is before it.
func (q *Queue) up(i int) {
	it := q.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !it.before(q.heap[parent]) {
			break
		}
		q.place(q.heap[parent], i)
		i = parent
	}
	q.place(it, i)
}

// down moves the item at i towards the leaves until it is before its children.
func (q *Queue) down(i int) {
	it := q.heap[i]
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			break
		}
		if right := child + 1; right < len(q.heap) && q.heap[right].before(q.heap[child]) {
			child = right
		}
		if !q.heap[child].before(it) {
			break
		}
		q.place(q.heap[child], i)
		i = child
	}
	q.place(it, i)
}

func (q *Queue) place(it *item, i int) {
	q.heap[i] = it
	it.index = i
}
