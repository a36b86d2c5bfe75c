package consensus

import (
	"fmt"
	"math"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/wire"
	"drydock/node/world"
)

// Message is something for another member. Exactly one of the pointers is set.
type Message struct {
	To      world.MemberID
	Raft    *raftpb.Message
	Forward *wire.Forward
	Refuse  *wire.Refuse
}

// Append is a batch for the log. The node writes and syncs it and then calls
// Persisted; batches are to be written in the order in which they come.
type Append struct {
	Entries []*raftpb.Entry
	// Hard is nil unless the hard state changed. MustSync is false when only
	// the commit index did, which need not be durable.
	Hard     *HardState
	MustSync bool
	// Snapshot, if not nil, is to be installed: the state and the log become
	// those of a snapshot that was received and verified.
	Snapshot *raftpb.SnapshotMetadata

	responses []*raftpb.Message
	finished  bool
}

// Empty says that there is nothing to write.
func (a *Append) Empty() bool {
	return len(a.Entries) == 0 && a.Hard == nil && a.Snapshot == nil
}

// Output is what a turn of the core asks of the node, in the order in which it
// is to be done. It is valid until the next Ready.
type Output struct {
	// Messages go to other members.
	Messages []Message
	// Appends are to be written.
	Appends []*Append
	// Committed entries are to be applied, in order.
	Committed []*raftpb.Entry
	// SnapshotsTo are members that need a snapshot.
	SnapshotsTo []world.MemberID
	// Ended are operations that ended without their answer.
	Ended []Ended
}

// Ready moves the core on and returns what it asks for. It is called after
// every turn, until Idle.
func (c *Core) Ready() Output {
	c.pump()
	c.flushReads()
	c.flush()
	c.pump()
	c.release()
	c.spare.reset()
	c.out, c.spare = c.spare, c.out
	return c.spare
}

// reset empties the lists and keeps their room, but nothing that was in them.
func (o *Output) reset() {
	clear(o.Messages)
	clear(o.Appends)
	clear(o.Committed)
	*o = Output{
		Messages: o.Messages[:0], Appends: o.Appends[:0], Committed: o.Committed[:0],
		SnapshotsTo: o.SnapshotsTo[:0], Ended: o.Ended[:0],
	}
}

// Idle says that Ready asked for nothing.
func (o *Output) Idle() bool {
	return len(o.Messages)+len(o.Appends)+len(o.Committed)+len(o.SnapshotsTo)+len(o.Ended) == 0
}

// take accepts one Ready of raft's.
func (c *Core) take() {
	rd := c.raw.Ready()
	if rd.SoftState != nil {
		c.lead, c.role = world.MemberID(rd.SoftState.Lead), rd.SoftState.RaftState
		c.props.resendAt = 0 // what the former leader was sent goes to this one
		c.pace.reset()
		c.held.messages = nil
	}
	if rd.HardState != nil {
		c.term = rd.HardState.GetTerm()
	}
	for _, rs := range rd.ReadStates {
		c.confirmRead(rs)
	}
	for _, m := range rd.Messages {
		c.route(m, rd.MustSync)
	}
}

// route sends one message of raft's where it belongs: to the disk, to the
// state, or to a peer.
func (c *Core) route(m *raftpb.Message, mustSync bool) {
	switch {
	case m.GetTo() == raft.LocalAppendThread:
		a := &Append{Entries: m.GetEntries(), MustSync: mustSync, responses: m.GetResponses()}
		if s := m.GetSnapshot(); s != nil && !raft.IsEmptySnap(s) {
			a.Snapshot = s.GetMetadata()
			c.member.installing++
		}
		c.attachHard(a, m)
		if n := len(a.Entries); n > 0 && c.IsLeader() {
			c.pace.tookOff(a.Entries[n-1].GetIndex())
		}
		c.appends = append(c.appends, a)
		if a.Empty() {
			c.finish(a)
			return
		}
		c.out.Appends = append(c.out.Appends, a)
	case m.GetTo() == raft.LocalApplyThread:
		c.out.Committed = append(c.out.Committed, m.GetEntries()...)
		c.applyResponses = append(c.applyResponses, m.GetResponses()...)
	case m.GetType() == raftpb.MsgSnap:
		c.out.SnapshotsTo = append(c.out.SnapshotsTo, world.MemberID(m.GetTo()))
	case c.hold(m):
	default:
		c.out.Messages = append(c.out.Messages, Message{To: world.MemberID(m.GetTo()), Raft: m})
	}
}

