package chaos

import (
	"time"
)

// Kind names a fault as scenario files do.
type Kind string

// The kinds of faults.
const (
	KindCrash      Kind = "crash"
	KindRestart    Kind = "restart"
	KindPowerLoss  Kind = "power-loss"
	KindPause      Kind = "pause"
	KindPartition  Kind = "partition"
	KindDelay      Kind = "delay"
	KindLoss       Kind = "loss"
	KindDuplicate  Kind = "duplicate"
	KindReorder    Kind = "reorder"
	KindHeal       Kind = "heal"
	KindMembership Kind = "membership"
	KindTransfer   Kind = "transfer-leadership"
	KindSlowDisk   Kind = "slow-disk"
)

// Probability is a chance from 0 to 1; files write 0.05 or 5%.
type Probability float64

// Link is one direction of the connection between two nodes.
type Link struct {
	From, To string
}

// Params are the parameters of one kind of fault. The concrete types are the
// pointers to the structs of this file (*Crash, *Partition, …).
type Params interface {
	// Kind is the fault that the parameters belong to.
	Kind() Kind
	// resolve chooses the nodes and links that the fault strikes now.
	resolve(r *resolver) (Fault, error)
}

// Fault is one fault about to strike: parameters with all nodes chosen.
type Fault struct {
	Kind Kind
	// Nodes are the nodes it strikes, in name order; for membership those that
	// are added and then those removed, for transfer-leadership the new leader.
	Nodes []string
	// Links are the directed links that a partition cuts, or that delay, loss,
	// duplicate and reorder impair, ordered by From, then To.
	Links []Link
	// Params are the parameters as written.
	Params Params
	// Text describes the fault with its chosen names: "crash n3".
	Text string
	// Struck is set for faults that lie in wait. The target calls it, on the
	// conductor's thread, when one strikes a node, with what it did there; dead
	// says that the node died of it.
	Struck func(node, detail string, dead bool)
}

// Crash kills a node's process; with LoseUnsynced its machine loses power.
type Crash struct {
	Node         Selectors     `json:"node,omitempty" doc:"who dies" default:"any" scalar:"true"`
	LoseUnsynced bool          `json:"lose_unsynced,omitempty" doc:"writes and directory entries not yet synced may be lost, as when the power goes; false is a killed process on a living machine" default:"true"`
	Torn         bool          `json:"torn,omitempty" doc:"a write in flight may reach the disk in part, by sectors of 512 bytes" default:"false"`
	RestartAfter time.Duration `json:"restart_after,omitempty" doc:"start it again after this time; absent: it stays down until restarted or healed"`
}

// Restart starts crashed nodes again on the disk they left.
type Restart struct {
	Node Selectors `json:"node,omitempty" doc:"who starts again" default:"same" scalar:"true"`
}

// PowerLoss crashes all members at one instant.
type PowerLoss struct {
	LoseUnsynced bool          `json:"lose_unsynced,omitempty" doc:"writes and directory entries not yet synced may be lost" default:"true"`
	Torn         bool          `json:"torn,omitempty" doc:"a write in flight may reach the disk in part, by sectors of 512 bytes" default:"true"`
	RestartAfter time.Duration `json:"restart_after,omitempty" doc:"the power comes back after this time" default:"1s" scalar:"true"`
	Jitter       time.Duration `json:"jitter,omitempty" doc:"each member takes up to this much longer to start, drawn for each" default:"500ms"`
}

// Pause stops a process without killing it (SIGSTOP); its clock goes on.
type Pause struct {
	Node Selectors `json:"node,omitempty" doc:"who stops" default:"any" scalar:"true"`
}

