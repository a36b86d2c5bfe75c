package machine

import (
	"slices"
	"sync"
	"time"

	"drydock/node/agent"
	"drydock/node/runtime"
	"drydock/node/runtime/lease"
)

// guardMargin is how long before the end of the lease the guard begins to kill: all
// must be over by then. The agent itself kills earlier still.
const guardMargin = 30 * time.Millisecond

// maxTurn bounds the frames of one step.
const maxTurn = 64

// item is an input for the agent; one about a connection that was given up is void.
type item struct {
	in   agent.Input
	line *line // nil if it is about none
}

// inbox is what the agent is to hear. It is bounded by the machine's units: of each
// there is one state and the ends of its operations.
type inbox struct {
	mu    sync.Mutex
	items []item
	// states says where in items a unit's last state stands, if nothing that came
	// later says more of the unit.
	states map[string]int
	wake   chan struct{}
}

func (b *inbox) post(it item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch in := it.in.(type) {
	case agent.Reported:
		if at, ok := b.states[in.Status.Unit]; ok {
			b.items[at] = it
			return
		}
		if b.states == nil {
			b.states = make(map[string]int)
		}
		b.states[in.Status.Unit] = len(b.items)
	case agent.Ended:
		delete(b.states, in.Status.Unit)
	}
	b.items = append(b.items, it)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []item {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items = nil
	clear(b.states)
	return items
}

// loop turns the agent until the machine is closed.
func (m *Machine) loop() {
	defer func() {
		if m.line != nil {
			m.line.cut()
		}
	}()
	fx := m.agent.Step(now())
	for {
		m.carry(fx)
		if fx.Left {
			close(m.left)
			<-m.ctx.Done()
			return
		}
		in, ok := m.gather()
		if !ok {
			return
		}
		fx = m.agent.Step(now(), in...)
	}
}

// gather waits for something to happen, and takes what is at hand. It returns false
// when the machine is to end.
func (m *Machine) gather() (in []agent.Input, ok bool) {
	var frames chan []byte
	if m.line != nil {
		frames = m.line.frames
	}
	select {
	case <-m.ctx.Done():
		return nil, false
	case <-m.inbox.wake:
	case <-m.timer.C:
		in = append(in, agent.Tick{})
	case frame := <-frames:
		in = append(in, agent.Received{Frame: frame})
	}
	for len(in) < maxTurn && len(frames) > 0 {
		in = append(in, agent.Received{Frame: <-frames})
	}
	for _, it := range m.inbox.take() {
		if it.line == nil || it.line == m.line {
			in = append(in, it.in)
		}
	}
	if len(in) == 0 {
		in = append(in, agent.Tick{}) // what came was void
	}
	return in, true
}

// carry does what the agent wants done, in its order.
func (m *Machine) carry(fx *agent.Effects) {
	for _, n := range fx.News {
		if n.Unit != "" {
			m.log.Info(n.Text, "unit", n.Unit)
		} else {
			m.log.Info(n.Text)
		}
	}
	if fx.Record != nil {
		m.unkept = fx.Record
	}
	if fx.Lease != nil {
		m.owed = fx.Lease
	}
	kept := m.settle()
	for _, op := range fx.Ops {
		if !kept && (op.Kind == agent.Start || op.Kind == agent.Restart) {
			m.ended(op, "canceled", "what a next life of the node must know of it can't be written")
			continue
		}
		m.begin(op)
	}
	if fx.Dial != "" {
		if m.line != nil {
			m.line.cut()
		}
		m.line = m.call(fx.Dial)
	}
	if m.line != nil {
		for _, frame := range fx.Sends {
			m.line.send(slices.Clone(frame))
		}
	}
	if fx.Wake != agent.Never {
		m.timer.Reset(fx.Wake)
	}
}

// settle keeps the record and tells the guard of the lease, in this order. It returns
// false if the record could not be kept: then the guard isn't told of a lease that
// would go on, either, and both are tried again with the next step.
func (m *Machine) settle() bool {
	if m.unkept != nil {
		if err := m.write(m.unkept); err != nil {
			m.log.Error("what a next life of this node must know can't be written", "dir", m.o.RunDir, "err", err)
			return false
		}
		m.unkept = nil
	}
	if m.owed != nil {
		m.grant(m.owed)
		m.owed = nil
	}
	return true
}

// grant tells the guard of a lease.
func (m *Machine) grant(l *agent.Lease) {
	until := lease.None
	switch {
	case !l.Rests:
		until = lease.At(l.Deadline - guardMargin)
	case l.Always:
		until = lease.Always
	}
	if !m.keeper.Renew(until) {
		// The agent's word is good, however late it comes: the time that it names was
		// granted by the leader, or nothing runs.
		if m.good && until != lease.None {
			m.log.Warn("the machine's guard has killed units before the lease was renewed")
			m.inbox.post(item{in: agent.Bitten{}})
		}
		m.keeper.Begin(until)
	}
	m.good = until.Allows(lease.Now())
}

// reported is called by the runtime.
func (m *Machine) reported(s runtime.State) {
	m.inbox.post(item{in: agent.Reported{Status: status(s)}})
}
