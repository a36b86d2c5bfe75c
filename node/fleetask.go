package node

import (
	"errors"
	"slices"
	"time"

	"drydock/node/consensus"
	"drydock/node/wire"
	"drydock/node/world"
)

// asks are questions why units aren't as they are wanted. The leader knows; another
// member asks it, again and again, since nothing else depends on the answer.
type asks struct {
	list []ask
	last uint64
}

type ask struct {
	token, id uint64
	units     []string
	asked     time.Duration // when the leader was last asked
	deadline  time.Duration
}

var (
	errNoLeader  = errors.New("node: no leader is known")
	errAskedMuch = errors.New("node: too many units are asked about at once")
)

// askFleet answers a question, or hands it on.
func (n *Node) askFleet(token uint64, units []string) {
	n.checkToken(token)
	switch lead, _ := n.core.Lead(); {
	case len(units) > wire.MaxAsked:
		n.refuse(token, errAskedMuch)
	case n.fleet.control.Leads():
		n.tellWhy(token, n.whys(units))
	case lead == 0 || len(n.fleet.asks.list) >= n.cfg.MaxWatches:
		n.refuse(token, errNoLeader)
	default:
		a := &n.fleet.asks
		a.last++
		a.list = append(a.list, ask{token: token, id: a.last, units: slices.Clone(units), deadline: n.at.Mono + n.cfg.RequestTimeout})
		n.sendAsk(&a.list[len(a.list)-1])
	}
}

// whys answers for each unit, if this member leads.
func (n *Node) whys(units []string) []string {
	list := make([]string, len(units))
	for i, name := range units {
		list[i] = n.fleet.control.Why(name)
	}
	return list
}

func (n *Node) tellWhy(token uint64, why []string) {
	n.fx.Answers = append(n.fx.Answers, Answer{Token: token, Status: consensus.Done, Why: why, Meta: n.meta(), Now: n.now()})
}

// sendAsk asks the leader, unless that is this member, which then has yet to read
// what its predecessor has left.
func (n *Node) sendAsk(a *ask) {
	a.asked = n.at.Mono
	if lead, _ := n.core.Lead(); lead != 0 && lead != n.cfg.ID {
		n.sendFrame(&wire.Frame{Kind: wire.KindAsk, To: lead, Asked: &wire.Ask{ID: a.id, Units: a.units}})
	}
}

// tickAsks asks again, answers what this member has come to know, and ends what has
// waited for too long.
func (n *Node) tickAsks() {
	a := &n.fleet.asks
	a.list = slices.DeleteFunc(a.list, func(one ask) bool {
		switch {
		case n.fleet.control.Leads():
			n.tellWhy(one.token, n.whys(one.units))
			return true
		case n.at.Mono >= one.deadline:
			n.refuse(one.token, errNoLeader)
			return true
		}
		return false
	})
	for i := range a.list {
		if n.at.Mono-a.list[i].asked >= n.cfg.Election {
			n.sendAsk(&a.list[i])
		}
	}
}

// receiveAsk answers another member's question.
func (n *Node) receiveAsk(from world.MemberID, q *wire.Ask) {
	if !n.state.HasMember(from) {
		return
	}
	t := &wire.Tell{ID: q.ID, Leads: n.fleet.control.Leads()}
	if t.Leads {
		for _, why := range n.whys(q.Units) {
			t.Why = append(t.Why, why[:min(len(why), wire.MaxWhyBytes)])
		}
	}
	n.sendFrame(&wire.Frame{Kind: wire.KindTell, To: from, Told: t})
}

// receiveTell takes the answer to a question.
func (n *Node) receiveTell(t *wire.Tell) {
	a := &n.fleet.asks
	i := slices.IndexFunc(a.list, func(one ask) bool { return one.id == t.ID && len(one.units) == len(t.Why) })
	if i < 0 || !t.Leads {
		return
	}
	n.tellWhy(a.list[i].token, t.Why)
	a.list = slices.Delete(a.list, i, i+1)
}

// cancelAsk forgets a question whose asker is gone.
func (n *Node) cancelAsk(token uint64) {
	a := &n.fleet.asks
	a.list = slices.DeleteFunc(a.list, func(one ask) bool { return one.token == token })
}
