package systemd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"drydock/node/runtime"
)

// enqueue has f called after all earlier requests about a unit were handed to
// systemd, and says whether the unit is loaded.
func (s *Systemd) enqueue(name string, f func(e *entry)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.units[name]
	if e == nil || s.closed {
		return false
	}
	e.queue = append(e.queue, func() { f(e) })
	if !e.running {
		e.running = true
		s.tasks.Go(func() { s.work(e) })
	}
	return true
}

// work calls what is in a unit's queue until that is empty.
func (s *Systemd) work(e *entry) {
	for {
		s.mu.Lock()
		if len(e.queue) == 0 {
			e.running = false
			s.mu.Unlock()
			return
		}
		f := e.queue[0]
		e.queue = e.queue[1:]
		s.mu.Unlock()
		f()
	}
}

// submission hands a job to systemd, which tells its result on the channel.
type submission func(ctx context.Context, l *link, name string, result chan<- string) (int, error)

// mode is how a job meets others that are queued: systemctl's default.
const mode = "replace"

func startUnit(ctx context.Context, l *link, name string, result chan<- string) (int, error) {
	return l.conn.StartUnitContext(ctx, name, mode, result)
}

func stopUnit(ctx context.Context, l *link, name string, result chan<- string) (int, error) {
	return l.conn.StopUnitContext(ctx, name, mode, result)
}

func restartUnit(ctx context.Context, l *link, name string, result chan<- string) (int, error) {
	return l.conn.RestartUnitContext(ctx, name, mode, result)
}

func reloadUnit(ctx context.Context, l *link, name string, result chan<- string) (int, error) {
	return l.conn.ReloadUnitContext(ctx, name, mode, result)
}

// Start implements runtime.Runtime.
func (s *Systemd) Start(name string, done func(runtime.Outcome)) {
	s.request(name, "start", startUnit, done)
}

// Stop implements runtime.Runtime.
func (s *Systemd) Stop(name string, done func(runtime.Outcome)) {
	s.request(name, "stop", stopUnit, done)
}

// Restart implements runtime.Runtime.
func (s *Systemd) Restart(name string, done func(runtime.Outcome)) {
	s.request(name, "restart", restartUnit, done)
}

// Reload implements runtime.Runtime.
func (s *Systemd) Reload(name string, done func(runtime.Outcome)) {
	s.request(name, "reload", reloadUnit, done)
}

// request queues a job. Its end is waited for beside the queue, so that a stop can
// overtake a start that takes its time, as systemd has it.
func (s *Systemd) request(name, kind string, submit submission, done func(runtime.Outcome)) {
	if done == nil {
		done = func(runtime.Outcome) {}
	}
	known := s.enqueue(name, func(e *entry) {
		if s.isUnloading(e) {
			done(runtime.Outcome{Result: "canceled", Reason: "the unit is being unloaded"})
			return
		}
		j := s.begun(e, kind)
		wait := s.submit(e, kind, submit)
		s.tasks.Go(func() {
			outcome := wait()
			s.over(e, j)
			done(outcome)
		})
	})
	if !known {
		done(s.unknown(name))
	}
}

func (s *Systemd) isUnloading(e *entry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.unloading
}

// unknown is the outcome of a request about a unit that isn't loaded.
func (s *Systemd) unknown(name string) runtime.Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return canceled(runtime.ErrClosed)
	}
	return runtime.Outcome{Result: "invalid", Reason: notFound(name).Error()}
}

func canceled(err error) runtime.Outcome {
	return runtime.Outcome{Result: "canceled", Reason: err.Error()}
}

// begun notes a request that is under way.
func (s *Systemd) begun(e *entry, kind string) *job {
	j := &job{kind: kind}
	s.mu.Lock()
	e.jobs = append(e.jobs, j)
	s.mu.Unlock()
	s.mark(e.name)
	return j
}

// over notes the end of a request, and has the unit's state as it is then.
func (s *Systemd) over(e *entry, j *job) {
	s.mu.Lock()
	e.jobs = slices.DeleteFunc(e.jobs, func(other *job) bool { return other == j })
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, callLimit)
	defer cancel()
	if s.refresh(ctx, []string{e.name}) != nil {
		s.mark(e.name)
	}
}

