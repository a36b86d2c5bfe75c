package consensus

import (
	"bytes"
	"encoding/binary"
	"time"

	"go.etcd.io/raft/v3"
)

// read is a linearizable read that waits for its place in the order.
type read struct {
	token    uint64
	deadline time.Duration
}

// readGroup is a set of reads that share one answer of the leader.
type readGroup struct {
	ctx   [16]byte
	index uint64 // once confirmed
	reads []read
}

// maxAsked bounds the rounds that may be unanswered at once.
const maxAsked = 4

// reads batches ReadIndex: while a round is under way, newcomers wait for the
// next, so that any number of reads costs one heartbeat round. A round without
// an answer is asked again, together with those who came meanwhile; the answer
// to the first, if it comes late, still serves those who asked by it.
type reads struct {
	waiting   []read
	asked     []readGroup // not answered, oldest first
	askedAt   time.Duration
	patience  time.Duration // how long the latest round may take
	confirmed []readGroup
	gather    gathering
	counter   uint64
	count     int
}

// Read asks for a linearizable read; ReadsReady gives its token back when the
// state is new enough.
func (c *Core) Read(token uint64) error {
	if c.reads.count >= c.cfg.MaxWaiting {
		return ErrBusy
	}
	c.reads.count++
	c.reads.waiting = append(c.reads.waiting, read{token: token, deadline: c.now + c.cfg.RequestTimeout})
	return nil
}

// flushReads starts a round if there is something to ask and nothing asked, or
// if the latest has had its time.
func (c *Core) flushReads() {
	r := &c.reads
	late := len(r.asked) > 0 && c.now-r.askedAt >= r.patience
	if (len(r.waiting) == 0 && !late) || (len(r.asked) > 0 && !late) || c.lead == 0 || c.hasty() {
		return
	}
	if !late && !r.gather.complete(len(r.waiting), c.now, gatherReads) {
		return
	}
	// A leader that is slower than expected must not be asked ever faster.
	r.patience *= 2
	if !late {
		r.patience = c.cfg.ResendAfter
	}
	if len(r.asked) == maxAsked {
		r.asked[1].reads = append(r.asked[0].reads, r.asked[1].reads...)
		r.asked = append(r.asked[:0], r.asked[1:]...)
	}
	r.counter++
	g := readGroup{reads: r.waiting}
	binary.BigEndian.PutUint64(g.ctx[:8], c.cfg.Incarnation)
	binary.BigEndian.PutUint64(g.ctx[8:], r.counter)
	r.asked, r.waiting, r.askedAt = append(r.asked, g), nil, c.now
	c.raw.ReadIndex(g.ctx[:])
}

// hasty says that raft would answer a read too early here: the leader that is
// the only voter is answered at once, even before an entry of its own term has
// told it how much the terms before had committed.
func (c *Core) hasty() bool {
	if len(c.conf.GetVoters()) > 1 || len(c.conf.GetVotersOutgoing()) > 1 {
		return false
	}
	// Raft may lead since a moment ago, which no Ready has told yet.
	now := c.raw.BasicStatus()
	term, err := c.log.Term(c.applied)
	return now.RaftState == raft.StateLeader && (err != nil || term != now.GetTerm())
}

// confirmRead takes the leader's answer: the reads of that round, and those of
// rounds before it, may be served from any state at or after its index.
func (c *Core) confirmRead(rs raft.ReadState) {
	r := &c.reads
	for i := range r.asked {
		if !bytes.Equal(r.asked[i].ctx[:], rs.RequestCtx) {
			continue
		}
		served := 0
		for _, g := range r.asked[:i+1] {
			g.index = rs.Index
			r.confirmed = append(r.confirmed, g)
			served += len(g.reads)
		}
		r.gather.saw(served+len(r.waiting), c.now-r.askedAt)
		r.asked = append(r.asked[:0], r.asked[i+1:]...)
		return
	}
	// An answer that came twice, or to a round of a former life.
}

// ReadsReady returns the reads whose index is applied.
func (c *Core) ReadsReady() []uint64 {
	var tokens []uint64
	rest := c.reads.confirmed[:0]
	for _, g := range c.reads.confirmed {
		if g.index > c.applied {
			rest = append(rest, g)
			continue
		}
		for _, r := range g.reads {
			tokens = append(tokens, r.token)
		}
	}
	c.reads.confirmed = rest
	c.reads.count -= len(tokens)
	return tokens
}

// expireReads ends reads that waited too long. A read that was not served had
// no effect, so its end is refused, never unknown.
func (c *Core) expireReads() {
	r := &c.reads
	r.waiting = c.expireList(r.waiting)
	if r.count == 0 {
		r.asked = r.asked[:0] // nobody waits for these answers any more
	}
	for i := range r.asked {
		r.asked[i].reads = c.expireList(r.asked[i].reads)
	}
	for i := range r.confirmed {
		r.confirmed[i].reads = c.expireList(r.confirmed[i].reads)
	}
}

// expireList ends the overdue reads at the front; deadlines grow along a list.
func (c *Core) expireList(list []read) []read {
	for len(list) > 0 && c.now >= list[0].deadline {
		c.out.Ended = append(c.out.Ended, Ended{Token: list[0].token, Status: Refused, Reason: ReasonTimeout})
		list = list[1:]
		c.reads.count--
	}
	return list
}
