package consensus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/host"
)

// The range of latencies and their precision.
const (
	leastLatency = time.Microsecond
	mostLatency  = time.Minute
	digits       = 3
)

// load is a number of proposers that each ask one member for one thing after
// another.
type load struct {
	c    Case
	host *host.Host

	count     atomic.Int64
	measuring atomic.Bool
	ending    atomic.Bool
	mu        sync.Mutex
	latencies *hdrhistogram.Histogram
	err       error
}

// maxBuffered latencies of a proposer wait for the histogram that all share.
const maxBuffered = 256

// propose is one proposer's life.
func (l *load) propose(ctx context.Context, which int) {
	value := strings.Repeat("v", l.c.Value)
	buffer := make([]time.Duration, 0, maxBuffered)
	for i := which; !l.ending.Load(); i += l.c.Depth {
		var call api.Call
		if l.c.Work == Write {
			call = writeCall(i, value)
		} else {
			call = readCall(i)
		}
		began, measured := time.Now(), l.measuring.Load()
		if err := do(ctx, l.host, &call); err != nil {
			l.fail(err)
			break
		}
		l.count.Add(1)
		if !measured {
			continue
		}
		if buffer = append(buffer, time.Since(began)); len(buffer) == maxBuffered {
			l.record(buffer)
			buffer = buffer[:0]
		}
	}
	l.record(buffer)
}

// do carries out a call; all but a good answer is an error.
func do(ctx context.Context, h *host.Host, call *api.Call) error {
	switch a := h.Do(ctx, call); {
	case a.Status != consensus.Done:
		return fmt.Errorf("%s of %s ended %v: %s", call.Kind, call.Path, a.Status, a.Reason)
	case a.Err != nil:
		return fmt.Errorf("%s of %s: %w", call.Kind, call.Path, a.Err)
	}
	return nil
}

func (l *load) fail(err error) {
	l.ending.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
}

func (l *load) record(list []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range list {
		// What is out of range counts as the range's end.
		_ = l.latencies.RecordValue(int64(min(max(d, leastLatency), mostLatency)))
	}
}

// measureLoad runs one round of write or read on a cluster that has settled.
func measureLoad(ctx context.Context, cl *cluster, c Case, t Times) (Sample, error) {
	s := Sample{Pressure: pressure()}
	lead := cl.leader()
	if lead == nil {
		return s, errors.New("there is no leader")
	}
	l := &load{c: c, host: lead.host.Load(), latencies: hdrhistogram.New(int64(leastLatency), int64(mostLatency), digits)}
	if err := l.prepare(ctx); err != nil {
		return s, err
	}
	var proposers sync.WaitGroup
	for i := range c.Depth {
		proposers.Go(func() { l.propose(ctx, i) })
	}
	err := l.watch(ctx, cl, t, &s)
	l.ending.Store(true)
	proposers.Wait()
	if err = errors.Join(err, l.err); err != nil {
		return s, err
	}
	s.P50, s.P99, s.P999 = micros(l.latencies, 50), micros(l.latencies, 99), micros(l.latencies, 99.9)
	if err := poll(ctx, "members that agree", startWait, func() bool { return cl.agree() == nil }); err != nil {
		return s, errors.Join(err, cl.agree())
	}
	return s, s.plausible(c)
}

// prepare writes what reads are to find.
func (l *load) prepare(ctx context.Context) error {
	if l.c.Work != Read {
		return nil
	}
	var all sync.WaitGroup
	for i := range numKeys {
		all.Go(func() {
			call := writeCall(i, strings.Repeat("v", l.c.Value))
			if err := do(ctx, l.host, &call); err != nil {
				l.fail(err)
			}
		})
	}
	all.Wait()
	err := l.err
	l.err = nil
	l.ending.Store(false)
	return err
}

// watch waits for the round to pass and fills in what it took.
func (l *load) watch(ctx context.Context, cl *cluster, t Times, s *Sample) error {
	if err := pass(ctx, t.Warm); err != nil {
		return err
	}
	l.measuring.Store(true)
	before, n := cl.totals(), l.count.Load()
	from, err := readUsage()
	if err != nil {
		return err
	}
	if err := pass(ctx, t.Round); err != nil {
		return err
	}
	after := cl.totals()
	n = l.count.Load() - n
	to, err := readUsage()
	if err != nil {
		return err
	}
	if err := s.fill(from, to, int(n)); err != nil {
		return err
	}
	ops := float64(n)
	s.Frames = float64(after.frames-before.frames) / ops
	s.Sent = float64(after.sent-before.sent) / ops
	s.Syncs = float64(after.syncs-before.syncs) / ops
	if n := after.logged - before.logged; n > 0 {
		s.SyncTime = float64((after.inSync - before.inSync).Microseconds()) / float64(n)
	}
	s.Changes = after.term - before.term
	return nil
}

// pass waits.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// micros returns a latency in microseconds.
func micros(h *hdrhistogram.Histogram, q float64) float64 {
	return float64(h.ValueAtQuantile(q)) / float64(time.Microsecond)
}

// plausible refuses figures that would mean that somebody was told of a write
// before a majority had it on the disk: one sync covers the commands under way
// at most.
func (s *Sample) plausible(c Case) error {
	if c.Work == Read {
		return nil
	}
	if least := float64(c.Members/2+1) / float64(c.Depth) / 2; s.Syncs < least {
		return fmt.Errorf("%.4f log syncs a command; %d proposers need %.4f at least, so answers came before their syncs", s.Syncs, c.Depth, least)
	}
	return nil
}
