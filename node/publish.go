package node

import (
	"time"

	"drydock/node/state"
)

// Tokens of the node's own commands. Hosts use those from 1 to MaxToken.
const (
	tokenExpire = 0
	// MaxToken is the greatest token of a host.
	MaxToken     = 1<<63 - 1
	tokenRaise   = MaxToken + 1
	tokenPublish = MaxToken + 2
	tokenPromote = MaxToken + 3
)

// chores is what the node proposes by itself, beside expiries and raises: one
// of each at a time, and after a failure not before a pause that grows.
type chores struct {
	publishing, promoting bool
	publishAt, promoteAt  time.Duration
	pause                 time.Duration // before the next publication, if this one fails
}

// maxPublishPause bounds the time between tries to publish what was refused.
const maxPublishPause = time.Minute

// propose is Core.Propose for commands that the cluster's release allows.
func (n *Node) propose(c state.Command, token uint64) error {
	if err := n.state.Allows(c.Kind); err != nil {
		return err
	}
	return n.core.Propose(c, token)
}

// ownEnd is told the end of a command of the node's own, with the state's
// refusal or without an answer. It says whether it was one.
func (n *Node) ownEnd(token uint64, failed bool) bool {
	switch token {
	case tokenExpire:
		n.expiring = 0
	case tokenRaise:
		n.releases.raising = 0
	case tokenPublish:
		n.chores.publishing = false
		if failed {
			n.putOffPublishing()
		}
	case tokenPromote:
		n.chores.promoting = false
	default:
		return false
	}
	return true
}

// profile is what this member would have published. The peers' URLs are only
// given where the cluster knows none: from then on they are the operator's.
func (n *Node) profile() state.Publish {
	p := state.Publish{ID: n.cfg.ID, Name: n.cfg.Name, ClientURLs: n.cfg.ClientURLs}
	if m, ok := n.state.Member(n.cfg.ID); ok && len(m.PeerURLs) == 0 {
		p.PeerURLs = n.cfg.PeerURLs
	}
	return p
}

// publish proposes this member's name and URLs where the state has others.
func (n *Node) publish() {
	lead, _ := n.core.Lead()
	if n.chores.publishing || lead == 0 || n.at.Mono < n.chores.publishAt || !n.state.HasMember(n.cfg.ID) {
		return
	}
	if n.state.Allows(state.KindPublish) != nil {
		return
	}
	p := n.profile()
	if n.state.Published(&p) {
		n.chores.pause = 0
		return
	}
	if n.state.CheckPublish(&p) != nil || n.propose(state.Command{Kind: state.KindPublish, Publish: &p}, tokenPublish) != nil {
		n.putOffPublishing()
		return
	}
	n.chores.publishing = true
}

func (n *Node) putOffPublishing() {
	n.chores.pause = min(max(2*n.chores.pause, n.cfg.Election), maxPublishPause)
	n.chores.publishAt = n.at.Mono + n.chores.pause
}

// promoteLag is how many entries a learner may be behind what is committed when
// its leader gives it a vote.
const promoteLag = 100

// promote gives a vote to the first learner that is there and close behind, if
// the node is to do that.
func (n *Node) promote() {
	if !n.cfg.AutoPromote || n.chores.promoting || n.at.Mono < n.chores.promoteAt || !n.core.IsLeader() {
		return
	}
	// Consensus forgets once an election's time who was active: an equal step
	// would always look just after.
	n.chores.promoteAt = n.at.Mono + n.cfg.Heartbeat
	committed := n.core.Committed()
	for _, p := range n.core.Progress() {
		m, ok := n.state.Member(p.ID)
		if !ok || !m.Learner || !p.Learner || !p.Active || p.Snapshot || p.Match == 0 || p.Match+promoteLag < committed {
			continue
		}
		c := state.Command{Kind: state.KindMembers, Members: []state.MemberChange{{Kind: state.Promote, Member: state.Member{ID: p.ID}}}}
		n.chores.promoting = n.propose(c, tokenPromote) == nil
		return
	}
}

// updateMember starts a change of what is published of a member.
func (n *Node) updateMember(token uint64, p *state.Publish) {
	err := n.state.CheckPublish(p)
	if err == nil {
		err = n.propose(state.Command{Kind: state.KindPublish, Publish: p}, token)
	}
	if err != nil {
		n.refuse(token, err)
	}
}
