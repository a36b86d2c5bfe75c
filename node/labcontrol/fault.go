package labcontrol

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The operations that faults strike.
const (
	opWrite = "write"
	opSync  = "sync"
)

// errInjected is matched by the errors that a lab has asked for.
var errInjected = errors.New("a fault of the lab")

// faults are what a disk does wrong now.
type faults struct {
	mu     sync.Mutex
	fixed  *sync.Cond // told when a stall ends
	stalls int
	slow   time.Duration
	// free is how many bytes may still be written; -1 is no bound.
	free  int64
	traps []*Trap
	// struck takes traps that have struck.
	struck chan Struck
}

func newFaults() *faults {
	f := &faults{free: -1, struck: make(chan Struck, 64)}
	f.fixed = sync.NewCond(&f.mu)
	return f
}

// before is called before each operation; its error is the operation's.
func (f *faults) before(op, name string, bytes int) error {
	f.mu.Lock()
	slow := f.slow
	f.mu.Unlock()
	if slow > 0 && op == opSync {
		time.Sleep(slow)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.stalls > 0 {
		f.fixed.Wait()
	}
	if f.free >= 0 && op == opWrite {
		if int64(bytes) > f.free || f.free == 0 {
			return fmt.Errorf("%s: %w: %w", name, syscall.ENOSPC, errInjected)
		}
		f.free -= int64(bytes)
	}
	for _, t := range f.traps {
		if t.spent || t.On != op || !ofFiles(t.Files, name) {
			continue
		}
		if t.seen++; t.seen < t.Nth {
			continue
		}
		t.spent = t.seen >= t.Nth+t.Times-1
		select {
		case f.struck <- Struck{ID: t.ID, Detail: op + " of " + name + " failed"}:
		default: // nobody asks
		}
		return fmt.Errorf("%s: %w: %w", name, syscall.EIO, errInjected)
	}
	return nil
}

// ofFiles says whether a file is of a kind of files.
func ofFiles(kind, name string) bool {
	switch kind {
	case "log":
		return strings.HasPrefix(name, "wal")
	case "checkpoint":
		return strings.HasPrefix(name, "ckpt")
	case "snapshot":
		return strings.HasPrefix(name, "snap")
	}
	return true
}

// set changes what the disk does wrong.
func (f *faults) set(d *DiskFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = max(0, f.slow+d.Slow)
	f.stalls = max(0, f.stalls+d.Stall)
	if d.Free != nil {
		f.free = *d.Free
	}
	if d.Trap != nil {
		f.traps = append(f.traps, d.Trap)
	}
	if d.Disarm > 0 {
		for _, t := range f.traps {
			t.spent = t.spent || t.ID == d.Disarm
		}
	}
	f.fixed.Broadcast()
}
