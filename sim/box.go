package sim

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"drydock/chaos"
	"drydock/node/agent"
	"drydock/node/fleet"
	"drydock/node/runtime"
	"drydock/node/world"
	"drydock/sim/event"
	"drydock/sim/units"
)

// Times of a box.
const (
	// agentBoot is from the start of an agent's process to its first step, boxBoot
	// from power to that.
	agentBoot = 30 * time.Millisecond
	boxBoot   = 1500 * time.Millisecond
	// opTime is what the runtime takes to answer what needs no process.
	opTime = 500 * time.Microsecond
)

// box is one simulated machine that runs units: clocks that outlive processes, the
// guard, the units, and, while it lives, an agent.
type box struct {
	w     *World
	name  string
	index int
	id    string
	rng   *rand.Rand
	// host is the member in whose process the agent lives; nil for workers.
	host *machine
	// metadata and resources are what the agent tells of its machine.
	metadata  map[string]string
	resources map[string]int64
	clocks    clocks

	// status is of the agent's process; off says that the machine has no power.
	status status
	off    bool
	life   int // counts starts and ends of agents
	lives  uint64
	boots  int
	bootID string

	agent   *agent.Agent
	inbox   []agent.Input
	turning bool
	slow    time.Duration
	timer   event.Handle
	wanted  time.Duration
	dialled *machine
	// record is kept where a reboot empties it.
	record *agent.Record
	guard  guard
	units  *units.Units
	kills  map[string][]uint64 // operations that wait until nothing is left of a unit
	hangs  []*chaos.UnitHang
	fails  []*chaos.UnitFail
	heard  heard
	unread [][]byte // arrived while the agent is stopped
}

// newBox makes a machine that is off.
func (w *World) newBox(index int, m *FleetMachine) *box {
	b := &box{
		w: w, name: m.Name, index: index, rng: w.src.Stream("box/" + m.Name), status: down, off: true,
		metadata: m.Metadata, resources: m.Resources,
	}
	var id [16]byte
	for i := range id {
		id[i] = byte(b.rng.Uint32())
	}
	b.id = hex.EncodeToString(id[:])
	b.clocks.set(w.epoch)
	b.clocks.mono.reading = time.Duration(b.rng.Int64N(int64(time.Hour))) // since it was switched on
	b.guard.b = b
	b.units = units.New(units.Config{
		Name: b.name, ID: b.id, Queue: &w.queue, Rand: w.src.Stream("units/" + m.Name),
		Now:    b.instant,
		When:   b.clocks.mono.when,
		Report: func(s runtime.State) { b.deliver(agent.Reported{Status: statusOf(s)}) },
		Began:  func(r units.Run) { w.fleet.referee.began(b, r) },
		Ended:  b.ended,
		Fails:  b.failing,
		Hangs:  b.hanging,
	})
	return b
}

// cloneOf gives the machine another's id.
func (b *box) cloneOf(other *box) { b.id = other.id }

// instant reads the machine's clocks. The monotonic one goes on while no process
// lives, as the kernel's does.
func (b *box) instant() world.Instant {
	now := b.w.now()
	return world.Instant{Mono: b.clocks.mono.now(now), Wall: int64(b.clocks.wall.now(now))}
}

// powerOn boots the machine.
func (b *box) powerOn(after time.Duration) {
	b.off = false
	b.boots++
	b.bootID = fmt.Sprintf("%032x", uint64(b.index)<<32|uint64(b.boots))
	b.start(after)
}

// boxStarts starts what runs units along with the member's process, which takes a
// time.
func (m *machine) boxStarts(takes time.Duration) {
	switch {
	case m.box == nil:
	case m.box.off:
		m.box.powerOn(takes)
	default:
		m.box.start(takes)
	}
}

// slowBy changes how much longer a turn of the process takes.
func (m *machine) slowBy(d time.Duration) {
	m.slow += d
	if m.box != nil {
		m.box.slow += d
		m.box.heard.awake = m.w.now()
	}
}

// start starts an agent.
func (b *box) start(after time.Duration) {
	b.life++
	b.status = booting
	life := b.life
	b.w.queue.After(after, func() {
		if b.life == life {
			b.begin()
		}
	})
}

// begin is the agent's first moment.
func (b *box) begin() {
	b.status = up
	b.lives++
	b.kills = make(map[string][]uint64)
	b.units.Rise(b.bootID)
	b.w.trace.add(b.w.now(), traceBox, uint64(b.index), b.lives, []byte("agent"))
	b.w.fleet.referee.agentBegan(b)
	cfg := agent.Config{
		Cluster: b.w.clusterID, Life: b.rng.Uint64(), Peers: b.w.fleet.peers,
		Machine: fleet.Machine{
			ID: b.id, Name: b.name, PrimaryIP: fmt.Sprintf("10.1.%d.%d", b.index/250, b.index%250+1), Version: "sim",
			Metadata: b.metadata, Resources: b.resources, Boot: b.bootID,
		},
	}
	found := agent.Remains{Record: b.record, Deadline: b.guard.holds(), Found: b.units.Present()}
	b.guarded("begin", func() {
		b.agent = agent.New(cfg, b.instant(), found)
		b.step(nil)
	})
}

