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
	since time.Duration
	reads []read
}

// reads batches ReadIndex: while one round is under way, newcomers wait for
// the next, so that any number of reads costs one heartbeat round.
type reads struct {
	waiting   []read
	round     *readGroup // asked, not answered
	confirmed []readGroup
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

// flushReads starts a round if there is something to ask and nothing asked.
func (c *Core) flushReads() {
	r := &c.reads
	if r.round != nil && c.now-r.round.since >= c.cfg.ResendAfter {
		r.waiting = append(r.round.reads, r.waiting...)
		r.round = nil
	}
	if r.round != nil || len(r.waiting) == 0 || c.lead == 0 || c.hasty() {
		return
	}
	r.counter++
	g := &readGroup{since: c.now, reads: r.waiting}
	binary.BigEndian.PutUint64(g.ctx[:8], c.cfg.Incarnation)
	binary.BigEndian.PutUint64(g.ctx[8:], r.counter)
	r.round, r.waiting = g, nil
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

// confirmRead takes the leader's answer: the reads of that round may be served
// from any state at or after its index.
func (c *Core) confirmRead(rs raft.ReadState) {
	g := c.reads.round
	if g == nil || !bytes.Equal(g.ctx[:], rs.RequestCtx) {
		return // an answer to a round that was given up
	}
	c.reads.round = nil
	g.index = rs.Index
	c.reads.confirmed = append(c.reads.confirmed, *g)
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
	if r.round != nil {
		r.round.reads = c.expireList(r.round.reads)
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
