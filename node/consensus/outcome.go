package consensus

import "errors"

// Status is how an operation ended.
type Status uint8

// The ends of an operation.
const (
	// Done: it took effect (or was answered), once, at a known place in the log.
	Done Status = 1 + iota
	// Refused: it never took effect and never will.
	Refused
	// Unknown: it may have taken effect, or may yet, or never.
	Unknown
)

// String names the status as answers and histories spell it.
func (s Status) String() string {
	switch s {
	case Done:
		return "done"
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	}
	return "invalid"
}

// Ended tells the end of an operation that did not come to its answer.
type Ended struct {
	Token  uint64
	Status Status
	Reason string
}

// Reasons for which operations end without an answer: etcd's texts, which
// clients look for.
const (
	ReasonTimeout   = "etcdserver: request timed out"
	ReasonNoLeader  = "etcdserver: no leader"
	ReasonNotLeader = "etcdserver: not leader"
	ReasonBusy      = "etcdserver: too many requests"
)

// ErrBusy is returned when a bound on waiting operations is reached.
var ErrBusy = errors.New(ReasonBusy)
