// Package evidence reads what stopped members' logs hold: what is committed there
// has happened, whatever any process said. It is what runs on real processes are
// judged by.
package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/world"
	"drydock/sim/history"
)

// Disks read the members' logs. Read is to be called whenever a member is down, since
// a log lets go of what is old; what was read stays known.
type Disks struct {
	// Founders are the ids of the first members, where members change.
	Founders []uint64

	names, dirs []string
	logs        []diskLog
}

// diskLog is what a member's log has shown. Released segments stay known.
type diskLog struct {
	pos     wal.Position
	base    uint64 // index before the first entry
	entries []wal.Entry
	commit  uint64
	// resets counts how often the log began anew after a snapshot.
	resets int
	// kept are committed entries that a snapshot has since replaced here.
	kept []wal.Entry
}

// New returns a reader of the data directories of members that have these names.
func New(names, dirs []string) *Disks {
	return &Disks{names: names, dirs: dirs, logs: make([]diskLog, len(names))}
}

// Read takes in what a stopped member's log has gained since the last time.
func (d *Disks) Read(i int) error {
	disk, err := host.OpenDisk(d.dirs[i])
	if err != nil {
		return err
	}
	l := &d.logs[i]
	take := func(r wal.Record) error {
		l.take(&r.Batch)
		return nil
	}
	pos, err := wal.Scan(disk, l.pos, take)
	if errors.Is(err, wal.ErrPositionLost) {
		pos, err = wal.Scan(disk, wal.Position{}, take)
	}
	l.pos = pos
	if err = errors.Join(err, disk.Close()); err != nil {
		return fmt.Errorf("log of %s: %w", d.names[i], err)
	}
	return nil
}

// Retire keeps what a member's log has shown apart: its disk begins anew.
func (d *Disks) Retire(i int) {
	d.names = append(d.names, fmt.Sprintf("%s's disk before #%d", d.names[i], len(d.logs)))
	d.logs = append(d.logs, d.logs[i])
	d.logs[i] = diskLog{}
}

