package lease

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Now is the time since the system was booted, suspension included.
func Now() time.Duration {
	var ts unix.Timespec
	// It fails for bad arguments only.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return time.Duration(ts.Nano())
}

func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(text), err
}

// Timer fires once after each Reset, at a time of this package's clock. The
// runtime's own timers stand still while the machine is suspended.
type Timer struct {
	// C gets a value when the time has come.
	C    chan struct{}
	file *os.File
	raw  func(func(uintptr)) error
}

// NewTimer returns a timer that isn't set.
func NewTimer() (*Timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	t := &Timer{C: make(chan struct{}, 1), file: os.NewFile(uintptr(fd), "timer")}
	conn, err := t.file.SyscallConn()
	if err != nil {
		_ = t.file.Close() // nothing was done with it
		return nil, err
	}
	t.raw = conn.Control
	go t.wait()
	return t, nil
}

func (t *Timer) wait() {
	var b [8]byte
	for {
		if _, err := t.file.Read(b[:]); err != nil {
			return // closed
		}
		select {
		case t.C <- struct{}{}:
		default:
		}
	}
}

// Reset has the timer fire at a time, at once if it has passed, and not at the time
// that was set before.
func (t *Timer) Reset(at time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(at, 1)))}
	// It fails for bad values only.
	_ = t.raw(func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME, &spec, nil) })
}

// Stop ends the timer.
func (t *Timer) Stop() { _ = t.file.Close() }
