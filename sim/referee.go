package sim

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/chaos"
	"drydock/node"
	"drydock/node/wire"
	"drydock/sim/history"
)

// referee writes down what the world sees of the members.
type referee struct {
	w *World
	r *Result

	led       map[uint64]map[int]bool // machines seen leading, by term
	campaigns map[[2]uint64]bool      // machine and term
	behind    map[int]bool            // machines that were given a snapshot or lag
	acks      map[progress]uint64     // index that was acknowledged
	commit    uint64                  // index that some leader announced
	leading   *machine
	leadTerm  uint64
	lostAt    time.Duration // since when nobody leads; -1 while somebody does
}

func newReferee(w *World) *referee {
	return &referee{
		w: w, r: &w.result, led: make(map[uint64]map[int]bool),
		campaigns: make(map[[2]uint64]bool), behind: make(map[int]bool),
		acks: make(map[progress]uint64),
	}
}

func (f *referee) now() int64 { return int64(f.w.now()) }

// note adds a line to the timeline.
func (f *referee) note(node, text string, mark Mark) {
	if f.w.cfg.Quiet && mark != MarkBad {
		return
	}
	f.r.Timeline = append(f.r.Timeline, Line{At: f.w.now(), Node: node, Text: text, Mark: mark, States: f.w.states()})
}

// broken records that a node broke a promise on its own evidence; the run ends.
func (f *referee) broken(m *machine, why string) {
	f.r.Broken = append(f.r.Broken, m.name+" "+why)
	f.note(m.name, why, MarkBad)
	f.w.over = true
}

// nonsense records an answer that no client could read; the run ends.
func (f *referee) nonsense(client string, err error) {
	f.r.Broken = append(f.r.Broken, fmt.Sprintf("%s was answered nonsense: %v", client, err))
	f.w.over = true
}

// applied takes the entries that a member says it applied.
func (f *referee) applied(m *machine, marks []node.Mark) {
	for i := range marks {
		k := &marks[i]
		var b [32]byte
		binary.BigEndian.PutUint64(b[:], k.Index)
		binary.BigEndian.PutUint64(b[8:], k.Revision)
		copy(b[16:], k.Digest[:])
		f.w.trace.add(f.w.now(), traceApplied, uint64(m.index), k.Term, b[:])
		f.r.Digests = append(f.r.Digests, history.Digest{
			Time: f.now(), Node: m.name, Life: m.boots - 1, Index: k.Index, Revision: k.Revision, Digest: hex.EncodeToString(k.Digest[:]),
		})
		f.w.observe(history.Observation{Digest: &f.r.Digests[len(f.r.Digests)-1]})
	}
	if len(marks) > 0 && marks[0].Index > m.lastApplied+1 {
		f.r.SnapshotsInstalled++
		f.note(m.name, fmt.Sprintf("%s has installed the snapshot at index %d", m.name, marks[0].Index), MarkInfo)
	}
	if n := len(marks); n > 0 {
		m.lastApplied = marks[n-1].Index
		last := marks[n-1].Index
		f.r.Applied = append(f.r.Applied, history.Applied{Time: f.now(), Node: m.name, Index: last})
		if last >= f.w.commit {
			f.w.commit, f.w.commitTerm = last, marks[n-1].Term
		}
		if f.behind[m.index] && last+10 >= f.w.commit {
			delete(f.behind, m.index)
			f.note(m.name, fmt.Sprintf("%s caught up at index %d", m.name, last), MarkInfo)
			f.w.announce(chaos.EventCaughtUp, m.name)
		}
	}
}

// role takes a member's view of who leads.
func (f *referee) role(m *machine, r node.Role) {
	m.role = r
	f.w.trace.add(f.w.now(), traceRole, uint64(m.index), r.Term, binary.BigEndian.AppendUint64(nil, uint64(r.Lead)))
	if r.Leader {
		f.leads(m, r.Term)
	}
}

// leads records that a member leads a term, by its word or by what it sends.
func (f *referee) leads(m *machine, term uint64) {
	if f.led[term][m.index] {
		return
	}
	if f.led[term] == nil {
		f.led[term] = make(map[int]bool)
	}
	f.led[term][m.index] = true
	f.r.Led = append(f.r.Led, history.Led{Time: f.now(), Node: m.name, Term: term})
	f.w.observe(history.Observation{Led: &f.r.Led[len(f.r.Led)-1]})
	if term > f.leadTerm {
		text := fmt.Sprintf("%s leads, term %d", m.name, term)
		if f.leading != nil && f.lostAt > 0 {
			text += fmt.Sprintf("; %.3fs without a leader", (f.w.now() - f.lostAt).Seconds())
		}
		f.leading, f.leadTerm, f.lostAt = m, term, 0
		f.note(m.name, text, MarkLeader)
	}
	f.w.announce(chaos.EventLeaderElected, m.name)
}

// leaderGone is told when a fault takes a leader away.
func (f *referee) leaderGone(m *machine) {
	if f.leading == m && f.lostAt == 0 {
		f.lostAt = f.w.now()
	}
}

// frame reads what crosses the wire. Answers to an append or a vote are sent
// only once the sender's term and vote are durable, so their terms never go
// back; a candidate's requests may be forgotten with its power.
func (f *referee) frame(from, to *machine, b []byte) {
	err := wire.Heads(b, func(h wire.Head) { f.message(from, to, h) })
	if err != nil {
		f.broken(from, fmt.Sprintf("sent a bad frame: %v", err))
		return
	}
	if wire.Kind(b[2]) != wire.KindSnapChunk {
		return
	}
	fr, err := wire.Decode(b)
	if err != nil {
		f.broken(from, fmt.Sprintf("sent a bad frame: %v", err))
		return
	}
	if fr.Chunk != nil && fr.Chunk.Offset == 0 {
		f.note(to.name, fmt.Sprintf("%s sends %s a snapshot at index %d", from.name, to.name, fr.Chunk.Stream), MarkInfo)
		f.behind[to.index] = true
		f.w.announce(chaos.EventSnapshotSent, to.name)
	}
}

// message takes the outside of one raft message.
func (f *referee) message(from, to *machine, h wire.Head) {
	switch h.Type {
	case raftpb.MsgVote:
		key := [2]uint64{uint64(from.index), h.Term}
		if !f.campaigns[key] {
			f.campaigns[key] = true
			f.w.announce(chaos.EventCampaign, from.name)
		}
	case raftpb.MsgVoteResp:
		f.said(from, h.Term)
		if !h.Reject {
			f.r.Votes = append(f.r.Votes, history.Vote{Time: f.now(), From: from.name, To: to.name, Term: h.Term})
			f.w.observe(history.Observation{Vote: &f.r.Votes[len(f.r.Votes)-1]})
			f.w.announce(chaos.EventVoteGranted, from.name)
		}
	case raftpb.MsgAppResp:
		f.said(from, h.Term)
		f.acked(from, to, h)
	case raftpb.MsgApp, raftpb.MsgHeartbeat:
		f.leads(from, h.Term)
		f.announced(from, h)
	}
}

// said records a term that a member named as its own.
func (f *referee) said(from *machine, term uint64) {
	f.r.Said = append(f.r.Said, history.Said{Time: f.now(), Node: from.name, Term: term})
	f.w.observe(history.Observation{Said: &f.r.Said[len(f.r.Said)-1]})
}

// restarted is told when a member has come up again.
func (f *referee) restarted(m *machine) {
	f.r.Restarts = append(f.r.Restarts, history.Restart{Time: f.now(), Node: m.name})
	f.behind[m.index] = true
}
