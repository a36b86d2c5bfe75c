package sim

import (
	"time"

	"drydock/chaos"
	"drydock/node/state"
	"drydock/sim/dist"
	"drydock/sim/history"
	"drydock/sim/impair"
	"drydock/sim/tape"
)

// Config is all that decides a run.
type Config struct {
	Seed uint64
	// Voters and Learners are the first members, Nodes all that take part at
	// any time, those included, in the order of columns.
	Voters, Learners, Nodes []string
	// Releases are those that nodes start with; who is not named starts with the
	// newest. Upgrades says that healing brings all to it.
	Releases map[string]state.Release
	Upgrades bool
	Knobs    Knobs
	Net      Delays
	// Loss, Duplicate and Reorder are the links' usual chances.
	Loss, Duplicate, Reorder float64
	Disk                     Delays
	// Measured, if set, is what a lab was measured to take, in place of this
	// world's assumptions.
	Measured *Measured
	Load     Load
	TTL      TTLLoad
	Lock     LockLoad
	Watch    WatchLoad
	Fleet    *FleetConfig // nil: no machine runs units
	Plan     chaos.Plan
	// Duration is the length of the run, HealAt the time at which every fault
	// ends. Both are virtual.
	Duration, HealAt time.Duration
	// Observe, if set, is shown what the referee sees as it happens; its first
	// error ends the run.
	Observe func(*history.Observation) error
	// Quiet leaves the timeline and the recording out.
	Quiet bool
	// Until, if set, ends the run there, with the rest as it would have been.
	Until time.Duration
	// Tape asks for a tape of the trace; Listen, if set, is told what happens.
	// Neither changes the run.
	Tape   bool
	Listen *tape.Listener
	// Record, if set, asks for the messages and disk jobs of a window.
	Record *history.Window
}

// Knobs are settings of every node; see node.Config.
type Knobs struct {
	Tick, Heartbeat, Election time.Duration
	CheckpointEntries         uint64
	CatchUpEntries            uint64
	SegmentBytes              int64
	MaxAppends                int
	// AutoPromote has leaders give a vote to learners that have caught up.
	AutoPromote bool
	// ChunkBytes is the size of a piece of a snapshot stream.
	ChunkBytes uint64
}

// Delays describe how long something takes.
type Delays = impair.Delays

// Measured are times that were measured in a lab.
type Measured struct {
	// Link is one way of a message between machines; Net comes on top of it.
	Link dist.Dist
	// Request is one way between a client and a member, in place of Net.
	Request dist.Dist
	// Fsync is a write of the log and its sync, in place of Disk.
	Fsync dist.Dist
	// Start is how long a node's process takes until its node lives, Boot how long a
	// machine that had lost its power takes until then.
	Start, Boot dist.Dist
}

// Load is what clients do.
type Load struct {
	Clients, Keys int
	Mix           []Weight
	// Rate is how many operations a second a client aims at; 0 means Think.
	Rate  float64
	Think time.Duration
	// Timeout is how long a client waits.
	Timeout time.Duration
	// Retry is how often a refused operation is asked again.
	Retry int
	// Roam lets clients go to another member after an error.
	Roam       bool
	ValueBytes int
}

// Weight is the share of one kind of operation. Kind is a history.Kind, or
// "stale-get".
type Weight struct {
	Kind   string
	Weight int
}

// TTLLoad is what clients do that write keys with a time to live and read
// them until they are gone. A share of the keys is refreshed meanwhile.
type TTLLoad struct {
	Clients, Keys int
	// Least and Most bound the times to live, in whole seconds.
	Least, Most time.Duration
	// Refresh is the chance of a key to be refreshed, a few times.
	Refresh float64
	Think   time.Duration
}

// LockLoad is what clients do that take locks in turns: a key made if absent,
// or, in a queue, the lowest of the keys created in order under a directory.
type LockLoad struct {
	Clients, Locks int
	Queue          bool
	// TTL is the time after which a lock falls free that nobody refreshes, Hold
	// the mean time for which a client keeps it, Think that between its tries.
	TTL, Hold, Think time.Duration
}

// Where a watch may start.
const (
	StartNow    = "now"    // with what comes next
	StartPast   = "past"   // at an index of the past, now and then one that is gone
	StartFuture = "future" // at an index that is still to come
)

// WatchLoad is what watchers do: they watch a key, a directory or everything,
// one event at a time or as a stream, and go on after what they last saw
// whenever they are cut off.
type WatchLoad struct {
	Clients int
	// Starts and Streams are drawn from for every session; Streams holds
	// whether a session is a stream.
	Starts  []string
	Streams []bool
	// Back is how many indexes a start in the past or future is away at most.
	Back int
	// Session is the mean length of a session, after which the watcher hangs up
	// and goes on elsewhere; Slow the chance of a session to stop reading.
	Session time.Duration
	Slow    float64
}
