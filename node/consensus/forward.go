package consensus

import (
	"bytes"
	"fmt"

	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// incoming is a run of commands that another member forwarded to this leader.
type incoming struct {
	from  world.MemberID
	seqs  []uint64
	batch []byte // aliases the frame that it came in
}

// maxIncomingBytes bounds what waits in a leader for being proposed.
const maxIncomingBytes = 32 << 20

// maxForward bounds the commands of one Forward, so that a leader can pack
// several origins' into one entry.
const maxForward = state.MaxBatchCommands / 2

// forward sends queued commands to the leader. Those bound to a term are gone by
// now: see dropBound.
func (c *Core) forward() {
	p := &c.props
	for p.waiting > 0 {
		p.body, p.picked = p.body[:0], p.picked[:0]
		seq, ok := c.firstQueued()
		if !ok {
			panic(fmt.Sprintf("consensus: %d proposals wait, none is queued", p.waiting))
		}
		conf := p.get(seq).conf
		if conf {
			p.body = state.AppendEncoded(p.body, c.id(seq), p.base, p.get(seq).content)
			p.picked = append(p.picked, seq)
		} else {
			c.pick(maxForward, c.cfg.MaxBatchBytes)
		}
		c.out.Messages = append(c.out.Messages, Message{To: c.lead, Forward: &wire.Forward{Batch: bytes.Clone(p.body), Conf: conf}})
		c.markPicked()
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
		kind := list[i].Kind
		if (kind == state.KindMembers) != f.Conf || kind == state.KindRelease {
			return fmt.Errorf("consensus: forwarded by %x: kind %d where it does not belong", uint64(from), kind)
		}
		if kind.Since() > c.cfg.Release {
			return fmt.Errorf("consensus: forwarded by %x: %w: kind %d came with %d", uint64(from), state.ErrRelease, kind, kind.Since())
		}
		seqs = append(seqs, list[i].ID.Seq)
	}
	switch {
	case f.Conf && len(list) != 1:
		return fmt.Errorf("consensus: forwarded by %x: %d membership changes where one belongs", uint64(from), len(list))
	case !c.IsLeader():
		c.refuse(from, seqs, "not the leader")
	case c.props.inBytes+len(f.Batch) > maxIncomingBytes:
		c.refuse(from, seqs, "too many requests")
	case f.Conf:
		c.proposeChange(list[0].Members, f.Batch)
	default:
		c.props.incoming = append(c.props.incoming, incoming{from: from, seqs: seqs, batch: f.Batch})
		c.props.inBytes += len(f.Batch)
	}
	return nil
}

// packIncoming adds forwarded commands to the body while they fit: room
// commands, and the bytes of a batch unless the first is larger. It returns how
// many runs it took and the room left.
func (c *Core) packIncoming(room int) (taken, left int) {
	p := &c.props
	for i := range p.incoming {
		in := &p.incoming[i]
		if len(in.seqs) > room || (len(p.body) > 0 && len(p.body)+len(in.batch) > c.cfg.MaxBatchBytes) {
			break
		}
		p.body = append(p.body, in.batch...)
		room -= len(in.seqs)
		taken++
	}
	return taken, room
}

// dropIncoming forgets the first runs, which were proposed.
func (c *Core) dropIncoming(taken int) {
	p := &c.props
	for _, in := range p.incoming[:taken] {
		p.inBytes -= len(in.batch)
	}
	rest := copy(p.incoming, p.incoming[taken:])
	clear(p.incoming[rest:])
	p.incoming = p.incoming[:rest]
}

func (c *Core) refuse(to world.MemberID, seqs []uint64, reason string) {
	c.out.Messages = append(c.out.Messages, Message{To: to, Refuse: &wire.Refuse{Seqs: seqs, Reason: reason}})
}

func (c *Core) refuseIncoming(reason string) {
	for _, in := range c.props.incoming {
		c.refuse(in.from, in.seqs, reason)
	}
	c.props.incoming, c.props.inBytes = nil, 0
}

// ReceiveRefuse makes a later flush send those commands again, to whoever leads
// by then. It proves nothing about them.
func (c *Core) ReceiveRefuse(from world.MemberID, r *wire.Refuse) {
	for _, seq := range r.Seqs {
		if p := c.props.get(seq); p != nil && !p.queued && p.sentTo == from {
			// Back off: at the next resend, not at once, or the two would chat.
			p.sentAt, p.tries = c.now-c.cfg.ResendAfter*3/4, 0
		}
	}
}
