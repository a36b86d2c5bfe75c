package transport

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"drydock/node/world"
)

// Latency describes round trips: from a ping's turn in the queue to its answer.
type Latency struct {
	Current, Average, StdDev, Min, Max time.Duration
	// Samples is how many round trips were measured.
	Samples uint64
}

// Traffic counts frames that went one way.
type Traffic struct {
	// Appends are raft's append messages among the frames.
	Frames, Appends, Bytes uint64
	// AppendRate and ByteRate are per second over the last ten.
	AppendRate, ByteRate float64
}

// Losses counts frames that were dropped, by cause.
type Losses struct {
	Full        uint64 // the queue was full
	Unreachable uint64 // there was no connection and dialling failed
	Broken      uint64 // the connection broke while they were written
	Large       uint64 // larger than a frame may be
	Foreign     uint64 // came in for another cluster or member, or in another's name
	Stranger    uint64 // to go to a member that isn't in the address book
}

// PeerStats is what is known of one member's connections.
type PeerStats struct {
	ID   world.MemberID
	Name string
	// Connected says that the stream of messages to it is there, since Since, at
	// URL. Otherwise Reason says why not.
	Connected bool
	Since     time.Time
	URL       string
	Release   string
	Reason    string
	// Calls says that a stream of messages comes in from it.
	Calls bool
	// Guest says that it is not in the address book.
	Guest   bool
	Latency Latency
	// Success and Fail count append messages that were sent and that were
	// dropped.
	Success, Fail  uint64
	Sent, Received Traffic
	Lost           Losses
	// QueuedFrames and QueuedBytes wait to be sent.
	QueuedFrames, QueuedBytes int
}

// Totals is the traffic with all members since New.
type Totals struct {
	Sent, Received Traffic
	Lost           Losses
	// Refused counts handshakes that were refused here.
	Refused uint64
	// Inbound is how many connections have come in and are open.
	Inbound int
}

// Totals returns the sums over all members, past ones included; losses are those
// of members in the address book.
func (t *Transport) Totals() Totals {
	sum := Totals{Sent: t.sent.read(), Received: t.received.read(), Lost: t.lost.read(), Refused: t.refused.Load()}
	for _, p := range *t.book.Load() {
		l := p.lost.read()
		sum.Lost.Full += l.Full
		sum.Lost.Unreachable += l.Unreachable
		sum.Lost.Broken += l.Broken
		sum.Lost.Large += l.Large
		sum.Lost.Foreign += l.Foreign
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sum.Inbound = len(t.inbound)
	return sum
}

func (p *peer) describe() PeerStats {
	entry := p.entry.Load()
	s := PeerStats{
		ID: p.id, Name: entry.Name, Guest: p.guest.Load(), Latency: p.latency.read(),
		Sent: p.sent.read(), Received: p.received.read(), Lost: p.lost.read(), Fail: p.lost.appends.Load(),
	}
	s.Success = s.Sent.Appends
	if l := p.messages.link.Load(); l != nil {
		s.Connected, s.Since, s.URL, s.Release = true, l.since, l.url, l.release
	} else if reason := p.messages.reason.Load(); reason != nil {
		s.Reason = *reason
	}
	for _, st := range p.streams() {
		frames, bytes := st.q.size()
		s.QueuedFrames += frames
		s.QueuedBytes += bytes
	}
	p.t.mu.Lock()
	s.Calls = p.t.inbound[inboundKey{p.id, streamMessages}] != nil
	p.t.mu.Unlock()
	return s
}

// lost counts what was dropped.
type lost struct {
	full, unreachable, broken, large, foreign, stranger atomic.Uint64

	appends atomic.Uint64
}

func (l *lost) read() Losses {
	return Losses{
		Full: l.full.Load(), Unreachable: l.unreachable.Load(), Broken: l.broken.Load(),
		Large: l.large.Load(), Foreign: l.foreign.Load(), Stranger: l.stranger.Load(),
	}
}

// window is over how many seconds rates are taken.
const window = 10

// flow counts frames that go one way.
type flow struct {
	mu      sync.Mutex
	all     Traffic
	seconds [window]struct {
		at             int64 // unix time; slots of other times are empty
		appends, bytes uint64
	}
}

func (f *flow) add(frames, appends, bytes int) {
	now := time.Now().Unix()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all.Frames += uint64(frames)
	f.all.Appends += uint64(appends)
	f.all.Bytes += uint64(bytes)
	s := &f.seconds[now%window]
	if s.at != now {
		s.at, s.appends, s.bytes = now, 0, 0
	}
	s.appends += uint64(appends)
	s.bytes += uint64(bytes)
}

func (f *flow) read() Traffic {
	now := time.Now().Unix()
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.all
	for _, s := range f.seconds {
		if now-s.at < window {
			t.AppendRate += float64(s.appends) / window
			t.ByteRate += float64(s.bytes) / window
		}
	}
	return t
}

// faded is how many samples a mean remembers: older ones fade.
const faded = 512

// latency keeps a running mean and deviation.
type latency struct {
	mu   sync.Mutex
	l    Latency
	mean float64
	m2   float64 // mean square of the deviation
}

func (l *latency) add(d time.Duration) {
	d = max(d, 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.l.Samples == 0 {
		l.l.Min, l.l.Max = d, d
	}
	l.l.Samples++
	l.l.Current, l.l.Min, l.l.Max = d, min(l.l.Min, d), max(l.l.Max, d)
	share := 1 / float64(min(l.l.Samples, faded))
	delta := float64(d) - l.mean
	l.mean += share * delta
	l.m2 = (1 - share) * (l.m2 + share*delta*delta)
}

func (l *latency) read() Latency {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.l
	out.Average, out.StdDev = time.Duration(l.mean), time.Duration(math.Sqrt(l.m2))
	return out
}
