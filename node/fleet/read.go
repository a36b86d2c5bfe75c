package fleet

import (
	"iter"
	"slices"
	"strings"

	"drydock/node/unit"
)

// Units returns how many units there are, Machines how many machines are known,
// those without a session too, States how many states are, and Placements how many
// placements units have.
func (s *Store) Units() int { return s.live.n }

// Machines is said with Units.
func (s *Store) Machines() int { return s.hosts.n }

// States is said with Units.
func (s *Store) States() int { return s.states }

// Placements is said with Units.
func (s *Store) Placements() int { return s.placements }

// Unit returns the unit of that name.
func (s *Store) Unit(name string) (Unit, bool) {
	e := s.lookup(name)
	if e == nil {
		return Unit{}, false
	}
	return e.share(), true
}

// share returns the unit for others to keep.
func (e *entry) share() Unit {
	e.owned = false // what changes now is copied first
	return e.unit
}

// UnitsFrom yields the units in order of name, from position i on. The store must
// not change meanwhile.
func (s *Store) UnitsFrom(i int) iter.Seq[Unit] { return share(s.live.from(i)) }

// UnitsAfter is UnitsFrom for those whose names are greater.
func (s *Store) UnitsAfter(name string) iter.Seq[Unit] { return share(s.live.after(name)) }

func share(list iter.Seq[*entry]) iter.Seq[Unit] {
	return func(yield func(Unit) bool) {
		for e := range list {
			if !yield(e.share()) {
				return
			}
		}
	}
}

// Leaving returns the machines that may still run a unit though it isn't placed
// there: of one that was destroyed, too.
func (s *Store) Leaving(name string) []Leaving {
	e := s.units[name]
	if e == nil {
		return nil
	}
	return e.share().Leaving
}

// Text returns the normalised text of that hash.
func (s *Store) Text(h unit.Hash) (string, bool) {
	t := s.texts[h]
	if t == nil {
		return "", false
	}
	return t.text, true
}

// Machine returns the machine of that id.
func (s *Store) Machine(id string) (Machine, bool) {
	h := s.machines[id]
	if h == nil {
		return Machine{}, false
	}
	return h.machine, true
}

// MachinesFrom yields the machines in order of id, from position i on: those with
// a session, and others that are remembered. The store must not change meanwhile.
func (s *Store) MachinesFrom(i int) iter.Seq[Machine] {
	return func(yield func(Machine) bool) {
		for h := range s.hosts.from(i) {
			if !yield(h.machine) {
				return
			}
		}
	}
}

// PlacedOn returns the names of the units that are placed on a machine, in order.
func (s *Store) PlacedOn(machine string) []string {
	h := s.machines[machine]
	if h == nil {
		return nil
	}
	list := make([]string, len(h.places))
	for i, e := range h.places {
		list[i] = e.unit.Name
	}
	return list
}

// PlacedNumber is how many they are.
func (s *Store) PlacedNumber(machine string) int {
	h := s.machines[machine]
	if h == nil {
		return 0
	}
	return len(h.places)
}

// State returns what a machine has reported of a unit.
func (s *Store) State(unit, machine string) (State, bool) {
	if e := s.units[unit]; e != nil {
		if i, ok := e.state(machine); ok {
			return *e.states[i], true
		}
	}
	return State{}, false
}

// StatesOf returns what machines have reported of a unit, in order of machine: of
// one that was destroyed, too, until they have nothing of it.
func (s *Store) StatesOf(unit string) []State {
	e := s.units[unit]
	if e == nil {
		return nil
	}
	list := make([]State, len(e.states))
	for i, st := range e.states {
		list[i] = *st
	}
	return list
}

// StatesFrom yields all states in order of unit and machine, from position i on.
// The store must not change meanwhile.
func (s *Store) StatesFrom(i int) iter.Seq[State] {
	return func(yield func(State) bool) {
		for e := range s.entries() {
			if i >= len(e.states) {
				i -= len(e.states)
				continue
			}
			for _, st := range e.states[i:] {
				if !yield(*st) {
					return
				}
			}
			i = 0
		}
	}
}

// Current returns what has come of a unit where it is placed: Loaded when its
// machine has it, Launched when it has carried out its start. A global unit has
// come as far as on the machine where least has; a template that makes replicas, as
// far as the last of these.
func (s *Store) Current(name string) Desired {
	e := s.lookup(name)
	if e == nil || e.unit.Desired == Inactive {
		return Inactive
	}
	if n, err := unit.ParseName(name); err == nil && n.IsTemplate() {
		return s.currentReplicas(n)
	}
	if len(e.unit.Places) == 0 {
		return Inactive
	}
	least := Launched
	for i := range e.unit.Places {
		least = min(least, e.current(&e.unit.Places[i]))
	}
	return least
}

// current returns what has come of one placement.
func (e *entry) current(p *Placement) Desired {
	i, ok := e.state(p.Machine)
	switch {
	case !ok || e.states[i].Gen != p.Gen:
		return Inactive
	case e.states[i].Launched:
		return Launched
	}
	return Loaded
}

func (s *Store) currentReplicas(template unit.Name) Desired {
	least := Launched
	for _, e := range s.counted(template, 0) {
		least = min(least, s.Current(e.unit.Name))
	}
	return least
}

// Order is one unit that a machine is to have. One whose Desired is Inactive is to
// be got rid of: the machine stops what it has of it, if anything, and says Gone
// with this Gen.
type Order struct {
	Unit    string
	Gen     uint64
	Hash    unit.Hash
	Desired Desired
	Global  bool
	// Kick is the unit's.
	Kick uint64
}

// OrdersFor returns all that a machine is to have or to get rid of, in order of
// name, and the version of that list. A unit that another machine may still run
// is not in it yet. The list is shorter than its version had it once machines have
// said that they are rid of units; otherwise it changes only with the version.
func (s *Store) OrdersFor(machine string) (list []Order, version uint64) {
	return s.AppendOrders(nil, machine)
}

// AppendOrders is OrdersFor into a list of the caller's.
func (s *Store) AppendOrders(list []Order, machine string) ([]Order, uint64) {
	h := s.machines[machine]
	if h == nil || h.machine.Session == 0 {
		return list, 0
	}
	places, leaves := h.places, h.leaves
	list = slices.Grow(list, len(places)+len(leaves))
	for len(places)+len(leaves) > 0 {
		if len(leaves) == 0 || len(places) > 0 && strings.Compare(places[0].unit.Name, leaves[0].unit.Name) < 0 {
			e := places[0]
			places = places[1:]
			if e.blocked(machine) {
				continue
			}
			i := 0
			if len(e.unit.Places) > 1 {
				i, _ = e.place(machine)
			}
			p := &e.unit.Places[i]
			list = append(list, Order{
				Unit: e.unit.Name, Gen: p.Gen, Hash: p.Hash, Desired: e.unit.Desired, Global: e.unit.Global, Kick: e.unit.Kick,
			})
			continue
		}
		e := leaves[0]
		leaves = leaves[1:]
		i, _ := e.leave(machine)
		list = append(list, Order{Unit: e.unit.Name, Gen: e.unit.Leaving[i].Gen})
	}
	return list, h.machine.Orders
}
