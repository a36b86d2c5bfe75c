package agent

import (
	"time"

	"drydock/node/fleet"
	"drydock/node/unit"
)

// Config says what an agent is.
type Config struct {
	Cluster uint64
	// Machine is what the machine tells of itself. The fields that the state keeps by
	// itself are not looked at. Resources of nil are not accounted here either.
	Machine fleet.Machine
	// Peers are the peer URLs of members, at least one. The input Peers replaces them.
	Peers []string
	// Life is a random number that no other life of an agent has drawn.
	Life uint64
}

// Remains is what a new agent finds of an earlier life.
type Remains struct {
	// Record is the last one that was kept, nil if there is none.
	Record *Record
	// Deadline is the one that the guard holds, 0 if it holds none or it has passed.
	Deadline time.Duration
	// Found names the units that the runtime, or the machine, has anything of: those
	// that no record tells of are killed.
	Found []string
}

// Status is what the runtime says of a unit, in systemd's words.
type Status struct {
	Unit string
	// Load is "loaded", or "not-found" for one that the runtime doesn't know.
	Load, Active, Sub, Result string
	// Why says in words what went wrong; empty if nothing has.
	Why string
}

// Input is what happens to an agent: one of the types below.
type Input interface{ isInput() }

type (
	// Tick lets time pass. Every other input does, too.
	Tick struct{}
	// Received is a frame from the member that was dialled last.
	Received struct{ Frame []byte }
	// Unreachable says that there is no connection to a member that was dialled (any
	// more), or that none could be made.
	Unreachable struct{ URL, Why string }
	// Peers replaces the peer URLs that are known.
	Peers struct{ URLs []string }
	// Reported says that a unit has changed. States in between may be left out.
	Reported struct{ Status Status }
	// Ended is the end of an operation. Each has one, whatever becomes of it.
	Ended struct {
		Op uint64
		// Result is "done", or in systemd's words what was in the way: "failed",
		// "timeout", "dependency", "canceled" or "invalid". A Load is "invalid" if
		// the runtime can't run the unit as its file says.
		Result string
		// Reason says in words why it wasn't done.
		Reason string
		// Status is what the unit is now, or Load "not-found".
		Status Status
	}
	// Bitten says that the guard had killed units before it could be told of the lease
	// that an earlier step has prolonged.
	Bitten struct{}
	// Leave has the agent stop all units, say goodbye and end (Effects.Left).
	Leave struct{ Why string }
)

func (Tick) isInput()        {}
func (Received) isInput()    {}
func (Unreachable) isInput() {}
func (Peers) isInput()       {}
func (Reported) isInput()    {}
func (Ended) isInput()       {}
func (Bitten) isInput()      {}
func (Leave) isInput()       {}

// Effects are what an agent wants done, in this order: the record is kept and the
// guard has the lease before an operation begins or a frame is sent.
type Effects struct {
	// Record replaces the one that is kept, on a file system that a reboot empties.
	// Nil leaves it.
	Record *Record
	// Lease replaces what the guard has been told. Nil leaves it.
	Lease *Lease
	// Ops are begun in order; each goes on by itself.
	Ops []Op
	// Dial is the URL of the member to talk to from now on, "" for no change. The
	// connection to another one is given up, as are frames that it hasn't taken.
	Dial string
	// Sends are frames for that member. Any may be lost.
	Sends [][]byte
	// Wake is when a Tick is due, on the clock of world.Instant.Mono; each step's
	// replaces the last. Never is none.
	Wake time.Duration
	// News says in words what was done and why, for logs.
	News []News
	// Left says that the agent has come to its end: nothing runs, and the cluster
	// has been told, or could not be.
	Left bool
}

// Never is a time that doesn't come.
const Never time.Duration = 1<<63 - 1

// Lease is what a machine's guard is to know. At the deadline it kills all units that
// aren't global, and again as long as it is given no later one, or is told that it
// Rests.
type Lease struct {
	// Deadline is on the clock of world.Instant.Mono, which the guard shares.
	Deadline time.Duration
	// Rests says that nothing is to be killed: no unit that isn't global is there or
	// will be started before the next Lease, or the cluster has machines keep running.
	Rests bool
	// Always says that it is the latter: units may run, and none needs a deadline.
	Always bool
}

// OpKind is what can be asked of a runtime.
type OpKind uint8

// The kinds of operations.
const (
	// Load has the runtime check a unit, know it, and take over what an earlier life
	// has left running of it.
	Load OpKind = 1 + iota
	// Start, Stop and Restart are the runtime's. A Start or Restart forgets that the
	// unit has failed before (ResetFailed). A Stop or Unload may be asked for while a
	// Start or Restart is under way, which then ends first, "canceled".
	Start
	Stop
	Restart
	// Unload ends a unit in good order and has the runtime forget it. It is done, too,
	// if the runtime doesn't know the unit.
	Unload
	// Kill ends all that a unit has at once, whoever started it and whether the
	// runtime knows it or not, with whatever the unit asked to be left alone. It is
	// done when nothing is left. It may be asked for while another operation of the
	// unit is under way, which then ends as well.
	Kill
)

// String names the kind.
func (k OpKind) String() string {
	if k < Load || k > Kill {
		return "unknown"
	}
	return [...]string{"load", "start", "stop", "restart", "unload", "kill"}[k-Load]
}

// Op is an operation on a unit. Operations on different units don't wait for each
// other, but for what the units themselves ask for.
type Op struct {
	// ID is greater than that of any earlier one of this life.
	ID   uint64
	Kind OpKind
	Unit string
	// File is what to load; nil but for Load.
	File *unit.Unit
	// Global says that the guard must spare the unit.
	Global bool
	// By, of a Start or Restart, is when it must have begun: afterwards it ends with
	// "canceled", and nothing is done. Never if there is no such time.
	By time.Duration
}

// News is something worth a line in a log.
type News struct {
	// Unit is what it is about; empty if it is about the machine's session.
	Unit string
	Text string
}
