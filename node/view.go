package node

import (
	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/world"
)

// View is what a member tells of itself: plain values, copied out.
type View struct {
	ID   world.MemberID
	Name string
	Role Role
	// Applied is the index of the last applied entry, Committed of the last that
	// a majority is known to hold, Revision the commands so far.
	Applied, Committed, Revision uint64
	// EtcdIndex is the keyspace's index, Keys how many files and directories it
	// holds beside the root.
	EtcdIndex uint64
	Keys      int
	Members   []state.Member
	// Checkpointed is the index of the last durable checkpoint.
	Checkpointed uint64
	// Watches counts the open ones.
	Watches int
	Fleet   FleetView
}

// View copies out what a member tells of itself.
func (n *Node) View() View {
	applied, _ := n.state.Applied()
	return View{
		ID: n.cfg.ID, Name: n.cfg.Name, Role: n.role,
		Applied: applied, Committed: n.core.Committed(), Revision: n.state.Revision(),
		EtcdIndex: n.state.Keys().Index(), Keys: n.state.Keys().Len(), Members: n.state.Members(),
		Checkpointed: n.checkpointed, Watches: len(n.watchers.byID),
		Fleet: n.fleetView(),
	}
}

// Progress returns how far each other member's log is known to be, if this
// member leads; nothing otherwise.
func (n *Node) Progress() []consensus.Progress { return n.core.Progress() }
