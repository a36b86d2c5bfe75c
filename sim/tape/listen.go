package tape

import "time"

// Moment is one thing that happened, in words.
type Moment struct {
	// Event is its number in the trace, from 1; 0 for what the trace has only
	// by its effects, such as a node's step.
	Event uint64
	At    time.Duration
	// Node is where it happened: a member, or a client.
	Node string
	// What sorts it: step, send, lost, receive, request, response, job, applied,
	// role, boot, crash, halt.
	What string
	Text string
}

// Listener asks a world to tell what happens. The zero filters let all pass.
type Listener struct {
	// Node is the member or client to hear of.
	Node string
	// From and Until bound the time; Until 0 is no bound.
	From, Until time.Duration
	// First and Last bound the number of the event; Last 0 is no bound. Moments
	// without a number pass with the events around them.
	First, Last uint64
	// Tell takes what passes. It must not touch the run.
	Tell func(Moment)
}

// Wants tells whether a moment at that place would pass; event is the number of
// the latest event.
func (l *Listener) Wants(at time.Duration, event uint64, node string) bool {
	return at >= l.From && (l.Until == 0 || at <= l.Until) &&
		event >= l.First && (l.Last == 0 || event <= l.Last) &&
		(l.Node == "" || l.Node == node)
}
