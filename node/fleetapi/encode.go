package fleetapi

import (
	"drydock/node/api"
	"drydock/node/fleet"
	"drydock/node/unit"
)

// Encode makes the answer to a read of what was found.
func (c *Call) Encode(f *Found) *api.Response {
	if f.missing {
		message := noUnit
		if c.Op == GetState {
			message = "unit state does not exist"
		}
		resp := withRevision(*Fail(404, message), f.revision)
		return &resp
	}
	var body any
	switch c.Op {
	case GetUnit:
		body = c.viewUnit(&f.units[0])
	case WhyUnit:
		body = Why{Name: c.Name, Revision: f.revision, Why: f.units[0].why}
	case ListUnits:
		page := UnitPage{NextPageToken: f.next}
		page.Units = c.Units(f)
		body = page
	case GetState:
		body = c.viewState(&f.states[0])
	case ListStates:
		page := StatePage{NextPageToken: f.next}
		for i := range f.states {
			page.States = append(page.States, c.viewState(&f.states[i]))
		}
		body = page
	default:
		page := MachinePage{NextPageToken: f.next}
		page.Machines = c.Machines(f)
		body = page
	}
	resp := withRevision(Reply(200, body), f.revision)
	return &resp
}

// Revision is that of the last change of the fleet that f shows.
func (f *Found) Revision() uint64 { return f.revision }

// Units shows the units that were found; none if the one that was asked for isn't
// there.
func (c *Call) Units(f *Found) (list []Unit) {
	for i := range f.units {
		list = append(list, c.viewUnit(&f.units[i]))
	}
	return list
}

// Machines shows the machines that were found.
func (c *Call) Machines(f *Found) (list []Machine) {
	for i := range f.machines {
		list = append(list, c.viewMachine(&f.machines[i]))
	}
	return list
}

// viewUnit shows a unit.
func (c *Call) viewUnit(f *foundUnit) Unit {
	u := &f.is
	v := Unit{Name: u.Name, DesiredState: desiredWord(u.Desired)}
	if !u.Global {
		v.CurrentState = desiredWord(f.current)
		if len(u.Places) > 0 {
			v.MachineID = u.Places[0].Machine
		}
	}
	// It was read when it came.
	parsed, err := unit.Parse(u.Name, []byte(f.text))
	if err == nil {
		for _, o := range parsed.Options() {
			v.Options = append(v.Options, Option{Name: o.Name, Section: o.Section, Value: o.Value})
		}
	}
	if !c.Details {
		return v
	}
	if err == nil {
		v.Description, v.Replicas = parsed.Description(), parsed.Fleet().Replicas
	}
	v.Hash, v.Global, v.Why = u.Hash.String(), u.Global, f.why
	for _, p := range u.Places {
		v.Places = append(v.Places, f.viewPlace(&p))
	}
	for _, l := range u.Leaving {
		v.Leaving = append(v.Leaving, l.Machine)
	}
	return v
}

// viewPlace shows a place, with what the machine has told of it since the unit was
// placed there.
func (f *foundUnit) viewPlace(p *fleet.Placement) UnitPlace {
	v := UnitPlace{MachineID: p.Machine, Hash: p.Hash.String()}
	for i := range f.states {
		if st := &f.states[i]; st.Machine == p.Machine && st.Gen == p.Gen {
			v.Active, v.Load, v.Sub, v.Result = st.Active, st.Load, st.Sub, st.Result
			v.Launched, v.Why = st.Launched, st.Why
		}
	}
	return v
}

// viewState shows what a machine has told of a unit.
func (c *Call) viewState(st *fleet.State) State {
	v := State{
		Hash: st.Hash.String(), MachineID: st.Machine, Name: st.Unit,
		SystemdActiveState: st.Active, SystemdLoadState: st.Load, SystemdSubState: st.Sub,
	}
	if c.Details {
		v.Launched, v.Result, v.Why = st.Launched, st.Result, st.Why
	}
	return v
}

// viewMachine shows a machine.
func (c *Call) viewMachine(f *foundMachine) Machine {
	m := &f.is
	v := Machine{ID: m.ID, PrimaryIP: m.PrimaryIP, Metadata: m.Effective()}
	if c.Details {
		v.Name, v.Version, v.URLs, v.Resources = m.Name, m.Version, m.URLs, m.Resources
		v.Drained, v.Down, v.Units = m.Drained, m.Session == 0, f.units
	}
	return v
}
