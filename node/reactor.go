package node

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/wire"
	"drydock/node/world"
)

// Node is one member. It is not safe for concurrent use: one goroutine steps
// it.
type Node struct {
	cfg   Config
	store Store
	core  *consensus.Core
	state *state.State
	log   *wal.Log // used by jobs of the log lane only

	at       world.Instant
	lastTick time.Duration
	clock    clusterClock
	fx       Effects

	calls   map[uint64]*api.Call   // linearizable reads and watches by token
	jobs    map[uint64]func(error) // what to do when a job is done
	nextJob uint64
	spent   int  // bytes of entries that this step has applied
	more    bool // another step is wanted at once

	watchers  watchTable
	transfers []*transfer
	receiving *receiving
	cleaning  bool // a job that removes snapshot files is under way

	checkpointed  uint64 // index of the last durable checkpoint
	checkpointing bool
	grown         uint64 // bytes of entries applied since one began
	changed       uint64 // index of the last change of membership applied

	booted    world.Instant
	recovered uint64 // entries up to here were in the log at boot
	expiring  uint64 // term in which an expiry is under way
	releases  releases
	chores    chores
	fleet     fleetSide
	role      Role
}

// maxStepBytes bounds the entries that one step applies, but for the last ones
// it began with; the rest follows in the next step, which is wanted at once.
const maxStepBytes = 512 << 10

// maxTicks bounds how many ticks one wake-up counts: a process that was stopped
// must not find every timer expired before it has read its mail.
const maxTicks = 3

// Step takes inputs, in order, and returns what the world is to do. Inputs that
// are at hand together are best given together: they share batches.
func (n *Node) Step(at world.Instant, inputs ...Input) *Effects {
	n.fx.reset()
	if n.fx.Halt != nil {
		return &n.fx
	}
	if at.Mono < n.at.Mono {
		panic(fmt.Sprintf("node: monotonic clock went from %v back to %v", n.at.Mono, at.Mono))
	}
	n.at, n.spent, n.more = at, 0, false
	n.core.SetTime(at.Mono)
	for _, in := range inputs {
		n.handle(in)
	}
	n.turn()
	n.expire()
	n.raise()
	n.publish()
	n.promote()
	n.checkpoint()
	n.govern()
	n.turn()
	n.reportFleet()
	n.greet()
	n.observe()
	n.schedule()
	if n.fx.Halt != nil {
		n.fx.silence()
	}
	return &n.fx
}

func (n *Node) handle(in Input) {
	switch in := in.(type) {
	case Tick:
		n.tick()
	case Received:
		n.receive(in.Frame)
	case JobDone:
		n.jobDone(in.ID, in.Err)
	case Request:
		n.request(in.Token, in.Call)
	case Cancel:
		n.cancel(in.Token)
	case ChangeMembers:
		n.changeMembers(in.Token, in.Changes)
	case UpdateMember:
		n.updateMember(in.Token, &in.Publish)
	case ChangeAuth:
		n.changeAuth(in.Token, in.Command)
	case TransferLeader:
		n.transferLeader(in.Token, in.To)
	case FromMachine:
		n.fromMachine(in.Machine, in.Frame)
	case FleetRequest:
		n.changeFleet(in.Token, in.Command)
	case FleetRead:
		n.readFleet(&in)
	case FleetAsk:
		n.askFleet(in.Token, in.Units)
	default:
		panic(fmt.Sprintf("node: unknown input %T", in))
	}
}

// turn runs consensus until it asks for nothing more or the step has done its
// share.
func (n *Node) turn() {
	for n.fx.Halt == nil {
		if n.spent >= maxStepBytes {
			n.more = true
			break
		}
		out := n.core.Ready()
		if out.Idle() {
			break
		}
		n.send(out.Messages)
		for _, a := range out.Appends {
			n.persist(a)
		}
		n.startTransfers(out.SnapshotsTo)
		n.end(out.Ended)
		n.apply(out.Committed)
	}
	if n.fx.Halt != nil {
		return
	}
	n.serveReads()
	n.deliverWatches()
}

func (n *Node) tick() {
	elapsed := (n.at.Mono - n.lastTick) / n.cfg.Tick
	n.lastTick += elapsed * n.cfg.Tick
	n.core.Tick(n.at.Mono, int(min(elapsed, maxTicks)))
	n.tickTransfers()
	n.tickAsks()
}

