package consensus_test

import (
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/world"
)

// TestSoleVoterReadsAfterItsOwnEntry: a sole voter that starts again knows the
// end of its log but not that all of it was committed; a read must wait until
// it does.
func TestSoleVoterReadsAfterItsOwnEntry(t *testing.T) {
	conf, err := consensus.FoundingConf([]world.MemberID{1})
	if err != nil {
		t.Fatal(err)
	}
	index, term, typ := uint64(2), uint64(1), raftpb.EntryNormal
	core, err := consensus.New(consensus.Config{ID: 1, Incarnation: 2, HeartbeatTicks: 5, ElectionTicks: 25}, consensus.Start{
		Applied: 1, Term: 1, Conf: conf,
		Hard:    consensus.HardState{Term: 1, Vote: 1, Commit: 1}, // entry 2 was answered, and nobody wrote so down
		Entries: []*raftpb.Entry{{Index: &index, Term: &term, Type: &typ}},
	}, func() state.Header { return state.Header{} })
	if err != nil {
		t.Fatal(err)
	}
	if err := core.Campaign(); err != nil {
		t.Fatal(err)
	}
	if err := core.Read(7); err != nil {
		t.Fatal(err)
	}
	var applied uint64 = 1
	for turn := range 50 {
		core.Tick(time.Duration(turn)*10*time.Millisecond, 1)
		o := core.Ready()
		// The state is slower than the disk by a turn.
		reads := core.ReadsReady()
		if len(reads) > 0 {
			if applied < 2 {
				t.Fatalf("turn %d: the read is served from the state at index %d, without entry 2", turn, applied)
			}
			return
		}
		for _, a := range o.Appends {
			core.Persisted(a)
		}
		if n := len(o.Committed); n > 0 {
			applied = o.Committed[n-1].GetIndex()
			core.Applied(applied)
		}
	}
	t.Fatal("the read was never served")
}
