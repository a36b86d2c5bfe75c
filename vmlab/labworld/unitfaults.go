package labworld

import (
	"fmt"
	"slices"
	"strings"

	"drydock/chaos"
	"drydock/vmlab/lab"
)

// unitFault is a fault that lasts, of units on machines.
type unitFault struct {
	id    int
	nodes []string
	units []string
}

func (u unitFault) strikes(machine, unit string) bool {
	return slices.Contains(u.nodes, machine) && chaos.MatchUnit(u.units, unit)
}

// ofUnits says whether faults of a kind strike units, or are what users do.
func ofUnits(k chaos.Kind) bool {
	switch k {
	case chaos.KindUnits, chaos.KindDrain, chaos.KindMetadata, chaos.KindUnitCrash, chaos.KindUnitHang, chaos.KindUnitFail:
		return true
	}
	return false
}

// supportsUnits returns nil, or why a driver's labs can't do that with units.
func supportsUnits(d lab.Driver, k chaos.Kind) error {
	if d.Capabilities().Has(lab.HasKernel) {
		return noUnits(d, string(k))
	}
	return nil
}

// inject does what a fault of units says; it is called on the stage.
func (f *fleetSide) inject(fault chaos.Fault) (undo func(), detail string, err error) {
	if f == nil {
		return nil, "", fmt.Errorf("%w: no machine runs units", chaos.ErrNoEffect)
	}
	switch p := fault.Params.(type) {
	case *chaos.Units:
		n := f.users.act(p)
		if n == 0 {
			return nil, "", fmt.Errorf("%w: no unit is concerned", chaos.ErrNoEffect)
		}
		return nil, fmt.Sprintf("%d units", n), nil
	case *chaos.Drain:
		return f.eachPlace(fault.Nodes, func(p *place) { f.users.drain(p, true) }, func(p *place) { f.users.drain(p, false) })
	case *chaos.Metadata:
		return f.eachPlace(fault.Nodes, func(at *place) { f.users.patch(at, p.Set, false) }, func(at *place) { f.users.patch(at, p.Set, true) })
	case *chaos.UnitCrash:
		return f.crashUnits(fault.Nodes, p)
	case *chaos.UnitHang:
		return f.lasting(&f.hangs, unitFault{nodes: fault.Nodes, units: p.Unit}), "", nil
	case *chaos.UnitFail:
		return f.lasting(&f.fails, unitFault{nodes: fault.Nodes, units: p.Unit}), "", nil
	}
	return nil, "", fmt.Errorf("%w: %s is no fault of units", chaos.ErrNoEffect, fault.Kind)
}

// eachPlace does something about each machine that a fault names.
func (f *fleetSide) eachPlace(nodes []string, do, back func(p *place)) (func(), string, error) {
	var places []*place
	for _, name := range nodes {
		if p := f.by[name]; p != nil {
			places = append(places, p)
			do(p)
		}
	}
	if len(places) == 0 {
		return nil, "", fmt.Errorf("%w: no machine that runs units is concerned", chaos.ErrNoEffect)
	}
	return func() {
		for _, p := range places {
			back(p)
		}
	}, "", nil
}

// lasting begins a fault that new processes ask for, and old ones are told.
func (f *fleetSide) lasting(list *[]unitFault, fault unitFault) (undo func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, other := range slices.Concat(f.hangs, f.fails) {
		fault.id = max(fault.id, other.id+1)
	}
	*list = append(*list, fault)
	f.hangThem()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		*list = slices.DeleteFunc(*list, func(u unitFault) bool { return u.id == fault.id })
		f.hangThem()
	}
}

// hangThem tells all processes whether they hang now.
func (f *fleetSide) hangThem() {
	for _, l := range f.lives {
		if !l.ended {
			l.process.Hang(slices.ContainsFunc(f.hangs, func(u unitFault) bool { return u.strikes(l.at.name, l.process.Unit) }))
		}
	}
}

// crashUnits kills units' processes, all or so many, drawn.
func (f *fleetSide) crashUnits(nodes []string, p *chaos.UnitCrash) (func(), string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []*living
	for _, l := range f.lives {
		if !l.ended && slices.Contains(nodes, l.at.name) && chaos.MatchUnit(p.Unit, l.process.Unit) {
			list = append(list, l)
		}
	}
	f.r.stage.Rand("unit-crash").Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var hit []string
	for _, l := range list {
		if p.Most > 0 && len(hit) == p.Most {
			break
		}
		// Its end is explained by this, so it is noted before.
		l.life.struck = true
		if err := l.process.Kill(); err != nil {
			l.life.struck = false
			continue
		}
		hit = append(hit, l.process.Unit+" on "+l.at.name)
	}
	if len(hit) == 0 {
		return nil, "", fmt.Errorf("%w: none runs", chaos.ErrNoEffect)
	}
	slices.Sort(hit)
	if len(hit) > 8 {
		return nil, fmt.Sprintf("%d units", len(hit)), nil
	}
	return nil, strings.Join(hit, ", "), nil
}
