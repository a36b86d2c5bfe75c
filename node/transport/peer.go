package transport

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"drydock/node/wire"
	"drydock/node/world"
)

// peer is another member: its addresses, the two streams to it, and what is
// known of both directions.
type peer struct {
	t     *Transport
	id    world.MemberID
	entry atomic.Pointer[Peer]
	// guest is set while the member is in the book only because it called.
	guest atomic.Bool

	messages, snapshots *stream

	ctx     context.Context // done when the streams are to end
	stop    context.CancelFunc
	endOnce sync.Once
	why     string // why they end; set before ctx is done

	// life is the last known life of the member's process; zero if unknown.
	life           atomic.Uint64
	latency        latency
	sent, received flow
	lost           lost
}

func newPeer(t *Transport, entry Peer, guest bool) *peer {
	p := &peer{t: t, id: entry.ID, why: errClosed.Error()}
	p.ctx, p.stop = context.WithCancel(t.ctx)
	entry.URLs = slices.Clone(entry.URLs)
	p.entry.Store(&entry)
	p.guest.Store(guest)
	p.messages = newStream(p, streamMessages)
	p.snapshots = newStream(p, streamSnapshots)
	t.wait.Go(p.messages.run)
	t.wait.Go(p.snapshots.run)
	return p
}

// readdress gives the peer a new entry, and has it dialled anew if its address
// has gone.
func (p *peer) readdress(entry Peer) {
	old := p.entry.Load()
	p.guest.Store(false)
	entry.URLs = slices.Clone(entry.URLs)
	p.entry.Store(&entry)
	if slices.Equal(old.URLs, entry.URLs) {
		return
	}
	for _, s := range p.streams() {
		if l := s.link.Load(); l != nil && !slices.Contains(entry.URLs, l.url) {
			l.fail(errMoved)
		}
		s.dialNow()
	}
}

var errMoved = errors.New("the member's address has changed")

// errClosed is why streams end without another reason.
var errClosed = errors.New("the transport was closed")

// errRestarted ends a connection whose other end is known to be gone.
var errRestarted = errors.New("the member has restarted")

// called is told that the member has connected here in the named life. So it can
// be reached, most likely, and a connection to a former life is of no use.
func (p *peer) called(life uint64) {
	p.life.Store(life)
	for _, s := range p.streams() {
		if l := s.link.Load(); l != nil && l.life != life {
			l.fail(errRestarted)
		}
		s.dialNow()
	}
}

func (p *peer) streams() [2]*stream { return [...]*stream{p.messages, p.snapshots} }

// end stops the streams without waiting for them.
func (p *peer) end(why string) {
	p.endOnce.Do(func() {
		p.why = why
		p.stop()
		for _, s := range p.streams() {
			if l := s.link.Load(); l != nil {
				_ = l.conn.SetWriteDeadline(time.Now().Add(p.t.t.farewell))
			}
		}
	})
}

// send queues a frame, or drops it.
func (p *peer) send(frame []byte) {
	where, appends := sortFrame(frame)
	it := item{frame: frame, appends: appends}
	if len(frame) > wire.MaxFrameBytes {
		p.drop(&p.lost.large, 1, appends)
		return
	}
	s := p.messages
	if where == laneSnapshot {
		s = p.snapshots
	}
	if s.down.Load() {
		p.drop(&p.lost.unreachable, 1, appends)
		return
	}
	if dropped, full := s.q.put(it, where == laneUrgent); full {
		p.drop(&p.lost.full, 1, dropped.appends)
	}
	if !s.direct() {
		s.q.wake()
	}
}

// drop counts frames that were dropped.
func (p *peer) drop(why *atomic.Uint64, frames, appends int) {
	why.Add(uint64(frames))
	p.lost.appends.Add(uint64(appends))
}
