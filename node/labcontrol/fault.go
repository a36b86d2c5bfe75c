package labcontrol

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
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

// Usual is how a disk is while no fault is on it: what a sync takes at least, the mean
// of an exponentially distributed time on top, and the chance of one that takes up to
// TailMost more. A lab writes it as JSON to the file of its socket's name with
// UsualSuffix, before the node starts.
type Usual struct {
	Least    time.Duration `json:"least,omitempty"`
	Jitter   time.Duration `json:"jitter,omitempty"`
	Tail     float64       `json:"tail,omitempty"`
	TailMost time.Duration `json:"tailMost,omitempty"`
}

// UsualSuffix ends the name of the file with a disk's usual times.
const UsualSuffix = ".usual"

// errUsual is matched when that file makes no sense.
var errUsual = errors.New("no times of a disk")

// readUsual reads the file beside a socket, if there is one.
func readUsual(socket string) (u Usual, err error) {
	text, err := os.ReadFile(socket + UsualSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &u)
	}
	switch {
	case err != nil:
		return u, fmt.Errorf("%s: %w: %w", socket+UsualSuffix, errUsual, err)
	case u.Least < 0 || u.Jitter < 0 || u.TailMost < 0 || u.Tail < 0 || u.Tail > 1:
		return u, fmt.Errorf("%s: %w: %+v", socket+UsualSuffix, errUsual, u)
	}
	return u, nil
}

// draw is how long a sync takes more than the disk itself needs.
func (u *Usual) draw() time.Duration {
	d := u.Least + min(time.Duration(rand.ExpFloat64()*float64(u.Jitter)), 20*u.Jitter)
	if u.TailMost > 0 && rand.Float64() < u.Tail {
		d += time.Duration(rand.Int64N(int64(u.TailMost)))
	}
	return d
}

// faults are what a disk does wrong now.
type faults struct {
	mu     sync.Mutex
	fixed  *sync.Cond // told when a stall ends
	stalls int
	slow   time.Duration
	usual  Usual
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
	slow := f.slow + f.usual.draw()
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
