package transport

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// directBytes bounds what is written by who sends it.
const directBytes = 64 << 10

// direct writes what is queued by the caller's own hand, as far as the connection
// takes it at once: that spares waking the stream's goroutine, which costs more than
// the write of a small frame. It never blocks. False says that the stream's goroutine
// has to be woken.
func (s *stream) direct() bool {
	l := s.link.Load()
	if l == nil || l.raw == nil || s.pace != nil || !l.turn.TryLock() {
		return false
	}
	defer l.turn.Unlock()
	if _, bytes := s.q.size(); bytes > directBytes || len(l.rest) > 0 {
		return false
	}
	// A deadline that has passed would have the write fail.
	now := time.Now()
	if limit := s.p.t.t.stall; l.deadline.Sub(now) < limit/2 {
		l.deadline = now.Add(limit)
		if l.conn.SetWriteDeadline(l.deadline) != nil {
			return false
		}
	}
	select {
	case <-l.broken: // fail closes it, and then sets a deadline in the past
		return false
	default:
	}
	s.fill(l, l.short, false)
	if len(l.short.pieces) == 0 {
		return true
	}
	return s.push(l, l.short)
}

// push writes b without waiting, and leaves the rest to the stream's goroutine.
func (s *stream) push(l *link, b *batch) bool {
	l.joined = l.joined[:0]
	for _, piece := range b.pieces {
		l.joined = append(l.joined, piece...)
	}
	frames, appends, size := b.frames, b.appends, b.frameBytes
	b.reset()
	n, failed := 0, error(nil)
	err := l.raw.Write(func(fd uintptr) bool {
		n, failed = writeNow(int(fd), l.joined)
		return true
	})
	if err == nil && failed != nil && !errors.Is(failed, unix.EAGAIN) {
		err = failed
	}
	if err != nil {
		s.p.drop(&s.p.lost.broken, frames, appends)
		l.fail(err)
		return true // the goroutine hears of it by the link
	}
	s.p.sent.add(frames, appends, size)
	s.p.t.sent.add(frames, appends, size)
	l.rest = l.joined[n:]
	return len(l.rest) == 0
}

// sincePing is how long ago the last ping went out.
func (l *link) sincePing() time.Duration {
	l.turn.Lock()
	defer l.turn.Unlock()
	return time.Since(l.pinged)
}
