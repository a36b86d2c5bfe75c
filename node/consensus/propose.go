package consensus

import (
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/state"
	"drydock/node/world"
)

// proposal is a command that this member took and has not seen applied yet.
type proposal struct {
	content  []byte // as state.AppendContent made it
	token    uint64
	deadline time.Duration
	// sent says that a copy was handed to raft or to a leader: from then on
	// only its application can tell what became of it.
	sent   bool
	sentTo world.MemberID
	sentAt time.Duration
	// sentTerm is the term in which it was sent, tries how often it was sent
	// again to the same leader.
	sentTerm uint64
	tries    uint8
	conf     bool // a change of membership
	bound    bool // counts in the term sentTerm only, whose leader this was
	queued   bool // is (again) waiting for flush
	decided  bool
}

// proposals holds the commands of this life that are undecided.
//
// Invariants: list[head+i] has sequence base+i; list[head], if any, is
// undecided, so base is the low mark that commands carry; no proposal below
// the sequence cursor is queued.
type proposals struct {
	list    []proposal
	head    int
	base    uint64
	cursor  uint64
	waiting int // queued ones
	bytes   int // of undecided contents
	bound   int // undecided ones that are bound to a term

	incoming    []incoming
	inBytes     int
	othersFirst bool // whose turn it is to be packed first
	resendAt    time.Duration

	picked []uint64 // what pick chose, used again
	body   []byte   // and its encoding
	entry  []byte   // what raft was handed last, used again
	slab   []byte   // holds small contents, one behind the other
}

// slabBytes is the size of a slab. It lives until all in it is decided.
const slabBytes = 16 << 10

// keep copies a content to where it may stay.
func (p *proposals) keep(content []byte) []byte {
	if len(content) > slabBytes/8 {
		return append([]byte(nil), content...)
	}
	if cap(p.slab)-len(p.slab) < len(content) {
		p.slab = make([]byte, 0, slabBytes)
	}
	at := len(p.slab)
	p.slab = append(p.slab, content...)
	return p.slab[at:len(p.slab):len(p.slab)]
}

func (p *proposals) init() { p.base, p.cursor = 1, 1 }

func (p *proposals) count() int { return len(p.list) - p.head }

func (p *proposals) next() uint64 { return p.base + uint64(p.count()) }

// get returns an undecided proposal, or nil. It is valid until the next push.
func (p *proposals) get(seq uint64) *proposal {
	if seq < p.base || seq >= p.next() {
		return nil
	}
	q := &p.list[p.head+int(seq-p.base)]
	if q.decided {
		return nil
	}
	return q
}

// push adds a proposal, which is queued. The room of decided ones is used again
// before more is taken.
func (p *proposals) push(q proposal) {
	if len(p.list) == cap(p.list) && p.head > len(p.list)/2 {
		n := copy(p.list, p.list[p.head:])
		clear(p.list[n:])
		p.list, p.head = p.list[:n], 0
	}
	p.list = append(p.list, q)
	p.waiting++
	if q.bound {
		p.bound++
	}
	p.bytes += len(q.content)
}

// requeue makes flush send a proposal again.
func (p *proposals) requeue(seq uint64, q *proposal) {
	q.queued = true
	p.waiting++
	p.cursor = min(p.cursor, seq)
}

// drop forgets a decided proposal and moves the low mark.
func (p *proposals) drop(seq uint64) {
	q := p.get(seq)
	if q.queued {
		p.waiting--
	}
	if q.bound {
		p.bound--
	}
	p.bytes -= len(q.content)
	*q = proposal{decided: true}
	for p.count() > 0 && p.list[p.head].decided {
		p.head, p.base = p.head+1, p.base+1
	}
	if p.count() == 0 {
		p.list, p.head = p.list[:0], 0
	}
}

// Propose takes a command for replication. The caller is told its end by
// Settle, when it is applied, or by Ended.
func (c *Core) Propose(cmd state.Command, token uint64) error {
	p := &c.props
	if p.count() >= min(c.cfg.MaxWaiting, state.Window-1) || p.bytes >= c.cfg.MaxWaitingBytes {
		return ErrBusy
	}
	p.body = state.AppendContent(p.body[:0], &cmd)
	if err := state.CheckSize(&cmd, p.body); err != nil {
		return err
	}
	p.push(proposal{
		content: p.keep(p.body), token: token, deadline: c.now + c.cfg.RequestTimeout,
		conf: cmd.Kind == state.KindMembers, queued: true, bound: cmd.Kind == state.KindRelease, sentTerm: c.term,
	})
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
	token = p.token
	c.props.drop(id.Seq)
	return token, true
}

// flush sends what waits: into the log where this member leads, else to the
// leader.
func (c *Core) flush() {
	if !c.IsLeader() {
		c.refuseIncoming("not the leader")
	}
	c.dropBound()
	if c.lead == 0 {
		return
	}
	c.requeueLost()
	if !c.IsLeader() {
		c.forward()
		return
	}
	for c.props.waiting+len(c.props.incoming) > 0 && c.mayPropose() {
		if !c.proposeBatch() {
			return
		}
	}
}

