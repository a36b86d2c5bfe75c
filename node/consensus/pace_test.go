package consensus_test

import (
	"fmt"
	"testing"
	"time"

	"drydock/node/consensus"
	"drydock/node/world"
)

// proposeAll has n clients of a member ask.
func (e *env) proposeAll(t *testing.T, id world.MemberID, n int) {
	t.Helper()
	for range n {
		if err := e.propose(id, "v"); err != nil {
			t.Fatal(err)
		}
	}
}

// applied returns how far a member has applied.
func (e *env) applied(id world.MemberID) uint64 {
	index, _ := e.cores[id].state.Applied()
	return index
}

func (e *env) sleep(d time.Duration) {
	e.now += d
	for _, id := range e.order {
		e.cores[id].core.SetTime(e.now)
	}
	e.settleNow()
}

// One after another, commands cost an append and an answer at each follower; what
// is committed goes with the next append, or alone when none comes.
func TestCommitsRideOnAppends(t *testing.T) {
	e := trio(t)
	e.settle()
	before, first := e.frames, e.applied(1)
	const n = 10
	for i := range n {
		e.proposeAll(t, 1, 1)
		e.settleNow()
		if got := e.applied(1); got != first+uint64(i)+1 {
			t.Fatalf("the leader has applied %d, want %d", got, first+uint64(i)+1)
		}
	}
	if got := e.frames - before; got != 4*n {
		t.Errorf("%d frames for %d commands, want 4 each", got, n)
	}
	if got := e.applied(2); got != first+n-1 {
		t.Errorf("a follower has applied %d while the last is held, want %d", got, first+n-1)
	}
	e.sleep(time.Millisecond)
	for id := world.MemberID(1); id <= 3; id++ {
		if got := e.applied(id); got != first+n {
			t.Errorf("n%d has applied %d after a millisecond, want %d", id, got, first+n)
		}
	}
}

// Who asked a follower isn't kept waiting for the next append.
func TestCommitsOfOthersGoAtOnce(t *testing.T) {
	e := trio(t)
	e.settle()
	e.proposeAll(t, 2, 1)
	e.settleNow()
	if got := e.ends[e.token]; len(got) != 1 || got[0] != consensus.Done {
		t.Errorf("a command by way of a follower ended %v without time passing", got)
	}
}

// A commit index alone is no write of its own, until nothing was written for a
// while; then it is one, with the term and the vote that are in force.
func TestCommitsAreWrittenWithEntries(t *testing.T) {
	e := trio(t)
	e.settle()
	for _, id := range e.order {
		e.cores[id].lone = nil
	}
	for range 10 {
		e.proposeAll(t, 1, 1)
		e.settle()
	}
	for _, id := range e.order {
		m := e.cores[id]
		if len(m.lone) != 0 {
			t.Errorf("n%d: %d writes without entries", id, len(m.lone))
		}
		if want := e.applied(id) - 1; m.hard.Commit < want-1 || m.hard.Commit > want {
			t.Errorf("n%d: commit index %d was written with the last entry %d", id, m.hard.Commit, want+1)
		}
	}
	for range 3 {
		e.advance()
		e.settle()
	}
	for _, id := range e.order {
		m := e.cores[id]
		_, term := m.core.Lead()
		if len(m.lone) != 1 || m.lone[0].Commit != e.applied(id) || m.lone[0].Term != term || m.lone[0].Vote != 1 {
			t.Errorf("n%d: written without entries in a quiet time: %+v, want term %d, vote 1, commit %d", id, m.lone, term, e.applied(id))
		}
	}
}

// rounds has n clients ask a few times over links of some length, which are quick
// again afterwards.
func (e *env) rounds(t *testing.T, n int, way time.Duration) {
	e.settle()
	e.slow = make(map[[2]world.MemberID]time.Duration)
	for id := world.MemberID(2); id <= 3; id++ {
		e.slow[[2]world.MemberID{1, id}], e.slow[[2]world.MemberID{id, 1}] = way, way
	}
	for range 12 {
		e.proposeAll(t, 1, n)
		for range n {
			e.token++
			if err := e.cores[1].core.Read(e.token); err != nil {
				t.Fatal(err)
			}
		}
		e.settleNow()
		for range 10 {
			e.sleep(way)
			e.arrive()
			e.settleNow()
		}
		e.sleep(10 * time.Millisecond)
	}
	e.slow = nil
	e.settle()
}

