package consensus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// trio is three quiet cores, the first of which leads.
func trio(t *testing.T) *env {
	t.Helper()
	e := &env{cores: make(map[world.MemberID]*member), cut: make(map[[2]world.MemberID]bool), quiet: true}
	ids := []world.MemberID{1, 2, 3}
	for _, id := range ids {
		if err := e.add(id, ids); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.cores[1].core.Campaign(); err != nil {
		t.Fatal(err)
	}
	e.settle()
	e.out.Reset()
	return e
}

func (e *env) propose(id world.MemberID, value string) error {
	e.token++
	return e.cores[id].core.Propose(state.Command{Kind: state.KindKeys, Keys: keys.Command{Kind: keys.CreateInOrder, Path: "/q", Value: value}}, e.token)
}

// However many small commands come from everywhere at once, every entry stays
// one that replicas can read.
func TestEntriesStayReadableUnderLoad(t *testing.T) {
	e := trio(t)
	const each = 5000
	for id := world.MemberID(1); id <= 3; id++ {
		for range each {
			if err := e.propose(id, "v"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 20 {
		e.settle()
	}
	for _, id := range e.order {
		if got := e.cores[id].state.Revision(); got != 1+3*each {
			t.Errorf("n%d: revision %d, want %d", id, got, 1+3*each)
		}
	}
	if i := strings.Index(e.out.String(), "bad command"); i >= 0 {
		t.Errorf("an entry can't be read: %.300s", e.out.String()[max(i-100, 0):])
	}
}

// A leader that is never idle still takes what others forward, however large.
func TestForwardedCommandsAreNotStarved(t *testing.T) {
	e := trio(t)
	big := strings.Repeat("f", 900<<10)
	if err := e.propose(2, big); err != nil {
		t.Fatal(err)
	}
	forwarded := e.token
	e.cores[1].manual = true // its disk is slower than its clients
	for round := range 20 {
		for range 8 {
			if err := e.propose(1, strings.Repeat("o", 400<<10)); err != nil && !errors.Is(err, consensus.ErrBusy) {
				t.Fatal(err)
			}
		}
		for _, id := range e.order {
			e.turn(e.cores[id])
		}
		e.persist(e.cores[1])
		list := e.queue
		e.queue = nil
		for _, p := range list {
			e.deliver(p)
		}
		if strings.Contains(e.out.String(), fmt.Sprintf("request %d done", forwarded)) {
			t.Logf("done after %d rounds", round)
			return
		}
	}
	t.Error("a forwarded command waited for 20 rounds of the leader's own")
}

func TestWhatReplicasCouldNotReadIsRefusedBeforehand(t *testing.T) {
	e := trio(t)
	core := e.cores[1].core
	for name, cmd := range map[string]state.Command{
		"value": {Kind: state.KindKeys, Keys: keys.Command{Kind: keys.Set, Path: "/a", Value: strings.Repeat("v", state.MaxCommandBytes)}},
		"both":  {Kind: state.KindKeys, Keys: keys.Command{Kind: keys.CompareAndSwap, Path: "/a", Value: strings.Repeat("v", keys.MaxValueBytes), PrevValue: strings.Repeat("v", keys.MaxValueBytes)}},
		"token": {Kind: state.KindKeys, Token: strings.Repeat("t", state.MaxTokenBytes+1), Keys: keys.Command{Kind: keys.Set, Path: "/a"}},
	} {
		if err := core.Propose(cmd, 1); !errors.Is(err, state.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The largest that the keyspace takes goes through, from a follower too.
	if err := e.propose(2, strings.Repeat("v", keys.MaxValueBytes)); err != nil {
		t.Fatal(err)
	}
	e.settle()
	if got := e.cores[3].state.Revision(); got != 2 {
		t.Errorf("revision %d, want 2: %.300s", got, e.out.String())
	}
}

func TestWaitingCommandsAreBounded(t *testing.T) {
	e := trio(t)
	e.cut[[2]world.MemberID{2, 1}] = true
	size, n := 1<<20, 0
	for ; n < 200 && e.propose(2, strings.Repeat("v", size)) == nil; n++ {
		continue
	}
	if n < 60 || n > 66 {
		t.Errorf("%d commands of 1 MiB wait, want about 64", n)
	}
	for range 3 * 100 {
		e.now += tick
		e.cores[2].core.Tick(e.now, 0)
		e.turn(e.cores[2])
	}
	if err := e.propose(2, "after"); err != nil {
		t.Errorf("after their deadlines: %v", err)
	}
}

// A command whose answer is late is repeated more and more rarely.
func TestRepetitionsBackOff(t *testing.T) {
	e := trio(t)
	e.cut[[2]world.MemberID{2, 1}] = true
	if err := e.propose(2, "v"); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for range 190 { // 1.9s of the 2s that a request has; 250ms to the first repetition
		e.now += tick
		e.cores[2].core.Tick(e.now, 0)
		for {
			o := e.cores[2].core.Ready()
			if o.Idle() {
				break
			}
			for _, m := range o.Messages {
				if m.Forward != nil {
					sent++
				}
			}
		}
	}
	if sent < 3 || sent > 4 {
		t.Errorf("sent %d times in 1.9s, want 3 or 4", sent)
	}
}

// Who leads no more tells those who forwarded at once, even without knowing
// who leads now.
func TestAFormerLeaderRefusesWhatWaits(t *testing.T) {
	e := trio(t)
	e.cores[1].manual = true
	for range 3 { // fills the batches that may be in flight
		if err := e.propose(1, "own"); err != nil {
			t.Fatal(err)
		}
		e.turn(e.cores[1])
	}
	f := &wire.Forward{Batch: state.AppendCommand(nil, &state.Command{
		ID: state.ID{Member: 2, Incarnation: 1, Seq: 1}, Low: 1, Kind: state.KindKeys, Keys: keys.Command{Kind: keys.Set, Path: "/a"},
	})}
	if err := e.cores[1].core.ReceiveForward(2, f); err != nil {
		t.Fatal(err)
	}
	e.queue = nil
	for range 60 { // check-quorum: nobody answers, so it steps down
		e.now += tick
		e.cores[1].core.Tick(e.now, 1)
		e.turn(e.cores[1])
	}
	if e.cores[1].core.IsLeader() {
		t.Fatal("still leads")
	}
	for _, p := range e.queue {
		if p.m.Refuse != nil && p.m.To == 2 {
			return
		}
	}
	t.Error("the forwarded command was not refused")
}
