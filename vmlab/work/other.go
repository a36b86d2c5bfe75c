//go:build !linux

package work

import (
	"errors"
	"time"
)

// Process is a process that an observer has seen; there are none here.
type Process struct {
	Unit    string
	Edition int
}

// Seen is what is known of a process.
type Seen struct {
	Began, Beat, Told, Exits, Gone time.Duration
}

// Watcher is told of processes.
type Watcher interface {
	Called(p *Process) (fails, hangs bool)
	Gone(p *Process)
}

// Observer watches the processes of one machine.
type Observer struct{}

// errLinux is what all else than Linux gives.
var errLinux = errors.New("units are watched on Linux only")

// Become does nothing here.
func Become() (code int, became bool) { return 0, false }

// Observe is for Linux.
func Observe(string, Watcher) (*Observer, error) { return nil, errLinux }

// Close ends the observer.
func (*Observer) Close() error { return nil }

// Seen returns what is known of the process now.
func (*Process) Seen() Seen { return Seen{} }

// Hang keeps the process from ending when it is told to.
func (*Process) Hang(bool) {}

// Kill kills the process.
func (*Process) Kill() error { return errLinux }
