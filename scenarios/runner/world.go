package runner

import (
	"context"
	"time"

	"drydock/chaos"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
	"drydock/sim/tape"
)

// World is a place where scenarios run.
type World interface {
	// Name is what scenario files call it: sim, lab.
	Name() string
	// Supports returns nil, or why the world can't inject faults of kind k.
	Supports(k chaos.Kind) error
	// Run carries a scenario out. An error means that the world itself failed;
	// a node that misbehaves is evidence, not an error.
	Run(ctx context.Context, spec Spec) (*Result, error)
}

// Unrepeatable is implemented by worlds in which a seed does not decide the run: a
// failure there is not recorded, since running it again is another run.
type Unrepeatable interface{ Unrepeatable() }

// Driven is implemented by worlds that several drivers can make.
type Driven interface {
	World
	// Driver is the one that makes it, Drivers are all of them, the usual one first.
	Driver() string
	Drivers() []string
	// By is the same world, made by the driver of that name.
	By(driver string) (World, error)
}

// Choosy is implemented by worlds that can't carry out all that scenarios can ask
// for beside faults. Refuse says what of a scenario it can't, and why; nil if it can.
type Choosy interface {
	Refuse(s *scenario.Scenario) error
}

// Repeats says whether the same seed is the same run in a world.
func Repeats(w World) bool {
	_, not := w.(Unrepeatable)
	return !not
}

// Spec says what to run.
type Spec struct {
	Scenario *scenario.Scenario
	// Seed decides everything that is random.
	Seed uint64
	// Quiet worlds may leave the timeline out; it is not shown.
	Quiet bool
	// Observe, if set, is shown what the world sees as it happens; its first
	// error ends the run and is the result's Stopped.
	Observe func(*history.Observation) error
	// Record asks the world for the messages and disk jobs of a window, too.
	Record *history.Window
	// Keep is a directory in which a world may leave what is worth looking at after a
	// failure; empty: nowhere.
	Keep string
	// Tape asks for a tape of the trace; Listen, if set, is told what happens;
	// Until, if set, ends the run there. Worlds without a trace leave them.
	Tape   bool
	Listen *tape.Listener
	Until  time.Duration
}

// Remains are what a run has left beside its evidence: logs and data of real nodes.
type Remains interface {
	// Keep leaves them in a directory, and returns where.
	Keep(dir string) (string, error)
	// Remove removes all that was not kept.
	Remove() error
}

// Mark tells what sort of event a line of the timeline is.
type Mark string

// The marks of timeline events.
const (
	// MarkInfo is an event of interest.
	MarkInfo Mark = ""
	// MarkFault is a fault's beginning or end.
	MarkFault Mark = "fault"
	// MarkLeader is a change of leader.
	MarkLeader Mark = "leader"
	// MarkBad is an invariant seen broken, or a node that stopped itself.
	MarkBad Mark = "bad"
)

// The states of a node, one letter each, as the timeline's columns show them.
const (
	StateLeader     = 'L'
	StateFollower   = '.'
	StateCrashed    = 'x'
	StatePaused     = 'p'
	StateRestarting = '^'
	StateOutside    = 'o'
)

// Event is one line of the timeline.
type Event struct {
	// At is the time since the start of the run.
	At time.Duration `json:"at"`
	// Node is the node it concerns; may be empty.
	Node string `json:"node,omitempty"`
	Text string `json:"text"`
	Mark Mark   `json:"mark,omitempty"`
	// States holds one state letter for each node, in Result.Nodes' order, just
	// after the event.
	States string `json:"states"`
}

// Result is the evidence of one run.
type Result struct {
	// Nodes are the names of all nodes, in the columns' order.
	Nodes    []string
	Timeline []Event
	// Simulated is how long the run was on its own clock.
	Simulated time.Duration
	// Began is the instant at which the run's clock began, in a world whose time is
	// real.
	Began time.Time
	// HealedAt is when the last fault was undone, on the run's clock.
	HealedAt time.Duration
	// Trace is the hash of the full event trace, in hex.
	Trace string
	// Tape is the record of the trace, if it was asked for.
	Tape *tape.Tape
	// Strikes are the faults that took effect, with what was drawn.
	Strikes []chaos.Strike
	// Outcomes tell, for each step of the plan, whether it took effect.
	Outcomes []chaos.Outcome

	// Ops is what clients saw, in order of call.
	Ops []history.Op
	// Truth is what the disks hold, in order of revision.
	Truth []history.Committed
	// Observations of the referee, each list in order of time.
	Led      []history.Led
	Votes    []history.Vote
	Said     []history.Said
	Digests  []history.Digest
	Entries  []history.Entry
	Applied  []history.Applied
	Faults   []history.Fault
	Restarts []history.Restart
	// Running are the members that should live at the end, Voters those with a
	// vote in the final configuration; both in name order.
	Running []string
	Voters  []string
	// FinalCommit is the commit index of the final state, by the disks.
	FinalCommit uint64
	// SnapshotsInstalled counts snapshots that followers took over.
	SnapshotsInstalled int
	// Missing are indexes that some member applied and that no disk ever held.
	Missing []uint64
	history.Observed
	// Coarse says that the times of what was committed are those when it was first seen,
	// which may be later than it was.
	Coarse bool
	// Stall is the longest time for which the machine that the world is on let nothing
	// run, and StallAt when: no expectation of a time is violated by less.
	Stall, StallAt time.Duration
	// Remains are what the run has left, nil if nothing. Whoever ran it ends them.
	Remains Remains
	// Recording is for people to look at; a world may leave it empty.
	Recording history.Recording
	// Unseen says, by kind, of which expectations the world has no evidence, and why;
	// they are left out of the verdict, and named.
	Unseen map[string]string
	// Broken, if not empty, says which invariant of a node failed (a panic in
	// a node's step, a node that stopped itself), the first one first.
	Broken []string
}