// submit hands a job to systemd, when that has read what was written, and returns
// what waits for its end.
func (s *Systemd) submit(e *entry, kind string, submit submission) (wait func() runtime.Outcome) {
	fail := func(err error) func() runtime.Outcome {
		if s.ctx.Err() != nil {
			err = runtime.ErrClosed
		}
		return func() runtime.Outcome { return canceled(err) }
	}
	ctx, cancel := context.WithTimeout(s.ctx, callLimit)
	defer cancel()
	if kind != "stop" { // that asks nothing of the file
		if err := s.settle(ctx); err != nil {
			return fail(err)
		}
	}
	l, err := s.connected(ctx)
	if err != nil {
		return fail(err)
	}
	if (kind == "start" || kind == "restart") && s.opt.Allowed != nil {
		if err := s.opt.Allowed(e.name); err != nil {
			return fail(err)
		}
	}
	result := make(chan string, 1)
	if _, err := submit(ctx, l, e.name, result); err != nil {
		if ctx.Err() != nil || !l.conn.Connected() {
			return fail(errors.Join(errLost, err))
		}
		return func() runtime.Outcome { return runtime.Outcome{Result: "invalid", Reason: err.Error()} }
	}
	return func() runtime.Outcome { return s.await(e, l, result) }
}

// await waits for the end of a job.
func (s *Systemd) await(e *entry, l *link, result <-chan string) runtime.Outcome {
	select {
	case r := <-result:
		return s.outcome(e, l, r)
	case <-l.lost:
	}
	select {
	case r := <-result:
		return s.outcome(e, l, r)
	default:
	}
	if s.ctx.Err() != nil {
		return canceled(runtime.ErrClosed)
	}
	return canceled(errLost)
}

// outcome puts a job's result into words.
func (s *Systemd) outcome(e *entry, l *link, result string) runtime.Outcome {
	o := runtime.Outcome{Result: result}
	if o.Done() {
		return o
	}
	ctx, cancel := context.WithTimeout(s.ctx, callLimit)
	defer cancel()
	o.Reason = "systemd says: " + result
	if state, err := l.read(ctx, e.name); err == nil {
		switch {
		case state.Load != "loaded":
			o.Reason = fmt.Sprintf("its file is %s: %s", state.Load, state.Text)
		case state.Exit != "":
			o.Reason = fmt.Sprintf("%s (%s)", state.Result, state.Exit)
		case state.Result != "success":
			o.Reason = state.Result
		}
	}
	return o
}

// Unload implements runtime.Runtime. A unit that doesn't end as it should is
// killed: nothing may be left of it.
func (s *Systemd) Unload(name string, done func(runtime.Outcome)) {
	if done == nil {
		done = func(runtime.Outcome) {}
	}
	known := s.enqueue(name, func(e *entry) {
		s.mu.Lock()
		again := e.unloading
		e.unloading = true
		s.mu.Unlock()
		if again {
			done(runtime.Outcome{Result: "canceled", Reason: "the unit is being unloaded"})
			return
		}
		j := s.begun(e, "stop")
		err := s.unload(e)
		if err == nil {
			done(runtime.Outcome{Result: "done"})
			return
		}
		s.mu.Lock()
		e.unloading = false
		s.mu.Unlock()
		s.over(e, j)
		done(s.failed(err))
	})
	if !known {
		done(s.unknown(name))
	}
}

func (s *Systemd) failed(err error) runtime.Outcome {
	if s.ctx.Err() != nil {
		return canceled(runtime.ErrClosed)
	}
	return runtime.Outcome{Result: "failed", Reason: err.Error()}
}

// unload ends a unit, and takes it from systemd and from the directory.
func (s *Systemd) unload(e *entry) error {
	if o := s.submit(e, "stop", stopUnit)(); o.Result == "canceled" && s.ctx.Err() != nil {
		return runtime.ErrClosed
	}
	ctx, cancel := context.WithTimeout(s.ctx, callLimit)
	defer cancel()
	l, err := s.connected(ctx)
	if err == nil {
		err = halt(ctx, l, e.name)
	}
	if err == nil {
		err = s.removeFile(ctx, l, e)
	}
	if err != nil {
		return err
	}
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	s.mu.Lock()
	delete(s.units, e.name)
	hash := e.hash
	s.mu.Unlock()
	if s.opt.Report != nil {
		s.opt.Report(runtime.State{
			Name: e.name, Load: "not-found", Active: "inactive", Sub: "dead", Result: "success",
			Hash: hash, Since: time.Now(),
		})
	}
	return nil
}

// Kill implements runtime.Runtime.
func (s *Systemd) Kill(name string) {
	s.mu.Lock()
	e := s.units[name]
	if e == nil || e.killing || s.closed {
		s.mu.Unlock()
		return
	}
	e.killing = true
	s.tasks.Go(func() {
		for s.ctx.Err() == nil {
			ctx, cancel := context.WithTimeout(s.ctx, callLimit)
			l, err := s.connected(ctx)
			if err == nil {
				err = halt(ctx, l, name)
			}
			cancel()
			if err == nil {
				break
			}
		}
		s.mu.Lock()
		e.killing = false
		s.mu.Unlock()
		s.mark(name)
	})
	s.mu.Unlock()
}
