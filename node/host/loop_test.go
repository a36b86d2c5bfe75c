package host

import (
	"testing"
	"time"
)

// TestFollowersTicks may be late, unless something waits for them.
func TestFollowersTicks(t *testing.T) {
	const slack = time.Hour
	l := &loop{h: &Host{clock: clock{start: time.Now()}, slack: slack}, timer: newTimer(), armed: unarmed, follows: true}
	defer l.timer.Stop()
	due := l.h.clock.now().Mono + time.Hour
	l.arm(due, false)
	if l.armed != due+slack {
		t.Errorf("armed for %v, due at %v", l.armed, due)
	}
	l.arm(due, true)
	if l.armed != due {
		t.Errorf("armed for %v, though reads wait until %v", l.armed, due)
	}
}
