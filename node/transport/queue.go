package transport

import (
	"encoding/binary"
	"sync"
)

// Bounds of a stream's queue. Raft lets 64 MiB of entries be under way to a
// member, so that in its ordinary course none are dropped here.
const (
	maxFrames      = 4096
	maxUrgentBytes = 4 << 20
	maxBulkBytes   = 66 << 20
)

// item is a queued frame.
type item struct {
	frame   []byte
	appends int
}

// fifo is a list that is taken from at its front.
type fifo struct {
	items []item
	first int
	bytes int
}

func (f *fifo) len() int { return len(f.items) - f.first }

func (f *fifo) push(it item) {
	if f.first > 64 && f.first > len(f.items)/2 {
		n := copy(f.items, f.items[f.first:])
		clear(f.items[n:])
		f.items, f.first = f.items[:n], 0
	}
	f.items = append(f.items, it)
	f.bytes += len(it.frame)
}

func (f *fifo) front() *item { return &f.items[f.first] }

func (f *fifo) pop() item {
	it := f.items[f.first]
	f.items[f.first] = item{}
	f.first++
	f.bytes -= len(it.frame)
	if f.first == len(f.items) {
		f.items, f.first = f.items[:0], 0
	}
	return it
}

// queue holds the frames of one stream.
type queue struct {
	// ready has a token when there is something to take.
	ready chan struct{}

	mu           sync.Mutex
	urgent, bulk fifo
	// taken is how much of the front bulk frame has been taken.
	taken int
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// put adds a frame, and leaves it to the caller to wake who takes it. It returns
// one that was dropped, if one was: the frame itself from a full bulk lane, the
// oldest of a full urgent lane.
func (q *queue) put(it item, urgent bool) (dropped item, full bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f, most := &q.bulk, maxBulkBytes
	if urgent {
		f, most = &q.urgent, maxUrgentBytes
	}
	if f.len() >= maxFrames || (f.bytes+len(it.frame) > most && f.len() > 0) {
		if !urgent {
			return it, true
		}
		dropped, full = f.pop(), true
	}
	f.push(it)
	return dropped, full
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// size returns how much waits.
func (q *queue) size() (frames, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.urgent.len() + q.bulk.len(), q.urgent.bytes + q.bulk.bytes
}

// rewind has a frame of which only parts were taken begin anew.
func (q *queue) rewind() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = 0
	if q.urgent.len()+q.bulk.len() > 0 {
		q.wake()
	}
}

// clear drops everything and returns how many frames and appends that were.
func (q *queue) clear() (frames, appends int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range [...]*fifo{&q.urgent, &q.bulk} {
		for f.len() > 0 {
			appends += f.pop().appends
			frames++
		}
	}
	q.taken = 0
	select {
	case <-q.ready:
	default:
	}
	return frames, appends
}

// batch is what one write takes from a queue.
type batch struct {
	// pieces are heads and payloads of records, in order. Heads lie in heads,
	// which is never grown while pieces point to it.
	pieces         [][]byte
	heads          []byte
	bytes          int
	frames         int // that end in this batch
	frameBytes     int
	appends        int
	records, limit int
}

// Bounds of a batch. What is urgent waits for one batch at most; snapshots go in
// small ones, with a pause between them.
const (
	batchBytes    = 128 << 10
	snapshotBatch = 64 << 10
	batchRecords  = 256
)

func newBatch(limit int) *batch {
	return &batch{heads: make([]byte, 0, (batchRecords+2)*(recordHead+pingBytes)), limit: limit}
}

func (b *batch) reset() {
	clear(b.pieces)
	*b = batch{pieces: b.pieces[:0], heads: b.heads[:0], limit: b.limit}
}

func (b *batch) full() bool { return b.bytes >= b.limit || b.records >= batchRecords }

// add puts the head that was appended to heads since at, and data, behind the
// rest.
func (b *batch) add(at int, data []byte) {
	b.pieces = append(b.pieces, b.heads[at:len(b.heads):len(b.heads)])
	b.bytes += len(b.heads) - at + len(data)
	if len(data) > 0 {
		b.pieces = append(b.pieces, data)
	}
	b.records++
}

func (b *batch) ping(stamp uint64) {
	at := len(b.heads)
	b.heads = appendPing(b.heads, recordPing, stamp)
	b.add(at, nil)
}

func (b *batch) whole(it item) {
	at := len(b.heads)
	b.heads = appendRecordHead(b.heads, recordFrame, len(it.frame))
	b.add(at, it.frame)
	b.ended(it)
}

func (b *batch) ended(it item) {
	b.frames++
	b.frameBytes += len(it.frame)
	b.appends += it.appends
}

// part adds the next part of a frame of which taken bytes are gone.
func (b *batch) part(frame []byte, taken int) int {
	n := min(partBytes, len(frame)-taken)
	at := len(b.heads)
	if taken == 0 {
		b.heads = appendRecordHead(b.heads, recordBegin, 4+n)
		b.heads = binary.BigEndian.AppendUint32(b.heads, uint32(len(frame)))
	} else {
		b.heads = appendRecordHead(b.heads, recordMore, n)
	}
	b.add(at, frame[taken:taken+n])
	return n
}

// take fills b: what is urgent first, then as much bulk as fits.
func (q *queue) take(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.urgent.len() > 0 && !b.full() {
		b.whole(q.urgent.pop())
	}
	for q.bulk.len() > 0 && !b.full() {
		it := q.bulk.front()
		if len(it.frame) <= partBytes {
			b.whole(q.bulk.pop())
			continue
		}
		if q.taken += b.part(it.frame, q.taken); q.taken == len(it.frame) {
			b.ended(q.bulk.pop())
			q.taken = 0
		}
	}
}
