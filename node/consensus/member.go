package consensus

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"

	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// membership holds what configuration changes and snapshots need.
type membership struct {
	installing int // snapshots that are being installed: 0 or 1
}

// maxLearnerLag is how many entries a learner may be behind the leader's log
// when it is given a vote.
const maxLearnerLag = 1000

// proposeConf proposes a membership change of this member's own, whose turn has
// come.
func (c *Core) proposeConf(seq uint64) {
	p := c.props.get(seq)
	encoded := state.AppendEncoded(nil, c.id(seq), c.props.base, p.content)
	c.markSent(seq)
	cmd, err := state.DecodeCommand(encoded)
	if err != nil {
		panic(fmt.Sprintf("consensus: own membership change: %v", err))
	}
	c.proposeChange(cmd.Members, encoded)
}

// proposeChange puts a change into the log. One that raft will not take now is
// dropped: its origin sends it again until its deadline.
func (c *Core) proposeChange(changes []state.MemberChange, encoded []byte) {
	cc := &raftpb.ConfChangeV2{Transition: raftpb.ConfChangeTransitionAuto.Enum(), Context: encoded}
	for _, ch := range changes {
		id := uint64(ch.Member.ID)
		t := raftpb.ConfChangeAddLearnerNode
		switch ch.Kind {
		case state.Promote:
			if !c.caughtUp(id) {
				return
			}
			t = raftpb.ConfChangeAddNode
		case state.Remove:
			t = raftpb.ConfChangeRemoveNode
		}
		cc.Changes = append(cc.Changes, &raftpb.ConfChangeSingle{Type: &t, NodeId: &id})
	}
	typ, data, err := raftpb.MarshalConfChange(cc)
	if err == nil && c.proposeEntry(typ, data) == nil {
		c.pump()
	}
}

// caughtUp says whether a learner has nearly all of the log.
func (c *Core) caughtUp(id uint64) bool {
	last, _ := c.log.LastIndex()
	ok := false
	c.raw.WithProgress(func(pid uint64, _ raft.ProgressType, pr tracker.Progress) {
		if pid == id {
			ok = pr.Match+maxLearnerLag >= last && pr.State == tracker.StateReplicate
		}
	})
	return ok
}

// ConfChange reads the configuration change of a committed entry. Data is the
// context for the state to judge.
func ConfChange(e *raftpb.Entry) (*raftpb.ConfChangeV2, []byte, error) {
	cc := new(raftpb.ConfChangeV2)
	switch e.GetType() {
	case raftpb.EntryConfChangeV2:
		if err := proto.Unmarshal(e.GetData(), cc); err != nil {
			return nil, nil, fmt.Errorf("consensus: entry %d: %w", e.GetIndex(), err)
		}
		return cc, cc.GetContext(), nil
	case raftpb.EntryConfChange:
		one := new(raftpb.ConfChange)
		if err := proto.Unmarshal(e.GetData(), one); err != nil {
			return nil, nil, fmt.Errorf("consensus: entry %d: %w", e.GetIndex(), err)
		}
		return one.AsV2(), one.GetContext(), nil
	}
	return nil, nil, fmt.Errorf("consensus: entry %d is no configuration change", e.GetIndex())
}

// ApplyConf makes a change that the state accepted take effect in raft.
func (c *Core) ApplyConf(cc *raftpb.ConfChangeV2) { c.conf = c.raw.ApplyConfChange(cc) }

// Installing says that a snapshot is being installed.
func (c *Core) Installing() bool { return c.member.installing > 0 }

// Conf returns the present configuration, encoded.
func (c *Core) Conf() []byte { return EncodeConf(c.conf) }

// Voters returns the members that vote in the present configuration, sorted.
func (c *Core) Voters() []uint64 { return c.conf.GetVoters() }

// StepSnapshot tells raft that a snapshot was received and verified. Afterwards
// Installing says whether raft wants it, by an Append that installs it, or
// dropped it as needless. That Append may exceed MaxAppends by one: a snapshot
// that raft wants must not wait where a later one could replace it.
func (c *Core) StepSnapshot(from world.MemberID, term uint64, meta *raftpb.SnapshotMetadata) error {
	f, t, self := uint64(from), term, uint64(c.cfg.ID)
	if c.Installing() {
		panic(fmt.Sprintf("consensus: snapshot %d comes while another is being installed", meta.GetIndex()))
	}
	err := c.raw.Step(&raftpb.Message{
		Type: raftpb.MsgSnap.Enum(), From: &f, To: &self, Term: &t, Snapshot: &raftpb.Snapshot{Metadata: meta},
	})
	if c.raw.HasReady() {
		c.take()
	}
	return err
}

// ReportSnapshot tells raft how sending a snapshot to a member went.
func (c *Core) ReportSnapshot(to world.MemberID, ok bool) {
	status := raft.SnapshotFailure
	if ok {
		status = raft.SnapshotFinish
	}
	c.raw.ReportSnapshot(uint64(to), status)
}

// EncodeConf encodes a configuration for storage.
func EncodeConf(cs *raftpb.ConfState) []byte {
	var b []byte
	for _, ids := range [][]uint64{cs.GetVoters(), cs.GetLearners(), cs.GetVotersOutgoing(), cs.GetLearnersNext()} {
		b = wire.AppendUint(b, uint64(len(ids)))
		for _, id := range ids {
			b = wire.AppendUint(b, id)
		}
	}
	if cs.GetAutoLeave() {
		return append(b, 1)
	}
	return append(b, 0)
}

// DecodeConf reads what EncodeConf wrote; nothing gives the empty configuration
// of a member that has yet to join.
func DecodeConf(b []byte) (*raftpb.ConfState, error) {
	cs := new(raftpb.ConfState)
	auto := false
	cs.AutoLeave = &auto
	if len(b) == 0 {
		return cs, nil
	}
	r := wire.NewReader(b)
	for _, list := range []*[]uint64{&cs.Voters, &cs.Learners, &cs.VotersOutgoing, &cs.LearnersNext} {
		n := r.Count("conf", state.MaxMembers)
		for i := 0; i < n && r.Err() == nil; i++ {
			*list = append(*list, r.Uint("conf.id"))
		}
	}
	auto = r.Byte("conf.autoLeave") == 1
	if err := r.Done("conf"); err != nil {
		return nil, fmt.Errorf("consensus: configuration: %w", err)
	}
	return cs, nil
}

// FoundingConf is the configuration that a cluster starts with.
func FoundingConf(ids []world.MemberID) ([]byte, error) {
	if len(ids) == 0 {
		return nil, errors.New("consensus: a cluster needs a member")
	}
	cs := new(raftpb.ConfState)
	for i, id := range ids {
		if id == 0 || (i > 0 && id <= ids[i-1]) {
			return nil, fmt.Errorf("consensus: member ids must be sorted and not zero, got %x", uint64(id))
		}
		cs.Voters = append(cs.Voters, uint64(id))
	}
	return EncodeConf(cs), nil
}
