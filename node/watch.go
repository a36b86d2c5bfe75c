package node

import (
	"maps"
	"slices"

	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/keys"
)

// watchTable ties the keyspace's watchers to the tokens of those who watch.
type watchTable struct {
	byID    map[keys.WatcherID]uint64
	byToken map[uint64]keys.WatcherID
}

func (t *watchTable) init() {
	t.byID = make(map[keys.WatcherID]uint64)
	t.byToken = make(map[uint64]keys.WatcherID)
}

func (t *watchTable) drop(id keys.WatcherID) {
	delete(t.byToken, t.byID[id])
	delete(t.byID, id)
}

// watch begins a watch: a head at once, then what history holds, then what
// comes.
func (n *Node) watch(token uint64, call *api.Call) {
	if len(n.watchers.byID) >= n.cfg.MaxWatches {
		n.refuse(token, consensus.ErrBusy)
		return
	}
	meta, now := n.meta(), n.now()
	id, past, err := n.state.Keys().Watch(call.Path, call.Recursive, call.Stream, call.Since)
	if err != nil {
		n.fx.Watches = append(n.fx.Watches, WatchNews{Token: token, Meta: meta, Err: err, Last: true, Now: now})
		return
	}
	n.fx.Watches = append(n.fx.Watches, WatchNews{Token: token, Head: true, Meta: meta, Now: now})
	for _, ev := range past {
		n.fx.Watches = append(n.fx.Watches, WatchNews{Token: token, Event: ev, Last: id == 0, Past: true, Meta: meta, Now: now})
	}
	if id != 0 {
		n.watchers.byID[id], n.watchers.byToken[token] = token, id
		n.calls[token] = call
	}
}

// deliverWatches hands out the events since the last turn.
func (n *Node) deliverWatches() {
	for _, d := range n.state.Keys().TakeDeliveries() {
		token, ok := n.watchers.byID[d.Watcher]
		if !ok {
			continue
		}
		last := !n.calls[token].Stream
		n.fx.Watches = append(n.fx.Watches, WatchNews{Token: token, Event: d.Event, Last: last, Meta: n.meta(), Now: n.now()})
		if last {
			n.watchers.drop(d.Watcher)
			delete(n.calls, token)
		}
	}
}

// cancel forgets one who is gone. A write goes on, and is answered.
func (n *Node) cancel(token uint64) {
	if id, ok := n.watchers.byToken[token]; ok {
		n.state.Keys().Cancel(id)
		n.watchers.drop(id)
	}
	delete(n.calls, token)
	delete(n.fleet.reads, token)
	n.cancelAsk(token)
}

// ids lists the watchers in the order in which they came.
func (t *watchTable) ids() []keys.WatcherID { return slices.Sorted(maps.Keys(t.byID)) }
