package virtual

import (
	"context"

	"drydock/vmlab/lab"
	"drydock/vmlab/power"
)

// Machine is a machine with a kernel of its own, which is reached by ssh: its power, and
// orders to its node. It is all of lab.Unit but Vitals. Way, how to get into it while
// it is on, is set before anything else is done with it.
type Machine[P any] struct {
	power.Machine[P]
	Node Node
	Way  func() lab.Access
}

// StartNode implements lab.Unit.
func (m *Machine[P]) StartNode() error { return m.order(m.Node.Start) }

// KillNode implements lab.Unit.
func (m *Machine[P]) KillNode() error { return m.order(m.Node.Kill) }

// PauseNode implements lab.Unit.
func (m *Machine[P]) PauseNode() error { return m.order(m.Node.Pause) }

// ResumeNode implements lab.Unit.
func (m *Machine[P]) ResumeNode() error { return m.order(m.Node.Resume) }

// order tells the node of a machine that runs something.
func (m *Machine[P]) order(do func(lab.Access) error) error {
	a, err := m.Access()
	if err != nil {
		return err
	}
	return do(a)
}

// Access implements lab.Unit.
func (m *Machine[P]) Access() (lab.Access, error) {
	if _, err := m.Running(); err != nil {
		return lab.Access{}, err
	}
	return m.Way(), nil
}

// Control implements lab.Unit: a socket within the machine can't be reached.
func (m *Machine[P]) Control() string { return "" }

// PowerOff asks the machine's systemd to switch it off.
func (m *Machine[P]) PowerOff(ctx context.Context) error {
	return Order(ctx, m.Way(), "systemctl --no-block poweroff")
}

// Look says how the machine and its node are; fill adds what its driver knows of one
// that is on.
func (m *Machine[P]) Look(fill func(*power.Life[P], *lab.Vitals)) lab.Vitals {
	return m.Machine.Look(func(l *power.Life[P], v *lab.Vitals) {
		m.Node.Vitals(v)
		fill(l, v)
	})
}
