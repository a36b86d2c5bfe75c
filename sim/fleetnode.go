package sim

import (
	"drydock/node"
	"drydock/sim/history"
)

// fromMachine takes a frame of a machine's off the wire.
func (m *machine) fromMachine(b *box, frame []byte) {
	if m.lines[b.id] == nil {
		m.lines[b.id] = b
	}
	m.deliver(node.FromMachine{Machine: b.id, Frame: frame})
}

// toMachines sends what a member has to say to machines.
func (m *machine) toMachines(list []node.ToMachine) {
	if m.w.fleet == nil {
		return
	}
	for i := range list {
		if b := m.lines[list[i].Machine]; b != nil {
			m.toBox(b, list[i].Frame)
		}
	}
}

// believed records what a leader holds to be so at the end.
func (f *fleetReferee) believed(l *machine) {
	store := l.node.State().Fleet()
	f.r.Known = true
	names := make(map[string]string)
	for m := range store.MachinesFrom(0) {
		if b := f.w.fleet.byID[m.ID]; b != nil {
			names[m.ID] = b.name
			if m.Session != 0 {
				f.r.Living = append(f.r.Living, b.name)
			}
		}
	}
	for s := range store.StatesFrom(0) {
		f.r.States = append(f.r.States, history.FleetState{
			Unit: s.Unit, Machine: names[s.Machine], Hash: s.Hash.String(),
			Load: s.Load, Active: s.Active, Sub: s.Sub, Launched: s.Launched,
		})
	}
}
