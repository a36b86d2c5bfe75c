//go:build !linux

package lease

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now is the time since the system was booted, suspension included.
func Now() time.Duration {
	var ts unix.Timespec
	// It fails for bad arguments only.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

func bootID() (string, error) { return unix.Sysctl("kern.bootsessionuuid") }

// Timer fires once after each Reset, at a time of this package's clock.
type Timer struct {
	// C gets a value when the time has come.
	C    chan struct{}
	sets chan time.Duration
	done chan struct{}
}

// look is how often a timer looks at the clock: the runtime's own may stand still
// while the machine is suspended.
const look = 100 * time.Millisecond

// NewTimer returns a timer that isn't set.
func NewTimer() (*Timer, error) {
	t := &Timer{C: make(chan struct{}, 1), sets: make(chan time.Duration), done: make(chan struct{})}
	go t.run()
	return t, nil
}

func (t *Timer) run() {
	due := time.Duration(1<<63 - 1)
	for {
		var wake <-chan time.Time
		if left := due - Now(); due < 1<<62 {
			wake = time.After(max(0, min(left, look)))
		}
		select {
		case due = <-t.sets:
		case <-t.done:
			return
		case <-wake:
			if Now() < due {
				continue
			}
			due = 1<<63 - 1
			select {
			case t.C <- struct{}{}:
			default:
			}
		}
	}
}

// Reset has the timer fire at a time, at once if it has passed, and not at the time
// that was set before.
func (t *Timer) Reset(at time.Duration) {
	select {
	case t.sets <- at:
	case <-t.done:
	}
}

// Stop ends the timer.
func (t *Timer) Stop() { close(t.done) }
