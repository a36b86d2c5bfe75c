package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"drydock/node/wal"
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
	if m.damage != "" || m.lost {
		return // what it shows is not what was written
	}
	defer m.look()()
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

// gone is told that a machine's disk is given up: the log of the next one is
// another.
func (a *audit) gone(m *machine) {
	l := &a.logs[m.index]
	l.replaced(0)
	l.pos = wal.Position{}
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
			// What is committed it writes a moment later than it knows it.
			applied, _ := m.node.State().Applied()
			a.logs[m.index].commit = max(a.logs[m.index].commit, applied)
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
	t := newTruth(a.w)
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
	t.report(r)
}

// entryHash stands for what an entry holds.
func entryHash(e *wal.Entry) string {
	h := sha256.New()
	h.Write([]byte{e.Type})
	h.Write(e.Data)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
