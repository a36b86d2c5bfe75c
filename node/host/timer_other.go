//go:build !linux

package host

import "time"

// timer fires once after each Reset.
type timer struct {
	C    <-chan time.Time
	rest *time.Timer
}

func newTimer() *timer {
	t := time.NewTimer(time.Hour)
	return &timer{C: t.C, rest: t}
}

// Reset has the timer fire after d, and not at the time that was set before.
func (t *timer) Reset(d time.Duration) { t.rest.Reset(d) }

// Stop ends the timer.
func (t *timer) Stop() { t.rest.Stop() }
