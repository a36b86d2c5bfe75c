package node

import (
	"time"

	"drydock/node/api"
	"drydock/node/auth"
	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

// Effects is all that one Step asks of the world, to be carried out in the
// order of the fields. It is valid until the next Step.
type Effects struct {
	// Jobs are to be queued on the disk.
	Jobs []Submit
	// Sends are frames for other members.
	Sends []Send
	// ToMachines are frames for machines.
	ToMachines []ToMachine
	// Answers end requests.
	Answers []Answer
	// Watches are heads, events and ends of watches.
	Watches []WatchNews
	// Timer is the monotonic time at which a Tick is wanted; it may be now.
	Timer time.Duration
	// Prompt says that something waits for that Tick: else it only counts time, which
	// a follower may do later.
	Prompt bool
	// Applied lists the entries that were applied, for observers.
	Applied []Mark
	// FleetRevision is set when units or machines have changed, to the revision of
	// the last change.
	FleetRevision uint64
	// Role is set when this member's view of the leader changed.
	Role *Role
	// Halt, if not nil, is why the node stopped for good. Then nothing else is
	// asked for, and whatever waits for an answer ends unknown.
	Halt error
}

// Submit is a job and the id that its JobDone must carry.
type Submit struct {
	ID  uint64
	Job world.Job
}

// Send is a frame for a member.
type Send struct {
	To    world.MemberID
	Frame []byte
}

// ToMachine is a frame of package link for a machine, wherever it is connected.
type ToMachine struct {
	Machine string
	Frame   []byte
}

// Answer is the end of a request.
type Answer struct {
	Token  uint64
	Status consensus.Status
	// Reason says why, when Status is not done.
	Reason string
	// Event or Err is the keyspace's answer when Status is done.
	Event *keys.Event
	Err   *keys.Error
	// Refusal is the state's reason not to change the membership, users or roles.
	Refusal error
	// Auth is what came of a ChangeAuth that was done and not refused.
	Auth *auth.Outcome
	// Fleet is what came of a change of the fleet that was done and not refused.
	Fleet *fleet.Outcome
	// Why says of the units that were asked about why they aren't placed or wait, in
	// the order of the question; empty for those of which there is nothing to say.
	Why []string
	// Meta goes into the answer's headers, Now is for the ttl it shows.
	Meta api.Meta
	Now  keys.Stamp
}

// WatchNews is something for the holder of a watch.
type WatchNews struct {
	Token uint64
	// Head is set on the first: the watch has begun.
	Head bool
	Meta api.Meta
	// Event is what happened; Last says that nothing follows. Past says that it
	// comes from the history, not from now.
	Event *keys.Event
	Last  bool
	Past  bool
	// Err ends a watch that could not begin or go on.
	Err *keys.Error
	Now keys.Stamp
}

// Mark is an applied entry.
type Mark struct {
	Index, Term, Revision uint64
	Digest                state.Digest
}

// Role is a member's view of who leads.
type Role struct {
	Lead   world.MemberID
	Term   uint64
	Leader bool // this member leads
}

// silence takes back everything that a step which ended in Halt asked for: its
// state may be wrong.
func (e *Effects) silence() {
	*e = Effects{Halt: e.Halt, Timer: e.Timer}
}

// reset empties the lists and keeps their room, but nothing that was in them.
func (e *Effects) reset() {
	clear(e.Jobs)
	clear(e.Sends)
	clear(e.ToMachines)
	clear(e.Answers)
	clear(e.Watches)
	*e = Effects{
		Jobs: e.Jobs[:0], Sends: e.Sends[:0], ToMachines: e.ToMachines[:0], Answers: e.Answers[:0],
		Watches: e.Watches[:0], Applied: e.Applied[:0], Timer: e.Timer, Halt: e.Halt,
	}
}
