package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/testing/protocmp"

	"drydock/node/wire"
)

func p[T any](v T) *T { return &v }

func frames() []*wire.Frame {
	return []*wire.Frame{
		{Kind: wire.KindRaft, Cluster: 7, From: 1, To: 2, Raft: []*raftpb.Message{
			{Type: raftpb.MsgHeartbeat.Enum(), To: p(uint64(2)), From: p(uint64(1)), Term: p(uint64(3)), Commit: p(uint64(9)), Context: []byte("ctx")},
			{Type: raftpb.MsgApp.Enum(), To: p(uint64(2)), From: p(uint64(1)), Term: p(uint64(3)), LogTerm: p(uint64(2)), Index: p(uint64(8)), Entries: []*raftpb.Entry{
				{Type: raftpb.EntryNormal.Enum(), Term: p(uint64(3)), Index: p(uint64(9)), Data: []byte("one")},
				{Type: raftpb.EntryConfChangeV2.Enum(), Term: p(uint64(3)), Index: p(uint64(10))},
			}},
			{Type: raftpb.MsgAppResp.Enum(), To: p(uint64(1)), From: p(uint64(2)), Term: p(uint64(3)), Reject: p(true), RejectHint: p(uint64(4)), Index: p(uint64(8)), Vote: p(uint64(5))},
		}},
		{Kind: wire.KindForward, Cluster: 7, From: 1, To: 2, Forward: &wire.Forward{Batch: []byte("commands"), Conf: true}},
		{Kind: wire.KindRefuse, Cluster: 7, From: 1, To: 2, Refuse: &wire.Refuse{Seqs: []uint64{1, 1 << 40}, Reason: "not the leader"}},
		{Kind: wire.KindSnapChunk, Cluster: 7, From: 1, To: 2, Chunk: &wire.SnapChunk{Stream: 5, Term: 2, Offset: 4096, Total: 9000, Data: bytes.Repeat([]byte{1}, 4096)}},
		{Kind: wire.KindSnapAck, Cluster: 7, From: 1, To: 2, Ack: &wire.SnapAck{Stream: 5, Offset: 8192, Done: true, Failed: false}},
		{Kind: wire.KindHello, Cluster: 7, From: 1, To: 2, Hello: &wire.Hello{Release: 2, Term: 1 << 40}},
		{Kind: wire.KindAsk, Cluster: 7, From: 1, To: 2, Asked: &wire.Ask{ID: 1 << 40, Units: []string{"a.service", "b@1.service"}}},
		{Kind: wire.KindTell, Cluster: 7, From: 1, To: 2, Told: &wire.Tell{ID: 1 << 40, Leads: true, Why: []string{"", "no machine is up"}}},
	}
}

func TestFramesComeBackAsTheyWere(t *testing.T) {
	for _, f := range frames() {
		got, err := wire.Decode(f.Encode())
		if err != nil {
			t.Fatalf("kind %d: %v", f.Kind, err)
		}
		again, err := wire.Decode(got.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, again, protocmp.Transform()); d != "" {
			t.Errorf("kind %d: second round differs: %s", f.Kind, d)
		}
		for i, m := range f.Raft {
			g := got.Raft[i]
			if g.GetType() != m.GetType() || g.GetTerm() != m.GetTerm() || g.GetReject() != m.GetReject() || g.GetVote() != m.GetVote() ||
				g.GetIndex() != m.GetIndex() || g.GetRejectHint() != m.GetRejectHint() || g.GetCommit() != m.GetCommit() || g.GetLogTerm() != m.GetLogTerm() {
				t.Errorf("message %d: got %v, want %v", i, g, m)
			}
			if d := cmp.Diff(m.GetEntries(), g.GetEntries(), protocmp.Transform()); d != "" {
				t.Errorf("message %d: entries: %s", i, d)
			}
		}
		got.Raft, f.Raft = nil, nil
		if d := cmp.Diff(f, got); d != "" {
			t.Errorf("kind %d: %s", f.Kind, d)
		}
	}
}

func TestEveryFlippedBitAndCutIsRefused(t *testing.T) {
	for _, f := range frames() {
		b := f.Encode()
		for i := range b {
			bad := bytes.Clone(b)
			bad[i] ^= 0x10
			if _, err := wire.Decode(bad); !errors.Is(err, wire.ErrFrame) {
				t.Fatalf("kind %d, byte %d flipped: err = %v", f.Kind, i, err)
			}
		}
		for n := range b {
			if _, err := wire.Decode(b[:n]); !errors.Is(err, wire.ErrFrame) {
				t.Fatalf("kind %d, cut to %d bytes: err = %v", f.Kind, n, err)
			}
		}
	}
}

func TestHeadsSeeWhatDecodeSees(t *testing.T) {
	for _, f := range frames() {
		b := f.Encode()
		var got []wire.Head
		if err := wire.Heads(b, func(h wire.Head) { got = append(got, h) }); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(f.Raft) {
			t.Fatalf("kind %d: %d heads of %d messages", f.Kind, len(got), len(f.Raft))
		}
		for i, m := range f.Raft {
			want := wire.Head{Type: m.GetType(), Term: m.GetTerm(), Reject: m.GetReject(), Index: m.GetIndex(), Commit: m.GetCommit(), Entries: len(m.GetEntries())}
			if want.Entries > 0 {
				want.FirstIndex = m.GetEntries()[0].GetIndex()
			}
			if got[i] != want {
				t.Errorf("message %d: %+v, want %+v", i, got[i], want)
			}
		}
		if f.Kind == wire.KindRaft {
			if err := wire.Heads(append(b[:len(b)-5:len(b)-5], b[len(b)-4:]...), func(wire.Head) {}); !errors.Is(err, wire.ErrFrame) {
				t.Errorf("a cut frame: %v", err)
			}
		}
	}
}

func TestReaderBoundsWhatItReads(t *testing.T) {
	huge := wire.AppendUint(nil, 1<<60)
	for name, read := range map[string]func(*wire.Reader){
		"bytes":    func(r *wire.Reader) { r.Bytes("f", 10) },
		"count":    func(r *wire.Reader) { r.Count("f", 10) },
		"fixed":    func(r *wire.Reader) { r.Fixed("f", 100) },
		"leftover": func(r *wire.Reader) { _ = r.Done("f") },
	} {
		r := wire.NewReader(huge)
		read(r)
		if !errors.Is(r.Err(), wire.ErrFrame) {
			t.Errorf("%s: err = %v", name, r.Err())
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, fr := range frames() {
		f.Add(fr.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := wire.Decode(b)
		if err != nil {
			if !errors.Is(err, wire.ErrFrame) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if again, err := wire.Decode(fr.Encode()); err != nil || again.Kind != fr.Kind {
			t.Fatalf("decoded frame does not encode: %v", err)
		}
	})
}

func BenchmarkEncodeDecode64Entries(b *testing.B) {
	m := &raftpb.Message{Type: raftpb.MsgApp.Enum(), To: p(uint64(2)), From: p(uint64(1)), Term: p(uint64(3))}
	for i := range uint64(64) {
		m.Entries = append(m.Entries, &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Term: p(uint64(3)), Index: p(i + 1), Data: make([]byte, 256)})
	}
	f := &wire.Frame{Kind: wire.KindRaft, Raft: []*raftpb.Message{m}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Decode(f.Encode()); err != nil {
			b.Fatal(err)
		}
	}
}
