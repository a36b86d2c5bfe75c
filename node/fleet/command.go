package fleet

// Command is one change. Exactly one field is set.
type Command struct {
	Put     *Put
	Destroy *Destroy
	Patch   *Patch
	Drain   *Drain
	Open    *Open
	Close   *Close
	Report  *Report
	Place   *Place
}

// Put makes a unit, or changes its text or what is desired of it.
type Put struct {
	Name string
	// Text is the unit's, empty to leave it.
	Text string
	// Desired is what is wanted from now on, nil to leave it (Inactive for a new unit).
	Desired *Desired
	// Create has the command refused if the unit is there with another text.
	Create bool
	// Restart has a launched unit started anew.
	Restart bool
}

// Destroy removes a unit; machines that have it are told to drop it.
type Destroy struct{ Name string }

// Patch changes what users have set of machines' metadata, all or nothing.
type Patch struct{ Ops []PatchOp }

// PatchOp sets a key, or hides it if Value is nil.
type PatchOp struct {
	Machine, Key string
	Value        *string
}

// Drain begins or ends the emptying of a machine.
type Drain struct {
	Machine string
	On      bool
}

// Open begins a session of a machine. Only the leader of Term proposes it; in another
// term's entry it has no effect.
type Open struct {
	Term uint64
	// Machine says what the machine told of itself; the fields that the state keeps by
	// itself are ignored.
	Machine Machine
	// Was is the session that the leader knew, 0 for none: if there is another one by
	// now, the command has no effect.
	Was uint64
	// Empty says that nothing of an earlier session can run (another boot, or its
	// guard has seen to it). Otherwise the units placed there are taken over.
	Empty bool
}

// Close ends a session: the machine has said goodbye, or its lease has passed.
type Close struct {
	Term         uint64 // 0 if the machine itself said so
	Machine, Why string
	Session      uint64
}

// Report is what a machine tells of its units: what changed since its last one.
type Report struct {
	Machine string
	Session uint64
	// Seq counts the session's reports from 1; one that isn't greater than the last
	// has no effect.
	Seq uint64
	// States are what units are; only Unit, Gen, Hash, Load, Active, Sub, Result,
	// Launched and Why count.
	States []State
	// Gone are units of which nothing is left on the machine, with the greatest Gen of
	// an order that they were known by.
	Gone []Gone
}

// Gone is a unit that a machine has nothing of any more.
type Gone struct {
	Unit string
	Gen  uint64
}

// Place moves units.
type Place struct {
	Term  uint64
	Moves []Move
}

// Move is one unit's change of place, as decided on a certain state.
type Move struct {
	Unit string
	// Changed is the unit's at the time of the decision.
	Changed uint64
	// From and To are machines' ids, empty for none. Equal ones have the machine take
	// the unit's present text.
	From, To string
	// Session is To's at the time of the decision.
	Session uint64
	// Why says why it left From.
	Why string
}
