package history

// The records below are what a run's referee sees of the members: wire
// traffic and disks. They are plain data; Time is nanoseconds of run time
// everywhere, Node the member's name.

// Led says that a member became leader of a term.
type Led struct {
	Time int64  `json:"time"`
	Node string `json:"node"`
	Term uint64 `json:"term"`
}

// Vote is one granted vote, as it left From for the candidate To. A member's
// vote for itself is a Vote, too, if the world sees it. A pre-vote is none.
type Vote struct {
	Time int64  `json:"time"`
	From string `json:"from"`
	To   string `json:"to"`
	Term uint64 `json:"term"`
}

// Said is a term a member named as its own in a message it sent. Pre-vote
// requests and their answers name a future term and are no Said.
type Said struct {
	Time int64  `json:"time"`
	Node string `json:"node"`
	Term uint64 `json:"term"`
}

// Digest is the digest of a member's state just after it applied Index. Life
// counts the member's starts from 0.
type Digest struct {
	Time     int64  `json:"time"`
	Node     string `json:"node"`
	Life     int    `json:"life,omitempty"`
	Index    uint64 `json:"index"`
	Revision uint64 `json:"revision"`
	Digest   string `json:"digest"`
}

// Entry is one committed log entry on a member's disk; Hash covers its type
// and data.
type Entry struct {
	Node  string `json:"node"`
	Index uint64 `json:"index"`
	Term  uint64 `json:"term"`
	Hash  string `json:"hash"`
}

// Applied says that a member has applied everything up to Index. The first
// one at or past an index counts as the time it got there.
type Applied struct {
	Time  int64  `json:"time"`
	Node  string `json:"node"`
	Index uint64 `json:"index"`
}

// Fault is one fault of the run that took effect.
type Fault struct {
	Time int64  `json:"time"`
	Kind string `json:"kind"`
	// Node is the member that was hit, "" for several or for links.
	Node string `json:"node,omitempty"`
	// TookLeader says that the cluster had a leader and the fault took it
	// away (crash, pause or isolation of the leader, or of its majority).
	TookLeader bool `json:"tookLeader,omitempty"`
	// NoQuorum says that no majority is left until End, so that nobody can
	// lead before.
	NoQuorum bool `json:"noQuorum,omitempty"`
	// End is when the fault was undone, 0 if it lasted to the end of the run
	// or has no length.
	End int64 `json:"end,omitempty"`
}

// Restart says that a member came up again, which starts its next life.
type Restart struct {
	Time int64  `json:"time"`
	Node string `json:"node"`
}
