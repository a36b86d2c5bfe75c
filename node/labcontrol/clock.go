package labcontrol

import (
	"sync"
	"time"

	"drydock/node/world"
)

// Clock is a machine's clocks, moved. Its methods may be called by any goroutine.
type Clock struct {
	mu    sync.Mutex
	start time.Time
	// at is when the rates were set last; mono and wall are what the clocks showed
	// then.
	at       time.Time
	mono     time.Duration
	wall     time.Duration // of the epoch
	monoRate float64
	wallRate float64
}

// newClock returns a clock that is right.
func newClock() *Clock {
	now := time.Now()
	return &Clock{start: now, at: now, wall: time.Duration(now.UnixNano()), monoRate: 1, wallRate: 1}
}

// Now reads both clocks; the monotonic one begins at start, as the host's does.
func (c *Clock) Now(start time.Time) world.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := time.Since(c.at)
	return world.Instant{
		Mono: c.mono + scaled(passed, c.monoRate) - start.Sub(c.start),
		Wall: int64(c.wall + scaled(passed, c.wallRate)),
	}
}

// Real is how long it takes until the monotonic clock has gone on by so much.
func (c *Clock) Real(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(float64(d) / c.monoRate)
}

func scaled(d time.Duration, rate float64) time.Duration {
	if rate == 1 {
		return d
	}
	return time.Duration(float64(d) * rate)
}

// move adds to the clocks and sets their rates; a rate of 0 leaves it.
func (c *Clock) move(m *Move) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	passed := now.Sub(c.at)
	c.mono += scaled(passed, c.monoRate) + max(m.Mono, 0)
	c.wall += scaled(passed, c.wallRate) + m.Wall
	c.at = now
	if m.MonoRate > 0 {
		c.monoRate = m.MonoRate
	}
	if m.WallRate > 0 {
		c.wallRate = m.WallRate
	}
	if m.Right {
		c.wall = time.Duration(now.UnixNano())
	}
}
