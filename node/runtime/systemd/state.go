package systemd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"drydock/node/runtime"
)

// mark has a unit's state read again soon.
func (s *Systemd) mark(name string) {
	s.mu.Lock()
	known := s.units[name] != nil
	if known {
		s.stale[name] = true
	}
	s.mu.Unlock()
	if known {
		wake(s.wakeRefresh)
	}
}

func (s *Systemd) markAll() {
	s.mu.Lock()
	// any order: it becomes a set
	for name := range s.units {
		s.stale[name] = true
	}
	s.mu.Unlock()
	wake(s.wakeRefresh)
}

// refresher reads states that have changed, until the runtime is closed.
func (s *Systemd) refresher() {
	for {
		select {
		case <-s.wakeRefresh:
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		names := make([]string, 0, len(s.stale))
		for name := range s.stale {
			names = append(names, name)
		}
		clear(s.stale)
		s.mu.Unlock()
		slices.Sort(names)
		for _, name := range names {
			ctx, cancel := context.WithTimeout(s.ctx, callLimit)
			err := s.refresh(ctx, []string{name})
			cancel()
			if err != nil && s.ctx.Err() == nil && !errors.Is(err, errNoLink) {
				// The link is breaking, or systemd is busy: a new link has all read again.
				s.retryLater(name)
			}
		}
	}
}

// retryLater marks a unit again after a pause.
func (s *Systemd) retryLater(name string) {
	s.tasks.Go(func() {
		select {
		case <-time.After(retryLast):
			s.mark(name)
		case <-s.ctx.Done():
		}
	})
}

// refresh reads the states of units from systemd and reports those that changed.
func (s *Systemd) refresh(ctx context.Context, names []string) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	var errs []error
	for _, name := range names {
		s.mu.Lock()
		l, e := s.link, s.units[name]
		s.mu.Unlock()
		switch {
		case e == nil:
			continue
		case l == nil:
			return errNoLink
		}
		state, err := l.read(ctx, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		s.mu.Lock()
		e.state = state
		s.mu.Unlock()
		s.tell(e)
	}
	return errors.Join(errs...)
}

// tell reports a unit's state; s.refreshing is held.
func (s *Systemd) tell(e *entry) {
	s.mu.Lock()
	state := e.shown()
	news := s.units[e.name] == e && state != e.told
	e.told = state
	s.mu.Unlock()
	if news && s.opt.Report != nil {
		s.opt.Report(state)
	}
}

// shown is the unit's state as callers see it; s.mu is held.
func (e *entry) shown() runtime.State {
	state := e.state
	state.Name, state.Hash, state.Job = e.name, e.hash, ""
	if n := len(e.jobs); n > 0 {
		state.Job = e.jobs[n-1].kind
	}
	if state.Load == "not-found" {
		// To callers that would mean that it was unloaded.
		state.Load, state.Text = "error", "systemd doesn't find its unit file"
	}
	return state
}

// read asks systemd for a unit's state.
func (l *link) read(ctx context.Context, name string) (runtime.State, error) {
	common, err := l.conn.GetUnitPropertiesContext(ctx, name)
	if err != nil {
		return runtime.State{}, err
	}
	special, err := l.conn.GetUnitTypePropertiesContext(ctx, name, typeOf(name))
	if err != nil {
		return runtime.State{}, err
	}
	return stateOf(common, special), nil
}

// typeOf is the type of a unit as D-Bus has it, such as "Service".
func typeOf(name string) string {
	kind := name[strings.LastIndex(name, ".")+1:]
	return strings.ToUpper(kind[:min(1, len(kind))]) + kind[min(1, len(kind)):]
}

// properties are what systemd says of a unit, by name. What is absent, or of
// another type than expected, is zero.
type properties map[string]any

func (p properties) text(name string) string {
	s, _ := p[name].(string)
	return s
}

func (p properties) number(name string) int64 {
	switch v := p[name].(type) {
	case int32:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		return int64(min(v, 1<<62))
	}
	return 0
}

// stateOf translates systemd's properties.
func stateOf(common, special properties) runtime.State {
	state := runtime.State{
		Description: common.text("Description"), Load: common.text("LoadState"),
		Active: common.text("ActiveState"), Sub: common.text("SubState"),
		Result: special.text("Result"), Text: special.text("StatusText"),
		MainPID: int(special.number("MainPID")), Restarts: int(special.number("NRestarts")),
		Exit: exitOf(special),
	}
	if state.Result == "" {
		state.Result = "success"
	}
	if failure, _ := common["LoadError"].([]any); len(failure) == 2 && state.Load != "loaded" {
		if why, _ := failure[1].(string); why != "" {
			state.Text = why
		}
	}
	var micros int64
	for _, name := range []string{
		"InactiveExitTimestamp", "ActiveEnterTimestamp", "ActiveExitTimestamp", "InactiveEnterTimestamp",
	} {
		micros = max(micros, common.number(name))
	}
	if micros > 0 {
		state.Since = time.UnixMicro(micros)
	}
	return state
}

// How a process ended, in the numbers of waitid(2), which systemd hands on.
const (
	childExited = 1
	childKilled = 2
	childDumped = 3
)

// exitOf says how the main process ended.
func exitOf(special properties) string {
	status := special.number("ExecMainStatus")
	switch special.number("ExecMainCode") {
	case childExited:
		return fmt.Sprintf("exit code %d", status)
	case childKilled:
		return "killed by " + signalName(status)
	case childDumped:
		return "dumped core by " + signalName(status)
	}
	return ""
}

func signalName(n int64) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}
