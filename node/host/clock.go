package host

import (
	"time"

	"drydock/node/world"
)

// Clocks are clocks other than the machine's own, for labs.
type Clocks interface {
	// Now reads both; the monotonic one shows the time since start.
	Now(start time.Time) world.Instant
	// Real is how long it takes until the monotonic one has gone on by so much.
	Real(d time.Duration) time.Duration
}

// clock is the machine's clock. Its monotonic part begins with the process.
type clock struct {
	start time.Time
	other Clocks // nil but in labs
}

// real is how long a timer takes that is to fire after d of the clock's.
func (c clock) real(d time.Duration) time.Duration {
	if c.other != nil {
		return c.other.Real(d)
	}
	return d
}

func (c clock) now() world.Instant {
	if c.other != nil {
		return c.other.Now(c.start)
	}
	now := time.Now()
	return world.Instant{Mono: now.Sub(c.start), Wall: now.UnixNano()}
}