// take adds one batch. What was read before changes nothing.
func (l *diskLog) take(b *wal.Batch) {
	if b.Reset && b.Marker != nil && b.Marker.Index > l.last() {
		l.replaced(b.Marker.Index)
		if b.Marker.Index > 1 { // the first one is the founding
			l.resets++
		}
	}
	for _, e := range b.Entries {
		switch {
		case e.Index <= l.base:
			continue
		case e.Index > l.last()+1:
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

func (l *diskLog) last() uint64 { return l.base + uint64(len(l.entries)) }

// committed lists what this log shows as committed, in order.
func (l *diskLog) committed() []wal.Entry {
	n := 0
	for n < len(l.entries) && l.entries[n].Index <= l.commit {
		n++
	}
	return append(l.kept[:len(l.kept):len(l.kept)], l.entries[:n]...)
}

// Found is what the disks hold together.
type Found struct {
	// Truth are the commands that are committed, in order; Entries those that each
	// member's log shows as committed.
	Truth   []history.Committed
	Entries []history.Entry
	// Missing are entries that were committed and are on no disk.
	Missing []uint64
	// Commit is the last entry that some disk says is committed, Revision the count of
	// commands to there.
	Commit, Revision uint64
	// Snapshots counts those that members took over.
	Snapshots int
}

// Found puts the logs together. The members must have stopped and been read.
func (d *Disks) Found() (*Found, error) {
	out := &Found{}
	byIndex := map[uint64]*wal.Entry{}
	for i := range d.logs {
		l := &d.logs[i]
		out.Commit = max(out.Commit, l.commit)
		out.Snapshots += l.resets
		list := l.committed()
		for j := range list {
			e := &list[j]
			if byIndex[e.Index] == nil {
				byIndex[e.Index] = e
			}
			sum := sha256.Sum256(append([]byte{e.Type}, e.Data...))
			out.Entries = append(out.Entries, history.Entry{
				Node: d.names[i], Index: e.Index, Term: e.Term, Hash: hex.EncodeToString(sum[:8]),
			})
		}
	}
	t := newTruth(d.Founders)
	for index := uint64(2); index <= out.Commit; index++ {
		e := byIndex[index]
		if e == nil {
			out.Missing = append(out.Missing, index)
			continue
		}
		if err := t.entry(e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
	}
	out.Truth, out.Revision = t.list, t.revision
	return out, nil
}

// truth replays committed entries just far enough to give each command its
// revision.
type truth struct {
	list     []history.Committed
	revision uint64
	cluster  int64
	origins  map[world.MemberID]*origin
	// seats are the members, and whether they vote; nil where members don't change.
	seats   map[world.MemberID]bool
	removed map[world.MemberID]bool
}

func newTruth(founders []uint64) *truth {
	t := &truth{revision: 1, origins: map[world.MemberID]*origin{}, removed: map[world.MemberID]bool{}}
	if len(founders) > 0 {
		t.seats = map[world.MemberID]bool{}
		for _, id := range founders {
			t.seats[world.MemberID(id)] = true
		}
	}
	return t
}

// origin is what is known of the commands of one member's present life.
type origin struct {
	incarnation, low uint64
	seen             map[uint64]bool
}

// fresh says whether a command counts: each id once, none of an earlier life and
// none that its origin had given up on before.
func (o *origin) fresh(id state.ID, low uint64) bool {
	if id.Incarnation < o.incarnation {
		return false
	}
	if id.Incarnation > o.incarnation || o.seen == nil {
		o.incarnation, o.low, o.seen = id.Incarnation, 0, map[uint64]bool{}
	}
	o.low = max(o.low, low)
	if id.Seq < o.low || o.seen[id.Seq] {
		return false
	}
	o.seen[id.Seq] = true
	return true
}

func (t *truth) entry(e *wal.Entry) error {
	if raftpb.EntryType(e.Type) != raftpb.EntryNormal {
		return t.change(e)
	}
	if len(e.Data) == 0 {
		return nil
	}
	b, err := state.DecodeBatch(e.Data)
	if err != nil {
		return err
	}
	t.cluster = max(t.cluster, int64(b.Time.Cluster))
	for i := range b.Commands {
		t.command(e.Index, &b.Commands[i])
	}
	return nil
}

// change takes in a change of members. One that makes no sense is refused, and
// counts as a command all the same.
func (t *truth) change(e *wal.Entry) error {
	if t.seats == nil {
		return errors.New("a change of members, which nobody asked for")
	}
	typ := raftpb.EntryType(e.Type)
	_, data, err := consensus.ConfChange(&raftpb.Entry{Index: &e.Index, Type: &typ, Data: e.Data})
	if err != nil || len(data) == 0 { // the second half of a joint change
		return err
	}
	c, err := state.DecodeCommand(data)
	if err != nil || !t.command(e.Index, &c) {
		return err
	}
	after := maps.Clone(t.seats)
	for _, one := range c.Members {
		id := one.Member.ID
		votes, known := after[id]
		switch {
		case one.Kind == state.AddLearner && !known && !t.removed[id]:
			after[id] = false
		case one.Kind == state.Promote && known && !votes:
			after[id] = true
		case one.Kind == state.Remove && known:
			delete(after, id)
		default:
			return nil
		}
	}
	for id := range t.seats { // any order: each only leaves
		if _, stays := after[id]; !stays {
			t.removed[id] = true
			delete(t.origins, id)
		}
	}
	t.seats = after
	return nil
}

// command gives a command its revision, and says whether it counts.
func (t *truth) command(entry uint64, c *state.Command) bool {
	out := history.Committed{Token: c.Token, Entry: entry, Cluster: t.cluster}
	switch c.Kind {
	case state.KindKeys:
		k := &c.Keys
		out.Kind, out.Key, out.Value, out.PrevValue, out.PrevIndex = kinds[k.Kind], k.Path, k.Value, k.PrevValue, k.PrevIndex
		out.Dir, out.Recursive, out.Refresh, out.HasTTL, out.TTL = k.Dir, k.Recursive, k.Refresh, k.HasTTL, k.TTL
	case state.KindExpire:
		out.Kind = history.Expire
	}
	o := t.origins[c.ID.Member]
	if o == nil {
		o = new(origin)
		t.origins[c.ID.Member] = o
	}
	if out.Repeat = t.removed[c.ID.Member] || !o.fresh(c.ID, c.Low); !out.Repeat {
		t.revision++
	}
	out.Revision = t.revision
	t.list = append(t.list, out)
	return !out.Repeat
}

// kinds are the keyspace's commands as histories name them.
var kinds = map[keys.Kind]history.Kind{
	keys.Set: history.Put, keys.Create: history.Create, keys.Update: history.Update,
	keys.CompareAndSwap: history.CAS, keys.CreateInOrder: history.Append,
	keys.Delete: history.Delete, keys.CompareAndDelete: history.CAD,
}
