package sim

import (
	"fmt"

	"drydock/chaos"
	"drydock/node/wal"
)

// The atlas of what the disks hold: it says whom a fault that destroys data may
// strike. The rule is that a majority of the voters, the struck one not among
// them, hold on undamaged disks all that is committed, so that it would still
// be there if the struck disk never came back.

// place is a point between two records of a log.
type place struct {
	segment uint64
	offset  int64
}

func (p place) before(q place) bool {
	return p.segment < q.segment || p.segment == q.segment && p.offset < q.offset
}

// written is one record of a log as the atlas needs it.
type written struct {
	start, end place
	// synced is how far the log was durable when it was written.
	synced place
	// last and term are of the last entry it holds, reset that of a snapshot.
	entries []wal.Entry
	reset   *wal.Marker
}

// logMap is what a log's files show. Only the records before durable are sure
// to survive the machine's death.
type logMap struct {
	records []written
	durable place
}

// mapLog reads a machine's log. One that can't be read shows nothing.
func mapLog(m *machine) logMap {
	var l logMap
	defer m.look()()
	_, err := wal.Scan(m.disk, wal.Position{}, func(r wal.Record) error {
		w := written{
			start: place{r.Segment, r.Offset}, end: place{r.Segment, r.End},
			synced: place{r.SyncedSegment, r.SyncedOffset}, entries: r.Batch.Entries,
		}
		if r.Batch.Reset {
			w.reset = r.Batch.Marker
		}
		if l.durable.before(w.synced) {
			l.durable = w.synced
		}
		l.records = append(l.records, w)
		return nil
	})
	if err != nil {
		return logMap{}
	}
	return l
}

// look makes the world's own reading exempt from faults until the answer is
// called.
func (m *machine) look() (done func()) {
	was := m.looking
	m.looking = true
	return func() { m.looking = was }
}

// sure returns the records that survive.
func (l *logMap) sure() []written {
	n := 0
	for n < len(l.records) && !l.durable.before(l.records[n].end) {
		n++
	}
	return l.records[:n]
}

// proven returns the records whose damage recovery is sure to notice, because a
// later record that survives says that they had been durable, and that record.
func (l *logMap) proven() (list []written, proof written) {
	sure := l.sure()
	if len(sure) == 0 {
		return nil, written{}
	}
	proof = sure[len(sure)-1]
	n := 0
	for n < len(sure)-1 && sure[n].start.before(proof.synced) {
		n++
	}
	return sure[:n], proof
}

// holds says whether the log has the entry at index with that term, durably;
// then it has all before it.
func (l *logMap) holds(index, term uint64) bool {
	has, last := false, uint64(0)
	for _, r := range l.sure() {
		if r.reset != nil {
			last, has = r.reset.Index, r.reset.Index > index || *r.reset == wal.Marker{Index: index, Term: term}
		}
		for i := range r.entries {
			e := &r.entries[i]
			if e.Index <= index && e.Index <= last {
				has = false // what follows is replaced
			}
			if e.Index == index {
				has = e.Term == term
			}
			last = e.Index
		}
	}
	return has && last >= index
}

// mayHarm says why a fault must not destroy what m's disk holds, or nil.
func (w *World) mayHarm(m *machine, destroy bool) error {
	switch {
	case m.status == outside:
		return fmt.Errorf("%w: %s is not of the cluster", chaos.ErrNoEffect, m.name)
	case m.leaving:
		return fmt.Errorf("%w: %s is leaving", chaos.ErrNoEffect, m.name)
	case m.replacing || w.joining[m]:
		return fmt.Errorf("%w: %s is joining", chaos.ErrNotYet, m.name)
	case m.lost:
		return fmt.Errorf("%w: the disk of %s is lost already", chaos.ErrNoEffect, m.name)
	case destroy:
		return nil
	case m.damage != "":
		return fmt.Errorf("%w: the disk of %s has %s already", chaos.ErrNoEffect, m.name, m.damage)
	case w.changing > 0:
		return fmt.Errorf("%w: the membership is changing", chaos.ErrNotYet)
	}
	voters, intact := w.voters(), 0
	for _, other := range w.machines {
		if other == m || !voters[other.name] || other.damage != "" || other.lost {
			continue
		}
		if l := mapLog(other); l.holds(w.commit, w.commitTerm) {
			intact++
		}
	}
	if need := len(voters)/2 + 1; intact < need {
		return fmt.Errorf("%w: %d of the others hold all that is committed, %d must", chaos.ErrNotYet, intact, need)
	}
	return nil
}
