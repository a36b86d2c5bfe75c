package disk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// small makes checkpoints frequent and laggards need snapshots soon.
func small(c *node.Config) { c.CheckpointEntries, c.CatchUpEntries, c.ChunkBytes = 10, 2, 512 }

// A learner gets a checkpoint that knows it, however idle the cluster is.
func TestALearnerJoinsAnIdleCluster(t *testing.T) {
	r := newRig(t)
	r.found(nil, 1, 2, 3)
	lead := r.leader()
	h := r.add(4, nil)
	if err := node.Join(h.disk, h.cfg); err != nil {
		t.Fatal(err)
	}
	h.boot()
	if token := h.ask(setCall("/a", "1")); r.token[token].Status != consensus.Refused {
		t.Errorf("a member without state answers a write: %+v", r.token[token])
	}
	lead.put("/a", "1")
	r.tokens++
	lead.step(node.ChangeMembers{Token: r.tokens, Changes: []state.MemberChange{{Kind: state.AddLearner, Member: state.Member{ID: 4}}}})
	r.until("the learner's state", func() bool { return h.value("/a") == "1" })
	r.tokens++
	lead.step(node.ChangeMembers{Token: r.tokens, Changes: []state.MemberChange{{Kind: state.Promote, Member: state.Member{ID: 4}}}})
	r.until("its vote", func() bool { m, ok := h.n.State().Member(4); return ok && !m.Learner })
}

// A member that missed more than frames hold at once is caught up all the same.
func TestFramesStaySmallWhileALaggardCatchesUp(t *testing.T) {
	r := newRig(t)
	r.found(nil, 1, 2, 3)
	lead := r.leader()
	lag := r.hosts[0]
	if lag == lead {
		lag = r.hosts[1]
	}
	r.cut[lag.cfg.ID] = true
	for i := range 24 {
		lead.put(fmt.Sprintf("/big%d", i%2), strings.Repeat(fmt.Sprint(i%10), 1<<20))
	}
	r.bulk = 0
	delete(r.cut, lag.cfg.ID)
	r.until("the laggard", func() bool { return lag.applied() == lead.applied() })
	if r.bulk > 4<<20 {
		t.Errorf("a frame of %d bytes was sent", r.bulk)
	}
}

// What a member finds in its log after a boot is applied over several steps.
func TestAStepAppliesAShareOfTheLog(t *testing.T) {
	r := newRig(t)
	r.found(nil, 1)
	h := r.leader()
	for i := range 40 {
		h.put(fmt.Sprintf("/k%d", i), strings.Repeat("v", 100<<10))
	}
	before := h.applied()
	h.crash(1)
	h.most = 0
	h.boot()
	r.until("all of the log", func() bool { return h.applied() >= before })
	if h.most == 0 || h.most > 10 {
		t.Errorf("a step applied %d entries of 100 KiB, want about 5", h.most)
	}
}

// laggard makes a cluster whose third member needs a snapshot; the snapshot's
// pieces flow when its link is healed.
func laggard(t *testing.T) (r *rig, lead, lag *host) {
	t.Helper()
	r = newRig(t)
	r.found(small, 1, 2, 3)
	lead = r.leader()
	lag = r.hosts[0]
	if lag == lead {
		lag = r.hosts[1]
	}
	lag.put("/early", "1")
	r.cut[lag.cfg.ID] = true
	for i := range 40 {
		lead.put(fmt.Sprintf("/k%d", i), strings.Repeat("v", 100))
	}
	delete(r.cut, lag.cfg.ID)
	return r, lead, lag
}

