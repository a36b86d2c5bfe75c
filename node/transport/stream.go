package transport

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"
)

// stream is one direction of one kind to one member: a queue, and a goroutine
// that dials and writes.
type stream struct {
	p    *peer
	name string
	q    *queue
	pace *pacer // of a snapshot stream, else nil

	// link is the connection; nil while there is none.
	link atomic.Pointer[link]
	// down is set, for messages, from a failed dialling until one that succeeds.
	down atomic.Bool
	// reason is why it is down, or went down last.
	reason atomic.Pointer[string]
	// again has a token when dialling should not wait any longer.
	again chan struct{}

	said string // what was logged last; the goroutine's own
	url  int    // which of the peer's URLs was good last
}

func newStream(p *peer, name string) *stream {
	s := &stream{p: p, name: name, q: newQueue(), again: make(chan struct{}, 1)}
	if name == streamSnapshots {
		s.pace = newPacer(p.t.o.SnapshotRate, p.messages.q)
	}
	return s
}

// dialNow ends a wait before the next dialling.
func (s *stream) dialNow() {
	select {
	case s.again <- struct{}{}:
	default:
	}
}

// run dials and pumps until the peer ends.
func (s *stream) run() {
	var b backoff
	for s.before(&b) {
		l, err := s.dial()
		if err != nil {
			s.failed(err)
			continue
		}
		s.up(l)
		err = s.pump(l)
		s.link.Store(nil)
		l.close()
		s.q.rewind()
		if time.Since(l.since) >= s.p.t.t.steady {
			b = backoff{}
		}
		s.ended(l, err)
	}
	frames, appends := s.q.clear()
	s.p.drop(&s.p.lost.unreachable, frames, appends)
}

// before waits until it is time to dial. It returns false at the end.
func (s *stream) before(b *backoff) bool {
	select {
	case <-s.p.ctx.Done():
		return false
	default:
	}
	if wait := b.step(&s.p.t.t); wait > 0 {
		late := time.NewTimer(wait)
		defer late.Stop()
		select {
		case <-late.C:
		case <-s.again:
		case <-s.p.ctx.Done():
			return false
		}
	}
	if s.pace == nil {
		return true
	}
	// Snapshots are rare: their connection comes when one is to be sent.
	select {
	case <-s.q.ready:
		s.q.wake()
		return true
	case <-s.p.ctx.Done():
		return false
	}
}

// up notes a connection.
func (s *stream) up(l *link) {
	s.link.Store(l)
	s.down.Store(false)
	s.p.life.Store(l.life)
	if s.pace == nil {
		s.p.t.log.Info("connected to member", s.p.who("url", l.url, "release", l.release)...)
	}
	s.said = ""
}

// ended notes the end of a connection.
func (s *stream) ended(l *link, err error) {
	text := plain(err)
	s.reason.Store(&text)
	select {
	case <-s.p.ctx.Done():
		return
	default:
	}
	if s.pace == nil && !errors.Is(err, errIdle) {
		s.p.t.log.Warn("lost connection to member", s.p.who("url", l.url, "reason", text)...)
		s.said = text
	}
}

// failed notes an attempt that came to nothing.
func (s *stream) failed(err error) {
	s.down.Store(s.pace == nil)
	text := plain(err)
	s.reason.Store(&text)
	frames, appends := s.q.clear()
	s.p.drop(&s.p.lost.unreachable, frames, appends)
	select {
	case <-s.p.ctx.Done():
		return
	default:
	}
	var refusal *Refusal
	// One that stops, or has too many callers, will have us in a while.
	refused := errors.As(err, &refusal) && refusal.Why != WhyBusy
	// The first failure is said, and every refusal for another reason; what
	// follows a loss is its consequence.
	consequence := s.said != "" && (!refused || s.said == text)
	if consequence || s.pace != nil && s.p.messages.link.Load() == nil {
		s.p.t.log.Debug("can't connect to member", s.p.who("stream", s.name, "reason", text)...)
		return
	}
	s.said = text
	s.p.t.log.Warn("can't connect to member", s.p.who("stream", s.name, "reason", text)...)
	if refused && s.p.t.o.OnRefused != nil {
		s.p.t.o.OnRefused(s.p.id, refusal)
	}
}

// who names the peer in a log.
func (p *peer) who(more ...any) []any {
	who := []any{"member", hex(uint64(p.id))}
	if name := p.entry.Load().Name; name != "" {
		who = append(who, "name", name)
	}
	return append(who, more...)
}

// plain makes the usual ends of a connection readable.
func plain(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the other side hung up"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing was heard in time"
	}
	return printable(err.Error())
}

// errIdle ends a snapshot stream that has nothing to send.
var errIdle = errors.New("idle")

