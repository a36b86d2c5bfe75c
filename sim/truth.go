package sim

import (
	"maps"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/world"
	"drydock/sim/history"
)

// truth replays committed entries just far enough to give each command its
// revision and each entry its configuration: which commands are repetitions,
// and which changes of membership are refused, is decided here from the
// commands alone.
type truth struct {
	w        *World
	list     []history.Committed
	configs  []history.Configuration
	revision uint64
	cluster  int64 // replicated time, ns
	release  state.Release
	removed  map[world.MemberID]bool // since the release that remembers them
	sessions map[world.MemberID]*idSet
	voters   map[world.MemberID]bool // of the members: whether they vote
	outgoing []string                // voters that a joint configuration leaves
}

func newTruth(w *World) *truth {
	t := &truth{
		w: w, revision: 1, release: state.Release1, removed: make(map[world.MemberID]bool), // the founding
		sessions: make(map[world.MemberID]*idSet), voters: make(map[world.MemberID]bool),
	}
	for _, m := range w.machines {
		if id, ok := w.founders[m.name]; ok {
			t.sessions[id], t.voters[id] = new(idSet), true
		}
	}
	t.configured(1)
	return t
}

// report fills the result with what was replayed. The time of an entry is that
// at which some member had first applied it.
func (t *truth) report(r *Result) {
	var first []int64 // by entry
	for _, a := range r.Applied {
		for uint64(len(first)) <= a.Index {
			first = append(first, a.Time)
		}
	}
	at := func(entry uint64) int64 {
		if entry < uint64(len(first)) {
			return first[entry]
		}
		return 0
	}
	for i := range t.list {
		t.list[i].Time = at(t.list[i].Entry)
	}
	for i := range t.configs[1:] {
		t.configs[1+i].Time = at(t.configs[1+i].Entry)
	}
	r.Truth, r.Configurations = t.list, t.configs
	for _, m := range t.w.machines {
		if t.voters[m.id] {
			r.Voters = append(r.Voters, m.name)
		}
	}
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
	t.cluster = max(t.cluster, int64(b.Time.Cluster))
	for i := range b.Commands {
		t.command(e, &b.Commands[i])
	}
	return nil
}

func (t *truth) command(e *wal.Entry, c *state.Command) bool {
	out := history.Committed{Token: c.Token, Entry: e.Index, Cluster: t.cluster}
	switch c.Kind {
	case state.KindKeys:
		k := &c.Keys
		out.Kind, out.Key, out.Value, out.PrevValue, out.PrevIndex = kindOf(k), k.Path, k.Value, k.PrevValue, k.PrevIndex
		out.Dir, out.Recursive, out.Refresh, out.HasTTL, out.TTL = k.Dir, k.Recursive, k.Refresh, k.HasTTL, k.TTL
	case state.KindExpire:
		out.Kind = history.Expire
	}
	s := t.sessions[c.ID.Member]
	out.Repeat = s == nil || !s.fresh(c.ID, c.Low)
	if !out.Repeat {
		t.revision++
	}
	out.Revision = t.revision
	t.later(&out, c, e.Term)
	t.list = append(t.list, out)
	return !out.Repeat
}

func (t *truth) conf(e *wal.Entry) error {
	typ := raftpb.EntryType(e.Type)
	cc, data, err := consensus.ConfChange(&raftpb.Entry{Index: &e.Index, Type: &typ, Data: e.Data})
	if err != nil {
		return err
	}
	if len(data) == 0 {
		// The second half of a joint change: the former voters have no say.
		t.outgoing = nil
		t.configured(e.Index)
		return nil
	}
	c, err := state.DecodeCommand(data)
	if err != nil {
		return err
	}
	if !t.command(e, &c) {
		return nil
	}
	after, ok := change(t.voters, t.removed, c.Members)
	if !ok {
		return nil
	}
	for _, ch := range c.Members {
		if ch.Kind == state.Remove && t.release >= state.Release2 {
			t.removed[ch.Member.ID] = true
		}
	}
	if len(cc.GetChanges()) > 1 {
		t.outgoing = t.names(t.voters, true)
	}
	// any order: each only deletes its own
	for id := range t.voters {
		if _, stays := after[id]; !stays {
			delete(t.sessions, id)
		}
	}
	// any order: each only makes its own
	for id := range after {
		if t.sessions[id] == nil {
			t.sessions[id] = new(idSet)
		}
	}
	t.voters = after
	t.configured(e.Index)
	return nil
}

// change is the membership after changes, in order; not ok if one of them makes
// no sense, which refuses them all. An id that was removed is not used again.
func change(voters, removed map[world.MemberID]bool, changes []state.MemberChange) (after map[world.MemberID]bool, ok bool) {
	after = maps.Clone(voters)
	for _, ch := range changes {
		votes, known := after[ch.Member.ID]
		switch {
		case ch.Kind == state.AddLearner && !known && !removed[ch.Member.ID]:
			after[ch.Member.ID] = false
		case ch.Kind == state.Promote && known && !votes:
			after[ch.Member.ID] = true
		case ch.Kind == state.Remove && known:
			delete(after, ch.Member.ID)
		default:
			return nil, false
		}
	}
	// any order: one vote is enough
	for _, votes := range after {
		ok = ok || votes
	}
	return after, ok
}

// configured records the configuration as of an entry.
func (t *truth) configured(entry uint64) {
	t.configs = append(t.configs, history.Configuration{
		Entry: entry, Voters: t.names(t.voters, true), Learners: t.names(t.voters, false), Outgoing: t.outgoing,
	})
}

// names lists the members that vote, or those that don't, in order.
func (t *truth) names(voters map[world.MemberID]bool, votes bool) []string {
	var list []world.MemberID
	// any order: namesOf sorts
	for id, v := range voters {
		if v == votes {
			list = append(list, id)
		}
	}
	return t.w.namesOf(list)
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
