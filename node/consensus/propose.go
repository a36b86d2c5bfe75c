package consensus

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// proposal is a command that this member took and has not seen applied yet.
type proposal struct {
	cmd      state.Command
	token    uint64
	deadline time.Duration
	// sent says that a copy was handed to raft or to a leader: from then on
	// only its application can tell what became of it.
	sent   bool
	sentTo world.MemberID
	sentAt time.Duration
	// sentTerm is the term in which it was sent.
	sentTerm uint64
	queued   bool // is (again) waiting for flush
}

// proposals holds the commands of this life that are undecided.
//
// Invariant: list[i] has sequence base+i; decided ones are nil; list[0], if
// any, is not nil, so base is the low mark that commands carry.
type proposals struct {
	list     []*proposal
	base     uint64
	waiting  int // queued ones
	incoming []incoming
	inBytes  int
	resendAt time.Duration
}

// incoming is a run of commands that another member forwarded to this leader.
type incoming struct {
	from  world.MemberID
	seqs  []uint64
	batch []byte
}

// maxIncomingBytes bounds what waits in a leader for being proposed.
const maxIncomingBytes = 16 << 20

func (p *proposals) init() { p.base = 1 }

func (p *proposals) next() uint64 { return p.base + uint64(len(p.list)) }

func (p *proposals) get(seq uint64) *proposal {
	if seq < p.base || seq >= p.next() {
		return nil
	}
	return p.list[seq-p.base]
}

// drop forgets a decided proposal and moves the low mark.
func (p *proposals) drop(seq uint64) {
	if q := p.list[seq-p.base]; q.queued {
		p.waiting--
	}
	p.list[seq-p.base] = nil
	for len(p.list) > 0 && p.list[0] == nil {
		p.list, p.base = p.list[1:], p.base+1
	}
}

// Propose takes a command for replication. The caller is told its end by
// Settle, when it is applied, or by Ended.
func (c *Core) Propose(cmd state.Command, token uint64) error {
	if len(c.props.list) >= min(c.cfg.MaxWaiting, state.Window-1) {
		return ErrBusy
	}
	cmd.ID = state.ID{Member: c.cfg.ID, Incarnation: c.cfg.Incarnation, Seq: c.props.next()}
	c.props.list = append(c.props.list, &proposal{cmd: cmd, token: token, deadline: c.now + c.cfg.RequestTimeout, queued: true})
	c.props.waiting++
	return nil
}

// Settle matches an applied command with the one who waits for it here.
func (c *Core) Settle(id state.ID) (token uint64, ok bool) {
	if id.Member != c.cfg.ID || id.Incarnation != c.cfg.Incarnation {
		return 0, false
	}
	p := c.props.get(id.Seq)
	if p == nil {
		return 0, false
	}
	c.props.drop(id.Seq)
	return p.token, true
}

// flush sends what waits: into the log where this member leads, else to the
// leader.
func (c *Core) flush() {
	c.requeueLost()
	if c.lead == 0 {
		return
	}
	if !c.IsLeader() {
		c.refuseIncoming("not the leader")
		c.forward()
		return
	}
	for c.props.waiting+len(c.props.incoming) > 0 && c.batchesInFlight() < max(1, c.cfg.MaxAppends/2) {
		if !c.proposeBatch() {
			return
		}
	}
}

// proposeBatch packs waiting commands into one entry. It reports whether raft
// took it and another try makes sense.
func (c *Core) proposeBatch() bool {
	picked, conf, body := c.pick()
	if conf != nil {
		return c.proposeConf(conf)
	}
	fromOthers := 0
	for ; fromOthers < len(c.props.incoming); fromOthers++ {
		in := &c.props.incoming[fromOthers]
		if len(body) > 0 && len(body)+len(in.batch) > c.cfg.MaxBatchBytes {
			break
		}
		body = append(body, in.batch...)
	}
	if len(body) == 0 {
		return false
	}
	if err := c.raw.Propose(state.AppendBatch(nil, c.header(), body)); err != nil {
		return false // stays queued; refused by raft means not in the log
	}
	for _, p := range picked {
		c.markSent(p)
	}
	for _, in := range c.props.incoming[:fromOthers] {
		c.props.inBytes -= len(in.batch)
	}
	c.props.incoming = c.props.incoming[fromOthers:]
	c.pump()
	return true
}

// pick chooses queued commands in order and encodes them. A membership change
// goes alone, when it is first in line.
func (c *Core) pick() (picked []*proposal, conf *proposal, body []byte) {
	if c.props.waiting == 0 {
		return nil, nil, nil
	}
	for _, p := range c.props.list {
		if p == nil || !p.queued {
			continue
		}
		if p.cmd.Kind == state.KindMembers {
			if len(picked) == 0 {
				return nil, p, nil
			}
			break
		}
		if len(picked) == state.MaxBatchCommands/2 || (len(body) > 0 && len(body) >= c.cfg.MaxBatchBytes/2) {
			break
		}
		p.cmd.Low = c.props.base
		body = state.AppendCommand(body, &p.cmd)
		picked = append(picked, p)
		if len(picked) == c.props.waiting {
			break
		}
	}
	return picked, nil, body
}

