package runner

import (
	"context"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/scenario"
)

// Pool runs single scenarios in worker processes, as many at a time as it has
// jobs. Its methods may be called by several goroutines.
type Pool struct {
	world   string
	command []string
	limit   time.Duration
	// slots holds a worker, or nil for one that is yet to be started, for each
	// job that is free.
	slots chan *proc
}

// NewPool returns a pool of so many jobs; command starts a worker, and limit
// bounds one run by real time.
func NewPool(world string, command []string, jobs int, limit time.Duration) *Pool {
	p := &Pool{world: world, command: command, limit: limit, slots: make(chan *proc, max(1, jobs))}
	for range cap(p.slots) {
		p.slots <- nil
	}
	return p
}

// Run runs a scenario with a seed. A run that is interrupted by ctx has failed.
func (p *Pool) Run(ctx context.Context, s *scenario.Scenario, seed uint64) *Report {
	failed := &Report{Scenario: s.Name, File: s.File, Seed: seed, World: p.world, Verdict: checker.Unknown, Error: interrupted}
	var w *proc
	select {
	case <-ctx.Done():
		return failed
	case w = <-p.slots:
	}
	if w == nil {
		var err error
		if w, err = startProc(p.command); err != nil {
			p.slots <- nil
			failed.Error = err.Error()
			return failed
		}
	}
	r, alive := w.run(ctx, newTask(p.world, s, seed), p.limit)
	if !alive {
		w = nil
	}
	p.slots <- w
	return r
}

// Close ends the workers. No Run may be under way.
func (p *Pool) Close() {
	for range cap(p.slots) {
		if w := <-p.slots; w != nil {
			w.stop(false)
		}
	}
}
