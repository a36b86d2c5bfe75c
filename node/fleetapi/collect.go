package fleetapi

import (
	"slices"
	"strings"

	"drydock/node/api"
	"drydock/node/fleet"
)

// Found is what the answer to a read is made of. It shares nothing with the state
// that changes.
type Found struct {
	revision uint64
	units    []foundUnit
	states   []fleet.State
	machines []foundMachine
	next     string
	missing  bool // the unit that was asked for isn't there
	single   bool // one unit was asked for, with reasons
}

type foundUnit struct {
	is      fleet.Unit
	text    string
	current fleet.Desired
	// The rest is there only if it was asked for.
	states []fleet.State
	why    string
}

type foundMachine struct {
	is    fleet.Machine
	units int
}

// Collect takes from the state what Encode needs: a page's worth, and no more work
// than that.
func (c *Call) Collect(s *fleet.Store) *Found {
	f := &Found{revision: s.Revision()}
	switch c.Op {
	case GetUnit, WhyUnit:
		f.missing, f.single = !f.addUnit(s, c, c.Name), c.explains()
	case ListUnits:
		c.collectUnits(s, f)
	case GetState:
		states := s.StatesOf(c.Name)
		f.missing = len(states) == 0
		f.states = states[:min(1, len(states))]
	case ListStates:
		c.collectStates(s, f)
	case ListMachines:
		c.collectMachines(s, f)
	}
	return f
}

// explains says whether the answer has reasons in it.
func (c *Call) explains() bool { return c.Op == WhyUnit || c.Details }

func (c *Call) from() int { return (c.Page - 1) * PageSize }

func (c *Call) collectUnits(s *fleet.Store, f *Found) {
	if c.Names != nil {
		for _, name := range slices.Compact(slices.Sorted(slices.Values(c.Names))) {
			f.addUnit(s, c, name)
		}
		return
	}
	names := make([]string, 0, PageSize)
	for u := range s.UnitsFrom(c.from()) {
		if len(names) == PageSize {
			break
		}
		names = append(names, u.Name)
	}
	f.units = make([]foundUnit, 0, len(names))
	for _, name := range names {
		f.addUnit(s, c, name)
	}
	f.next = nextToken(c.Page, len(f.units))
}

func (f *Found) addUnit(s *fleet.Store, c *Call, name string) bool {
	u, ok := s.Unit(name)
	if !ok {
		return false
	}
	found := foundUnit{is: u, current: s.Current(name)}
	found.text, _ = s.Text(u.Hash)
	if c.explains() {
		found.states = s.StatesOf(name)
		found.why = explain(&found)
	}
	f.units = append(f.units, found)
	return true
}

// collectStates takes a page of states. Those of one unit or machine are found by
// the unit or machine.
func (c *Call) collectStates(s *fleet.Store, f *Found) {
	skip, full := c.from(), false
	take := func(st fleet.State) bool {
		switch {
		case c.Machine != "" && st.Machine != c.Machine:
		case skip > 0:
			skip--
		default:
			f.states = append(f.states, st)
			full = len(f.states) == PageSize
		}
		return !full
	}
	switch {
	case c.Unit != "":
		for _, st := range s.StatesOf(c.Unit) {
			if !take(st) {
				break
			}
		}
	case c.Machine != "":
		for _, name := range s.PlacedOn(c.Machine) {
			if st, ok := s.State(name, c.Machine); ok && !take(st) {
				break
			}
		}
	default:
		skip = 0
		for st := range s.StatesFrom(c.from()) {
			if !take(st) {
				break
			}
		}
	}
	f.next = nextToken(c.Page, len(f.states))
}

func (c *Call) collectMachines(s *fleet.Store, f *Found) {
	skip := c.from()
	for m := range s.MachinesFrom(0) {
		switch {
		case m.Session == 0 && !c.All:
		case skip > 0:
			skip--
		default:
			found := foundMachine{is: m}
			if c.Details {
				found.units = len(s.PlacedOn(m.ID))
			}
			f.machines = append(f.machines, found)
		}
		if len(f.machines) == PageSize {
			break
		}
	}
	f.next = nextToken(c.Page, len(f.machines))
}

// NeedsLook says whether a call that changes something must see the state first:
// see Look.
func (c *Call) NeedsLook() bool { return c.NoState || c.Op == DrainMachine }

// Look completes a call that NeedsLook, or returns the whole answer.
func (c *Call) Look(s *fleet.Store) *api.Response {
	if c.Op == DrainMachine {
		m, resp := resolve(s, c.Name)
		if resp != nil {
			return resp
		}
		c.Command.Drain.Machine = m.ID
		return nil
	}
	_, there := s.Unit(c.Name)
	switch {
	case there:
		return Fail(409, noState)
	case c.Command.Put.Text == "":
		return Fail(409, noOptions)
	}
	return nil
}

// resolve finds the machine that an id, or the beginning of one, means.
func resolve(s *fleet.Store, id string) (fleet.Machine, *api.Response) {
	if m, ok := s.Machine(id); ok {
		return m, nil
	}
	var found []fleet.Machine
	for m := range s.MachinesFrom(0) {
		if strings.HasPrefix(m.ID, id) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return fleet.Machine{}, Fail(404, noMachine)
	case 1:
		return found[0], nil
	}
	return fleet.Machine{}, Fail(400, "ambiguous machine id "+id)
}

// Place is where a unit's journal is.
type Place struct {
	// Machine is the id. URLs are where its node serves clients.
	Machine string
	URLs    []string
}

// Find finds the machine that a call AtMachine is for: the one that it names, else
// one that the unit is placed on, own if that is one of them, else one that may
// still run it.
func (c *Call) Find(s *fleet.Store, own string) (Place, *api.Response) {
	if c.Machine != "" {
		m, resp := resolve(s, c.Machine)
		return Place{Machine: m.ID, URLs: m.URLs}, resp
	}
	u, ok := s.Unit(c.Name)
	leaving := s.Leaving(c.Name)
	if !ok && len(leaving) == 0 {
		return Place{}, Fail(404, noUnit)
	}
	var at []string
	for _, p := range u.Places {
		at = append(at, p.Machine)
	}
	if slices.Contains(at, own) {
		return Place{Machine: own}, nil
	}
	for _, l := range leaving {
		at = append(at, l.Machine)
	}
	if len(at) == 0 {
		return Place{}, Fail(404, "unit is not on any machine")
	}
	m, _ := s.Machine(at[0])
	return Place{Machine: at[0], URLs: m.URLs}, nil
}

// Idle says whether a call that Changes has nothing to change.
func (c *Call) Idle() bool {
	return c.Op == PatchMachines && len(c.Command.Patch.Ops) == 0
}