// dropBound ends what is bound to a term that this member no longer leads: it
// must not be sent again. An entry that holds it may still be committed.
func (c *Core) dropBound() {
	for seq := c.props.base; c.props.bound > 0 && seq < c.props.next(); seq++ {
		p := c.props.get(seq)
		if p == nil || !p.bound || (c.IsLeader() && p.sentTerm == c.term) {
			continue
		}
		e := Ended{Token: p.token, Status: Refused, Reason: ReasonNotLeader}
		if p.sent {
			e.Status = Unknown
		}
		c.props.drop(seq)
		c.out.Ended = append(c.out.Ended, e)
	}
}

// proposeBatch packs waiting commands, own and forwarded ones, into one entry.
// It reports whether raft took it and another try makes sense.
func (c *Core) proposeBatch() bool {
	p := &c.props
	if seq, ok := c.firstQueued(); ok && p.get(seq).conf {
		c.proposeConf(seq)
		return true
	}
	room := state.MaxBatchCommands
	p.body, p.picked = p.body[:0], p.picked[:0]
	others := 0
	if p.othersFirst {
		others, room = c.packIncoming(room)
	}
	share := c.cfg.MaxBatchBytes
	if len(p.incoming) > others {
		share /= 2
	}
	c.pick(room, share)
	if !p.othersFirst {
		others, _ = c.packIncoming(room - len(p.picked))
	}
	if len(p.body) == 0 {
		return false
	}
	// Raft keeps a copy of what it is handed, so that the room is ours again.
	p.entry = state.AppendBatch(p.entry[:0], c.header(), p.body)
	if err := c.raw.Propose(p.entry); err != nil {
		return false // stays queued; refused by raft means not in the log
	}
	p.othersFirst = !p.othersFirst
	foreign := 0
	for i := range p.incoming[:others] {
		foreign += len(p.incoming[i].seqs)
	}
	c.pace.proposed(len(p.picked)+foreign, foreign > 0, c.now)
	c.markPicked()
	c.dropIncoming(others)
	c.pump()
	return true
}

// firstQueued returns the first proposal in line.
func (c *Core) firstQueued() (uint64, bool) {
	p := &c.props
	p.cursor = max(p.cursor, p.base)
	for ; p.cursor < p.next(); p.cursor++ {
		if q := p.get(p.cursor); q != nil && q.queued {
			return p.cursor, true
		}
	}
	return 0, false
}

// pick chooses queued commands in order and adds their encodings to the body:
// at most room of them, and share bytes unless the first is larger. It ends
// before a membership change, which goes alone.
func (c *Core) pick(room, share int) {
	p := &c.props
	if p.waiting == 0 {
		return
	}
	for seq := max(p.cursor, p.base); seq < p.next() && room > 0 && len(p.picked) < p.waiting; seq++ {
		q := p.get(seq)
		if q == nil || !q.queued {
			continue
		}
		if q.conf || (len(p.body) > 0 && len(p.body)+len(q.content)+maxIDBytes > share) {
			return
		}
		p.body = state.AppendEncoded(p.body, c.id(seq), p.base, q.content)
		p.picked = append(p.picked, seq)
		room--
	}
}

// maxIDBytes is the most that an id and low mark take in front of a content.
const maxIDBytes = 4 * 10

func (c *Core) id(seq uint64) state.ID {
	return state.ID{Member: c.cfg.ID, Incarnation: c.cfg.Incarnation, Seq: seq}
}

// markPicked notes that what pick chose was handed on. All of it was in line
// one behind the other, so the cursor moves behind it.
func (c *Core) markPicked() {
	for _, seq := range c.props.picked {
		c.markSent(seq)
	}
	if n := len(c.props.picked); n > 0 {
		c.props.cursor = c.props.picked[n-1] + 1
	}
}

func (c *Core) markSent(seq uint64) {
	p := c.props.get(seq)
	if p.sentTo != c.lead || p.sentTerm != c.term {
		p.tries = 0
	}
	p.sent, p.sentTo, p.sentAt, p.sentTerm = true, c.lead, c.now, c.term
	p.queued = false
	c.props.waiting--
}

// requeueLost queues again what was sent to a leader that is no longer, or got
// lost on the way. Sessions make sending twice harmless; each repetition waits
// twice as long as the one before, so that a slow leader is not drowned.
func (c *Core) requeueLost() {
	if c.now < c.props.resendAt {
		return
	}
	c.props.resendAt = c.now + c.cfg.ResendAfter/4
	for seq := c.props.base; seq < c.props.next(); seq++ {
		p := c.props.get(seq)
		if p == nil || p.queued {
			continue
		}
		moved := p.sentTo != c.lead || p.sentTerm != c.term
		// A leader's own command is in its log; only a membership change may
		// have come too early, which raft turns into an empty entry.
		late := (!c.IsLeader() || p.conf) && c.now-p.sentAt >= c.cfg.ResendAfter<<p.tries
		if late && !p.conf {
			p.tries = min(p.tries+1, maxBackoff)
		}
		if moved || late {
			c.props.requeue(seq, p)
		}
	}
}

// maxBackoff bounds how often the time to the next repetition doubles.
const maxBackoff = 5

// expireProposals ends what has waited its time. Deadlines grow with sequences.
func (c *Core) expireProposals() {
	for c.props.count() > 0 {
		p := &c.props.list[c.props.head]
		if c.now < p.deadline {
			return
		}
		e := Ended{Token: p.token, Status: Unknown, Reason: ReasonTimeout}
		if !p.sent {
			e.Status = Refused
			e.Reason = ReasonNoLeader
		}
		c.props.drop(c.props.base)
		c.out.Ended = append(c.out.Ended, e)
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
