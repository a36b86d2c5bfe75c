package node

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/state"
)

// apply applies committed entries and answers who waits for them here.
func (n *Node) apply(entries []*raftpb.Entry) {
	for _, e := range entries {
		if e.GetType() == raftpb.EntryNormal {
			n.applyBatch(e)
		} else {
			n.applyConf(e)
		}
		if n.fx.Halt != nil {
			return
		}
		d, _ := n.state.DigestAt(e.GetIndex())
		n.fx.Applied = append(n.fx.Applied, Mark{Index: e.GetIndex(), Term: e.GetTerm(), Revision: n.state.Revision(), Digest: d})
	}
	if len(entries) > 0 {
		n.core.Applied(entries[len(entries)-1].GetIndex())
	}
}

func (n *Node) applyBatch(e *raftpb.Entry) {
	n.grown += uint64(len(e.GetData()))
	n.spent += len(e.GetData())
	results, err := n.state.Apply(e.GetIndex(), e.GetTerm(), e.GetData())
	if err != nil {
		n.halt(fmt.Errorf("node: %w", err))
		return
	}
	if len(e.GetData()) > 0 {
		n.follow()
	}
	for i := range results {
		n.answer(&results[i])
	}
}

func (n *Node) applyConf(e *raftpb.Entry) {
	cc, data, err := consensus.ConfChange(e)
	if err != nil {
		n.halt(fmt.Errorf("node: %w", err))
		return
	}
	res, changed, err := n.state.ApplyMembers(e.GetIndex(), e.GetTerm(), data)
	if err != nil {
		n.halt(fmt.Errorf("node: %w", err))
		return
	}
	if changed {
		n.core.ApplyConf(cc)
		n.changed = e.GetIndex()
	}
	n.answer(&res)
}

// answer tells the one who waits for a command what it came to. The id decides
// who that is: the place in the log may have become another command's.
func (n *Node) answer(res *state.Result) {
	token, ok := n.core.Settle(res.ID)
	if !ok {
		return
	}
	if n.fleetEnd(token, res) || n.ownEnd(token, res.Refusal != nil) {
		return
	}
	a := Answer{
		Token: token, Status: consensus.Done, Event: res.Event, Err: res.Err, Refusal: res.Refusal, Auth: res.Auth,
		Fleet: res.Fleet,
		Meta:  n.meta(), Now: n.now(),
	}
	a.Meta.Revision = res.Revision
	switch {
	case res.Repeated:
		// Decided under another copy of the id, whose answer was not seen here.
		a.Status, a.Reason = consensus.Unknown, consensus.ReasonTimeout
	case res.Event != nil:
		a.Meta.EtcdIndex = res.Event.EtcdIndex
	case res.Err != nil:
		a.Meta.EtcdIndex = res.Err.Index
	}
	n.fx.Answers = append(n.fx.Answers, a)
}

// end answers operations that got no answer from the state.
func (n *Node) end(list []consensus.Ended) {
	for _, e := range list {
		if n.fleetEnded(e.Token) || n.ownEnd(e.Token, true) {
			continue
		}
		delete(n.calls, e.Token)
		n.fx.Answers = append(n.fx.Answers, Answer{Token: e.Token, Status: e.Status, Reason: e.Reason, Meta: n.meta(), Now: n.now()})
	}
}

// meta describes the state as it is for an answer's headers.
func (n *Node) meta() api.Meta {
	index, term := n.state.Applied()
	return api.Meta{
		ClusterID: n.cfg.Cluster, RaftIndex: index, RaftTerm: term,
		EtcdIndex: n.state.Keys().Index(), Revision: n.state.Revision(),
	}
}