// Power may go at any operation of the disk while a snapshot comes in and is
// installed.
func TestInstallingSurvivesPowerCuts(t *testing.T) {
	for k := 0; k < 400; k++ {
		r, lead, lag := laggard(t)
		lag.disk.left = k
		r.until("the snapshot or the end of power", func() bool { return lag.disk.left == 0 || lag.applied() >= lead.applied() })
		whole := lag.disk.left > 0
		lag.crash(uint64(k))
		lag.boot()
		r.until("the laggard", func() bool { return lag.value("/k39") != "" })
		lead.put("/late", "1")
		r.ticks(20)
		lag.crash(uint64(k) + 1000)
		lag.boot()
		r.until("the laggard again", func() bool { return lag.value("/late") == "1" })
		if lead.n.State().Digest() != lag.n.State().Digest() && lead.applied() == lag.applied() {
			t.Fatalf("power gone after %d operations: digests differ at %d", k, lag.applied())
		}
		if whole {
			t.Logf("%d operations", k)
			return
		}
	}
	t.Error("power never lasted")
}

// A checkpoint that falls due while a snapshot is being installed must not be
// written over it.
func TestNoCheckpointWhileInstalling(t *testing.T) {
	r := newRig(t)
	r.found(small, 1, 2, 3)
	lead := r.leader()
	lag := r.hosts[0]
	if lag == lead {
		lag = r.hosts[1]
	}
	lag.closed[world.LaneCheckpoint] = true // one checkpoint waits, more is applied
	for i := range 30 {
		lead.put("/a", fmt.Sprint(i))
	}
	r.ticks(10)
	r.cut[lag.cfg.ID] = true
	for i := range 40 {
		lead.put("/b", fmt.Sprint(i))
	}
	delete(r.cut, lag.cfg.ID)
	r.until("an install that waits", func() bool {
		for _, s := range lag.jobs[world.LaneCheckpoint] {
			if s.Job.Name == "install" {
				return true
			}
		}
		return false
	})
	// The earlier checkpoint ends and its mark is written; the install is slow.
	lag.closed[world.LaneSnapshot] = true
	s := lag.jobs[world.LaneCheckpoint][0]
	lag.jobs[world.LaneCheckpoint] = lag.jobs[world.LaneCheckpoint][1:]
	lag.step(node.JobDone{ID: s.ID, Err: s.Job.Run(lag.disk)})
	r.ticks(3)
	lag.closed = [world.NumLanes]bool{}
	r.until("the laggard", func() bool { return lag.n == nil || lag.applied() == lead.applied() })
	if lag.n == nil {
		t.Fatalf("stopped: %v", lag.last.Halt)
	}
}

// A deposed leader whose export ends late must not send it in another's term.
func TestAFormerLeaderSendsNoSnapshot(t *testing.T) {
	r, lead, lag := laggard(t)
	lead.closed[world.LaneCheckpoint] = true
	r.until("an export", func() bool {
		for _, s := range lead.jobs[world.LaneCheckpoint] {
			if s.Job.Name == "export" {
				return true
			}
		}
		return false
	})
	term := uint64(1000)
	other := lag.cfg.ID
	lead.step(frame(wire.Frame{Kind: wire.KindRaft, Cluster: 9, From: other, To: lead.cfg.ID, Raft: []*raftpb.Message{
		{Type: raftpb.MsgHeartbeat.Enum(), From: (*uint64)(&other), To: (*uint64)(&lead.cfg.ID), Term: &term},
	}}))
	r.queue = nil
	s := lead.jobs[world.LaneCheckpoint][0]
	lead.step(node.JobDone{ID: s.ID, Err: s.Job.Run(lead.disk)})
	for _, s := range lead.jobs[world.LaneSnapshot] {
		if s.Job.Name == "read chunk" {
			t.Error("reads the snapshot to send it")
		}
	}
}

