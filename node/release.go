package node

import (
	"time"

	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// releases is how a member takes part in raising the cluster's release.
//
// A member that speaks more than the cluster's release tells each new leader so
// at once, and again and again while that lasts; at rest, nothing is sent. The
// leader raises the release as far as every member, learners too, has said
// within heardFor that it speaks. What it was told in another term is void, and
// so is what it proposed there.
type releases struct {
	// told is the leader that was greeted last, in term, and when the next
	// greeting is due.
	told world.MemberID
	term uint64
	next time.Duration

	// heard is what others said to this member as leader of heardTerm.
	heard     []hello
	heardTerm uint64
	// raising is the term in which a raise is under way.
	raising uint64
}

// hello is another member's word.
type hello struct {
	from    world.MemberID
	release state.Release
	at      time.Duration
}

// heardElections is for how many elections' time a member's word counts; it
// gives it four times as often.
const heardElections = 2

func (n *Node) heardFor() time.Duration { return heardElections * n.cfg.Election }

// greet tells the leader which release this member speaks, if that is more than
// the cluster's.
func (n *Node) greet() {
	lead, term := n.core.Lead()
	r := &n.releases
	applied, _ := n.state.Applied()
	if applied == 0 || n.cfg.Release <= n.state.Release() || lead == 0 || lead == n.cfg.ID {
		return
	}
	if r.told == lead && r.term == term && n.at.Mono < r.next {
		return
	}
	r.told, r.term, r.next = lead, term, n.at.Mono+n.heardFor()/4
	n.sendFrame(&wire.Frame{Kind: wire.KindHello, To: lead, Hello: &wire.Hello{Release: uint64(n.cfg.Release), Term: term}})
}

// receiveHello takes another member's word, if it is for this term's leader.
// Nobody else has one, so that the table is as long as the members at most.
func (n *Node) receiveHello(from world.MemberID, h *wire.Hello) {
	r := &n.releases
	_, term := n.core.Lead()
	if !n.core.IsLeader() || h.Term != term || !n.state.HasMember(from) {
		return
	}
	if r.heardTerm != term {
		r.heardTerm, r.heard = term, r.heard[:0]
	}
	word := hello{from: from, release: state.Release(h.Release), at: n.at.Mono}
	for i := range r.heard {
		if r.heard[i].from == from {
			r.heard[i] = word
			return
		}
	}
	if len(r.heard) < state.MaxMembers { // of those that were members in this term
		r.heard = append(r.heard, word)
	}
}

// said returns the release that a member says it speaks; the first, if it said
// nothing of late.
func (n *Node) said(id world.MemberID, term uint64) state.Release {
	if id == n.cfg.ID {
		return n.cfg.Release
	}
	if n.releases.heardTerm == term {
		for _, h := range n.releases.heard {
			if h.from == id && n.at.Mono-h.at < n.heardFor() {
				return h.release
			}
		}
	}
	return state.Release1
}

// raise proposes the release that all members speak, if that is more than the
// cluster's. It waits until this leader has applied what leaders before it left:
// that may have changed the members.
func (n *Node) raise() {
	_, term := n.core.Lead()
	_, applied := n.state.Applied()
	if n.cfg.Release <= n.state.Release() || !n.core.IsLeader() || applied != term || n.releases.raising == term {
		return
	}
	to, members := n.cfg.Release, n.state.Members()
	raise := &state.Raise{Term: term}
	for i := range members {
		to = min(to, n.said(members[i].ID, term))
		raise.Voices = append(raise.Voices, members[i].ID)
	}
	if raise.Release = to; to <= n.state.Release() {
		return
	}
	if n.propose(state.Command{Kind: state.KindRelease, Raise: raise}, tokenRaise) == nil {
		n.releases.raising = term
	}
}
