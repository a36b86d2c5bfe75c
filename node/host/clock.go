package host

import (
	"time"

	"drydock/node/world"
)

// clock is the machine's clock. Its monotonic part begins with the process.
type clock struct{ start time.Time }

func (c clock) now() world.Instant {
	now := time.Now()
	return world.Instant{Mono: now.Sub(c.start), Wall: now.UnixNano()}
}
