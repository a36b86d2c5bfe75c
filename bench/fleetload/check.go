package fleetload

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"drydock/node"
)

// check refuses a cluster that isn't as it has to be.
func (b *bench) check(ctx context.Context) error {
	if err := b.cluster.Agree(ctx, settleWait); err != nil {
		return err
	}
	var wrong, bad error
	err := b.cluster.Leader().Look(func(n *node.Node) { wrong = b.checkState(n) })
	b.machines.look(func() { bad = b.machines.bad })
	return errors.Join(err, wrong, bad)
}

// checkState looks at every unit and machine of the state.
func (b *bench) checkState(n *node.Node) error {
	s := n.State().Fleet()
	units := 0
	for u := range s.UnitsFrom(0) {
		if strings.Contains(u.Name, "@.") {
			if len(u.Places) > 0 {
				return fmt.Errorf("template %s has a place", u.Name)
			}
			continue
		}
		units++
		if len(u.Places) != 1 {
			return fmt.Errorf("unit %s has %d places", u.Name, len(u.Places))
		}
		if m, ok := s.Machine(u.Places[0].Machine); !ok || m.Session == 0 || m.Session != u.Places[0].Session {
			return fmt.Errorf("unit %s is on machine %s, which has session %d, placed in %d", u.Name, m.ID, m.Session, u.Places[0].Session)
		}
	}
	if want := b.Units + b.lost; units != want {
		return fmt.Errorf("%d units, want %d", units, want)
	}
	return nil
}

// checkOrders says which machine has other orders than the state, or has yet to be
// heard of what it started.
func (b *bench) checkOrders() error {
	want := make(map[string][2]uint64, len(b.machines.list))
	err := b.cluster.Leader().Look(func(n *node.Node) {
		s := n.State().Fleet()
		for m := range s.MachinesFrom(0) {
			want[m.ID] = [2]uint64{m.Orders, uint64(s.PlacedNumber(m.ID))}
		}
	})
	if err != nil {
		return err
	}
	var wrong error
	b.machines.look(func() {
		for _, one := range b.machines.list {
			w := want[one.id]
			if one.have != w[0] || uint64(one.total) != w[1] {
				wrong = fmt.Errorf("machine %s has orders %d of %d units, the state %d of %d", one.id, one.have, one.total, w[0], w[1])
				return
			}
			if len(one.report) > 0 {
				wrong = fmt.Errorf("machine %s waits for %d units to be noted", one.id, len(one.report))
				return
			}
		}
	})
	return wrong
}
