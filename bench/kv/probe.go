package kv

import (
	"context"
	"slices"
	"sync"
	"time"

	"drydock/bench/load"
)

// Pace and bounds of a probe.
const (
	// writeEach is the time between two writes: what a gap can't be told from.
	writeEach = 5 * time.Millisecond
	// mostOpen bounds the writes without an answer.
	mostOpen = 4000
	// writePatience is how long one write waits for its answer.
	writePatience = 20 * time.Second
)

// ack is an acknowledged write. Times count from the probe's begin.
type ack struct{ sent, acked time.Duration }

// probe writes at a steady pace, each write over a connection of its own and
// without regard to those before it: a client that waits for an answer that never
// comes says nothing of when the cluster came back.
type probe struct {
	begin  time.Time
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu   sync.Mutex
	acks []ack
	news chan struct{} // closed and replaced with each acknowledgment
}

func startProbe(ctx context.Context, addrs []string) *probe {
	ctx, cancel := context.WithCancel(ctx)
	p := &probe{begin: time.Now(), cancel: cancel, news: make(chan struct{})}
	open := make(chan struct{}, mostOpen)
	p.group.Go(func() {
		t := time.NewTicker(writeEach)
		defer t.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
			select {
			case open <- struct{}{}:
				p.group.Go(func() { p.write(ctx, addrs[i%len(addrs)]); <-open })
			default: // as many as can be wait already
			}
		}
	})
	return p
}

// stop ends the probe; more than once is as well.
func (p *probe) stop() {
	p.cancel()
	p.group.Wait()
}

func (p *probe) now() time.Duration { return time.Since(p.begin) }

// write sends one write and notes its acknowledgment. What goes wrong is not noted:
// that a write was not acknowledged is what is measured.
func (p *probe) write(ctx context.Context, addr string) {
	client, err := load.Dial(ctx, addr)
	if err != nil {
		return
	}
	defer func() { _ = client.Close() }()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	sent := p.now()
	a, err := client.Do(appendForm(nil, "PUT", addr, []byte(keyDir+"probe"), []byte("x")), writePatience)
	if err != nil || expect(&a, `{"action":"set"`, 0) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acks = append(p.acks, ack{sent, p.now()})
	close(p.news)
	p.news = make(chan struct{})
}

// firstSentAfter waits for the acknowledgment of a write that was sent after an
// instant and returns when that came.
func (p *probe) firstSentAfter(ctx context.Context, at time.Duration) (time.Duration, error) {
	for from := 0; ; {
		p.mu.Lock()
		news, fresh := p.news, p.acks[from:]
		from = len(p.acks)
		for _, a := range fresh {
			if a.sent > at {
				p.mu.Unlock()
				return a.acked, nil
			}
		}
		p.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return 0, errNoWrite
		}
	}
}

// longestGap returns the longest time without an acknowledgment between two
// instants; the time up to the first and after the last one counts.
func (p *probe) longestGap(from, to time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var times []time.Duration
	for _, a := range p.acks {
		if a.acked > from && a.acked < to {
			times = append(times, a.acked)
		}
	}
	slices.Sort(times)
	longest, last := time.Duration(0), from
	for _, t := range append(times, to) {
		longest, last = max(longest, t-last), t
	}
	return longest
}
