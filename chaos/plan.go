package chaos

import "time"

// Event names something that happens in a world and can set off a step.
type Event string

// The events that worlds announce through Conductor.Event. The node is the one
// that it happened to.
const (
	EventLeaderElected Event = "leader-elected" // node: the new leader
	EventVoteGranted   Event = "vote-granted"   // node: the voter
	EventCampaign      Event = "campaign"       // node: the candidate
	EventSnapshotSent  Event = "snapshot-sent"  // node: the receiver
	EventMemberAdded   Event = "member-added"   // node: the new voter
	EventCaughtUp      Event = "caught-up"      // node: the follower
)

// EventStepPrefix followed by a step's name is the event that this step's fault
// has struck; the conductor announces it itself.
const EventStepPrefix = "step:"

// EventInfo documents an event.
type EventInfo struct {
	Name Event
	Doc  string
}

// Events lists the events with what they mean, in the order for people.
func Events() []EventInfo {
	return []EventInfo{
		{EventLeaderElected, "a member has won an election; node is the new leader"},
		{EventCampaign, "a member has begun to campaign; node is the candidate"},
		{EventVoteGranted, "a member has granted its vote; node is the voter"},
		{EventSnapshotSent, "the leader has begun to send a snapshot; node is the receiver"},
		{EventMemberAdded, "a change of membership has made a node a voter; node is the new one"},
		{EventCaughtUp, "a member that had lagged has the leader's commit; node is that member"},
	}
}

// Plan is a list of faults with their triggers.
type Plan struct {
	Steps []Step
}

// Step is one fault of a plan and when it strikes. Exactly one of At, After and
// Every is set.
type Step struct {
	// Name lets other steps refer to this one; may be empty.
	Name string
	// At is a time since the start of the run; AtSet tells 0 from absent.
	At    time.Duration
	AtSet bool
	// After is an event that sets the step off.
	After *After
	// Every repeats the step.
	Every *Every
	// Jitter delays the fault by a random time below it, drawn at each firing.
	Jitter time.Duration
	// For undoes the fault after this time; 0 leaves it until healed.
	For time.Duration
	// Fault says what strikes and whom.
	Fault Params
	// Drawn says that a nemesis drew the step.
	Drawn bool
}

// After triggers a step by an event.
type After struct {
	Event string        `json:"event" doc:"what must happen: an event's name, or step:NAME for another step's fault" scalar:"true"`
	Node  Selectors     `json:"node,omitempty" doc:"count the event only when it happens to one of these" default:"all"`
	Nth   int           `json:"nth,omitempty" doc:"strike at the n-th such event" default:"1"`
	Times int           `json:"times,omitempty" doc:"strike at so many events, from the n-th on" default:"1"`
	Wait  time.Duration `json:"wait,omitempty" doc:"strike this long after the event"`
}

// Every triggers a step again and again between bounds.
type Every struct {
	Period time.Duration `json:"period" doc:"time from one firing to the next" scalar:"true"`
	From   time.Duration `json:"from,omitempty" doc:"the first firing; absent: after one period"`
	Until  time.Duration `json:"until,omitempty" doc:"no firing at or after this time; absent: until the run is healed"`
	Times  int           `json:"times,omitempty" doc:"at most so many firings; absent: no limit"`
}

// Outcome is what became of one step of a plan.
type Outcome struct {
	// Step is the step's place in the plan, from 0; Name its label.
	Step int    `json:"step"`
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Fired counts the times it was due, Effective those at which the fault
	// changed something.
	Fired     int `json:"fired"`
	Effective int `json:"effective"`
	// Why is the reason of the last firing without effect.
	Why string `json:"why,omitempty"`
}

// Count sums the outcomes of one kind of fault.
type Count struct {
	Kind      Kind `json:"kind"`
	Fired     int  `json:"fired"`
	Effective int  `json:"effective"`
}
