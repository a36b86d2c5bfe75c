package machine

import (
	"context"
	"errors"
	"sync"
	"time"

	"drydock/node/agent"
	"drydock/node/runtime"
	"drydock/node/runtime/lease"
)

// Times of a kill.
const (
	// stopTime is how long the runtime may take to say that a unit it has killed has
	// ended, before its processes are looked for without it.
	stopTime = 2 * time.Second
	// round bounds one look for processes.
	round = time.Second
)

// opQueue are operations to be begun, in order.
type opQueue struct {
	mu   sync.Mutex
	ops  []agent.Op
	wake chan struct{}
}

func (q *opQueue) put(op agent.Op) {
	q.mu.Lock()
	q.ops = append(q.ops, op)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *opQueue) take() []agent.Op {
	q.mu.Lock()
	defer q.mu.Unlock()
	ops := q.ops
	q.ops = nil
	return ops
}

// begin queues an operation. A kill waits for nobody.
func (m *Machine) begin(op agent.Op) {
	if op.Kind == agent.Kill {
		m.wait.Go(func() { m.kill(op) })
		return
	}
	m.ops.put(op)
}

// carryOps begins operations one after another.
func (m *Machine) carryOps() {
	for {
		select {
		case <-m.ops.wake:
		case <-m.ctx.Done():
			return
		}
		for _, op := range m.ops.take() {
			if m.ctx.Err() != nil {
				return
			}
			m.do(op)
		}
	}
}

// do begins an operation; its end comes later.
func (m *Machine) do(op agent.Op) {
	done := func(o runtime.Outcome) { m.ended(op, o.Result, o.Reason) }
	switch op.Kind {
	case agent.Load:
		m.load(op)
	case agent.Start, agent.Restart:
		if op.Global || m.keeper.Alive() {
			m.start(op)
			return
		}
		m.wait.Go(func() { m.startGuarded(op) })
	case agent.Stop:
		m.runtime.Stop(op.Unit, done)
	case agent.Unload:
		if _, err := m.runtime.State(op.Unit); errors.Is(err, runtime.ErrNotFound) {
			m.ended(op, "done", "")
			return
		}
		m.runtime.Unload(op.Unit, done)
	default:
		m.ended(op, "invalid", "there is no such operation: "+op.Kind.String())
	}
}

func (m *Machine) load(op agent.Op) {
	if err := m.runtime.Check(op.File); err != nil {
		m.ended(op, "invalid", err.Error())
		return
	}
	if err := m.runtime.Load(op.File); err != nil {
		m.ended(op, "failed", err.Error())
		return
	}
	m.ended(op, "done", "")
}

// start starts a unit, unless it is too late for that.
func (m *Machine) start(op agent.Op) {
	if lease.Now() > op.By {
		m.ended(op, "canceled", "the time has passed by which it was to be begun")
		return
	}
	begin := m.runtime.Start
	if op.Kind == agent.Restart {
		begin = m.runtime.Restart
	}
	begin(op.Unit, func(o runtime.Outcome) { m.ended(op, o.Result, o.Reason) })
}

// startGuarded starts a unit when a guard lives.
func (m *Machine) startGuarded(op agent.Op) {
	for !m.keeper.Alive() {
		wait := min(max(0, op.By-lease.Now()), time.Second)
		if wait == 0 {
			m.ended(op, "canceled", "there is no guard that would end it with the machine's lease")
			return
		}
		if !m.pause(wait, m.guarded) {
			return
		}
	}
	m.start(op)
}

// pause waits, unless something comes earlier. It returns false if the machine ends.
func (m *Machine) pause(d time.Duration, early <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-early:
	case <-m.ctx.Done():
		return false
	}
	return true
}

// kill ends all that a unit has, whether the runtime knows it or not.
func (m *Machine) kill(op agent.Op) {
	m.runtime.Kill(op.Unit)
	// The stop is answered when the kill is done; of a unit that isn't known it says so.
	stopped := make(chan struct{})
	m.runtime.Stop(op.Unit, func(runtime.Outcome) { close(stopped) })
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case <-stopped:
	case <-late.C:
	case <-m.ctx.Done():
		return
	}
	runtimes := m.o.runtimes()
	for m.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(m.ctx, round)
		err := runtimes.Kill(ctx, func(unit string) bool { return unit != op.Unit })
		cancel()
		if err == nil && m.quiet(op.Unit) {
			m.ended(op, "done", "")
			return
		}
		m.log.Warn("a unit was killed and has not ended yet", "unit", op.Unit, "err", err)
		m.runtime.Kill(op.Unit)
		if !m.pause(20*time.Millisecond, nil) {
			return
		}
	}
}

// quiet says whether the runtime has nothing of a unit that runs.
func (m *Machine) quiet(name string) bool {
	s, err := m.runtime.State(name)
	return err != nil || s.Job == "" && (s.Active == "inactive" || s.Active == "failed")
}

// ended tells the agent of an operation's end.
func (m *Machine) ended(op agent.Op, result, reason string) {
	s, err := m.runtime.State(op.Unit)
	if err != nil {
		s = runtime.State{Name: op.Unit, Load: "not-found", Active: "inactive", Sub: "dead"}
	}
	m.log.Debug("op ended", "op", op.ID, "kind", op.Kind, "unit", op.Unit, "result", result, "reason", reason)
	m.inbox.post(item{in: agent.Ended{Op: op.ID, Result: result, Reason: reason, Status: status(s)}})
}

// status is what an agent is told of a state.
func status(s runtime.State) agent.Status {
	a := agent.Status{Unit: s.Name, Load: s.Load, Active: s.Active, Sub: s.Sub, Result: s.Result}
	if s.Result != "" && s.Result != "success" {
		if a.Why = s.Result; s.Exit != "" {
			a.Why += ": " + s.Exit
		}
	}
	return a
}
