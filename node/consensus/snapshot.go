package consensus

import (
	"time"

	"drydock/node/wire"
	"drydock/node/world"
)

// Flow control of snapshot streams.
const (
	// SnapWindow is how many chunks may be unacknowledged.
	SnapWindow = 4
	// snapGiveUp is how many silent periods end a transfer.
	snapGiveUp = 8
)

// Sender is one snapshot on its way to one member. It decides what to read and
// send next; reading and sending are the node's.
//
// Invariant: acked <= next <= total, and at most SnapWindow chunks lie between
// acked and next.
type Sender struct {
	To     world.MemberID
	Stream uint64 // index of the snapshot's last entry
	Term   uint64 // the sender's term when it began

	total, acked, next uint64
	chunk              uint64
	retryAfter         time.Duration
	lastProgress       time.Duration
	silent             int
}

// NewSender starts a transfer of total bytes in pieces of chunk bytes.
// RetryAfter is how long it waits for an acknowledgement before it sends again.
func NewSender(to world.MemberID, stream, term, total, chunk uint64, now, retryAfter time.Duration) *Sender {
	return &Sender{To: to, Stream: stream, Term: term, total: total, chunk: chunk, retryAfter: retryAfter, lastProgress: now}
}

// Total returns the length of the stream in bytes.
func (s *Sender) Total() uint64 { return s.total }

// Want returns the next piece to read and send, if the window allows one.
func (s *Sender) Want() (offset uint64, n int, ok bool) {
	if s.next >= s.total || s.next-s.acked >= SnapWindow*s.chunk {
		return 0, 0, false
	}
	offset = s.next
	size := min(s.chunk, s.total-s.next)
	s.next += size
	return offset, int(size), true
}

// Ack takes the receiver's word. An offset behind what was sent asks for a
// repetition from there. Any word shows that the receiver lives: it may be
// verifying a large file.
func (s *Sender) Ack(a *wire.SnapAck, now time.Duration) {
	s.silent = 0
	if a.Offset > s.acked && a.Offset <= s.total {
		s.acked, s.lastProgress = a.Offset, now
		s.next = max(s.next, s.acked)
	}
}

// Tick repeats from the last acknowledged byte after a silence. It reports
// whether the transfer has been silent for too long.
func (s *Sender) Tick(now time.Duration) (giveUp bool) {
	if now-s.lastProgress < s.retryAfter {
		return false
	}
	s.lastProgress, s.next = now, s.acked
	s.silent++
	return s.silent >= snapGiveUp
}

// Receiver is one snapshot that comes in. Pieces are taken in order, a window's
// worth of them at once.
//
// Invariant: what is below written is on disk as far as a process crash goes,
// what lies between written and next is being written, in order.
type Receiver struct {
	From   world.MemberID
	Stream uint64
	Term   uint64
	Total  uint64

	written, next uint64
	pieces        int
}

// Busy says that pieces are being written.
func (r *Receiver) Busy() bool { return r.pieces > 0 }

// Take decides about a chunk: write says to write it behind those that are
// being written; otherwise reply, if not nil, goes back at once.
func (r *Receiver) Take(c *wire.SnapChunk) (write bool, reply *wire.SnapAck) {
	if c.Offset != r.next || len(c.Data) == 0 || uint64(len(c.Data)) > r.Total-r.next || r.pieces >= SnapWindow {
		// Lost, repeated or too early: the sender learns where to go on.
		return false, &wire.SnapAck{Stream: r.Stream, Offset: r.written}
	}
	r.next += uint64(len(c.Data))
	r.pieces++
	return true, nil
}

// Wrote tells that the next n bytes were written. It reports whether the stream
// is complete.
func (r *Receiver) Wrote(n int) (ack *wire.SnapAck, complete bool) {
	r.pieces--
	r.written += uint64(n)
	return &wire.SnapAck{Stream: r.Stream, Offset: r.written}, r.written == r.Total
}
