package sim

import (
	cryptorand "crypto/rand"
	"fmt"
	"io"
	"time"

	"drydock/chaos"
	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/control"
	"drydock/node/state"
	"drydock/node/world"
	"drydock/sim/disk"
	"drydock/sim/event"
)

// status is what a machine is doing.
type status byte

const (
	outside status = iota // not, or no longer, of the cluster
	down
	booting
	up
	paused
)

// Times of a machine.
const (
	// turnTime is from an input's arrival to the reactor's turn: what arrives
	// meanwhile is taken together.
	turnTime = 20 * time.Microsecond
	bootTime = 20 * time.Millisecond
	// maxInbox bounds what waits for a paused process; sockets' buffers do.
	maxInbox = 4096
)

// machine is one simulated machine: a disk and, while it lives, a node.
type machine struct {
	w     *World
	name  string
	index int
	id    world.MemberID
	// release is what the machine's program speaks; living is the place of its
	// node's life in the result, from 1, while it lives.
	release state.Release
	living  int

	status status
	life   int // counts boots and crashes: what belongs to an earlier life is void
	boots  int
	disk   *disk.Disk
	times  diskTimes
	clocks clocks
	wanted time.Duration // when the node is ticked next, by its own clock
	// due is when it wants that; as a follower it may get it later, by the slack,
	// where production's ways are followed to that point.
	due, slack time.Duration
	slow       time.Duration // what a turn takes longer
	// stalls counts the faults by which the disk hangs, held what waits for
	// their end; limits are the disk's sizes by faults.
	stalls int
	held   []func()
	limits []*int64
	// traps lie in wait; failing is the one that makes the work under way fail.
	// looking says that the world reads the disk, not the node.
	traps   []*trap
	failing *trap
	looking bool
	// damage says what the world did to the disk's content, harmed to which
	// files. lost says that the machine can't go on with its disk, replacing
	// that a new member is being made of it.
	damage          string
	harmed          []string
	lost, replacing bool
	leaving         bool // is being taken out of the cluster
	cut             bool // lost its power, and has not booted since
	node            *node.Node
	random          io.Reader // crypto/rand.Reader while the node steps
	lanes           [world.NumLanes]lane
	timer           event.Handle
	turning         bool
	inbox           []node.Input
	front           front
	lines           map[string]*box // who is connected, by machine id
	box             *box            // what of the machine runs units, nil if nothing does
	role            node.Role
	// lastApplied is the index that the node last said it has applied.
	lastApplied uint64
}

func (w *World) newMachine(index int, name string) *machine {
	m := &machine{w: w, name: name, index: index, lines: make(map[string]*box), random: w.src.Reader("raft/" + name), release: state.Newest}
	if r, ok := w.cfg.Releases[name]; ok {
		m.release = r
	}
	m.newID()
	m.slack = m.slackOf(m.config())
	m.newDisk()
	m.clocks.set(w.epoch)
	m.times.rng = w.src.Stream("disk/" + name)
	m.front.init(m)
	for i := range m.lanes {
		m.lanes[i].id = world.Lane(i)
	}
	return m
}

func (m *machine) config() node.Config {
	k := m.w.cfg.Knobs
	fleet := control.Config{Keep: m.w.cfg.Fleet != nil && m.w.cfg.Fleet.Keep}
	return node.Config{
		Fleet:   fleet,
		Cluster: m.w.clusterID, ID: m.id, Name: m.name,
		Tick: k.Tick, Heartbeat: k.Heartbeat, Election: k.Election, MaxAppends: k.MaxAppends,
		SegmentBytes: k.SegmentBytes, CheckpointEntries: k.CheckpointEntries,
		CatchUpEntries: k.CatchUpEntries, ChunkBytes: k.ChunkBytes,
		Release: m.release, AutoPromote: k.AutoPromote,
		PeerURLs: []string{"http://" + m.name + ":2380"}, ClientURLs: []string{"http://" + m.name + ":2379"},
	}
}

// alive says that the process exists, stopped or not.
func (m *machine) alive() bool { return m.status == up || m.status == paused }

// start boots the machine from its disk.
func (m *machine) start() {
	m.life++
	m.status = booting
	takes, life := m.startTime(), m.life
	m.cut = false
	m.boxStarts(takes)
	m.w.queue.After(takes, func() {
		m.unstalled(func() {
			if m.life == life {
				m.boot()
			}
		})
	})
}

// boot recovers the node. It is package node's own recovery that runs here.
func (m *machine) boot() {
	now := m.w.now()
	m.clocks.boot = m.clocks.mono.now(now)
	m.status = up
	m.w.trace.add(now, traceBoot, uint64(m.index), uint64(m.boots), []byte{byte(m.release)})
	m.born()
	if !m.recoverNode() {
		return
	}
	m.outlived()
	m.w.audit.rescan(m)
	if m.boots > 0 {
		m.w.referee.restarted(m)
	}
	m.boots++
	m.w.revived()
	m.lastApplied, _ = m.node.State().Applied()
	m.w.referee.raised(m)
	m.deliver(node.Tick{})
}

// recoverNode boots the node from the disk and says whether it lives. A
// failpoint may strike meanwhile.
func (m *machine) recoverNode() bool {
	tr := m.bootTrap()
	var inFlight disk.Token
	switch {
	case tr == nil:
	case tr.do == chaos.DoStall && tr.stall > 0:
		m.spring(tr, fmt.Sprintf("takes %s more", tr.stall), false)
		m.status = booting
		life := m.life
		m.w.queue.After(tr.stall, func() {
			if m.life == life {
				m.boot()
			}
		})
		return false
	case tr.do == chaos.DoError:
		m.failing = tr
	default:
		inFlight = m.disk.Begin(world.LaneLog, chaos.PointBoot)
	}
	m.guard("boot", func() {
		n, err := node.Boot(m.disk, m.config(), checkpoint.Store{}, m.instant())
		switch {
		case err == nil:
			m.node = n
		case m.refuses(err):
			m.halted(fmt.Sprintf("did not boot: %v", err), err)
		default:
			m.fail(fmt.Sprintf("did not boot: %v", err))
		}
	})
	m.failing = nil
	if inFlight != 0 && m.status == up {
		m.disk.End(inFlight)
		m.spring(tr, "power lost during recovery", true)
		m.crash(disk.CrashOptions{LoseUnsynced: true, Torn: true})
	}
	return m.node != nil
}

