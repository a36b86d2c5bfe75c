package disk_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// reachable gives a node something to publish.
func reachable(c *node.Config) {
	c.Name = fmt.Sprintf("m%d", c.ID)
	c.PeerURLs = []string{fmt.Sprintf("http://n%d:2380", c.ID)}
	c.ClientURLs = []string{fmt.Sprintf("http://n%d:2379", c.ID)}
}

// older makes the given members speak release 1.
func older(ids ...world.MemberID) func(*node.Config) {
	return func(c *node.Config) {
		reachable(c)
		for _, id := range ids {
			if c.ID == id {
				c.Release = state.Release1
			}
		}
	}
}

// restart brings a member back as another release.
func (h *host) restart(as state.Release) error {
	h.crash(1)
	h.cfg.Release = as
	n, err := node.Boot(h.disk, h.cfg, checkpoint.Store{}, h.r.instant())
	if err != nil {
		return err
	}
	h.n = n
	h.step(node.Tick{})
	return nil
}

// raised says whether all members that run are at a release.
func (r *rig) at(release state.Release) bool {
	for _, h := range r.hosts {
		if h.n != nil && h.n.State().Release() != release {
			return false
		}
	}
	return true
}

// published says whether all members know of each other what each says.
func (r *rig) published() bool {
	for _, h := range r.hosts {
		for _, other := range r.hosts {
			m, ok := h.n.State().Member(other.cfg.ID)
			want := state.Member{
				ID: other.cfg.ID, Name: other.cfg.Name, PeerURLs: other.cfg.PeerURLs, ClientURLs: other.cfg.ClientURLs, Learner: m.Learner,
			}
			if !ok || !cmp.Equal(m, want) {
				return false
			}
		}
	}
	return true
}

func TestYoungClustersAreRaisedAtOnceAndThenRest(t *testing.T) {
	for _, ids := range [][]world.MemberID{{1}, {1, 2, 3}} {
		r := newRig(t)
		r.found(reachable, ids...)
		r.leader()
		began := r.now
		r.until("the newest release", func() bool { return r.at(state.Newest) && r.published() })
		if took := r.now - began; took > 250*time.Millisecond {
			t.Errorf("%d members: raised after %v", len(ids), took)
		}
		r.ticks(100)
		index := r.hosts[0].applied()
		for range 300 {
			r.now += 10 * time.Millisecond
			for _, h := range r.hosts {
				h.step(node.Tick{})
			}
			for _, s := range r.queue {
				if f, err := wire.Decode(s.Frame); err != nil || f.Kind == wire.KindHello {
					t.Fatalf("%d members greet at rest (%v)", len(ids), err)
				}
			}
			r.settle()
		}
		if got := r.hosts[0].applied(); got != index {
			t.Errorf("%d members: %d entries were logged at rest", len(ids), got-index)
		}
	}
}

func TestReleaseWaitsForTheLastMember(t *testing.T) {
	r := newRig(t)
	r.found(older(3), 1, 2, 3)
	r.leader().put("/k", "v")
	r.ticks(300)
	if !r.at(state.Release1) || r.published() {
		t.Fatal("raised without the third")
	}
	// One that is down has said nothing of late, whatever it said before.
	if err := r.hosts[2].restart(state.Newest); err != nil {
		t.Fatal(err)
	}
	r.hosts[2].crash(1)
	r.ticks(300)
	if !r.at(state.Release1) {
		t.Fatal("raised while the third is down")
	}
	if err := r.hosts[2].restart(state.Newest); err != nil {
		t.Fatal(err)
	}
	r.until("the newest release and names", func() bool { return r.at(state.Newest) && r.published() })
}

