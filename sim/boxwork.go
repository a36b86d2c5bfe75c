package sim

import (
	"slices"
	"time"

	"drydock/node/agent"
	"drydock/node/runtime"
	"drydock/sim/event"
	"drydock/sim/units"
)

// operate begins one of the agent's operations.
func (b *box) operate(op *agent.Op) {
	id, name := op.ID, op.Unit
	b.w.trace.add(b.w.now(), traceOp, uint64(b.index), uint64(op.Kind), []byte(name))
	done := func(o runtime.Outcome) { b.opEnded(id, name, o.Result, o.Reason) }
	late := (op.Kind == agent.Start || op.Kind == agent.Restart) && b.instant().Mono >= op.By
	switch {
	case late:
		b.soon(func() { b.opEnded(id, name, "canceled", "it is too late") })
	case op.Kind == agent.Load:
		result, reason := "done", ""
		if err := b.units.Load(op.File); err != nil {
			result, reason = "invalid", err.Error()
		}
		b.soon(func() { b.opEnded(id, name, result, reason) })
	case op.Kind == agent.Start:
		b.units.Start(name, done)
	case op.Kind == agent.Stop:
		b.units.Stop(name, done)
	case op.Kind == agent.Restart:
		b.units.Restart(name, done)
	case op.Kind == agent.Unload:
		b.units.Unload(name, done)
	case op.Kind == agent.Kill:
		b.kills[name] = append(b.kills[name], id)
		b.units.Kill(name)
		b.soon(func() { b.killed(name) })
	}
}

// soon has something happen to this life of the agent.
func (b *box) soon(fn func()) {
	life := b.life
	b.w.queue.After(opTime, func() {
		if b.life == life {
			fn()
		}
	})
}

// opEnded tells the agent of an operation's end.
func (b *box) opEnded(id uint64, name, result, reason string) {
	b.deliver(agent.Ended{Op: id, Result: result, Reason: reason, Status: b.statusNow(name)})
}

func (b *box) statusNow(name string) agent.Status {
	s, ok := b.units.State(name)
	if !ok {
		return agent.Status{Unit: name, Load: "not-found", Active: "inactive", Sub: "dead"}
	}
	return statusOf(s)
}

// killed ends the operations that wait until nothing is left of a unit.
func (b *box) killed(name string) {
	if b.agent == nil || b.units.Runs(name) {
		return
	}
	waiting := b.kills[name]
	delete(b.kills, name)
	for _, id := range waiting {
		b.opEnded(id, name, "done", "")
	}
}

// ended is told of the end of a run. The runtime may have to say so first.
func (b *box) ended(r units.Run, why units.Cause) {
	b.w.fleet.referee.ended(b, r, why)
	if b.kills[r.Unit] != nil {
		b.soon(func() { b.killed(r.Unit) })
	}
}

// guardPeriod is how often a guard looks once the deadline has passed.
const guardPeriod = 20 * time.Millisecond

// guard is the process that ends a machine's units when the lease has passed,
// whatever the agent does. It knows what it was told last, and reads the record, which
// names the units that it spares.
type guard struct {
	b     *box
	lease agent.Lease
	told  bool
	timer event.Handle
}

// take is told another lease.
func (g *guard) take(l agent.Lease) {
	g.lease, g.told = l, true
	g.arm()
}

// arm waits for the deadline.
func (g *guard) arm() {
	g.b.w.queue.Cancel(g.timer)
	if !g.told || g.lease.Rests || g.b.off {
		return
	}
	at := max(g.b.clocks.mono.when(g.lease.Deadline), g.b.w.now())
	g.timer = g.b.w.queue.At(at, g.bite)
}

// bite kills, and looks again.
func (g *guard) bite() {
	var spare []string
	if g.b.record != nil {
		spare = g.b.record.Spare()
	}
	g.b.units.Guard(func(name string) bool { return slices.Contains(spare, name) })
	g.timer = g.b.w.queue.After(guardPeriod, g.bite)
}

// holds is the deadline that is still to come, 0 if there is none.
func (g *guard) holds() time.Duration {
	if !g.told || g.lease.Rests || g.lease.Deadline <= g.b.instant().Mono {
		return 0
	}
	return g.lease.Deadline
}

// reset forgets everything: the machine is off.
func (g *guard) reset() {
	g.b.w.queue.Cancel(g.timer)
	g.lease, g.told = agent.Lease{}, false
}
