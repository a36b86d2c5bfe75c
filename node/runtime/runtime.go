package runtime

import (
	"context"
	"errors"
	"time"

	"drydock/node/unit"
)

// Errors that runtimes wrap.
var (
	// ErrNotFound is of a unit that isn't loaded.
	ErrNotFound = errors.New("unit not found")
	// ErrClosed is of a runtime that was closed.
	ErrClosed = errors.New("the runtime was closed")
)

// Runtime runs units on one machine. Its methods may be called by several
// goroutines at once.
//
// Start, Stop, Restart and Reload are queued: they return at once, and done, if
// not nil, is called once with the end, by a goroutine of the runtime, which it
// must not hold up. Requests about different units don't wait for each other,
// but for what the units themselves ask for.
type Runtime interface {
	// Check returns why the runtime can't run a unit as its file says, nil if it
	// can. It needs nothing to be loaded.
	Check(u *unit.Unit) error
	// Load makes a unit known, or tells what it says now. What runs goes on
	// running. A unit that an earlier life of the agent has started, and that
	// still runs, is taken over.
	Load(u *unit.Unit) error
	// Unload stops a unit that runs, and forgets it when it has ended.
	Unload(name string, done func(Outcome))
	// Start has a unit run, with what it requires.
	Start(name string, done func(Outcome))
	// Stop ends a unit, with what requires it.
	Stop(name string, done func(Outcome))
	// Restart stops a unit, if it runs, and starts it.
	Restart(name string, done func(Outcome))
	// Reload has a unit read its configuration again.
	Reload(name string, done func(Outcome))
	// ResetFailed forgets that a unit has failed, and how often it was started.
	ResetFailed(name string)
	// Kill ends all that a unit has, at once, whatever the unit says about it: a
	// lost lease demands that. The report says when nothing is left.
	Kill(name string)
	// Signal sends a signal to all processes of a unit.
	Signal(name string, sig unit.Signal) error
	// State returns what a unit is. The error matches ErrNotFound if it isn't
	// loaded.
	State(name string) (State, error)
	// List returns what all units are, sorted by name.
	List() []State
	// Journal returns the last lines that a unit has written, oldest first, n at
	// most, of those with a number above after.
	Journal(name string, after uint64, n int) ([]Line, error)
	// Follow waits until a unit has a line with a number above after. It returns
	// the context's error if that ends first.
	Follow(ctx context.Context, name string, after uint64) error
	// Shutdown stops all units, and closes the runtime when they have ended, or
	// the context has: then it returns an error that names those left.
	Shutdown(ctx context.Context) error
	// Close lets go of the units, which go on running: the next life of the agent
	// takes them over.
	Close() error
}

// State is what a unit is, in systemd's words.
type State struct {
	Name        string
	Description string
	// Load is "loaded", or "not-found" for one that was forgotten.
	Load string
	// Active and Sub are the state in the large and in the small; Result is what
	// has gone wrong, "success" if nothing has.
	Active, Sub, Result string
	// Text is what the service last said of itself.
	Text string
	// Hash is that of the file that was loaded.
	Hash unit.Hash
	// MainPID is the main process, zero if there is none or nobody knows which.
	MainPID int
	// Exit says how the last main process ended; empty if none has.
	Exit string
	// Restarts counts those that nobody asked for since somebody did.
	Restarts int
	// Job is what is under way: "start", "stop", "restart", "reload", or "".
	Job string
	// Since is when Active last changed.
	Since time.Time
}

// Outcome is the end of a request.
type Outcome struct {
	// Result is "done", "failed", "timeout", "dependency", "canceled" or
	// "invalid", as systemd says of its jobs.
	Result string
	// Reason says in words why it wasn't done.
	Reason string
}

// Done says whether what was asked for is so.
func (o Outcome) Done() bool { return o.Result == "done" }

// Line is a line of a unit's journal.
type Line struct {
	// Number grows by one from line to line of a unit, from 1.
	Number uint64
	Time   time.Time
	// Source is the program, or "supervisor" for what the runtime says itself.
	Source string
	Text   string
}
