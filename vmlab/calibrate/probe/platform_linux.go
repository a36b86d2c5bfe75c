package probe

import (
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// noClock is the name of a clock that nobody shares; all names are as long.
const noClock = "00000000-0000-0000-0000-000000000000"

// clockName names the clock that now reads: it is the same for all processes of one
// boot of one kernel.
var clockName = sync.OnceValue(func() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if name := strings.TrimSpace(string(text)); err == nil && len(name) == len(noClock) {
		return name
	}
	return noClock
})

// now reads that clock, in nanoseconds.
func now() int64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0 // no kernel is without it
	}
	return t.Nano()
}

// syncData makes a file's content durable, as members do.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