func TestALearnerHasASay(t *testing.T) {
	r := newRig(t)
	r.found(older(1, 2, 3), 1, 2, 3)
	h := r.add(4, older(4))
	if err := node.Join(h.disk, h.cfg); err != nil {
		t.Fatal(err)
	}
	h.boot()
	lead := r.leader()
	lead.step(node.ChangeMembers{Token: 900, Changes: []state.MemberChange{{Kind: state.AddLearner, Member: state.Member{ID: 4}}}})
	r.until("the learner", func() bool { return h.n.State().HasMember(4) })
	for _, old := range r.hosts[:3] {
		if err := old.restart(state.Newest); err != nil {
			t.Fatal(err)
		}
		r.leader()
	}
	r.ticks(200)
	if !r.at(state.Release1) {
		t.Fatal("raised without the learner")
	}
	if err := h.restart(state.Newest); err != nil {
		t.Fatal(err)
	}
	r.until("the newest release", func() bool { return r.at(state.Newest) })
}

func TestWordsOfAnotherTermOrByStrangersAreVoid(t *testing.T) {
	r := newRig(t)
	r.found(older(2, 3), 1, 2, 3)
	for _, h := range r.hosts[1:] {
		r.cut[h.cfg.ID] = false
	}
	var lead *host
	r.until("the newer one to lead", func() bool {
		lead = r.leader()
		if lead.cfg.ID != 1 {
			lead.step(node.TransferLeader{Token: uint64(1000 + r.now), To: 1})
			r.ticks(20)
		}
		return lead.cfg.ID == 1
	})
	say := func(from world.MemberID, release, term uint64) {
		lead.step(frame(wire.Frame{Kind: wire.KindHello, Cluster: 9, From: from, To: 1, Hello: &wire.Hello{Release: release, Term: term}}))
	}
	term := lead.seen.Term
	say(2, 2, term)
	for _, wrong := range []func(){
		func() { say(3, 2, term-1) },
		func() { say(3, 2, term+1) },
		func() { say(4, 2, term) },
		func() { say(3, 1, term) },
	} {
		wrong()
		r.settle()
		if !r.at(state.Release1) {
			t.Fatal("raised by a word that is void")
		}
	}
	say(3, 2, term)
	token := uint64(5000)
	lead.step(node.UpdateMember{Token: token, Publish: state.Publish{ID: 2, Name: "x"}})
	if a := r.token[token]; !errors.Is(a.Refusal, state.ErrNotYet) {
		t.Errorf("published before it was raised: %+v", a)
	}
	r.settle() // the older ones meet it, and stop
	for _, h := range r.hosts[1:] {
		if h.n != nil || !errors.Is(h.last.Halt, state.ErrRelease) {
			t.Errorf("member %d goes on: %v", h.cfg.ID, h.last.Halt)
		}
	}
}

