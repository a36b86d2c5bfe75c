package keys

import (
	"math"
	"time"
)

// Stamp is the time of a command: replicated cluster time with the wall clock
// beside it. Both come with the log entry, never from a member's own clock.
type Stamp struct {
	// Cluster is the cluster's time. Times to live are counted in it.
	Cluster time.Duration
	// Wall is the calendar in nanoseconds since the Unix epoch, shown to people
	// as a node's expiration and used for nothing else.
	Wall int64
}

// later returns the stamp seconds after s. Where that cannot be told in
// nanoseconds, some 292 years, it is the end of time.
func (s Stamp) later(seconds uint64) Stamp {
	if seconds > math.MaxInt64/uint64(time.Second) {
		return Stamp{Cluster: math.MaxInt64, Wall: math.MaxInt64}
	}
	d := int64(seconds) * int64(time.Second)
	return Stamp{
		Cluster: time.Duration(addCapped(int64(s.Cluster), d)),
		Wall:    addCapped(s.Wall, d),
	}
}

// addCapped is a+d for d >= 0, at most the largest number there is.
func addCapped(a, d int64) int64 {
	if a > math.MaxInt64-d {
		return math.MaxInt64
	}
	return a + d
}

// Node is a file or directory as it was at one moment. It never changes.
type Node struct {
	// Key is the full path; "/" for the root, which has no indexes.
	Key string
	// Value is what a file holds. The node of a deletion has none.
	Value string
	Dir   bool
	// Created and Modified are the indexes of the writes that made the node
	// and last changed it.
	Created, Modified uint64
	// HasTTL says that the node expires, at cluster time Due, which the wall
	// clock of its writing put at Expiration (ns since the Unix epoch).
	HasTTL     bool
	Due        time.Duration
	Expiration int64
	// Nodes are the children that an answer of Get shows, in the order of
	// their keys. Nodes of the tree and of events have none.
	Nodes []*Node
}

// TTL is the seconds that the node has left at cluster time at, rounded up;
// zero when it is due or doesn't expire.
func (n *Node) TTL(at time.Duration) int64 {
	if !n.HasTTL || n.Due <= at {
		return 0
	}
	// As unsigned numbers the difference is right for any two times.
	left := uint64(n.Due) - uint64(at)
	return int64((left-1)/uint64(time.Second)) + 1
}

// Action is what an event tells of, as the protocol spells it.
type Action string

// The actions.
const (
	ActionGet              Action = "get"
	ActionSet              Action = "set"
	ActionCreate           Action = "create"
	ActionUpdate           Action = "update"
	ActionCompareAndSwap   Action = "compareAndSwap"
	ActionDelete           Action = "delete"
	ActionCompareAndDelete Action = "compareAndDelete"
	ActionExpire           Action = "expire"
)

// Removes reports whether the action takes its node away. Such an event's Node
// has neither value nor ttl; PrevNode tells what was.
func (a Action) Removes() bool {
	return a == ActionDelete || a == ActionCompareAndDelete || a == ActionExpire
}

// Event is the answer to a read or a successful write, and what watches
// deliver. It never changes.
type Event struct {
	Action Action
	Node   *Node
	// PrevNode is what was there before; nil if nothing was.
	PrevNode *Node
	// EtcdIndex is the index of the write; of the state read, for a get.
	EtcdIndex uint64
	// Refresh marks a write that renewed a ttl alone. Watches don't show it.
	Refresh bool
	// At is the cluster time of the write or read; shown ttls count from it.
	At time.Duration
}

// IsCreated reports whether a node came to be where none was, which a client
// is told by status 201.
func (e *Event) IsCreated() bool {
	return e.Action == ActionCreate || (e.Action == ActionSet && e.PrevNode == nil)
}
