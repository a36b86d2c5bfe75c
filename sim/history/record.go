package history

import "time"

// Recording is what a run leaves for people to look at: what members were
// doing when, and what was said between them. No checker reads it.
type Recording struct {
	// States are the changes of every member's state, in order of time.
	States []State `json:"states,omitempty"`
	// Bands are the faults that took effect, in order of time.
	Bands []Band `json:"bands,omitempty"`
	// Messages and Jobs are those of the window asked for, in order of their
	// beginning; the earliest are left out beyond its bound.
	Messages []Message `json:"messages,omitempty"`
	Jobs     []Job     `json:"jobs,omitempty"`
}

// Window asks for messages and disk jobs between two times. Max bounds the
// number of each; the latest are kept.
type Window struct {
	From, Until time.Duration
	Max         int
}

// Health says whether a member can work.
type Health string

// The states of a member's health.
const (
	HealthUp      Health = "up"
	HealthDown    Health = "down"
	HealthBooting Health = "booting"
	HealthPaused  Health = "paused"
	// HealthOutside: not, or no longer, of the cluster.
	HealthOutside Health = "outside"
)

// State is what one member is, by its own word, from Time until its next State.
type State struct {
	Time   int64  `json:"time"`
	Node   string `json:"node"`
	Health Health `json:"health"`
	// Leads says that the member takes itself for the leader of Term; Lead is
	// whom it takes for it, "" for nobody.
	Leads bool   `json:"leads,omitempty"`
	Lead  string `json:"lead,omitempty"`
	Term  uint64 `json:"term,omitempty"`
	// Applied is the index it had applied at Time; what it applied later is in
	// the run's Applied.
	Applied uint64 `json:"applied,omitempty"`
}

// Band is a fault and how long it lasted.
type Band struct {
	Time int64 `json:"time"`
	// End is when it was undone: Time for what happens at once and is over,
	// such as a crash, 0 if it lasted to the end of the run.
	End  int64  `json:"end,omitempty"`
	Kind string `json:"kind"`
	// Text describes it with its chosen names; Nodes are those it struck, empty
	// for links.
	Text  string   `json:"text"`
	Nodes []string `json:"nodes,omitempty"`
}

// Message is one frame between members.
type Message struct {
	Sent int64 `json:"sent"`
	// Arrived is 0 for a frame that was lost, and for one that was still under
	// way at the end.
	Arrived int64  `json:"arrived,omitempty"`
	Lost    bool   `json:"lost,omitempty"`
	From    string `json:"from"`
	To      string `json:"to"`
	Text    string `json:"text"`
}

// Job is disk work of a member: of several jobs done together, the first.
type Job struct {
	Begin int64 `json:"begin"`
	// End is 0 if it never came to one.
	End  int64  `json:"end,omitempty"`
	Node string `json:"node"`
	Lane string `json:"lane"`
	Name string `json:"name"`
}
