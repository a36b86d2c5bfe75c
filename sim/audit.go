package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/world"
	"drydock/sim/history"
)

// audit reads the members' logs from their disks: at each boot, before segments
// are recycled, and at the end. It then says what was committed, whatever any
// member's memory held.
type audit struct {
	w    *World
	logs []diskLog
}

// diskLog is what one disk has shown of its log. Released segments stay known.
type diskLog struct {
	pos     wal.Position
	base    uint64 // index before the first entry
	entries []wal.Entry
	commit  uint64
	// kept are committed entries that a snapshot has since replaced here.
	kept []wal.Entry
}

func newAudit(w *World) *audit { return &audit{w: w, logs: make([]diskLog, len(w.machines))} }

// scan reads what a machine's disk has gained since the last time.
func (a *audit) scan(m *machine) {
	l := &a.logs[m.index]
	pos, err := wal.Scan(m.disk, l.pos, func(r wal.Record) error {
		l.take(&r.Batch)
		return nil
	})
	if errors.Is(err, wal.ErrPositionLost) {
		l.pos = wal.Position{}
		pos, err = wal.Scan(m.disk, l.pos, func(r wal.Record) error {
			l.take(&r.Batch)
			return nil
		})
	}
	if err != nil {
		a.w.referee.broken(m, fmt.Sprintf("has a log that can't be read: %v", err))
		return
	}
	l.pos = pos
}

// rescan reads a machine's log anew: a crash may have taken its end away, or
// left more of it than was promised.
func (a *audit) rescan(m *machine) {
	a.logs[m.index].pos = wal.Position{}
	a.scan(m)
}

// take adds one batch. Records that were read before change nothing, since
// recovery keeps only what follows from the log's own order.
func (l *diskLog) take(b *wal.Batch) {
	if b.Reset && b.Marker != nil && b.Marker.Index > l.last() {
		l.replaced(b.Marker.Index)
	}
	for i := range b.Entries {
		e := b.Entries[i]
		switch {
		case e.Index <= l.base:
			continue
		case e.Index > l.last()+1:
			// A hole: what is before it was replaced by a snapshot.
			l.replaced(e.Index - 1)
		default:
			l.entries = l.entries[:e.Index-l.base-1]
		}
		l.entries = append(l.entries, e)
	}
	if b.Hard != nil {
		l.commit = max(l.commit, b.Hard.Commit)
	}
}

// replaced starts the log anew after base, keeping what was committed.
func (l *diskLog) replaced(base uint64) {
	for i := range l.entries {
		if l.entries[i].Index <= l.commit {
			l.kept = append(l.kept, l.entries[i])
		}
	}
	l.base, l.entries = base, nil
}

// committed lists what this disk has shown as committed, in order.
func (l *diskLog) committed() []wal.Entry {
	n := 0
	for n < len(l.entries) && l.entries[n].Index <= l.commit {
		n++
	}
	return append(l.kept[:len(l.kept):len(l.kept)], l.entries[:n]...)
}

func (l *diskLog) last() uint64 { return l.base + uint64(len(l.entries)) }

// report fills the result with what the disks hold.
func (a *audit) report(r *Result) {
	for _, m := range a.w.machines {
		if m.alive() && m.node != nil {
			a.scan(m)
		}
	}
	commit, byIndex := uint64(0), make(map[uint64]*wal.Entry)
	for i := range a.logs {
		l := &a.logs[i]
		commit = max(commit, l.commit)
		list := l.committed()
		for j := range list {
			e := &list[j]
			if byIndex[e.Index] == nil {
				byIndex[e.Index] = e
			}
			r.Entries = append(r.Entries, history.Entry{
				Node: a.w.machines[i].name, Index: e.Index, Term: e.Term, Hash: entryHash(e),
			})
		}
	}
	r.FinalCommit = commit
	t := truth{sessions: make(map[world.MemberID]*idSet), voters: make(map[world.MemberID]bool)}
	for _, m := range a.w.machines {
		if a.w.founders[m.name] {
			t.sessions[m.id], t.voters[m.id] = new(idSet), true
		}
	}
	for index := uint64(2); index <= commit; index++ {
		e := byIndex[index]
		if e == nil {
			r.Missing = append(r.Missing, index)
			continue
		}
		if err := t.entry(e); err != nil {
			r.Broken = append(r.Broken, fmt.Sprintf("entry %d on disk: %v", index, err))
			return
		}
	}
	r.Truth = t.list
	for _, m := range a.w.machines {
		if t.voters[m.id] {
			r.Voters = append(r.Voters, m.name)
		}
	}
}

