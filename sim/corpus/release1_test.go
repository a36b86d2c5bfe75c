package corpus_test

import (
	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wire"
)

func ptr[T any](v T) *T { return &v }

// raftMessage fills what every message on the wire has.
func raftMessage(kind raftpb.MessageType, tune func(*raftpb.Message)) *raftpb.Message {
	m := &raftpb.Message{
		Type: kind.Enum(), To: ptr(uint64(2)), From: ptr(uint64(1)), Term: ptr(uint64(3)), LogTerm: ptr(uint64(0)),
		Index: ptr(uint64(0)), Commit: ptr(uint64(0)), RejectHint: ptr(uint64(0)), Reject: ptr(false),
	}
	tune(m)
	return m
}

// release1 has the keyspace, expiry, changes of membership, and the frames for
// raft, forwarding and snapshots.
func release1() *content {
	frame := func(f wire.Frame) *wire.Frame {
		f.Cluster, f.From, f.To = cluster, 1, 2
		return &f
	}
	return &content{
		number: 1,
		frames: map[string]*wire.Frame{
			"raft": frame(wire.Frame{Kind: wire.KindRaft, Raft: []*raftpb.Message{
				raftMessage(raftpb.MsgHeartbeat, func(m *raftpb.Message) { m.Commit, m.Context = ptr(uint64(9)), []byte("ctx") }),
				raftMessage(raftpb.MsgApp, func(m *raftpb.Message) {
					m.LogTerm, m.Index = ptr(uint64(2)), ptr(uint64(8))
					m.Entries = []*raftpb.Entry{
						{Type: raftpb.EntryNormal.Enum(), Term: ptr(uint64(3)), Index: ptr(uint64(9)), Data: []byte("one")},
						{Type: raftpb.EntryConfChangeV2.Enum(), Term: ptr(uint64(3)), Index: ptr(uint64(10))},
					}
				}),
				raftMessage(raftpb.MsgAppResp, func(m *raftpb.Message) { m.Reject, m.RejectHint, m.Vote = ptr(true), ptr(uint64(4)), ptr(uint64(5)) }),
			}}),
			"forward": frame(wire.Frame{Kind: wire.KindForward, Forward: &wire.Forward{Batch: []byte("commands"), Conf: true}}),
			"refuse":  frame(wire.Frame{Kind: wire.KindRefuse, Refuse: &wire.Refuse{Seqs: []uint64{1, 1 << 40}, Reason: "not the leader"}}),
			"chunk":   frame(wire.Frame{Kind: wire.KindSnapChunk, Chunk: &wire.SnapChunk{Stream: 5, Term: 2, Offset: 4096, Total: 9000, Data: []byte("piece")}}),
			"ack":     frame(wire.Frame{Kind: wire.KindSnapAck, Ack: &wire.SnapAck{Stream: 5, Offset: 8192, Done: true}}),
		},
		before: [][]byte{
			batchOf(1, write(keys.Command{Kind: keys.Set, Path: "/a/b", Value: "first", TTL: 60, HasTTL: true}),
				write(keys.Command{Kind: keys.CreateInOrder, Path: "/queue", Value: "job"})),
			batchOf(3, write(keys.Command{Kind: keys.CompareAndSwap, Path: "/a/b", Value: "second", PrevValue: "first"}),
				write(keys.Command{Kind: keys.Update, Path: "/none", Value: "refused"})),
		},
		after: [][]byte{
			batchOf(5, write(keys.Command{Kind: keys.Create, Path: "/c", Dir: true}), state.Command{Kind: state.KindExpire}),
			batchOf(7, write(keys.Command{Kind: keys.Delete, Path: "/a", Dir: true, Recursive: true}),
				write(keys.Command{Kind: keys.CompareAndDelete, Path: "/none", PrevIndex: 7})),
		},
		commands: map[string]state.Command{"members": {
			ID: state.ID{Member: self, Incarnation: 1, Seq: 9}, Low: 9, Kind: state.KindMembers, Token: "token",
			Members: []state.MemberChange{
				{Kind: state.AddLearner, Member: state.Member{ID: 4, Name: "n4", PeerURLs: []string{"http://n4:2380"}}},
				{Kind: state.Promote, Member: state.Member{ID: 4}},
				{Kind: state.Remove, Member: state.Member{ID: 2}},
			},
		}},
	}
}

func write(c keys.Command) state.Command {
	return state.Command{Kind: state.KindKeys, Token: "t", Keys: c}
}
