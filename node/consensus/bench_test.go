package consensus_test

import (
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// loop is a few cores whose disks take no time and whose links carry frames.
type loop struct {
	b     testing.TB
	cores []*consensus.Core
	at    []uint64 // the index that each has applied
	queue []consensus.Message
	frame wire.Frame
	// applied is called for every entry that a core applies.
	applied func(core int, e *raftpb.Entry)
}

func newLoop(b testing.TB, n int) *loop {
	l := &loop{b: b, applied: func(int, *raftpb.Entry) {}}
	var ids []world.MemberID
	for i := range n {
		ids = append(ids, world.MemberID(i+1))
	}
	conf, err := consensus.FoundingConf(ids)
	if err != nil {
		b.Fatal(err)
	}
	for _, id := range ids {
		cfg := consensus.Config{ID: id, Incarnation: 1, HeartbeatTicks: 5, ElectionTicks: 25}
		core, err := consensus.New(cfg, consensus.Start{Applied: 1, Term: 1, Conf: conf}, func() state.Header { return state.Header{} })
		if err != nil {
			b.Fatal(err)
		}
		l.cores, l.at = append(l.cores, core), append(l.at, 1)
	}
	if err := l.cores[0].Campaign(); err != nil {
		b.Fatal(err)
	}
	l.settle()
	return l
}

func (l *loop) settle() {
	for busy := true; busy; {
		busy = false
		for i, c := range l.cores {
			for {
				o := c.Ready()
				if o.Idle() {
					break
				}
				busy = true
				l.queue = append(l.queue, o.Messages...)
				for _, a := range o.Appends {
					c.Persisted(a)
				}
				for _, e := range o.Committed {
					l.applied(i, e)
				}
				if n := len(o.Committed); n > 0 {
					l.at[i] = o.Committed[n-1].GetIndex()
					c.Applied(l.at[i])
				}
			}
		}
		for i := range l.queue {
			l.deliver(&l.queue[i])
		}
		l.queue = l.queue[:0]
	}
}

func (l *loop) deliver(m *consensus.Message) {
	l.frame = wire.Frame{Kind: wire.KindRaft, To: m.To, Raft: append(l.frame.Raft[:0], m.Raft)}
	f, err := wire.Decode(l.frame.Encode())
	if err != nil {
		l.b.Fatal(err)
	}
	if err := l.cores[m.To-1].Receive(f.Raft[0]); err != nil {
		l.b.Fatal(err)
	}
}

const (
	benchBatch = 64
	benchValue = 256
)

func benchCommand() state.Command {
	return state.Command{Kind: state.KindKeys, Keys: keys.Command{Kind: keys.Set, Path: "/bench/key", Value: strings.Repeat("v", benchValue)}}
}

// BenchmarkReplicate measures a command from Propose to Settle through three
// cores, without the keyspace: an iteration is one command, 64 go together.
func BenchmarkReplicate(b *testing.B) { benchmarkReplicate(b, 0) }

// BenchmarkReplicateBehindThousands has 4000 commands waiting all the time: the
// cost of one must not depend on how many there are.
func BenchmarkReplicateBehindThousands(b *testing.B) { benchmarkReplicate(b, 4000) }

func benchmarkReplicate(b *testing.B, behind int) {
	l := newLoop(b, 3)
	cmd, settled, proposed := benchCommand(), uint64(0), 0
	lead := l.cores[0]
	l.applied = func(core int, e *raftpb.Entry) {
		if core != 0 || len(e.GetData()) == 0 {
			return
		}
		// All are of one size, so their number follows from the entry's.
		for n := len(e.GetData()) / (benchValue + 20); n > 0; n-- {
			settled++
			if _, ok := lead.Settle(state.ID{Member: 1, Incarnation: 1, Seq: settled}); !ok {
				settled--
				return
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := lead.Propose(cmd, uint64(proposed)+1); err != nil {
			b.Fatal(err)
		}
		if proposed++; proposed%benchBatch == 0 && proposed-int(settled) > behind {
			l.settle()
			compact(b, l)
		}
	}
	l.settle()
	if int(settled) != proposed {
		b.Fatalf("%d of %d settled", settled, proposed)
	}
}

// compact keeps the logs from growing for ever, as checkpoints do.
func compact(b *testing.B, l *loop) {
	for i, c := range l.cores {
		index := l.at[i]
		if index%1024 != 0 {
			continue
		}
		if _, err := c.Compact(index, 10, 1<<20, c.Conf()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReplicateAndApply is BenchmarkReplicate with the state of all three
// members behind it.
func BenchmarkReplicateAndApply(b *testing.B) {
	l := newLoop(b, 3)
	var states []*state.State
	for range l.cores {
		states = append(states, state.New([]state.Member{{ID: 1}, {ID: 2}, {ID: 3}}))
	}
	for _, st := range states {
		if _, err := st.Apply(2, 2, nil); err != nil { // the leader's first entry
			b.Fatal(err)
		}
	}
	lead, done := l.cores[0], 0
	l.applied = func(core int, e *raftpb.Entry) {
		list, err := states[core].Apply(e.GetIndex(), e.GetTerm(), e.GetData())
		if err != nil {
			b.Fatal(err)
		}
		for i := range list {
			if core != 0 {
				continue
			}
			if _, ok := lead.Settle(list[i].ID); ok {
				done++
			}
		}
	}
	cmd, proposed := benchCommand(), 0
	b.ReportAllocs()
	for b.Loop() {
		if err := lead.Propose(cmd, uint64(proposed)+1); err != nil {
			b.Fatal(err)
		}
		if proposed++; proposed%benchBatch == 0 {
			l.settle()
			compact(b, l)
		}
	}
	l.settle()
	if done != proposed {
		b.Fatalf("%d of %d done", done, proposed)
	}
}
