package agent

import (
	"time"

	"drydock/node/unit"
)

// Record is what an agent's next life must know. It is worth something until the
// machine boots again.
type Record struct {
	Cluster       uint64
	Machine, Boot string
	// Session is the live one, 0 if there is none; Version that of the greatest
	// orders that were taken in it.
	Session, Version uint64
	// Lives counts the lives of the agent since the boot.
	Lives uint64
	// Beat, Lease, Drift and Keep are the session's terms (link.Welcome).
	Beat, Lease time.Duration
	Drift       int
	Keep        bool
	// Units are those that may be on the machine, sorted by name.
	Units []Kept
}

// Kept is what a Record has of a unit.
type Kept struct {
	Unit, Text string
	Hash       unit.Hash
	Global     bool
	// Gen and Kick are those of the order that it was last started for.
	Gen, Kick uint64
	// Begun says that a start has been asked for, Launched that it was carried out,
	// Ending that an end has been asked for since.
	Begun, Launched, Ending bool
	// Up says that it ran, or was on its way, when it was last heard of.
	Up bool
}

// Spare returns the names of the units that a guard must spare, sorted.
func (r *Record) Spare() []string {
	var names []string
	for i := range r.Units {
		if r.Units[i].Global {
			names = append(names, r.Units[i].Unit)
		}
	}
	return names
}
