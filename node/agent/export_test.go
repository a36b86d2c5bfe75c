package agent

import "drydock/node/fleet"

// Ordered returns what the agent knows to be ordered of a unit.
func (a *Agent) Ordered(name string) (gen, kick uint64, launched bool) {
	l := a.unit(name)
	if l == nil || l.order == nil {
		return 0, 0, false
	}
	return l.order.Gen, l.order.Kick, l.order.Desired == fleet.Launched
}