// While many clients ask again and again, a batch waits for those who were just
// answered, but not for longer than a moment.
func TestBatchesGather(t *testing.T) {
	e := trio(t)
	e.rounds(t, 64, time.Millisecond)
	e.proposeAll(t, 1, 64)
	e.settle()
	last := e.applied(1)
	for _, tc := range []struct {
		ask   int
		after uint64 // entries
	}{{40, 0}, {15, 0}, {1, 1}, {0, 1}} {
		e.proposeAll(t, 1, tc.ask)
		e.settleNow()
		if got := e.applied(1) - last; got != tc.after {
			t.Fatalf("%d entries after %d more asked, want %d", got, tc.ask, tc.after)
		}
	}
	last = e.applied(1)
	e.proposeAll(t, 1, 20)
	e.settleNow()
	if due, ok := e.cores[1].core.Due(); !ok || due-e.now > 2*time.Millisecond || e.applied(1) != last {
		t.Fatalf("20 of 64 came: next at %v of now %v, %t, applied %d after %d", due, e.now, ok, e.applied(1), last)
	}
	e.sleep(2 * time.Millisecond)
	if e.applied(1) != last+1 {
		t.Errorf("applied %d when the wait was over, want %d", e.applied(1), last+1)
	}
}

// Where rounds are quick, nobody waits longer for others than for the round.
func TestGatheringEndsWithQuickRounds(t *testing.T) {
	e := trio(t)
	e.rounds(t, 64, 200*time.Microsecond)
	last := e.applied(1)
	e.proposeAll(t, 1, 20)
	e.settleNow()
	due, ok := e.cores[1].core.Due()
	if wait := due - e.now; !ok || wait < 200*time.Microsecond || wait > 450*time.Microsecond || e.applied(1) != last {
		t.Fatalf("after rounds of 400µs: next in %v, %t, applied %d after %d", wait, ok, e.applied(1), last)
	}
	e.sleep(due - e.now)
	if e.applied(1) != last+1 {
		t.Errorf("applied %d when the wait was over, want %d", e.applied(1), last+1)
	}
}

// A few clients never wait for others.
func TestFewDoNotGather(t *testing.T) {
	e := trio(t)
	for n := 8; n >= 1; n-- {
		e.proposeAll(t, 1, n)
		e.settleNow()
		if got := e.cores[1].state.Revision(); got != 1+uint64(e.token) {
			t.Fatalf("with %d clients: revision %d after %d commands", n, got, e.token)
		}
	}
}

// On a long way batches overlap: the second goes out while the first is under way.
func TestBatchesOverlapOnALongWay(t *testing.T) {
	e := trio(t)
	e.settle()
	e.slow = make(map[[2]world.MemberID]time.Duration)
	for id := world.MemberID(2); id <= 3; id++ {
		e.slow[[2]world.MemberID{1, id}] = 50 * time.Millisecond
	}
	before := e.frames
	for i := 1; i <= 5; i++ {
		e.proposeAll(t, 1, 20)
		e.settleNow()
		if i > 1 {
			due, ok := e.cores[1].core.Due()
			if !ok || due-e.now > 4*time.Millisecond || e.frames-before != 2*(i-1) {
				t.Fatalf("batch %d: next at %v of now %v, %t; %d frames", i, due, e.now, ok, e.frames-before)
			}
			e.sleep(due - e.now)
		}
		if got := e.frames - before; got != 2*i {
			t.Fatalf("%d frames after %d batches, want %d", got, i, 2*i)
		}
	}
}

// Reads gather as commands do.
func TestReadsGather(t *testing.T) {
	e := trio(t)
	e.settle()
	read := func(n int) {
		t.Helper()
		for range n {
			e.token++
			if err := e.cores[1].core.Read(e.token); err != nil {
				t.Fatal(err)
			}
		}
		e.settleNow()
	}
	e.rounds(t, 32, time.Millisecond)
	read(32)
	before := e.frames
	read(20)
	if e.frames != before {
		t.Errorf("%d frames while 20 of 32 have asked", e.frames-before)
	}
	read(8)
	if got := e.frames - before; got != 4 {
		t.Errorf("%d frames for the round of 28, want 4", got)
	}
	read(1)
	e.sleep(time.Millisecond)
	if got := e.frames - before; got != 8 {
		t.Errorf("%d frames when the wait was over, want 8: %s", got, fmt.Sprint(e.cores[1].core.Due()))
	}
}
