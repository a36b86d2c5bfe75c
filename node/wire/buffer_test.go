package wire_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/wire"
)

// AppendSized writes the same bytes as AppendBytes, for every width of length.
func TestSizedBodiesAreEncodedAsBytes(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 16383, 16384, 1 << 21} {
		body := bytes.Repeat([]byte{7}, n)
		got := wire.AppendSized([]byte("head"), func(b []byte) []byte { return append(b, body...) })
		if want := wire.AppendBytes([]byte("head"), body); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d encoded, want %d", n, len(got), len(want))
		}
	}
}

// What raft tells only itself must not come from a peer.
func TestMessagesThatRaftSendsItselfAreRefused(t *testing.T) {
	thread := uint64(raft.LocalAppendThread)
	for _, typ := range []raftpb.MessageType{
		raftpb.MsgHup, raftpb.MsgBeat, raftpb.MsgProp, raftpb.MsgSnap, raftpb.MsgUnreachable, raftpb.MsgSnapStatus,
		raftpb.MsgCheckQuorum, raftpb.MsgStorageAppend, raftpb.MsgStorageAppendResp, raftpb.MsgStorageApply,
		raftpb.MsgStorageApplyResp, raftpb.MsgForgetLeader,
	} {
		f := &wire.Frame{Kind: wire.KindRaft, From: 1, To: 2, Raft: []*raftpb.Message{{Type: &typ, From: &thread}}}
		if _, err := wire.Decode(f.Encode()); !errors.Is(err, wire.ErrFrame) {
			t.Errorf("%v: %v", typ, err)
		}
	}
}

func TestSharedStringsAreThose(t *testing.T) {
	var b []byte
	words := []string{"", "one", "", "three", "a longer one", ""}
	for _, w := range words {
		b = wire.AppendString(wire.AppendUint(b, 300), w)
	}
	r := wire.NewReader(b)
	var got []string
	for i := range words {
		switch i {
		case 1, 4:
			r.Share(true)
		case 3:
			r.Share(false)
		}
		if n := r.Uint("n"); n != 300 {
			t.Errorf("%d: %d", i, n)
		}
		got = append(got, r.String("word", 20))
	}
	clear(b) // what was read doesn't alias it
	if err := r.Done("words"); err != nil || !slices.Equal(got, words) {
		t.Errorf("%q, %v", got, err)
	}
	r = wire.NewReader(wire.AppendString(nil, "four"))
	r.Share(true)
	if got := r.String("word", 3); got != "" || r.Err() == nil {
		t.Errorf("%q, %v beyond the limit", got, r.Err())
	}
}
