package consensus

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/world"
)

// Two things that only tell how much is committed cost as much as a batch if they
// go alone, a frame to each member and a write at each, and nothing if they go with
// the next batch. Raft learns a commit index anew if it is lost.

// held keeps appends without entries, one for each member at most.
type held struct {
	messages []Message
	since    time.Duration
}

// holdFor bounds how much later other members learn what is committed.
const holdFor = time.Millisecond

// hold keeps m back if the next append to that member may stand for it. It returns
// false if m is to be sent.
func (c *Core) hold(m *raftpb.Message) bool {
	if m.GetType() != raftpb.MsgApp {
		return false
	}
	h, to := &c.held, world.MemberID(m.GetTo())
	h.messages = slices.DeleteFunc(h.messages, func(old Message) bool { return old.To == to })
	if len(m.GetEntries()) > 0 || c.pace.urgent() {
		return false
	}
	if len(h.messages) == 0 {
		h.since = c.now
	}
	h.messages = append(h.messages, Message{To: to, Raft: m})
	return true
}

// release sends what was held for long enough.
func (c *Core) release() {
	h := &c.held
	if len(h.messages) == 0 || c.now-h.since < holdFor {
		return
	}
	c.out.Messages = append(c.out.Messages, h.messages...)
	clear(h.messages)
	h.messages = h.messages[:0]
}

// lateCommit is a hard state of which only the commit index is news. It is written
// with what is written next, or at a tick if nothing was for a while.
type lateCommit struct {
	hard  *HardState // nil for none
	since time.Duration
}

// commitAfter is how long a commit index waits for something to be written with.
const commitAfter = 20 * time.Millisecond

// attachHard gives a the hard state of m, or the one that waits; it keeps back what
// is not worth a write.
func (c *Core) attachHard(a *Append, m *raftpb.Message) {
	late := &c.late
	hard := late.hard
	if m.Term != nil {
		hard = &HardState{Term: m.GetTerm(), Vote: m.GetVote(), Commit: m.GetCommit()}
	}
	if a.MustSync || a.Snapshot != nil {
		a.Hard, late.hard = hard, nil
		return
	}
	if late.hard == nil {
		late.since = c.now
	}
	late.hard = hard
}

// writeLate has a commit index written that has waited long enough.
func (c *Core) writeLate() {
	late := &c.late
	if late.hard == nil || c.now-late.since < commitAfter || len(c.appends) >= c.cfg.MaxAppends {
		return
	}
	c.out.Appends = append(c.out.Appends, c.Finish())
}

// Finish returns a write that is still worth making before the member stops, or
// nil: what is committed, for those who read its log.
func (c *Core) Finish() *Append {
	if c.late.hard == nil {
		return nil
	}
	a := &Append{Hard: c.late.hard}
	c.late.hard = nil
	c.appends = append(c.appends, a)
	return a
}
