package history

// FleetUnit is what whoever wrote the load knows of a unit: nothing here was read
// by the node's own code.
type FleetUnit struct {
	Name string `json:"name"`
	// Group names the units that were submitted together.
	Group string `json:"group"`
	// Global units run on every machine whose metadata allows it.
	Global bool `json:"global,omitempty"`
	// Conflicts are globs of names; Metadata are KEY=VALUE, of one key any, of
	// several all; With are names of units that must be on the machine.
	Conflicts []string `json:"conflicts,omitempty"`
	Metadata  []string `json:"metadata,omitempty"`
	With      []string `json:"with,omitempty"`
	// CPU is in thousandths of a core, Memory in MiB.
	CPU    int64 `json:"cpu,omitempty"`
	Memory int64 `json:"memory,omitempty"`
	// Stuck units of the group can't run, Flaky ones may be down at any time,
	// Movable ones may be displaced by others; Revives says that their files ask
	// for restarts after a failure.
	Stuck   int  `json:"stuck,omitempty"`
	Flaky   bool `json:"flaky,omitempty"`
	Movable bool `json:"movable,omitempty"`
	Revives bool `json:"revives,omitempty"`
	// Of is the template that the unit is kept as an instance of, whose wishes
	// are its own.
	Of string `json:"of,omitempty"`
}

// FleetMachine is a machine that runs units. Metadata is as it was at the start.
type FleetMachine struct {
	Name     string   `json:"name"`
	ID       string   `json:"id"`
	Metadata []string `json:"metadata,omitempty"`
	// CPU and Memory are as a unit's; 0 is not accounted.
	CPU    int64 `json:"cpu,omitempty"`
	Memory int64 `json:"memory,omitempty"`
}

// FleetWish is something that a user asked of a unit or a machine.
type FleetWish struct {
	// Asked is when the user began to ask, Done when it was acknowledged; 0 if it
	// never was.
	Asked int64 `json:"asked"`
	Done  int64 `json:"done,omitempty"`
	// Unit or Machine is what it is about.
	Unit    string `json:"unit,omitempty"`
	Machine string `json:"machine,omitempty"`
	// Do is what was asked for, as scenario files say: start, stop, …, drain,
	// metadata; End says that it was the end of it.
	Do  string `json:"do"`
	End bool   `json:"end,omitempty"`
	// Desired is what is wanted of the unit then: inactive, loaded, launched, or
	// "" if it is to be gone. Hash is of the text that is wanted, "" if that stays.
	Desired string `json:"desired,omitempty"`
	Hash    string `json:"hash,omitempty"`
	// Metadata is the machine's from then on.
	Metadata []string `json:"metadata,omitempty"`
}

// Ran is a stretch of time for which a unit had processes on a machine, as the
// world saw it.
type Ran struct {
	Machine string `json:"machine"`
	Unit    string `json:"unit"`
	Hash    string `json:"hash"`
	Begin   int64  `json:"begin"`
	// End is 0 while it lasts.
	End int64 `json:"end,omitempty"`
	// Why is the cause of its end: exited, struck (by a fault), stopped, killed
	// (both on somebody's word), guarded (by the machine's guard), cut (the machine
	// has lost its power).
	Why string `json:"why,omitempty"`
	// Told is when the processes were first told to end; 0 if they never were.
	Told int64 `json:"told,omitempty"`
	// Cut says that the machine had reason to believe, since the unit had begun
	// to run, that its lease might end: it was without word from the leader for
	// too long, or was told that its session was over. Reborn says that its agent
	// had died since.
	Cut    bool `json:"cut,omitempty"`
	Reborn bool `json:"reborn,omitempty"`
	// Awake says that the machine's agent had lived for a lease and more at the end,
	// neither stopped nor slowed.
	Awake bool `json:"awake,omitempty"`
}

// FleetLoss is a stretch of time for which a machine was not there for the
// cluster: dead, or without word from the leader for longer than it may be.
type FleetLoss struct {
	Machine string `json:"machine"`
	Begin   int64  `json:"begin"`
	End     int64  `json:"end,omitempty"`
	// Dead says that its agent was, or stopped, for some of the time.
	Dead bool `json:"dead,omitempty"`
}

// FleetState is what the cluster holds to be the state of a unit on a machine, at
// the end of a run.
type FleetState struct {
	Unit     string `json:"unit"`
	Machine  string `json:"machine"`
	Hash     string `json:"hash"`
	Load     string `json:"load"`
	Active   string `json:"active"`
	Sub      string `json:"sub"`
	Launched bool   `json:"launched,omitempty"`
}

// FleetActual is what a machine's runtime itself says of a unit at the end.
type FleetActual struct {
	Unit    string `json:"unit"`
	Machine string `json:"machine"`
	Active  string `json:"active"`
	Sub     string `json:"sub"`
}

// Fleet are the records of units and the machines that run them; each list is in
// order of time where it has one.
type Fleet struct {
	Units    []FleetUnit
	Machines []FleetMachine
	Wishes   []FleetWish
	Runs     []Ran
	Losses   []FleetLoss
	// States are by the leader's word at the end, Actual by the runtimes'; Living
	// are the machines with a session then. Known says that there was a leader to
	// ask.
	States []FleetState
	Actual []FleetActual
	Living []string
	Known  bool
	// RestFrom is when users asked for nothing any more, 0 if they never ceased.
	RestFrom int64
}

// Unit returns a unit by its name.
func (f *Fleet) Unit(name string) *FleetUnit {
	for i := range f.Units {
		if f.Units[i].Name == name {
			return &f.Units[i]
		}
	}
	return nil
}
