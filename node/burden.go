package node

import "drydock/node/world"

// Burden counts what a node holds in memory on behalf of others: all of it is
// bounded. It is for observers.
type Burden struct {
	// Calls are linearizable reads and watches, Watches the watches among
	// them, Jobs disk work that is not done.
	Calls, Watches, Jobs int
	// Proposals are commands that are not decided, of this member's clients or
	// forwarded by others; Reads wait for their place in the order.
	Proposals, Reads int
	// FleetReads are reads of units and machines, FleetAsks questions about units.
	FleetReads, FleetAsks int
	// Entries are those of the log that are kept in memory.
	Entries uint64
}

// Burden returns what the node holds now.
func (n *Node) Burden() Burden {
	b := Burden{Calls: len(n.calls), Watches: len(n.watchers.byID), Jobs: len(n.jobs), FleetReads: len(n.fleet.reads), FleetAsks: len(n.fleet.asks.list)}
	b.Proposals, b.Reads, b.Entries = n.core.Burden()
	return b
}

// Configuration returns who votes and who learns by this member's consensus as
// of the last applied entry. Outgoing are the voters of the configuration that
// a joint one leaves, if it is one.
func (n *Node) Configuration() (voters, outgoing, learners []world.MemberID) {
	return n.core.Configuration()
}
