package disk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/wire"
	"drydock/node/world"
	"drydock/sim/disk"
)

// A power cut at any operation of Found leaves a directory that boots or that
// can be founded again.
func TestFoundingSurvivesPowerCuts(t *testing.T) {
	for k := 0; ; k++ {
		r := newRig(t)
		h := r.add(1, nil)
		h.disk.left = k
		err := node.Found(h.disk, h.cfg, checkpoint.Store{}, members(1))
		if err != nil && !errors.Is(err, errPower) {
			t.Fatalf("power gone after %d operations: %v", k, err)
		}
		h.crash(uint64(k))
		_, boot := node.Boot(h.disk, h.cfg, checkpoint.Store{}, r.instant())
		if errors.Is(boot, node.ErrNotFounded) {
			if err == nil {
				t.Fatalf("power gone after %d operations: founded and lost", k)
			}
			if err := node.Found(h.disk, h.cfg, checkpoint.Store{}, members(1)); err != nil {
				t.Fatalf("power gone after %d operations: founding again: %v", k, err)
			}
		} else if boot != nil {
			t.Fatalf("power gone after %d operations: %v", k, boot)
		}
		h.crash(uint64(k))
		h.boot()
		h.put("/a", "1")
		if err == nil {
			return
		}
	}
}

// Likewise Boot itself, and a life after it: what was answered stays.
func TestBootSurvivesPowerCuts(t *testing.T) {
	for k := 0; ; k++ {
		r := newRig(t)
		r.found(nil, 1)
		h := r.hosts[0]
		h.put("/a", fmt.Sprint(k))
		h.crash(uint64(k))
		h.disk.left = k
		_, err := node.Boot(h.disk, h.cfg, checkpoint.Store{}, r.instant())
		if err != nil && !errors.Is(err, errPower) {
			t.Fatalf("power gone after %d operations: %v", k, err)
		}
		h.crash(uint64(k))
		h.boot()
		h.put("/b", "2")
		if got := h.value("/a"); got != fmt.Sprint(k) {
			t.Fatalf("power gone after %d operations: /a is %q", k, got)
		}
		if err == nil {
			return
		}
	}
}

func TestDirectoriesThatHoldALogAreNotFounded(t *testing.T) {
	d := disk.New()
	if err := node.Join(d, config(1)); err != nil {
		t.Fatal(err)
	}
	if err := node.Found(d, config(1), checkpoint.Store{}, members(1, 2, 3)); !errors.Is(err, wal.ErrExists) {
		t.Errorf("founding where a member joined: %v", err)
	}
	if _, _, found, err := (checkpoint.Store{}).Load(d); found || err != nil {
		t.Errorf("founding left a checkpoint (%t) in a directory that it refused, %v", found, err)
	}
}

func TestFoundersThatNobodyCouldReadAreRefused(t *testing.T) {
	long := members(1)
	long[0].Name = strings.Repeat("n", 257)
	for name, list := range map[string][]state.Member{"a long name": long, "none": nil, "others": members(2, 3), "zero": members(0, 1)} {
		if err := node.Found(disk.New(), config(1), checkpoint.Store{}, list); err == nil {
			t.Errorf("%s: founded", name)
		}
	}
}

// ended returns a state at index whose last entry is of term.
func ended(t *testing.T, index, term uint64) *state.State {
	t.Helper()
	st := state.New(members(1, 2, 3))
	for i := uint64(2); i <= index; i++ {
		if _, err := st.Apply(i, term, nil); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// A crash after a snapshot became the checkpoint and before the log was reset
// leaves a log that may hold another entry at the snapshot's index. What is
// appended after the next boot must survive the boot after that.
func TestEntriesAfterASnapshotOverAnotherLogSurvive(t *testing.T) {
	for _, last := range []uint64{4, 5, 8} {
		t.Run(fmt.Sprintf("log ends at %d", last), func(t *testing.T) {
			r := newRig(t)
			h := r.add(1, nil)
			log, err := wal.Create(h.disk, wal.Options{Identity: wal.Identity{Cluster: h.cfg.Cluster, Member: 1}, SegmentBytes: h.cfg.SegmentBytes})
			if err != nil {
				t.Fatal(err)
			}
			b := &wal.Batch{Marker: &wal.Marker{Index: 1, Term: 1}, Reset: true, Hard: &wal.HardState{Term: 7, Commit: 1}}
			if err := log.Append(b); err != nil {
				t.Fatal(err)
			}
			b = &wal.Batch{}
			for i := uint64(2); i <= last; i++ {
				b.Entries = append(b.Entries, wal.Entry{Index: i, Term: 2})
			}
			if err := errors.Join(log.Append(b), log.Sync(), log.Close()); err != nil {
				t.Fatal(err)
			}
			st := ended(t, 5, 7)
			conf, err := consensus.FoundingConf([]world.MemberID{1, 2, 3})
			if err != nil {
				t.Fatal(err)
			}
			if err := (checkpoint.Store{}).Write(h.disk, 0, st.Describe(conf), st.Records()); err != nil {
				t.Fatal(err)
			}
			h.boot()
			h.step(frame(appendFrame(2, 1, 7, 5, 7, 5, 6)))
			r.settle()
			h.crash(1)
			h.boot()
			h.step(frame(appendFrame(2, 1, 7, 6, 7, 6)))
			r.settle()
			if got := h.applied(); got != 6 {
				t.Errorf("applied %d after the second boot, want the entry 6 that was on disk", got)
			}
		})
	}
}

// appendFrame is a leader's message with empty entries at the indexes given,
// after the entry prev of term prevTerm.
func appendFrame(from, to world.MemberID, term, prev, prevTerm, commit uint64, indexes ...uint64) wire.Frame {
	f, t := uint64(from), uint64(to)
	m := &raftpb.Message{Type: raftpb.MsgApp.Enum(), From: &f, To: &t, Term: &term, Index: &prev, LogTerm: &prevTerm, Commit: &commit}
	for _, i := range indexes {
		m.Entries = append(m.Entries, &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Index: &i, Term: &term})
	}
	return wire.Frame{Kind: wire.KindRaft, Cluster: 9, From: from, To: to, Raft: []*raftpb.Message{m}}
}

// While the whole cluster is down a ttl goes on, as far as the calendar tells
// (design: time in the state).
func TestTimeGoesOnWhileAllAreDown(t *testing.T) {
	r := newRig(t)
	r.found(nil, 1)
	h := r.hosts[0]
	r.leader()
	call := setCall("/lease", "x")
	call.Write.HasTTL, call.Write.TTL = true, 60
	token := h.ask(call)
	r.until("an answer", func() bool { _, ok := r.token[token]; return ok })
	h.crash(1)
	r.now += 70 * time.Second
	h.boot()
	r.leader()
	r.ticks(20)
	if _, err := h.n.State().Keys().Get("/lease", false, false, keys.Stamp{}); err == nil {
		t.Error("a ttl of 60s outlived 70s during which the cluster was down")
	}
}