// Partition cuts links between members.
type Partition struct {
	Shape     string      `json:"shape,omitempty" doc:"halves: a random majority and the rest; bridge: two sides that only one member can reach; isolate: one member alone; ring: each member reaches its two neighbours alone; groups: as listed" enum:"halves|bridge|isolate|ring|groups" scalar:"true"`
	Isolate   Selectors   `json:"isolate,omitempty" doc:"the members cut off from all others"`
	Bridge    Selectors   `json:"bridge,omitempty" doc:"the member that still reaches both sides; drawn if absent"`
	Groups    []Selectors `json:"groups,omitempty" doc:"the groups that can't reach one another; members in no group form one more"`
	Cut       []string    `json:"cut,omitempty" doc:"single links to cut, each in one direction: n1>n2 is what n1 sends to n2"`
	Direction string      `json:"direction,omitempty" doc:"one-way cuts, seen from the isolated members or the first group: in = nothing arrives, out = nothing leaves" enum:"both|in|out" default:"both"`
}

// Links chooses the directed links that a network fault impairs. With neither
// list given, all links between members.
type Links struct {
	From Selectors `json:"from,omitempty" doc:"only what these members send" default:"all"`
	To   Selectors `json:"to,omitempty" doc:"only what these members are sent" default:"all"`
}

// Delay makes messages slower.
type Delay struct {
	Latency time.Duration `json:"latency" doc:"time added to every message" scalar:"true"`
	Jitter  time.Duration `json:"jitter,omitempty" doc:"mean of an exponentially distributed time added on top"`
	Links
}

// Loss drops messages.
type Loss struct {
	Probability Probability `json:"probability" doc:"the chance of each message to be lost" scalar:"true"`
	Links
}

// Duplicate delivers messages twice.
type Duplicate struct {
	Probability Probability `json:"probability" doc:"the chance of each message to arrive twice" scalar:"true"`
	Links
}

// Reorder lets messages overtake one another.
type Reorder struct {
	Probability Probability   `json:"probability" doc:"the chance of each message to be held back" scalar:"true"`
	Window      time.Duration `json:"window,omitempty" doc:"a message is held back by up to this time" default:"50ms"`
	Links
}

// Heal undoes faults. A plan's conductor carries it out by itself.
type Heal struct {
	What []string `json:"what,omitempty" doc:"names of steps, or kinds of faults, whose effects end; all: everything, and dead members start again" default:"all" scalar:"true"`
}

// Membership changes who votes.
type Membership struct {
	Add    []string `json:"add,omitempty" doc:"names of nodes that join: as learners first, then as voters"`
	Remove []string `json:"remove,omitempty" doc:"names of members that leave"`
}

// Transfer asks the leader to hand its leadership over.
type Transfer struct {
	To Selectors `json:"to,omitempty" doc:"who shall lead" default:"follower" scalar:"true"`
}

// SlowDisk makes every sync of a disk take longer.
type SlowDisk struct {
	Node    Selectors     `json:"node,omitempty" doc:"whose disk" default:"any" scalar:"true"`
	Latency time.Duration `json:"latency,omitempty" doc:"time added to every sync" default:"200ms"`
}

// Kind implements Params.
func (*Crash) Kind() Kind { return KindCrash }

// Kind implements Params.
func (*Restart) Kind() Kind { return KindRestart }

// Kind implements Params.
func (*PowerLoss) Kind() Kind { return KindPowerLoss }

// Kind implements Params.
func (*Pause) Kind() Kind { return KindPause }

// Kind implements Params.
func (*Partition) Kind() Kind { return KindPartition }

// Kind implements Params.
func (*Delay) Kind() Kind { return KindDelay }

// Kind implements Params.
func (*Loss) Kind() Kind { return KindLoss }

// Kind implements Params.
func (*Duplicate) Kind() Kind { return KindDuplicate }

// Kind implements Params.
func (*Reorder) Kind() Kind { return KindReorder }

// Kind implements Params.
func (*Heal) Kind() Kind { return KindHeal }

// Kind implements Params.
func (*Membership) Kind() Kind { return KindMembership }

// Kind implements Params.
func (*Transfer) Kind() Kind { return KindTransfer }

// Kind implements Params.
func (*SlowDisk) Kind() Kind { return KindSlowDisk }
