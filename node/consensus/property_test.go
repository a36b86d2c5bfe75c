package consensus_test

import (
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/world"
)

// Whatever is lost, repeated or late, and whoever leads: every request ends
// once, done means applied once, refused means never applied, and replicas that
// applied the same entries are equal.
func TestEveryRequestEndsOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := trio(t)
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			e.disturb(rt)
		}
		clear(e.cut)
		for _, id := range e.order {
			e.cores[id].manual = false
			e.persist(e.cores[id])
		}
		for range 400 { // longer than any deadline
			e.advance()
			e.settle()
		}
		e.judge(rt)
	})
}

// advance is one tick for all.
func (e *env) advance() {
	e.now += tick
	for _, id := range e.order {
		e.cores[id].core.Tick(e.now, 1)
	}
}

// disturb does one thing that the world might.
func (e *env) disturb(rt *rapid.T) {
	who := world.MemberID(rapid.IntRange(1, 3).Draw(rt, "who"))
	m := e.cores[who]
	switch rapid.IntRange(0, 7).Draw(rt, "what") {
	case 0, 1:
		for range rapid.IntRange(1, 5).Draw(rt, "commands") {
			if err := e.propose(who, "v"); err != nil {
				rt.Fatal(err)
			}
		}
	case 2:
		_ = m.core.Campaign()
	case 3:
		other := world.MemberID(rapid.IntRange(1, 3).Draw(rt, "other"))
		pair := [2]world.MemberID{who, other}
		e.cut[pair] = !e.cut[pair]
	case 4:
		if m.manual = !m.manual; !m.manual {
			e.persist(m)
		}
	case 5:
		for range rapid.IntRange(1, 30).Draw(rt, "ticks") {
			e.advance()
			e.exchange(rt)
		}
	default:
		e.exchange(rt)
	}
}

// exchange lets all act and carries what they say, out of order and with losses
// and repetitions.
func (e *env) exchange(rt *rapid.T) {
	for _, id := range e.order {
		e.turn(e.cores[id])
	}
	list := e.queue
	e.queue = nil
	for _, p := range list {
		switch rapid.IntRange(0, 9).Draw(rt, "fate") {
		case 0: // lost
		case 1: // late
			e.queue = append(e.queue, p)
		case 2, 3: // repeated
			e.deliver(p)
			e.deliver(p)
		default:
			e.deliver(p)
		}
	}
}

func (e *env) judge(rt *rapid.T) {
	done := uint64(0)
	for token := uint64(1); token <= e.token; token++ {
		ends := e.ends[token]
		if len(ends) != 1 {
			rt.Fatalf("request %d ended %d times: %v", token, len(ends), ends)
		}
		if ends[0] == consensus.Done {
			done++
		}
	}
	first := e.cores[1].state
	index, _ := first.Applied()
	if got := first.Revision() - 1; got < done || got > e.token {
		rt.Fatalf("%d commands took effect, %d were answered as done of %d", got, done, e.token)
	}
	refused := uint64(0)
	for token := uint64(1); token <= e.token; token++ {
		if e.ends[token][0] == consensus.Refused {
			refused++
		}
	}
	if got := first.Revision() - 1; got > e.token-refused {
		rt.Fatalf("%d commands took effect, though %d of %d were refused", got, refused, e.token)
	}
	for _, id := range e.order[1:] {
		st := e.cores[id].state
		if at, _ := st.Applied(); at != index || st.Digest() != first.Digest() {
			rt.Fatalf("n%d is at %d, n1 at %d, or digests differ", id, at, index)
		}
	}
}

func FuzzDecodeConf(f *testing.F) {
	good, err := consensus.FoundingConf([]world.MemberID{1, 2, 1 << 60})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{})
	auto := true
	f.Add(consensus.EncodeConf(&raftpb.ConfState{Voters: []uint64{1}, VotersOutgoing: []uint64{1, 2}, LearnersNext: []uint64{2}, AutoLeave: &auto}))
	f.Fuzz(func(t *testing.T, b []byte) {
		cs, err := consensus.DecodeConf(b)
		if err != nil {
			return
		}
		if n := len(cs.GetVoters()); n > state.MaxMembers {
			t.Fatalf("%d voters", n)
		}
		again, err := consensus.DecodeConf(consensus.EncodeConf(cs))
		if err != nil || !proto.Equal(cs, again) {
			t.Fatalf("%v came back as %v, %v", cs, again, err)
		}
	})
}
