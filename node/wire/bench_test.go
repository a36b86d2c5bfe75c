package wire_test

import (
	"fmt"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/wire"
)

// BenchmarkPackedEntry encodes and decodes the message that carries one entry of
// so many bytes, as a leader that packs commands sends it.
func BenchmarkPackedEntry(b *testing.B) {
	for _, size := range []int{256, 64 * 256, 512 * 256} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			e := &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Term: p(uint64(3)), Index: p(uint64(9)), Data: make([]byte, size)}
			m := &raftpb.Message{Type: raftpb.MsgApp.Enum(), To: p(uint64(2)), From: p(uint64(1)), Term: p(uint64(3)), Entries: []*raftpb.Entry{e}}
			benchmarkFrame(b, m, size)
		})
	}
}

// BenchmarkAnswer encodes and decodes what a follower answers.
func BenchmarkAnswer(b *testing.B) {
	m := &raftpb.Message{Type: raftpb.MsgAppResp.Enum(), To: p(uint64(1)), From: p(uint64(2)), Term: p(uint64(3)), Index: p(uint64(9))}
	benchmarkFrame(b, m, 0)
}

func benchmarkFrame(b *testing.B, m *raftpb.Message, size int) {
	f := &wire.Frame{Kind: wire.KindRaft, Cluster: 1, From: 1, To: 2, Raft: []*raftpb.Message{m}}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Decode(f.Encode()); err != nil {
			b.Fatal(err)
		}
	}
}