func (c *Core) markSent(p *proposal) {
	p.sent, p.sentTo, p.sentAt, p.sentTerm = true, c.lead, c.now, c.term
	if p.queued {
		p.queued = false
		c.props.waiting--
	}
}

// forward sends queued commands to the leader.
func (c *Core) forward() {
	for c.props.waiting > 0 {
		picked, conf, body := c.pick()
		if conf != nil {
			conf.cmd.Low = c.props.base
			body, picked = state.AppendCommand(nil, &conf.cmd), []*proposal{conf}
		}
		if len(picked) == 0 {
			return
		}
		c.out = append(c.out, Message{To: c.lead, Forward: &wire.Forward{Batch: body, Conf: conf != nil}})
		for _, p := range picked {
			c.markSent(p)
		}
	}
}

// requeueLost queues again what was sent to a leader that is no longer, or got
// lost on the way. Sessions make sending twice harmless.
func (c *Core) requeueLost() {
	if c.lead == 0 || c.now < c.props.resendAt {
		return
	}
	c.props.resendAt = c.now + c.cfg.ResendAfter/4
	for _, p := range c.props.list {
		if p == nil || p.queued {
			continue
		}
		moved := p.sentTo != c.lead || p.sentTerm != c.term
		late := !c.IsLeader() && c.now-p.sentAt >= c.cfg.ResendAfter
		if p.cmd.Kind == state.KindMembers && c.now-p.sentAt >= c.cfg.ResendAfter {
			late = true // raft turns a change that came too early into an empty entry
		}
		if moved || late {
			p.queued = true
			c.props.waiting++
		}
	}
}

// expireProposals ends what has waited its time. Deadlines grow with sequences.
func (c *Core) expireProposals() {
	for len(c.props.list) > 0 {
		p := c.props.list[0]
		if c.now < p.deadline {
			return
		}
		e := Ended{Token: p.token, Status: Unknown, Reason: ReasonTimeout}
		if !p.sent {
			e.Status = Refused
			e.Reason = ReasonNoLeader
		}
		c.props.drop(p.cmd.ID.Seq)
		c.ended = append(c.ended, e)
	}
}

// ReceiveForward takes commands that another member forwards to this one as
// leader.
func (c *Core) ReceiveForward(from world.MemberID, f *wire.Forward) error {
	list, err := state.DecodeCommands(f.Batch)
	if err != nil {
		return fmt.Errorf("consensus: forwarded by %x: %w", uint64(from), err)
	}
	seqs := make([]uint64, 0, len(list))
	for i := range list {
		if (list[i].Kind == state.KindMembers) != f.Conf {
			return fmt.Errorf("consensus: forwarded by %x: kind %d where it does not belong", uint64(from), list[i].Kind)
		}
		seqs = append(seqs, list[i].ID.Seq)
	}
	switch {
	case !c.IsLeader():
		c.refuse(from, seqs, "not the leader")
	case c.props.inBytes+len(f.Batch) > maxIncomingBytes:
		c.refuse(from, seqs, "too many requests")
	case f.Conf:
		for i := range list {
			c.proposeChange(&list[i], f.Batch)
		}
	default:
		c.props.incoming = append(c.props.incoming, incoming{from: from, seqs: seqs, batch: f.Batch})
		c.props.inBytes += len(f.Batch)
	}
	return nil
}

func (c *Core) refuse(to world.MemberID, seqs []uint64, reason string) {
	c.out = append(c.out, Message{To: to, Refuse: &wire.Refuse{Seqs: seqs, Reason: reason}})
}

func (c *Core) refuseIncoming(reason string) {
	for _, in := range c.props.incoming {
		c.refuse(in.from, in.seqs, reason)
	}
	c.props.incoming, c.props.inBytes = nil, 0
}

// ReceiveRefuse makes the next flush send those commands again, to whoever
// leads by then. It proves nothing about them.
func (c *Core) ReceiveRefuse(from world.MemberID, r *wire.Refuse) {
	for _, seq := range r.Seqs {
		if p := c.props.get(seq); p != nil && !p.queued && p.sentTo == from {
			// Back off: at the next resend, not at once, or the two would chat.
			p.sentAt = c.now - c.cfg.ResendAfter*3/4
		}
	}
}

// batchesInFlight counts unfinished appends that hold entries.
func (c *Core) batchesInFlight() int {
	n := 0
	for _, a := range c.appends {
		if len(a.Entries) > 0 && !a.finished {
			n++
		}
	}
	return n
}

// pump makes raft's ready work into Append and messages while the bound allows;
// proposeBatch calls it so that the next batch sees this one in flight.
func (c *Core) pump() {
	for len(c.appends) < c.cfg.MaxAppends && c.member.installing == 0 && c.raw.HasReady() {
		c.take()
	}
}

// proposeEntry hands one ready-made entry to raft.
func (c *Core) proposeEntry(t raftpb.EntryType, data []byte) error {
	id := uint64(c.cfg.ID)
	return c.raw.Step(&raftpb.Message{Type: raftpb.MsgProp.Enum(), From: &id, Entries: []*raftpb.Entry{{Type: &t, Data: data}}})
}
