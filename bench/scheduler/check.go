package scheduler

import (
	"errors"
	"fmt"

	"drydock/node/scheduler"
	"drydock/node/scheduler/reference"
)

// ErrDiffers is of a unit that the scheduler has placed elsewhere than the
// reference solver.
var ErrDiffers = errors.New("the scheduler and the reference solver differ")

// The sample that is compared: larger ones take the reference minutes; with fewer
// machines all sets would be short lists, and no bitmap be compared.
const (
	sampleMachines = 80
	sampleUnits    = 400
)

// solver is what the two have in common.
type solver interface {
	SetMachine(scheduler.Machine)
	SetUnit(scheduler.Unit)
	Where(unit string) string
}

// Check puts units of a shape through the phases of a round with both solvers,
// and compares where each unit is after each. It returns how many places were
// compared.
func Check(sh Shape) (places int, err error) {
	fast, slow := scheduler.New(), reference.New()
	for i := range sampleMachines {
		fast.SetMachine(machine(i))
		slow.SetMachine(machine(i))
	}
	list := sh.units(0, sampleUnits+sampleUnits/10)
	solve := func(phase string) error {
		fast.Solve(0)
		slow.Solve()
		n, err := differ(fast, slow, list, phase)
		places += n
		return err
	}
	for i, u := range list[:sampleUnits] {
		fast.SetUnit(u)
		slow.SetUnit(u)
		if i%64 == 63 {
			if err := solve("fill"); err != nil {
				return places, err
			}
		}
	}
	for i, u := range list[sampleUnits:] {
		fast.SetUnit(u)
		slow.SetUnit(u)
		fast.RemoveUnit(list[i*7].Name)
		slow.RemoveUnit(list[i*7].Name)
		if err := solve("change"); err != nil {
			return places, err
		}
	}
	for i := 0; i < sampleMachines; i += 5 {
		id := machine(i).ID
		fast.RemoveMachine(id)
		slow.RemoveMachine(id)
		if err := solve("loss of " + id); err != nil {
			return places, err
		}
		fast.SetMachine(machine(i))
		slow.SetMachine(machine(i))
	}
	return places, solve("return")
}

// differ compares where units are.
func differ(fast, slow solver, list []scheduler.Unit, phase string) (places int, err error) {
	for _, u := range list {
		if got, want := fast.Where(u.Name), slow.Where(u.Name); got != want {
			return places, fmt.Errorf("%w: after %s %s is on %q, not %q", ErrDiffers, phase, u.Name, got, want)
		}
		places++
	}
	return places, nil
}
