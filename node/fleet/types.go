package fleet

import (
	"fmt"
	"time"

	"drydock/node/unit"
)

// Desired is what a user wants of a unit.
type Desired uint8

// What can be wanted: fleet's target states.
const (
	Inactive Desired = iota
	Loaded
	Launched
)

// String names the state as fleet does.
func (d Desired) String() string {
	switch d {
	case Inactive:
		return "inactive"
	case Loaded:
		return "loaded"
	case Launched:
		return "launched"
	}
	return fmt.Sprintf("desired(%d)", uint8(d))
}

// ParseDesired reads what String wrote; its error matches ErrDesired.
func ParseDesired(s string) (Desired, error) {
	for d := Inactive; d <= Launched; d++ {
		if d.String() == s {
			return d, nil
		}
	}
	return Inactive, fmt.Errorf("%w: %q is none of inactive, loaded and launched", ErrDesired, s)
}

// Unit is a unit as the cluster knows it.
type Unit struct {
	Name string
	// Hash names the text that is wanted; a Placement may still have an earlier one.
	Hash    unit.Hash
	Desired Desired
	// Created and Changed are revisions: of the unit's making, and of the last change of
	// its text or of what is desired. Asked is that of the last change from inactive:
	// the scheduler's waiting order.
	Created, Changed, Asked uint64
	// Kick is the revision of the last wish for a restart, 0 if there was none. A machine
	// that runs the unit with an earlier one restarts it.
	Kick uint64
	// Global units have a placement on each machine that runs them; others one or none.
	Global bool
	// Places are sorted by machine.
	Places []Placement
	// Leaving are machines, sorted, that may still run the unit though it is placed there
	// no longer.
	Leaving []Leaving
}

// Placement says that a machine is to have a unit.
type Placement struct {
	Machine string
	// Session is the machine's when the unit was placed.
	Session uint64
	// Gen is the revision that placed the unit here, or told the machine to take another
	// text.
	Gen uint64
	// Hash is of the text that the machine is to run.
	Hash unit.Hash
}

// Leaving is a placement that has ended, until its machine says so or its session ends.
type Leaving struct {
	Machine      string
	Session, Gen uint64
}

// Machine is a machine that the cluster knows.
type Machine struct {
	// ID is 32 hex digits.
	ID string
	// Name is the host's, for people; PrimaryIP is what lists show.
	Name, PrimaryIP string
	// Version is the program's.
	Version string
	// URLs are where the machine's node serves clients.
	URLs []string
	// Metadata is what the machine says of itself; Patch is what users have set over the
	// API, which outranks it and outlives the machine's sessions. A nil value hides a key.
	Metadata map[string]string
	Patch    map[string]*string
	// Resources are in the units of unit.Resource; nil is not accounted.
	Resources map[string]int64
	// Boot names the boot of the machine's system.
	Boot string
	// Session is the revision that opened the machine's session, 0 while it has none.
	Session uint64
	// Since is the cluster time at which the session was opened or has ended.
	Since time.Duration
	// Drained machines are to be emptied.
	Drained bool
	// Orders is the revision at which what this machine is to have changed last.
	Orders uint64
	// Reported is the sequence of the last report of this session.
	Reported uint64
}

// State is what a machine has reported of a unit.
type State struct {
	Unit, Machine string
	// Gen is the placement's that it is about.
	Gen  uint64
	Hash unit.Hash
	// Load, Active, Sub and Result are in systemd's words.
	Load, Active, Sub, Result string
	// Launched says that the machine has carried out a start that stands.
	Launched bool
	// Why says in words what went wrong; empty if nothing has.
	Why string
	// Since is the cluster time at which the report was applied.
	Since time.Duration
}
