package node

import (
	"time"

	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

// maxWallBridge bounds how much cluster time may pass while a whole cluster is
// down, as told by the wall clock, which may have jumped.
const maxWallBridge = 7 * 24 * time.Hour

// clusterClock is this member's estimate of cluster time: the time of the last
// entry it applied, aged by its own monotonic clock. The leader's estimate is
// what entries are stamped with.
type clusterClock struct {
	base time.Duration // cluster time at mono
	mono time.Duration
}

func (n *Node) startClock(at world.Instant) {
	n.at, n.lastTick, n.booted = at, at.Mono, at
	n.bridge()
	n.fx.Timer = at.Mono
}

// bridge sets the estimate to what was applied, aged by the time from its
// stamping to this member's boot as the calendar tells it: nothing else knows
// how long the whole cluster was down.
func (n *Node) bridge() {
	now, age := n.state.Now(), time.Duration(0)
	if now.Wall != 0 {
		age = min(max(time.Duration(n.booted.Wall-now.Wall), 0), maxWallBridge)
	}
	n.clock = clusterClock{base: now.Cluster + age, mono: n.booted.Mono}
}

// estimate is cluster time by this member's clock.
func (n *Node) estimate() time.Duration { return n.clock.base + n.at.Mono - n.clock.mono }

// now returns the estimate of cluster time, never behind what was applied.
func (n *Node) now() keys.Stamp {
	return keys.Stamp{Cluster: max(n.estimate(), n.state.Now().Cluster), Wall: n.at.Wall}
}

// follow re-anchors the estimate at what was applied. Entries that this member
// had before its boot were stamped in the past. A leader's own stamps come back
// to it and are never ahead of it; one that is was left by the leader before,
// whose time goes on from there: it must not stand still until this member's
// estimate has caught up.
func (n *Node) follow() {
	index, _ := n.state.Applied()
	applied := n.state.Now().Cluster
	switch {
	case index <= n.recovered:
		n.bridge()
	case n.core.IsLeader() && applied <= n.estimate():
	default:
		n.clock = clusterClock{base: applied, mono: n.at.Mono}
	}
}

// header is what goes in front of each entry that this member proposes.
func (n *Node) header() state.Header {
	index, _ := n.state.Applied()
	d, _ := n.state.DigestAt(index)
	return state.Header{Time: n.now(), CheckIndex: index, CheckDigest: d}
}

// expire proposes an expiry when something is due and none is under way.
func (n *Node) expire() {
	_, term := n.core.Lead()
	if !n.core.IsLeader() || n.expiring == term {
		return
	}
	due, ok := n.state.Due()
	if !ok || due > n.now().Cluster {
		return
	}
	if n.core.Propose(state.Command{Kind: state.KindExpire}, tokenExpire) == nil {
		n.expiring = term
	}
}
