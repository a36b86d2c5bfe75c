package world

import "time"

// Instant is a reading of both clocks of a machine, taken together.
type Instant struct {
	// Mono is the monotonic clock: time since an arbitrary origin that holds
	// for one life of the process. It never goes back; its rate may be off.
	Mono time.Duration
	// Wall is the calendar clock in nanoseconds since the Unix epoch. It may
	// jump either way and is used for display and to bridge full restarts.
	Wall int64
}

// Clock reads the machine's clocks and wakes the reactor.
type Clock interface {
	// Now reads both clocks.
	Now() Instant
	// SetTimer asks for one Tick input at or after mono. A node has one timer;
	// setting it again replaces the earlier setting.
	SetTimer(mono time.Duration)
}