// schedule says when the next Tick is wanted.
func (n *Node) schedule() {
	n.fx.Timer = n.lastTick + n.cfg.Tick
	if at, ok := n.core.Due(); ok && at <= n.fx.Timer {
		n.fx.Timer, n.fx.Prompt = at, true
	}
	if n.more {
		n.fx.Timer, n.fx.Prompt = n.at.Mono, true
	}
}

// receive takes a frame. A bad one is dropped: peers repeat what matters.
func (n *Node) receive(b []byte) {
	f, err := wire.Decode(b)
	if err != nil || f.Cluster != n.cfg.Cluster || f.To != n.cfg.ID || f.Kind.Since() > uint64(n.cfg.Release) {
		return
	}
	switch f.Kind {
	case wire.KindRaft:
		for _, m := range f.Raft {
			if m.GetFrom() == uint64(f.From) {
				// An error means that raft dropped the message, which it may.
				_ = n.core.Receive(m)
			}
		}
	case wire.KindForward:
		if n.state.HasMember(f.From) {
			_ = n.core.ReceiveForward(f.From, f.Forward)
		}
	case wire.KindRefuse:
		n.core.ReceiveRefuse(f.From, f.Refuse)
	case wire.KindSnapChunk:
		n.receiveChunk(f.From, f.Chunk)
	case wire.KindSnapAck:
		n.receiveAck(f.From, f.Ack)
	case wire.KindHello:
		n.receiveHello(f.From, f.Hello)
	case wire.KindAsk:
		n.receiveAsk(f.From, f.Asked)
	case wire.KindTell:
		n.receiveTell(f.Told)
	}
}

// send packs messages into frames; raft messages of one term for one member
// share one, up to a size that every receiver takes. A message of another term
// starts anew, so that what leaves here never goes back in term.
func (n *Node) send(list []consensus.Message) {
	for i := range list {
		m := &list[i]
		switch {
		case m.Forward != nil:
			n.sendFrame(&wire.Frame{Kind: wire.KindForward, To: m.To, Forward: m.Forward})
		case m.Refuse != nil:
			n.sendFrame(&wire.Frame{Kind: wire.KindRefuse, To: m.To, Refuse: m.Refuse})
		case m.Raft != nil:
			f := &wire.Frame{Kind: wire.KindRaft, To: m.To, Raft: []*raftpb.Message{m.Raft}}
			size := wire.MessageBytes(m.Raft)
			for j := i + 1; j < len(list) && len(f.Raft) < wire.MaxMessages; j++ {
				other := list[j].Raft
				if other != nil && other.GetTerm() != m.Raft.GetTerm() {
					break
				}
				if other == nil || list[j].To != m.To {
					continue
				}
				if size += wire.MessageBytes(other); size > wire.PackBytes {
					break
				}
				f.Raft = append(f.Raft, other)
				list[j].Raft = nil
			}
			n.sendFrame(f)
		}
	}
}

func (n *Node) sendFrame(f *wire.Frame) {
	f.Cluster, f.From = n.cfg.Cluster, n.cfg.ID
	n.fx.Sends = append(n.fx.Sends, Send{To: f.To, Frame: f.Encode()})
}

// submit queues a job; done is called with its error when it is complete.
func (n *Node) submit(job world.Job, done func(error)) {
	n.nextJob++
	n.jobs[n.nextJob] = done
	n.fx.Jobs = append(n.fx.Jobs, Submit{ID: n.nextJob, Job: job})
}

func (n *Node) jobDone(id uint64, err error) {
	done, ok := n.jobs[id]
	if !ok {
		panic(fmt.Sprintf("node: completion of job %d, which is not under way", id))
	}
	delete(n.jobs, id)
	done(err)
}

// halt stops the node for good.
func (n *Node) halt(err error) {
	if n.fx.Halt == nil {
		n.fx.Halt = err
	}
}

// observe tells when the leader or term changed.
func (n *Node) observe() {
	lead, term := n.core.Lead()
	r := Role{Lead: lead, Term: term, Leader: n.core.IsLeader()}
	if r != n.role {
		n.role = r
		n.fx.Role = &r
	}
}

// ID returns the member's id.
func (n *Node) ID() world.MemberID { return n.cfg.ID }

// State gives read access to the replicated state, for the host's own answers.
func (n *Node) State() *state.State { return n.state }

// Start returns the first effects: the timer. Call it once after Boot.
func (n *Node) Start(at world.Instant) *Effects { return n.Step(at, Tick{}) }
