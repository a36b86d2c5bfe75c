package scenario

import (
	"math"
	"slices"
	"strings"

	"drydock/sim/history"
)

// FleetMachines returns what checkers know of the machines that run units but for their ids.
func (s *Scenario) FleetMachines() []history.FleetMachine {
	var out []history.FleetMachine
	for i, name := range s.runners() {
		m := s.MachineOf(i)
		pairs := slices.Clone(m.Metadata)
		slices.Sort(pairs)
		out = append(out, history.FleetMachine{Name: name, Metadata: pairs, CPU: thousandths(m.CPU), Memory: int64(m.Memory)})
	}
	return out
}

// FleetUnits returns what checkers know of all units that may run.
func (s *Scenario) FleetUnits() []history.FleetUnit {
	var out []history.FleetUnit
	for i := range s.Load.Units {
		for _, name := range s.Load.Units[i].Runs() {
			out = append(out, s.Load.Units[i].Facts(name))
		}
	}
	return out
}

// Facts returns what checkers know of one of the group's units.
func (u *Units) Facts(name string) history.FleetUnit {
	f := history.FleetUnit{
		Name: name, Group: u.Name, Global: u.Global, Conflicts: u.Conflicts, Metadata: u.Metadata, With: u.With,
		CPU: thousandths(u.CPU), Memory: int64(u.Memory), Stuck: u.Stuck, Flaky: u.Flaky,
		Movable: u.Movable || len(u.Replaces) > 0,
	}
	if u.Replicas > 0 {
		f.Of = u.Names()[0]
	}
	for _, line := range slices.Concat(u.Service, u.Fleet) {
		key, value, _ := strings.Cut(line, "=")
		f.Revives = f.Revives || key == "Restart" && value != "no" || key == "RetrySec" || key == "MoveAfterFailures"
	}
	return f
}

func thousandths(cores float64) int64 { return int64(math.Round(cores * 1000)) }
