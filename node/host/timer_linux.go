package host

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// timer fires once after each Reset. It is a file of the kernel's: the runtime's
// own timers count in whole milliseconds while a process sleeps, and wake two
// threads, the second a millisecond before the time. (timerfd_create(2))
type timer struct {
	C    chan struct{}
	file *os.File
	raw  func(func(uintptr)) error
	rest *time.Timer // where there are no such files
}

func newTimer() *timer {
	t := &timer{C: make(chan struct{}, 1)}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err == nil {
		t.file = os.NewFile(uintptr(fd), "timer")
		var conn interface{ Control(func(uintptr)) error }
		if conn, err = t.file.SyscallConn(); err == nil {
			t.raw = conn.Control
			go t.wait()
			return t
		}
		_ = t.file.Close()
	}
	t.rest = time.AfterFunc(time.Hour, t.fire)
	return t
}

func (t *timer) wait() {
	var b [8]byte
	for {
		if _, err := t.file.Read(b[:]); err != nil {
			return // closed
		}
		t.fire()
	}
}

func (t *timer) fire() {
	select {
	case t.C <- struct{}{}:
	default:
	}
}

// Reset has the timer fire after d, and not at the time that was set before.
func (t *timer) Reset(d time.Duration) {
	if t.rest != nil {
		t.rest.Reset(d)
		return
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	// It fails for bad values only.
	_ = t.raw(func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &spec, nil) })
}

// Stop ends the timer.
func (t *timer) Stop() {
	if t.rest != nil {
		t.rest.Stop()
		return
	}
	_ = t.file.Close()
}