// pump writes what is queued, and pings, until the connection or the peer ends.
func (s *stream) pump(l *link) error {
	t := s.p.t
	t.wait.Go(func() { s.listen(l) })
	// Frames take a ping along when one is nearly due; the timer is for quiet.
	quiet := time.NewTimer(t.t.ping)
	defer quiet.Stop()
	b := newBatch(batchBytes)
	if s.pace != nil {
		b.limit = snapshotBatch
	}
	busy := time.Now()
	for {
		ping := false
		select {
		case <-l.broken:
			return l.err
		case <-s.p.ctx.Done():
			return s.farewell(l, b)
		case <-quiet.C:
			if left := t.t.ping - l.sincePing(); left > 0 {
				quiet.Reset(left)
				continue
			}
			quiet.Reset(t.t.ping)
			ping = true
		case <-s.q.ready:
			busy = time.Now()
		}
		if s.pace != nil && time.Since(busy) > t.t.idle {
			return errIdle
		}
		if err := s.flush(l, b, ping); err != nil {
			return err
		}
	}
}

// flush writes until the queue is empty.
func (s *stream) flush(l *link, b *batch, ping bool) error {
	for {
		if s.pace != nil && !s.pace.wait(s.p.ctx.Done(), l.broken) {
			return nil
		}
		wrote, err := s.writeBatch(l, b, ping)
		if err != nil || !wrote {
			return err
		}
		ping = false
	}
}

// writeBatch writes what one batch takes from the queue, if anything.
func (s *stream) writeBatch(l *link, b *batch, ping bool) (wrote bool, err error) {
	l.turn.Lock()
	defer l.turn.Unlock()
	s.fill(l, b, ping)
	if len(b.pieces) == 0 && len(l.rest) == 0 {
		return false, nil
	}
	return true, s.write(l, b)
}

// fill takes what is queued into b, and adds a ping if one is wanted or nearly due.
// The caller has the link's turn.
func (s *stream) fill(l *link, b *batch, ping bool) {
	b.reset()
	s.q.take(b)
	now := time.Now()
	l.unpinged += b.bytes
	since := now.Sub(l.pinged)
	if ping || l.unpinged > 0 && since > s.p.t.t.ping*3/4 || l.unpinged >= batchBytes && since > 20*time.Millisecond {
		b.ping(s.p.t.stamp())
		l.unpinged, l.pinged = 0, now
	}
}

// write sends a batch and counts it.
func (s *stream) write(l *link, b *batch) error {
	err := l.write(s.p.ctx, b, &s.p.t.t)
	if err != nil {
		s.p.drop(&s.p.lost.broken, b.frames, b.appends)
		return err
	}
	s.p.sent.add(b.frames, b.appends, b.frameBytes)
	s.p.t.sent.add(b.frames, b.appends, b.frameBytes)
	if s.pace != nil {
		s.pace.spend(b.bytes)
	}
	return nil
}

// listen takes what the other side sends back.
func (s *stream) listen(l *link) {
	defer close(l.heard)
	rr := recordReader{r: l.in}
	for {
		if err := l.conn.SetReadDeadline(time.Now().Add(s.p.t.t.stall)); err != nil {
			l.fail(err)
			return
		}
		select {
		case <-l.broken: // fail's deadline may have been set before ours
			return
		default:
		}
		ev, err := rr.next()
		switch {
		case err != nil:
			l.fail(err)
			return
		case ev.kind != recordPong:
			l.fail(errStream)
			return
		case s.pace == nil:
			s.p.latency.add(time.Duration(s.p.t.stamp() - ev.stamp))
		}
	}
}

// farewell sends what is queued and says goodbye, for a moment.
func (s *stream) farewell(l *link, b *batch) error {
	err := errors.New(s.p.why)
	limit := time.Now().Add(s.p.t.t.farewell)
	for s.pace == nil && time.Now().Before(limit) {
		wrote, failed := s.writeBatch(l, b, false)
		if failed != nil {
			return err
		}
		if !wrote {
			break
		}
	}
	b.reset()
	b.pieces = append(b.pieces, appendBye(nil, s.p.why))
	l.turn.Lock()
	failed := l.write(s.p.ctx, b, &s.p.t.t)
	l.turn.Unlock()
	if failed != nil {
		return err
	}
	// The other side hangs up when it has read that far.
	late := time.NewTimer(time.Until(limit))
	defer late.Stop()
	select {
	case <-l.heard:
	case <-late.C:
	}
	return err
}

// backoff spaces attempts: the first repetition comes at once.
type backoff struct {
	tried int
	wait  time.Duration
}

// step returns how long to wait before the next attempt.
func (b *backoff) step(t *timing) time.Duration {
	b.tried++
	if b.tried <= 2 {
		return 0
	}
	b.wait = min(max(2*b.wait, t.backoffLeast), t.backoffMax)
	return b.wait/2 + rand.N(b.wait/2+1)
}