func TestOlderMembersStopHoweverTheyMeetIt(t *testing.T) {
	small := func(c *node.Config) {
		reachable(c)
		c.CheckpointEntries, c.CatchUpEntries = 10, 1
	}
	for name, prepare := range map[string]func(r *rig, h *host){
		"in the log": func(*rig, *host) {},
		"in the checkpoint": func(r *rig, h *host) {
			for i := range 40 {
				r.leader().put("/k", fmt.Sprint(i))
			}
			r.until("a checkpoint", func() bool { return h.applied() == r.leader().applied() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.found(small, 1, 2, 3)
			r.until("the newest release", func() bool { return r.at(state.Newest) && r.published() })
			h := r.hosts[2]
			prepare(r, h)
			err := h.restart(state.Release1)
			if err == nil {
				r.until("its end", func() bool { return h.n == nil })
				err = h.last.Halt
			}
			if !errors.Is(err, state.ErrRelease) {
				t.Fatalf("err = %v", err)
			}
			r.leader().put("/k", "without it")
			if err := h.restart(state.Newest); err != nil {
				t.Fatal(err)
			}
			r.until("it to be back", func() bool { return h.value("/k") == "without it" })
		})
	}
	t.Run("in a snapshot", func(t *testing.T) {
		r := newRig(t)
		r.found(small, 1)
		r.until("the newest release", func() bool { return r.at(state.Newest) })
		for i := range 40 {
			r.leader().put("/k", fmt.Sprint(i))
		}
		h := r.add(2, func(c *node.Config) { small(c); c.Release = state.Release1 })
		if err := node.Join(h.disk, h.cfg); err != nil {
			t.Fatal(err)
		}
		h.boot()
		r.leader().step(node.ChangeMembers{Token: 900, Changes: []state.MemberChange{{Kind: state.AddLearner, Member: state.Member{ID: 2}}}})
		r.until("its end", func() bool { return h.n == nil })
		if !errors.Is(h.last.Halt, state.ErrRelease) {
			t.Fatalf("halt = %v", h.last.Halt)
		}
	})
}

func TestMembersAreUpdatedByOperators(t *testing.T) {
	r := newRig(t)
	r.found(reachable, 1, 2, 3)
	r.until("the newest release", func() bool { return r.at(state.Newest) && r.published() })
	token := uint64(7000)
	update := func(p state.Publish) node.Answer {
		token++
		r.hosts[1].step(node.UpdateMember{Token: token, Publish: p})
		r.until("an answer", func() bool { _, ok := r.token[token]; return ok })
		return r.token[token]
	}
	if a := update(state.Publish{ID: 3, PeerURLs: []string{"http://elsewhere:2380"}}); a.Status != consensus.Done || a.Refusal != nil {
		t.Fatalf("%+v", a)
	}
	r.ticks(100)
	for _, h := range r.hosts {
		if m, _ := h.n.State().Member(3); len(m.PeerURLs) != 1 || m.PeerURLs[0] != "http://elsewhere:2380" || m.Name != "m3" {
			t.Errorf("member %d has %+v", h.cfg.ID, m)
		}
	}
	if a := update(state.Publish{ID: 2, PeerURLs: []string{"http://elsewhere:2380"}}); !errors.Is(a.Refusal, state.ErrURLTaken) {
		t.Errorf("%+v", a)
	}
	if a := update(state.Publish{ID: 77, Name: "x"}); !errors.Is(a.Refusal, state.ErrNoMember) {
		t.Errorf("%+v", a)
	}
	// What a member says of itself is the cluster's again at its next start.
	h := r.hosts[2]
	h.cfg.Name = "renamed"
	if err := h.restart(0); err != nil {
		t.Fatal(err)
	}
	r.until("the new name", func() bool { m, _ := r.hosts[0].n.State().Member(3); return m.Name == "renamed" })
	if m, _ := r.hosts[0].n.State().Member(3); m.PeerURLs[0] != "http://elsewhere:2380" {
		t.Errorf("what the operator changed is gone: %+v", m)
	}
}

func TestLearnersThatCaughtUpAreGivenAVote(t *testing.T) {
	for _, auto := range []bool{true, false} {
		r := newRig(t)
		tune := func(c *node.Config) { c.AutoPromote = auto }
		r.found(tune, 1)
		r.leader().put("/k", "v")
		h := r.add(2, tune)
		if err := node.Join(h.disk, h.cfg); err != nil {
			t.Fatal(err)
		}
		lead := r.leader()
		lead.step(node.ChangeMembers{Token: 900, Changes: []state.MemberChange{{Kind: state.AddLearner, Member: state.Member{ID: 2}}}})
		r.ticks(100)
		if m, _ := lead.n.State().Member(2); !m.Learner {
			t.Fatal("a learner that never came votes")
		}
		h.boot()
		votes := func() bool { m, ok := h.n.State().Member(2); return ok && !m.Learner }
		if auto {
			r.until("its vote", votes)
			continue
		}
		r.ticks(300)
		if votes() {
			t.Fatal("given a vote that nobody asked for")
		}
	}
}

func TestReleasesToComeAreRefused(t *testing.T) {
	c := config(1)
	c.Release = state.Newest + 1
	if err := c.Validate(); !errors.Is(err, node.ErrConfig) {
		t.Errorf("err = %v", err)
	}
}
