package chaos

import (
	"errors"
	"math/rand/v2"
	"time"
)

// ErrNoEffect is what a Target's Inject returns (wrapped, with the why) when a
// fault could be injected but would change nothing.
var ErrNoEffect = errors.New("no effect")

// ErrNotYet is what a Target's Inject returns (wrapped, with the why) when a
// fault must wait a moment: it would destroy the only copy of something now.
var ErrNotYet = errors.New("not yet")

// Member is what a Target says of one node.
type Member struct {
	// Name is the node's name: n1, n2, ….
	Name string
	// Up is true while its process lives, paused or not.
	Up bool
	// Paused is true while its process is stopped.
	Paused bool
	// Leader is true for the member that leads in the highest term that any
	// living member leads in: at most one.
	Leader bool
	// Voter is true for members with a vote in the newest configuration.
	Voter bool
	// Outside is true for nodes that are not, or no longer, of the cluster;
	// selectors never choose one and healing doesn't start it.
	Outside bool
	// Worker is true for machines that run units and are no members; Busy for
	// those that run some now. Words that choose members never choose one.
	Worker, Busy bool
	// Units is true for machines that run units: workers, and members that do.
	Units bool
	// Release is what its program speaks, Newest what healing brings it to: the
	// same, where nobody's release is the run's matter.
	Release, Newest int
}

// Target is what a world offers so that faults can be injected into it.
type Target interface {
	// Supports returns nil, or why the world can't inject faults of kind k.
	Supports(k Kind) error
	// Members returns all nodes in name order.
	Members() []Member
	// Inject does the damage. The returned undo, which may be nil, takes it
	// back; it is called at most once, and changes nothing if the node has died
	// since. Faults that lie in wait are armed, and call Struck when they
	// strike; their undo disarms them. Crashes have no undo: a restart is a
	// fault of its own. Detail says what really happened ("12 records not
	// synced are lost"). An error matching ErrNoEffect means nothing changed,
	// one matching ErrNotYet that it is worth trying again in a moment.
	// Heal is never injected; the conductor carries it out.
	Inject(f Fault) (undo func(), detail string, err error)
}

// Host is what a Conductor needs of the world that it runs in.
type Host interface {
	// After calls fn once d has passed, on the conductor's one thread.
	After(d time.Duration, fn func())
	// Rand returns the named stream: same name and seed, same draws. Calling it
	// again with a name continues that stream.
	Rand(stream string) *rand.Rand
	// Note puts a line into the timeline. Node may be empty.
	Note(node, text string)
}
