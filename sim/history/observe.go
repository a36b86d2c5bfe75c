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

// Ack says that From has told To, in a term, that its log holds everything up
// to Index. Only the first one that says more than those before is kept, for
// each sender and term.
type Ack struct {
	Time  int64  `json:"time"`
	From  string `json:"from"`
	To    string `json:"to"`
	Term  uint64 `json:"term"`
	Index uint64 `json:"index"`
}

// Announced says that a leader has told others that everything up to Commit is
// committed. Only what is more than any leader had announced before is kept.
type Announced struct {
	Time   int64  `json:"time"`
	Node   string `json:"node"`
	Term   uint64 `json:"term"`
	Commit uint64 `json:"commit"`
}

// Rotten says that the world changed bytes on a member's disk that were
// written and synced.
type Rotten struct {
	Time int64  `json:"time"`
	Node string `json:"node"`
	File string `json:"file,omitempty"`
	// Live says that the bytes were in use: the member must notice them when
	// it reads them.
	Live bool `json:"live,omitempty"`
}

// Noticed says that a member found its disk corrupt and did not go on with it:
// it stopped, did not start, or gave up the file.
type Noticed struct {
	Time int64  `json:"time"`
	Node string `json:"node"`
	Why  string `json:"why"`
}

// Life is one life of a member's process: the release that it was, from its
// start until it stopped. End is 0 if it goes on at the end of the run.
type Life struct {
	Time    int64  `json:"time"`
	End     int64  `json:"end,omitempty"`
	Node    string `json:"node"`
	Release uint64 `json:"release"`
}

// Outdated says that a member stopped, or did not start, because its release
// was too old for the cluster's.
type Outdated struct {
	Time    int64  `json:"time"`
	Node    string `json:"node"`
	Release uint64 `json:"release"`
	Why     string `json:"why"`
}

// Raise is an entry that asks for the cluster's release to be raised, as a
// leader first sent it to another member.
type Raise struct {
	Time    int64  `json:"time"`
	Node    string `json:"node"`
	Entry   uint64 `json:"entry"`
	Term    uint64 `json:"term"`
	Release uint64 `json:"release"`
}

// Believed is the configuration that a member goes by, having applied
// everything up to Entry.
type Believed struct {
	Time int64  `json:"time"`
	Node string `json:"node"`
	Configuration
}

// Sizes are the lengths of a member's queues and of its files at one moment.
type Sizes struct {
	Time int64  `json:"time"`
	Node string `json:"node"`
	// Inbox counts inputs that wait for the reactor, Calls open reads and
	// watches, Watches the watches among them, Jobs disk jobs that are not done,
	// Proposals commands that are not decided, Reads those that wait for their
	// place, Entries the log's entries in memory.
	Inbox     int    `json:"inbox"`
	Calls     int    `json:"calls"`
	Watches   int    `json:"watches"`
	Jobs      int    `json:"jobs"`
	Proposals int    `json:"proposals"`
	Reads     int    `json:"reads"`
	Entries   uint64 `json:"entries"`
	// Disk is the length of all files in bytes, Log that of the log's segments.
	Disk int64 `json:"disk"`
	Log  int64 `json:"log"`
}

// Observation is one thing that a run's referee saw, for a checker that follows
// the run; exactly one field is set. It is valid during the call only.
type Observation struct {
	Led    *Led
	Vote   *Vote
	Said   *Said
	Digest *Digest
	// Op is an operation that has just ended for its client.
	Op    *Op
	Watch *Watch // that just got its latest event, or ended
	Hold  *Hold  // that just began or ended
	Ran   *Ran   // that just began or ended
	// Wish that a user begins to ask for.
	Wish *FleetWish
	_    struct{}
}

// Observed are records that worlds and runners hand on as they are, each list
// in order of time.
type Observed struct {
	// Watches and Holds are what clients saw beside their operations.
	Watches []Watch
	Holds   []Hold
	// Configurations are by the disks, the founding one first.
	Configurations []Configuration
	Acks           []Ack
	Announced      []Announced
	Believed       []Believed
	Sizes          []Sizes
	Rotten         []Rotten
	Noticed        []Noticed
	Lives          []Life
	Outdated       []Outdated
	Raises         []Raise
	// Fleet is nil where no machine runs units.
	Fleet *Fleet
	// Stopped says what the observer of the run found wrong while it ran, which
	// ended it; nil if nothing.
	Stopped error
}
