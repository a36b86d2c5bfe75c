package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Work makes the requests of a run and judges the answers. Calls for one
// connection come one after the other; those of connections that different workers
// have may come at once.
type Work interface {
	// Append appends the next request of a connection to b. Nothing appended
	// means that the connection waits until another's verdict wakes it, which
	// takes a single worker. Now counts from the run's begin.
	Append(b []byte, conn int, now time.Duration) []byte
	// Judge looks at an answer. An error fails the run.
	Judge(conn int, a *Answer) (Verdict, error)
}

// Verdict is what an answer was.
type Verdict struct {
	// Silent answers are no operations: they don't count, and have no latency.
	Silent bool
	// Since, if above 0, is what the latency counts from, instead of the instant
	// at which the request was due.
	Since time.Duration
	// Wake offers the connections that wait a request again.
	Wake bool
}

// Options say what to run.
type Options struct {
	// Addrs are the servers, as IP:port. Connection i goes to Addrs[i%len(Addrs)].
	Addrs []string
	// Conns is how many connections there are.
	Conns int
	// Workers is how many goroutines, each with a thread, share them (default 1).
	Workers int
	// Rate is how many requests are due a second, all connections together; 0 is
	// the closed loop.
	Rate float64
	// Warmup passes before anything counts, Duration is how long it does then.
	Warmup, Duration time.Duration
	Work             Work
	// Begin and End, if not nil, are called where the counted window begins and
	// ends. An error of theirs fails the run.
	Begin, End func() error

	_ struct{}
}

// Result is what came of a run.
type Result struct {
	// Ops is how many operations were completed in the window, Elapsed how long
	// that was.
	Ops     int64
	Elapsed time.Duration
	// Latency has those operations of a closed loop, and of an open loop those
	// that were due in the window.
	Latency *Latency
	// Unanswered is how many were due in the window of an open loop and had no
	// answer at its end. Latency has them with their age.
	Unanswered int64
}

// phases of a run.
const (
	warming int32 = iota
	counting
	over
)

// run is what the workers of a run share.
type run struct {
	Options
	base  time.Time
	phase atomic.Int32
	// began and ended are the counted window, set before the phase that follows.
	began, ended time.Duration
	failed       context.CancelCauseFunc
}

func (r *run) now() time.Duration { return time.Since(r.base) }

// Run puts load on servers and returns what it measured.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Workers == 0 {
		o.Workers = 1
	}
	o.Workers = min(o.Workers, o.Conns)
	if len(o.Addrs) == 0 || o.Conns < 1 || o.Duration <= 0 || o.Work == nil || o.Rate < 0 {
		return nil, fmt.Errorf("load: %d servers, %d connections, %v, rate %v: want at least one of each",
			len(o.Addrs), o.Conns, o.Duration, o.Rate)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{Options: o, base: time.Now(), failed: cancel}
	workers := make([]*worker, o.Workers)
	var dialled, ended sync.WaitGroup
	errs := make([]error, o.Workers)
	start := make(chan struct{})
	for i := range workers {
		dialled.Add(1)
		ended.Go(func() {
			workers[i], errs[i] = work(r, i, dialled.Done, start)
			if errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	dialled.Wait()
	r.base = time.Now()
	close(start)
	err := r.window(ctx)
	r.phase.Store(over)
	ended.Wait()
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	total := &Result{Elapsed: r.ended - r.began, Latency: NewLatency()}
	for _, w := range workers {
		total.Ops += w.ops
		total.Unanswered += w.unanswered
		total.Latency.Add(w.latency)
	}
	return total, nil
}

// window waits for the warm-up, opens the window, and closes it.
func (r *run) window(ctx context.Context) error {
	if err := wait(ctx, r.Warmup); err != nil {
		return ignoreFailure(ctx, err)
	}
	if r.Begin != nil {
		if err := r.Begin(); err != nil {
			return err
		}
	}
	r.began = r.now()
	r.phase.Store(counting)
	if err := wait(ctx, r.Duration); err != nil {
		return ignoreFailure(ctx, err)
	}
	r.ended = r.now()
	r.phase.Store(over)
	if r.End != nil {
		return r.End()
	}
	return nil
}

// ignoreFailure leaves a worker's failure to the worker; only the caller's own end
// of the run is an error here.
func ignoreFailure(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return err
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
