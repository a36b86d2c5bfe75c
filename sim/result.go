package sim

import (
	"time"

	"drydock/chaos"
	"drydock/sim/history"
	"drydock/sim/tape"
)

// Mark tells what sort of event a line of the timeline is.
type Mark string

// The marks of timeline lines.
const (
	MarkInfo   Mark = ""
	MarkFault  Mark = "fault"
	MarkLeader Mark = "leader"
	MarkBad    Mark = "bad"
)

// Line is one line of the timeline.
type Line struct {
	At   time.Duration
	Node string
	Text string
	Mark Mark
	// States holds a letter for each machine: L leads, . follows, x is down,
	// p is paused, ^ boots, o is outside.
	States string
}

// Result is the evidence of one run: see package history for the records.
type Result struct {
	Timeline  []Line
	Simulated time.Duration
	HealedAt  time.Duration
	// Trace is the hash of all events, in hex; Events is their number.
	Trace    string
	Events   uint64
	Outcomes []chaos.Outcome

	Ops      []history.Op
	Truth    []history.Committed
	Led      []history.Led
	Votes    []history.Vote
	Said     []history.Said
	Digests  []history.Digest
	Entries  []history.Entry
	Applied  []history.Applied
	Faults   []history.Fault
	Restarts []history.Restart
	// Running are the members that should live at the end, Voters those that
	// the committed log gives a vote.
	Running, Voters    []string
	FinalCommit        uint64
	SnapshotsInstalled int
	// Missing are committed indexes that no disk ever showed.
	Missing []uint64
	// Strikes are the faults that took effect, with what was drawn.
	Strikes []chaos.Strike
	// Tape is the record of the trace; nil if none was asked for.
	Tape *tape.Tape
	// Recording is for people; see Config.Record.
	Recording history.Recording
	history.Observed
	// Broken says what nodes did that no node may do.
	Broken []string
}
