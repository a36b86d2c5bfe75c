package host

import "drydock/node"

// Machines takes frames for machines that are connected with this member.
type Machines interface {
	// Send must not block; it owns the frame.
	Send(machine string, frame []byte)
}

// SetMachines says who takes frames for machines; before that they are dropped.
func (h *Host) SetMachines(m Machines) { h.machines.Store(&m) }

// ReceiveFromMachine hands a frame from a machine to the node, which owns it from here
// on. A full queue drops it.
func (h *Host) ReceiveFromMachine(machine string, frame []byte) {
	select {
	case h.inner <- input{in: node.FromMachine{Machine: machine, Frame: frame}}:
	default:
		h.dropped.Add(1)
	}
}

// sendToMachines hands over what the node has for machines.
func (h *Host) sendToMachines(list []node.ToMachine) {
	m := h.machines.Load()
	if m == nil {
		return
	}
	for _, s := range list {
		(*m).Send(s.Machine, s.Frame)
	}
}
