package sim

import (
	"fmt"
	"slices"
	"time"

	"drydock/node/wal"
	"drydock/node/wire"
	"drydock/node/world"
	"drydock/sim/history"
)

// measurePeriod is the time between two measurements of sizes.
const measurePeriod = time.Second

// observe shows the run's observer one thing. Its first objection ends the run,
// so that what it objects to is the last thing that happened.
func (w *World) observe(o history.Observation) {
	if w.cfg.Observe == nil || w.over {
		return
	}
	if err := w.cfg.Observe(&o); err != nil {
		w.result.Stopped = err
		w.referee.note("", err.Error(), MarkBad)
		w.over = true
	}
}

// progress is how far a member is known to have gone in a term.
type progress struct {
	node int
	term uint64
}

// acked records that a member says its log holds everything up to an index. It
// says so only once that is durable.
func (f *referee) acked(from, to *machine, h wire.Head) {
	k := progress{from.index, h.Term}
	if h.Reject || h.Index <= f.acks[k] {
		return
	}
	f.acks[k] = h.Index
	f.r.Acks = append(f.r.Acks, history.Ack{Time: f.now(), From: from.name, To: to.name, Term: h.Term, Index: h.Index})
}

// announced records what a leader tells others to be committed, if it is news.
func (f *referee) announced(from *machine, h wire.Head) {
	if h.Commit <= f.commit {
		return
	}
	f.commit = h.Commit
	f.r.Announced = append(f.r.Announced, history.Announced{Time: f.now(), Node: from.name, Term: h.Term, Commit: h.Commit})
}

// measure records the sizes of every member's queues and files, again and again.
func (w *World) measure() {
	for _, m := range w.machines {
		if m.status == outside {
			continue
		}
		s := history.Sizes{
			Time: int64(w.now()), Node: m.name, Inbox: len(m.inbox), Disk: m.disk.Used(), Log: m.logBytes(),
		}
		if m.node != nil {
			b := m.node.Burden()
			s.Calls, s.Watches, s.Jobs = b.Calls, b.Watches, b.Jobs
			// The store has none that the node doesn't know.
			s.Watches = max(s.Watches, int(m.node.State().Keys().Stats().Watchers))
			s.Proposals, s.Reads, s.Entries = b.Proposals, b.Reads, b.Entries
			w.result.Believed = append(w.result.Believed, m.believed())
		}
		w.result.Sizes = append(w.result.Sizes, s)
	}
	w.queue.After(measurePeriod, w.measure)
}

// believed is the configuration that the machine's node goes by.
func (m *machine) believed() history.Believed {
	voters, outgoing, learners := m.node.Configuration()
	index, _ := m.node.State().Applied()
	return history.Believed{Time: int64(m.w.now()), Node: m.name, Configuration: history.Configuration{
		Entry: index, Voters: m.w.namesOf(voters), Outgoing: m.w.namesOf(outgoing), Learners: m.w.namesOf(learners),
	}}
}

// namesOf are the names of members, in order. One that no machine is any more
// goes by its number.
func (w *World) namesOf(ids []world.MemberID) []string {
	var names []string
	for _, id := range ids {
		if m := w.byID[id]; m != nil {
			names = append(names, m.name)
			continue
		}
		names = append(names, fmt.Sprintf("%x", uint64(id)))
	}
	slices.Sort(names)
	return names
}

// logBytes is the length of the log's files. What can't be read has none.
func (m *machine) logBytes() (sum int64) {
	defer m.look()()
	names, err := m.disk.List(wal.Dir)
	if err != nil {
		return 0
	}
	for _, name := range names {
		f, err := m.disk.Open(wal.Dir + "/" + name)
		if err != nil {
			continue
		}
		if size, err := f.Size(); err == nil {
			sum += size
		}
		_ = f.Close()
	}
	return sum
}