// Persisted tells that a batch is on stable storage (or, for a snapshot,
// installed). Only now are the responses released that promise it.
func (c *Core) Persisted(a *Append) {
	if a.finished {
		panic("consensus: a batch was persisted twice")
	}
	c.finish(a)
}

// finish completes batches in order: one that had nothing to write still waits
// for those before it.
func (c *Core) finish(a *Append) {
	a.finished = true
	for len(c.appends) > 0 && c.appends[0].finished {
		done := c.appends[0]
		c.appends = slices.Delete(c.appends, 0, 1)
		c.store(done)
		for _, m := range done.responses {
			c.respond(m)
		}
	}
}

// store makes the persisted batch readable for raft.
func (c *Core) store(a *Append) {
	if a.Snapshot != nil {
		c.member.installing--
		c.conf = a.Snapshot.GetConfState()
		c.applied = a.Snapshot.GetIndex()
		if err := c.log.ApplySnapshot(&raftpb.Snapshot{Metadata: a.Snapshot}); err != nil {
			panic(fmt.Sprintf("consensus: snapshot %d: %v", a.Snapshot.GetIndex(), err))
		}
	}
	if err := c.log.Append(a.Entries); err != nil {
		panic(fmt.Sprintf("consensus: append: %v", err))
	}
	if h := a.Hard; h != nil {
		if err := c.log.SetHardState(&raftpb.HardState{Term: &h.Term, Vote: &h.Vote, Commit: &h.Commit}); err != nil {
			panic(fmt.Sprintf("consensus: hard state: %v", err))
		}
	}
}

func (c *Core) respond(m *raftpb.Message) {
	if m.GetTo() != uint64(c.cfg.ID) {
		c.out.Messages = append(c.out.Messages, Message{To: world.MemberID(m.GetTo()), Raft: m})
		return
	}
	// Raft's own answers to itself; one that comes too late is dropped by it.
	_ = c.raw.Step(m)
}

// Applied tells that every committed entry given out has been applied, up to
// index.
func (c *Core) Applied(index uint64) {
	c.applied = index
	c.pace.landed(index, c.waitingCommands(), c.now)
	for _, m := range c.applyResponses {
		_ = c.raw.Step(m)
	}
	clear(c.applyResponses)
	c.applyResponses = c.applyResponses[:0]
}

// Compact forgets entries up to checkpoint, except the keep last ones, of at
// most keepBytes, which spare a member that lags a little a whole snapshot. It
// returns the index up to which the log on disk may go, too.
func (c *Core) Compact(checkpoint, keep, keepBytes uint64, conf []byte) (uint64, error) {
	cs, err := DecodeConf(conf)
	if err != nil {
		return 0, err
	}
	if _, err := c.log.CreateSnapshot(checkpoint, cs, nil); err != nil {
		return 0, fmt.Errorf("consensus: checkpoint %d: %w", checkpoint, err)
	}
	first, _ := c.log.FirstIndex()
	if checkpoint < first {
		return first - 1, nil
	}
	list, err := c.log.Entries(first, checkpoint+1, math.MaxUint64)
	if err != nil {
		return 0, fmt.Errorf("consensus: compact to %d: %w", checkpoint, err)
	}
	upTo, size := checkpoint, uint64(0)
	for upTo >= first && checkpoint-upTo < keep {
		if size += uint64(len(list[upTo-first].GetData())); size > keepBytes {
			break
		}
		upTo--
	}
	if upTo < first {
		return first - 1, nil
	}
	if err := c.log.Compact(upTo); err != nil {
		return 0, fmt.Errorf("consensus: compact to %d: %w", upTo, err)
	}
	return upTo, nil
}
