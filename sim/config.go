package sim

import (
	"time"

	"drydock/chaos"
	"drydock/sim/history"
)

// Config is all that decides a run.
type Config struct {
	Seed uint64
	// Voters and Learners are the first members, Nodes all that take part at
	// any time, those included, in the order of columns.
	Voters, Learners, Nodes []string
	Knobs                   Knobs
	Net                     Delays
	// Loss, Duplicate and Reorder are the links' usual chances.
	Loss, Duplicate, Reorder float64
	Disk                     Delays
	Load                     Load
	Plan                     chaos.Plan
	// Duration is the length of the run, HealAt the time at which every fault
	// ends. Both are virtual.
	Duration, HealAt time.Duration
	// Observe, if set, is shown what the referee sees as it happens; its first
	// error ends the run.
	Observe func(*history.Observation) error
	// Quiet leaves the timeline and the recording out.
	Quiet bool
	// Record, if set, asks for the messages and disk jobs of a window.
	Record *history.Window
}

// Knobs are settings of every node; see node.Config.
type Knobs struct {
	Heartbeat, Election time.Duration
	CheckpointEntries   uint64
	CatchUpEntries      uint64
	SegmentBytes        int64
	MaxAppends          int
	// ChunkBytes is the size of a piece of a snapshot stream.
	ChunkBytes uint64
}

// Delays describe how long something takes: at least Least, an exponentially
// distributed time with mean Jitter on top, and with the chance TailChance up
// to TailMost more.
type Delays struct {
	Least, Jitter time.Duration
	TailChance    float64
	TailMost      time.Duration
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
