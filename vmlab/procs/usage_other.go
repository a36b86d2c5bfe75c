//go:build !linux

package procs

import (
	"errors"
	"time"
)

// Usage is what a process has taken of the machine.
type Usage struct {
	// CPU is the time it has run, in user mode and in the system.
	CPU time.Duration
	// ResidentBytes is the memory that it holds in RAM.
	ResidentBytes int64
}

// UsageOf reads a process's usage, where the system tells it as Linux does.
func UsageOf(int) (Usage, error) { return Usage{}, errors.ErrUnsupported }