// guard runs node code with this node's randomness, and turns a panic of the
// node into evidence.
func (m *machine) guard(what string, fn func()) {
	saved := cryptorand.Reader
	cryptorand.Reader = m.random
	defer func() {
		cryptorand.Reader = saved
		if p := recover(); p != nil {
			m.w.trace.add(m.w.now(), traceHalt, uint64(m.index), 0, nil)
			m.fail(fmt.Sprintf("panic in %s: %v", what, p))
		}
	}()
	fn()
}

// fail records that the node broke and takes it down for good.
func (m *machine) fail(why string) {
	m.w.referee.broken(m, why)
	m.stop()
}

// stop ends the process and all that waited for it.
func (m *machine) stop() {
	m.life++
	m.buried()
	m.node, m.status, m.turning, m.inbox = nil, down, false, nil
	m.role = node.Role{}
	m.w.queue.Cancel(m.timer)
	m.held = nil
	m.hangUp()
	if m.box != nil {
		m.box.killAgent()
	}
	clear(m.lines)
	m.dropLanes()
	m.front.reset()
}

// crash kills the machine. Loss says what its disk forgot.
func (m *machine) crash(o disk.CrashOptions) disk.Loss {
	m.w.trace.add(m.w.now(), traceCrash, uint64(m.index), 0, nil)
	m.stop()
	m.cut = o.LoseUnsynced
	if m.box != nil && o.LoseUnsynced {
		m.box.cutPower()
	}
	return m.disk.Crash(m.w.src.Stream("crash/"+m.name), o)
}

// receive takes a frame from the network.
func (m *machine) receive(frame []byte) {
	if m.alive() {
		m.deliver(node.Received{Frame: frame})
	}
}

// deliver queues an input for the reactor's next turn.
func (m *machine) deliver(in node.Input) {
	if m.node == nil || !m.alive() {
		return
	}
	if _, fromNet := in.(node.Received); fromNet && len(m.inbox) >= maxInbox {
		return
	}
	m.inbox = append(m.inbox, in)
	m.wake()
}

func (m *machine) wake() {
	if m.turning || m.status != up || len(m.inbox) == 0 {
		return
	}
	m.turning = true
	life := m.life
	m.w.queue.After(turnTime+m.slow, func() {
		if m.life == life {
			m.turning = false
			m.turn()
		}
	})
}

// turn steps the node with what has arrived and carries out what it asks for.
func (m *machine) turn() {
	if m.status != up {
		return
	}
	inputs := m.inbox
	m.inbox = nil
	if m.slack > 0 && m.due < m.wanted && m.w.queue.Pending(m.timer) && m.instant().Mono >= m.due {
		m.w.queue.Cancel(m.timer)
		inputs = append(inputs, node.Tick{}) // whose time had come
	}
	var fx *node.Effects
	m.w.trace.told.step(m, inputs)
	m.guard("step", func() { fx = m.node.Step(m.instant(), inputs...) })
	if m.node == nil {
		return
	}
	m.carryOut(fx)
}

func (m *machine) carryOut(fx *node.Effects) {
	w := m.w
	w.referee.applied(m, fx.Applied)
	if len(fx.Applied) > 0 {
		w.referee.raised(m)
	}
	if fx.Role != nil {
		w.referee.role(m, *fx.Role)
	}
	if fx.Halt != nil {
		if m.excused(fx.Halt) {
			m.halted("stopped itself: "+fx.Halt.Error(), fx.Halt)
			return
		}
		w.trace.add(w.now(), traceHalt, uint64(m.index), 1, []byte(fx.Halt.Error()))
		m.fail("stopped itself: " + fx.Halt.Error())
		return
	}
	for _, s := range fx.Jobs {
		m.submit(s)
	}
	for _, s := range fx.Sends {
		if to := w.byID[s.To]; to != nil {
			w.referee.frame(m, to, s.Frame)
			w.referee.proposed(m, s.Frame)
			w.net.send(m, to, s.Frame)
		}
	}
	for i := range fx.Answers {
		m.front.answer(&fx.Answers[i])
	}
	m.toMachines(fx.ToMachines)
	for i := range fx.Watches {
		m.front.watchNews(&fx.Watches[i])
	}
	m.setTimer(fx.Timer, fx.Prompt)
}

// setTimer has the node ticked when its own clock reads mono. As in production a
// follower's tick for which nothing waits may come with the next heartbeat.
func (m *machine) setTimer(mono time.Duration, prompt bool) {
	m.due = mono
	if m.slack > 0 && !prompt && m.role.Lead != 0 && !m.role.Leader && mono > m.instant().Mono {
		mono += m.slack
	}
	if m.w.queue.Pending(m.timer) {
		if m.wanted <= mono {
			return // the earlier tick tells the node the time as well
		}
		m.w.queue.Cancel(m.timer)
	}
	m.wanted = mono
	life, at := m.life, m.clocks.mono.when(m.clocks.boot+mono)
	m.timer = m.w.queue.At(max(at, m.w.now()), func() {
		if m.life == life {
			m.deliver(node.Tick{})
		}
	})
}
