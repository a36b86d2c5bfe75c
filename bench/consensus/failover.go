package consensus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"drydock/node/consensus"
	"drydock/node/host"
)

// Ending is how a leader goes.
type Ending string

// A leader crashes or hands over.
const (
	// Crash cuts the leader's links and stops it between two steps.
	Crash Ending = "crash"
	// Handover asks it to give the office to another member.
	Handover Ending = "handover"
)

// Failovers are the gaps that the going of leaders left in one cluster.
type Failovers struct {
	Work      Ending  `json:"work"`
	Members   int     `json:"members"`
	Storage   Storage `json:"storage"`
	Links     Links   `json:"links"`
	Heartbeat float64 `json:"heartbeatMillis"`
	Election  float64 `json:"electionMillis"`
	// Gaps are in milliseconds, in order: of a crash from the cut to the next
	// acknowledged write, of a handover the longest time without one.
	Gaps []float64 `json:"gapMillis"`
	// Terms is how many terms each took: more than one means that an election was
	// lost or that there was one too many.
	Terms []uint64 `json:"terms"`
}

// Quantile returns the gap, in milliseconds, below which a share q of them lies.
func (f *Failovers) Quantile(q float64) float64 {
	if len(f.Gaps) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(f.Gaps))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

// Failover makes trials of one ending on a cluster like c's. Progress is told of
// each trial. What was measured until an error is returned with it.
func (r *Run) Failover(ctx context.Context, c Case, ending Ending, trials int, progress func(trial int)) (f Failovers, err error) {
	f = Failovers{
		Work: ending, Members: c.Members, Storage: c.Storage, Links: c.Links,
		Heartbeat: millis(r.Timers.Heartbeat), Election: millis(r.Timers.Election),
	}
	cl, err := r.startCluster(ctx, c)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, cl.close()) }()
	moments := rand.New(rand.NewPCG(r.Seed, uint64(c.Members)))
	for trial := range trials {
		progress(trial)
		// Any moment between two heartbeats may be the one.
		if err := pass(ctx, time.Duration(moments.Int64N(int64(2*r.Timers.Heartbeat)))); err != nil {
			return f, err
		}
		gap, terms, err := cl.trial(ctx, ending)
		if err != nil {
			return f, fmt.Errorf("trial %d of %d: %w", trial+1, trials, err)
		}
		f.Gaps, f.Terms = append(f.Gaps, millis(gap)), append(f.Terms, terms)
	}
	return f, nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// trial makes the leader go and has the cluster whole again afterwards.
func (cl *cluster) trial(ctx context.Context, ending Ending) (gap time.Duration, terms uint64, err error) {
	lead := cl.leader()
	if lead == nil {
		return 0, 0, errors.New("there is no leader")
	}
	before := lead.host.Load().Leadership().Role.Term
	if ending == Crash {
		gap, err = cl.crash(ctx, lead)
	} else {
		gap, err = cl.handover(ctx, lead)
	}
	if err != nil {
		return 0, 0, err
	}
	if err := cl.settle(ctx); err != nil {
		return 0, 0, err
	}
	return gap, cl.leader().host.Load().Leadership().Role.Term - before, nil
}

// crash takes the leader away, times the first write that another member
// acknowledges, and brings the former leader back.
func (cl *cluster) crash(ctx context.Context, lead *member) (time.Duration, error) {
	ctx, stop := context.WithTimeout(ctx, startWait)
	defer stop()
	began := time.Now()
	lead.link.cut.Store(true)
	stopped := make(chan error, 1)
	go func() { stopped <- lead.stop() }()
	acknowledged := make(chan time.Duration, len(cl.members))
	for _, m := range cl.members {
		if m == lead {
			continue
		}
		go func() { acknowledged <- m.firstWrite(ctx, began) }()
	}
	var gap time.Duration
	for range len(cl.members) - 1 {
		if d := <-acknowledged; d > 0 && (gap == 0 || d < gap) {
			gap = d
		}
	}
	if err := <-stopped; err != nil {
		return 0, err
	}
	if gap == 0 {
		return 0, fmt.Errorf("no write was acknowledged in %v", startWait)
	}
	return gap, cl.start(lead)
}

// firstWrite writes until a write is acknowledged, and returns how long that took
// from a moment on; 0 if none was.
func (m *member) firstWrite(ctx context.Context, from time.Time) time.Duration {
	for i := 0; ctx.Err() == nil; i++ {
		call := writeCall(i, "after")
		if m.host.Load().Do(ctx, &call).Status == consensus.Done {
			return time.Since(from)
		}
	}
	return 0
}

// handover has the leader hand over to another member while a client of a third
// goes on writing; it returns the longest time without an acknowledged write.
func (cl *cluster) handover(ctx context.Context, lead *member) (time.Duration, error) {
	at := slices.Index(cl.members, lead)
	heir := cl.members[(at+1)%len(cl.members)]
	w := &writer{host: cl.members[(at+2)%len(cl.members)].host.Load()}
	ctx, stop := context.WithTimeout(ctx, startWait)
	defer stop()
	var writing sync.WaitGroup
	writing.Go(func() { w.run(ctx) })
	err := poll(ctx, "writes before", startWait, func() bool { return w.written() >= someWrites })
	if err == nil {
		if a := lead.host.Load().Transfer(ctx, heir.id); a.Status != consensus.Done {
			err = fmt.Errorf("the leader would not hand over: %s", a.Reason)
		}
	}
	if err == nil {
		err = poll(ctx, "another leader", startWait, func() bool { m := cl.leader(); return m != nil && m != lead })
	}
	if err == nil {
		enough := w.written() + someWrites
		err = poll(ctx, "writes afterwards", startWait, func() bool { return w.written() >= enough })
	}
	stop()
	writing.Wait()
	return w.longest, err
}

// someWrites are enough to say that writes flow.
const someWrites = 5

// writer writes one thing after another.
type writer struct {
	host    *host.Host
	mu      sync.Mutex
	count   int
	longest time.Duration // read when run has ended
}

func (w *writer) written() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

func (w *writer) run(ctx context.Context) {
	last := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		call := writeCall(i, "during")
		if w.host.Do(ctx, &call).Status != consensus.Done {
			continue
		}
		now := time.Now()
		if i > 0 {
			w.longest = max(w.longest, now.Sub(last))
		}
		last = now
		w.mu.Lock()
		w.count++
		w.mu.Unlock()
	}
}