// A log that can't be written stops the node, and that step answers nothing.
func TestALogThatFailsStopsTheNode(t *testing.T) {
	r := newRig(t)
	r.found(nil, 1)
	h := r.leader()
	h.closed[world.LaneLog] = true
	h.ask(setCall("/a", "1"))
	if len(h.jobs[world.LaneLog]) == 0 {
		t.Fatal("nothing is written")
	}
	s := h.jobs[world.LaneLog][0]
	read := api.Call{Kind: api.Read, Path: "/"}
	fx := h.step(node.Request{Token: 77, Call: &read}, node.JobDone{ID: s.ID, Err: errPower})
	if !errors.Is(fx.Halt, errPower) {
		t.Fatalf("halt: %v", fx.Halt)
	}
	if n := len(fx.Jobs) + len(fx.Sends) + len(fx.Answers) + len(fx.Watches); n != 0 {
		t.Errorf("a step that halts asks for %d things", n)
	}
}

// Frames that are not for this member, or not from whom they say, change
// nothing.
func TestBadFramesAreDropped(t *testing.T) {
	r := newRig(t)
	r.found(nil, 1, 2, 3)
	h := r.hosts[0]
	r.ticks(1)
	term := func() uint64 { return h.role().Term }
	before := term()
	high := uint64(99)
	spoof := func(from, claimed, to world.MemberID, cluster uint64) node.Received {
		return frame(wire.Frame{Kind: wire.KindRaft, Cluster: cluster, From: from, To: to, Raft: []*raftpb.Message{
			{Type: raftpb.MsgHeartbeat.Enum(), From: (*uint64)(&claimed), To: (*uint64)(&to), Term: &high},
		}})
	}
	good := spoof(2, 2, 1, 9)
	torn := node.Received{Frame: append([]byte{}, good.Frame...)}
	torn.Frame[20] ^= 1
	for name, in := range map[string]node.Received{
		"empty": {}, "torn": torn, "short": {Frame: good.Frame[:10]},
		"other cluster": spoof(2, 2, 1, 8), "other member": spoof(2, 2, 3, 9), "spoofed": spoof(3, 2, 1, 9),
		"forward of a stranger": frame(wire.Frame{Kind: wire.KindForward, Cluster: 9, From: 77, To: 1, Forward: &wire.Forward{Batch: []byte{1}}}),
		"unknown kind":          {Frame: append([]byte{'D', 1, 99}, good.Frame[3:]...)},
		"chunk in the middle":   frame(wire.Frame{Kind: wire.KindSnapChunk, Cluster: 9, From: 2, To: 1, Chunk: &wire.SnapChunk{Stream: 50, Term: 1, Offset: 10, Total: 20, Data: []byte("x")}}),
		"ack of nothing":        frame(wire.Frame{Kind: wire.KindSnapAck, Cluster: 9, From: 2, To: 1, Ack: &wire.SnapAck{Stream: 5, Done: true}}),
		"refusal of nothing":    frame(wire.Frame{Kind: wire.KindRefuse, Cluster: 9, From: 2, To: 1, Refuse: &wire.Refuse{Seqs: []uint64{1, 1 << 60}}}),
	} {
		h.step(in)
		if h.n == nil || term() != before {
			t.Fatalf("%s: term %d, was %d", name, term(), before)
		}
	}
	h.step(good)
	if term() != high {
		t.Errorf("the good frame: term %d", term())
	}
}

func TestWatches(t *testing.T) {
	r, lead, lag := laggard(t)
	watch := func(h *host, call api.Call) uint64 {
		call.Kind, call.Path, call.Recursive = api.Watch, "/", true
		return h.ask(call)
	}
	of := func(token uint64) (list []string) {
		for _, w := range r.news {
			if w.Token != token {
				continue
			}
			s := "end"
			switch {
			case w.Head:
				s = "head"
			case w.Err != nil:
				s = fmt.Sprint("error ", w.Err.Code)
			case w.Event != nil && w.Last:
				s = "last " + w.Event.Node.Key
			case w.Event != nil:
				s = "event " + w.Event.Node.Key
			}
			list = append(list, s)
		}
		return list
	}
	one, stream := watch(lead, api.Call{}), watch(lead, api.Call{Stream: true})
	gone := watch(lead, api.Call{Stream: true})
	lead.step(node.Cancel{Token: gone})
	past := watch(lead, api.Call{Since: 2})
	behind := watch(lag, api.Call{Stream: true}) // its state is about to be replaced
	lead.put("/x", "1")
	lead.put("/y", "1")
	r.until("the laggard", func() bool { return lag.value("/y") == "1" })
	for token, want := range map[uint64]string{
		one: "head,last /x", stream: "head,event /x,event /y", gone: "head", past: "head,last /k0",
		behind: fmt.Sprint("head,error ", keys.CodeWatcherCleared),
	} {
		if got := strings.Join(of(token), ","); got != want {
			t.Errorf("watch %d: %s, want %s", token, got, want)
		}
	}
}