// guarded turns a panic of the agent into evidence.
func (b *box) guarded(what string, fn func()) {
	defer func() {
		if p := recover(); p != nil {
			b.w.referee.brokenBox(b, fmt.Sprintf("panic in %s: %v", what, p))
		}
	}()
	fn()
}

// killAgent ends the agent's process, if it lives, and with it what manages its units.
func (b *box) killAgent() {
	if b.status == down {
		return
	}
	b.life++
	b.status, b.agent, b.inbox, b.turning, b.dialled, b.unread = down, nil, nil, false, nil, nil
	b.w.queue.Cancel(b.timer)
	b.units.Die()
	b.w.trace.add(b.w.now(), traceBox, uint64(b.index), b.lives, []byte("no agent"))
	b.w.fleet.referee.agentDied(b)
}

// cutPower ends all that runs on the machine and empties what a reboot empties.
func (b *box) cutPower() {
	b.off = true
	b.killAgent()
	b.guard.reset()
	b.record = nil
	b.units.Cut()
}

// pause stops the agent's process; its units and the guard go on.
func (b *box) pause() {
	b.status = paused
	b.units.Pause()
}

func (b *box) resume() {
	b.status = up
	b.heard.awake = b.w.now()
	for _, frame := range b.unread {
		b.w.fleet.referee.received(b, frame)
	}
	b.unread = nil
	b.units.Resume()
	b.wake()
}

// deliver queues an input for the agent's next turn.
func (b *box) deliver(in agent.Input) {
	if b.agent == nil || b.status != up && b.status != paused {
		return
	}
	if _, frame := in.(agent.Received); frame && len(b.inbox) >= maxInbox {
		return
	}
	b.inbox = append(b.inbox, in)
	b.wake()
}

func (b *box) wake() {
	if b.turning || b.status != up || len(b.inbox) == 0 {
		return
	}
	b.turning = true
	life := b.life
	b.w.queue.After(turnTime+b.slow, func() {
		if b.life == life {
			b.turning = false
			b.turn()
		}
	})
}

func (b *box) turn() {
	if b.status != up || b.agent == nil {
		return
	}
	inputs := b.inbox
	b.inbox = nil
	b.guarded("step", func() { b.step(inputs) })
}

// step steps the agent and carries out what it asks for.
func (b *box) step(inputs []agent.Input) {
	fx := b.agent.Step(b.instant(), inputs...)
	life := b.life
	if fx.Record != nil {
		kept := *fx.Record
		kept.Units = slices.Clone(kept.Units)
		b.record = &kept
	}
	if fx.Lease != nil {
		b.guard.take(*fx.Lease)
	}
	ops, sends, dial, wake := slices.Clone(fx.Ops), slices.Clone(fx.Sends), fx.Dial, fx.Wake
	for _, n := range fx.News {
		b.w.fleet.referee.news(b, n)
	}
	for i := range ops {
		b.operate(&ops[i])
		if b.life != life {
			return
		}
	}
	if dial != "" {
		b.dial(dial)
	}
	for _, frame := range sends {
		b.send(frame)
	}
	b.setTimer(wake)
}

// setTimer has the agent ticked when its clock reads mono.
func (b *box) setTimer(mono time.Duration) {
	if b.w.queue.Pending(b.timer) {
		if b.wanted == mono {
			return
		}
		b.w.queue.Cancel(b.timer)
	}
	b.wanted = mono
	if mono == agent.Never {
		return
	}
	life := b.life
	b.timer = b.w.queue.At(max(b.clocks.mono.when(mono), b.w.now()), func() {
		if b.life == life {
			b.deliver(agent.Tick{})
		}
	})
}

// clockChanged sets all timers anew.
func (b *box) clockChanged() {
	if b.w.queue.Cancel(b.timer) {
		b.setTimer(b.wanted)
	}
	b.guard.arm()
	b.units.ClockChanged()
}

func (b *box) failing(unit string) bool {
	return slices.ContainsFunc(b.fails, func(f *chaos.UnitFail) bool { return chaos.MatchUnit(f.Unit, unit) })
}

func (b *box) hanging(unit string) bool {
	return slices.ContainsFunc(b.hangs, func(f *chaos.UnitHang) bool { return chaos.MatchUnit(f.Unit, unit) })
}

// statusOf says what a runtime says in the agent's words.
func statusOf(s runtime.State) agent.Status {
	st := agent.Status{Unit: s.Name, Load: s.Load, Active: s.Active, Sub: s.Sub, Result: s.Result}
	if s.Result != "" && s.Result != "success" {
		st.Why = s.Result
		if s.Exit != "" {
			st.Why += ", " + s.Exit
		}
	}
	return st
}
