package node

import (
	"errors"

	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/world"
)

// request starts a client's call.
func (n *Node) request(token uint64, call *api.Call) {
	n.checkToken(token)
	var err error
	applied, _ := n.state.Applied()
	switch {
	case applied == 0:
		// A joining member has no state yet, not even an old one.
		n.refuse(token, errJoining)
		return
	case call.Kind == api.Write:
		err = n.core.Propose(state.Command{Kind: state.KindKeys, Token: call.Token, Keys: call.Write}, token)
	case call.Kind == api.Watch:
		n.watch(token, call)
	case call.Linearizable:
		if err = n.core.Read(token); err == nil {
			n.calls[token] = call
		}
	default:
		n.serveRead(token, call)
	}
	if err != nil {
		n.refuse(token, err)
	}
}

// serveReads answers the linearizable reads whose index is applied.
func (n *Node) serveReads() {
	for _, token := range n.core.ReadsReady() {
		if n.fleetRead(token) {
			continue
		}
		if call, ok := n.calls[token]; ok {
			delete(n.calls, token)
			n.serveRead(token, call)
		}
	}
}

// serveRead answers a read from the state as it is. It takes as long as the
// answer is: a recursive read of everything copies everything.
func (n *Node) serveRead(token uint64, call *api.Call) {
	a := Answer{Token: token, Status: consensus.Done, Meta: n.meta(), Now: n.now()}
	a.Event, a.Err = n.state.Keys().Get(call.Path, call.Recursive, call.Sorted, a.Now)
	n.fx.Answers = append(n.fx.Answers, a)
}

var errJoining = errors.New("node: this member is joining and has no state yet")

func (n *Node) refuse(token uint64, err error) {
	n.fx.Answers = append(n.fx.Answers, Answer{
		Token: token, Status: consensus.Refused, Reason: err.Error(), Refusal: err, Meta: n.meta(), Now: n.now(),
	})
}

func (n *Node) changeMembers(token uint64, changes []state.MemberChange) {
	if err := n.state.CheckChanges(changes); err != nil {
		n.refuse(token, err)
		return
	}
	if err := n.core.Propose(state.Command{Kind: state.KindMembers, Members: changes}, token); err != nil {
		n.refuse(token, err)
	}
}

func (n *Node) transferLeader(token uint64, to world.MemberID) {
	m, ok := n.state.Member(to)
	switch {
	case !ok || m.Learner:
		n.refuse(token, errors.New("node: the new leader must be a voting member"))
		return
	case to == n.cfg.ID && n.core.IsLeader():
		n.refuse(token, errors.New("node: this member leads already"))
		return
	}
	if err := n.core.TransferTo(to); err != nil {
		n.refuse(token, err)
		return
	}
	n.fx.Answers = append(n.fx.Answers, Answer{Token: token, Status: consensus.Done, Meta: n.meta(), Now: n.now()})
}