// entryHash stands for what an entry holds.
func entryHash(e *wal.Entry) string {
	h := sha256.New()
	h.Write([]byte{e.Type})
	h.Write(e.Data)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// truth replays committed entries just far enough to give each command its
// revision: which commands are repetitions is decided here from the ids alone.
type truth struct {
	list     []history.Committed
	revision uint64
	sessions map[world.MemberID]*idSet
	voters   map[world.MemberID]bool
}

// idSet is the ids of one member's life that have been seen.
type idSet struct {
	incarnation, low uint64
	seen             map[uint64]bool
}

// fresh says whether a command counts: each id once, none of an earlier life,
// none that its origin had given up on before.
func (s *idSet) fresh(id state.ID, low uint64) bool {
	if id.Incarnation < s.incarnation {
		return false
	}
	if id.Incarnation > s.incarnation || s.seen == nil {
		s.incarnation, s.low, s.seen = id.Incarnation, 0, make(map[uint64]bool)
	}
	s.low = max(s.low, low)
	if id.Seq < s.low || s.seen[id.Seq] {
		return false
	}
	s.seen[id.Seq] = true
	return true
}

func (t *truth) entry(e *wal.Entry) error {
	if t.revision == 0 {
		t.revision = 1 // the founding
	}
	if raftpb.EntryType(e.Type) != raftpb.EntryNormal {
		return t.conf(e)
	}
	if len(e.Data) == 0 {
		return nil
	}
	b, err := state.DecodeBatch(e.Data)
	if err != nil {
		return err
	}
	for i := range b.Commands {
		t.command(&b.Commands[i])
	}
	return nil
}

func (t *truth) command(c *state.Command) bool {
	out := history.Committed{Token: c.Token}
	s := t.sessions[c.ID.Member]
	if s == nil || !s.fresh(c.ID, c.Low) {
		out.Repeat, out.Revision = true, t.revision
		t.list = append(t.list, out)
		return false
	}
	t.revision++
	out.Revision = t.revision
	if c.Kind == state.KindKeys {
		out.Kind, out.Key, out.Value = kindOf(&c.Keys), c.Keys.Path, c.Keys.Value
	}
	t.list = append(t.list, out)
	return true
}

func (t *truth) conf(e *wal.Entry) error {
	typ := raftpb.EntryType(e.Type)
	_, data, err := consensus.ConfChange(&raftpb.Entry{Index: &e.Index, Type: &typ, Data: e.Data})
	if err != nil || len(data) == 0 {
		return err
	}
	c, err := state.DecodeCommand(data)
	if err != nil {
		return err
	}
	if !t.command(&c) {
		return nil
	}
	for _, ch := range c.Members {
		_, known := t.sessions[ch.Member.ID]
		switch {
		case ch.Kind == state.AddLearner && !known:
			t.sessions[ch.Member.ID] = new(idSet)
			t.voters[ch.Member.ID] = false
		case ch.Kind == state.Promote && known:
			t.voters[ch.Member.ID] = true
		case ch.Kind == state.Remove:
			delete(t.sessions, ch.Member.ID)
			delete(t.voters, ch.Member.ID)
		}
	}
	return nil
}

// kindOf names a keyspace command as histories do.
func kindOf(c *keys.Command) history.Kind {
	switch c.Kind {
	case keys.Set:
		return history.Put
	case keys.Create:
		return history.Create
	case keys.Update:
		return history.Update
	case keys.CompareAndSwap:
		return history.CAS
	case keys.CreateInOrder:
		return history.Append
	case keys.Delete:
		return history.Delete
	case keys.CompareAndDelete:
		return history.CAD
	}
	return ""
}