func TestBoundsRefuse(t *testing.T) {
	r := newRig(t)
	r.found(func(c *node.Config) { c.MaxWatches = 2 }, 1, 2, 3)
	h := r.hosts[0]
	r.cut[h.cfg.ID] = true
	watches := 0
	for range 3 {
		token := h.ask(api.Call{Kind: api.Watch, Path: "/", Stream: true})
		if _, answered := r.token[token]; !answered {
			watches++
		}
	}
	if watches != 2 {
		t.Errorf("%d watches, want 2", watches)
	}
	busy := 0
	var first uint64
	for range 9000 {
		for _, call := range []api.Call{setCall("/a", "1"), {Kind: api.Read, Path: "/", Linearizable: true}} {
			token := h.ask(call)
			if a, ok := r.token[token]; ok {
				if a.Status != consensus.Refused || a.Reason != consensus.ReasonBusy {
					t.Fatalf("%v %s", a.Status, a.Reason)
				}
				busy++
			}
			if first == 0 {
				first = token
			}
		}
	}
	if want := 2 * (9000 - 8192); busy != want {
		t.Errorf("%d requests were refused as too many, want %d", busy, want)
	}
	// Without a leader nothing was handed to anybody, so all end refused.
	r.until("their deadlines", func() bool { _, ok := r.token[first+2*8191]; return ok })
	if a := r.token[first]; a.Status != consensus.Refused || a.Reason != consensus.ReasonNoLeader {
		t.Errorf("a write that nobody was given ended %v %s", a.Status, a.Reason)
	}
	long := setCall("/a", "1")
	long.Token = strings.Repeat("t", state.MaxTokenBytes+1)
	if token := h.ask(long); r.token[token].Status != consensus.Refused {
		t.Errorf("a token that nobody could read: %+v", r.token[token])
	}
	bad := []state.MemberChange{{Kind: state.AddLearner, Member: state.Member{ID: 9, Name: strings.Repeat("n", 1000)}}}
	r.tokens++
	h.step(node.ChangeMembers{Token: r.tokens, Changes: bad})
	if a := r.token[r.tokens]; !errors.Is(a.Refusal, state.ErrMembership) {
		t.Errorf("a name that nobody could read: %+v", a)
	}
}

// A write whose leader went away after it was sent ends unknown, and its
// request once.
func TestAWriteThatWasSentEndsUnknown(t *testing.T) {
	r := newRig(t)
	r.found(nil, 1, 2, 3)
	lead := r.leader()
	lead.closed[world.LaneLog] = true
	token := lead.ask(setCall("/a", "1"))
	r.cut[lead.cfg.ID] = true
	r.until("its deadline", func() bool { _, ok := r.token[token]; return ok })
	if a := r.token[token]; a.Status != consensus.Unknown || a.Reason != consensus.ReasonTimeout {
		t.Errorf("%v %s", a.Status, a.Reason)
	}
	lead.closed = [world.NumLanes]bool{}
	delete(r.cut, lead.cfg.ID)
	r.leader()
	r.ticks(100)
}

func (h *host) role() node.Role { return h.seen }
