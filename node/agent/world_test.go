package agent_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"drydock/node/agent"
	"drydock/node/link"
	"drydock/node/world"
)

const (
	cluster = 7
	lease   = 3 * time.Second
	drift   = 1000 // parts per million
)

// event is something that happens at a time of the true clock.
type event struct {
	at  time.Duration
	seq int
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// universe is some machines, a leader and the network between them.
type universe struct {
	rand     *rand.Rand
	now      time.Duration
	queue    events
	seq      int
	machines []*machine
	leader   *leader
	// The network loses and repeats with these chances, and delays up to delay.
	loss, repeat float64
	delay        time.Duration
	// guarded says that machines have guards.
	guarded bool
	// calm has the runtimes do what they are asked.
	calm  bool
	wrong []string
	log   []string
}

func (u *universe) after(d time.Duration, do func()) {
	u.seq++
	heap.Push(&u.queue, event{u.now + max(0, d), u.seq, do})
}

// run lets time pass.
func (u *universe) run(d time.Duration) {
	end := u.now + d
	for len(u.queue) > 0 && u.queue[0].at <= end && len(u.wrong) == 0 {
		e := heap.Pop(&u.queue).(event)
		u.now = max(u.now, e.at)
		e.do()
	}
	u.now = end
}

func (u *universe) note(format string, args ...any) {
	u.log = append(u.log, fmt.Sprintf("%8.3f ", u.now.Seconds())+fmt.Sprintf(format, args...))
}

// violate notes that an invariant doesn't hold.
func (u *universe) violate(format string, args ...any) {
	u.note("WRONG "+format, args...)
	u.wrong = append(u.wrong, fmt.Sprintf(format, args...))
}

// chance is true with probability p.
func (u *universe) chance(p float64) bool { return u.rand.Float64() < p }

// span is a time below d.
func (u *universe) span(d time.Duration) time.Duration {
	return time.Duration(u.rand.Float64() * float64(d))
}

// carry takes a frame through the network, or not.
func (u *universe) carry(m *machine, deliver func()) {
	n := 1
	if u.chance(u.repeat) {
		n = 2
	}
	for range n {
		if u.chance(u.loss) {
			continue
		}
		d := u.span(u.delay)
		if u.chance(u.repeat) {
			d += u.span(2 * time.Second) // overtaken by many
		}
		u.after(d, func() {
			if !m.cut {
				deliver()
			}
		})
	}
}

// machine is an agent, its host, its guard and what runs.
type machine struct {
	u    *universe
	id   string
	rate float64
	boot int
	life int
	// agent is nil while there is none; paused while it doesn't get to run.
	agent   *agent.Agent
	paused  bool
	waiting []agent.Input
	cut     bool
	left    bool
	record  *agent.Record
	lease   agent.Lease
	held    bool // the guard was told something
	runtime *runtime
	timer   int
	resist  map[string]int64
	// versions is the greatest version of the orders that was said in each session.
	versions map[uint64]uint64
	ops      []agent.Op
}

func (m *machine) mono() time.Duration { return time.Hour + time.Duration(float64(m.u.now)*m.rate) }

// until is how long it takes in truth until the machine's clock shows mono.
func (m *machine) until(mono time.Duration) time.Duration {
	return time.Duration(float64(mono-m.mono())/m.rate) + 1
}

// rise begins a life of the agent.
func (m *machine) rise() {
	m.life++
	m.left, m.waiting = false, nil
	var deadline time.Duration
	if m.held && !m.lease.Rests && m.lease.Deadline > m.mono() {
		deadline = m.lease.Deadline
	}
	cfg := agent.Config{
		Cluster: cluster, Peers: []string{"http://leader"}, Life: m.u.rand.Uint64(),
		Machine: machineFacts(m.id, fmt.Sprint("boot", m.boot), m.resist),
	}
	m.agent = agent.New(cfg, world.Instant{Mono: m.mono()}, agent.Remains{
		Record: m.record, Deadline: deadline, Found: m.runtime.found(),
	})
	m.step()
}

// fall ends the agent's process; what runs runs on.
func (m *machine) fall() {
	m.agent = nil
	m.runtime.forget()
}

// reboot ends everything.
func (m *machine) reboot() {
	m.fall()
	m.record, m.held, m.lease = nil, false, agent.Lease{}
	for _, name := range m.runtime.names() {
		m.runtime.die(name, "the machine has no power")
	}
	m.runtime.units = make(map[string]*process)
	m.boot++
}

func (m *machine) input(in agent.Input) {
	if m.agent == nil {
		return
	}
	if m.paused {
		m.waiting = append(m.waiting, in)
		return
	}
	m.step(in)
}

// step steps the agent and carries its effects out.
func (m *machine) step(in ...agent.Input) {
	if m.agent == nil || m.paused {
		return
	}
	life := m.life
	out := m.agent.Step(world.Instant{Mono: m.mono()}, in...)
	for _, n := range out.News {
		m.u.note("%s %s %s", m.id[:2], n.Unit, n.Text)
	}
	if out.Record != nil {
		m.record = out.Record
	}
	if out.Lease != nil {
		m.tell(*out.Lease)
	}
	m.runtime.wished()
	for _, op := range out.Ops {
		m.ops = append(m.ops, op)
		m.runtime.begin(op)
	}
	for _, b := range out.Sends {
		m.say(b)
	}
	m.left = m.left || out.Left
	m.timer++
	if timer := m.timer; out.Wake != agent.Never {
		m.u.after(m.until(out.Wake), func() {
			if m.life == life && m.timer == timer {
				m.input(agent.Tick{})
			}
		})
	}
}

// say sends a frame, and looks whether it is in order.
func (m *machine) say(b []byte) {
	f, err := link.Decode(b)
	if err != nil {
		m.u.violate("%s sends what can't be read: %v", m.id, err)
		return
	}
	if f.Beat != nil {
		if f.Beat.Have < m.versions[f.Beat.Session] && m.versions[f.Beat.Session] != 0 && f.Beat.Have != 0 {
			m.u.violate("%s went back from orders %d to %d", m.id, m.versions[f.Beat.Session], f.Beat.Have)
		}
		m.versions[f.Beat.Session] = max(m.versions[f.Beat.Session], f.Beat.Have)
	}
	m.u.carry(m, func() { m.u.leader.receive(m, f) })
}

// tell hands the guard a lease.
func (m *machine) tell(l agent.Lease) {
	m.held, m.lease = true, l
	if m.u.guarded && !l.Rests {
		m.u.after(m.until(l.Deadline), m.guard)
	}
}

// guard kills what isn't global when the lease has passed.
func (m *machine) guard() {
	if m.lease.Rests || m.mono() < m.lease.Deadline {
		return
	}
	for _, name := range m.runtime.names() {
		if m.runtime.units[name].proc && (m.record == nil || !slices.Contains(m.record.Spare(), name)) {
			m.runtime.units[name].began = [2]uint64{}
			m.runtime.die(name, "the guard")
		}
	}
	m.u.after(50*time.Millisecond, m.guard)
}

// pause keeps the agent from running for a while.
func (m *machine) pause(d time.Duration) {
	m.paused = true
	m.u.after(d, func() {
		m.paused = false
		waiting := m.waiting
		m.waiting = nil
		if m.agent != nil {
			m.step(waiting...)
		}
	})
}

func (u *universe) tail(n int) string {
	return strings.Join(u.log[max(0, len(u.log)-n):], "\n")
}
