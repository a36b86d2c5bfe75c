package scheduler

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Machine is what the scheduler knows of a machine.
type Machine struct {
	// ID is the machine's whole id.
	ID string
	// Metadata is what MachineMetadata and Spread look at.
	Metadata map[string]string
	// Resources is what units may take in all, in the amounts of unit.Resource.
	// A machine that states none isn't accounted: everything fits. One that
	// states some has none of the others.
	Resources map[string]int64

	_ struct{}
}

// machine is a machine that has been up at some time. Its place in
// Scheduler.machines stays; its position follows the order of ids.
type machine struct {
	id       string
	metadata map[string]string
	// values are the machines with its value of each metadata key, by number.
	values []*set
	pos    int32
	up     bool
	// closed machines take no new units; drained ones are emptied.
	closed bool
	// improved machines may let waiting units in; they are in Scheduler.improved.
	improved bool
	load     int32
	// first is the head of the list of its units, other than global ones.
	first int32
	// globals are the global units that run here, missing counts those that
	// would if nothing here conflicted.
	globals []int32
	missing int
	// accounted machines state resources; free is by number of resource.
	accounted bool
	total     []int64
	free      []int64
	// tight are the demands known not to fit here, until something leaves.
	tight []*demand
}

// none is no unit, no machine, no position.
const none = int32(-1)

// shortID is the length of the ids that lists show, and MachineID takes for whole
// ones.
const shortID = 8

// SetMachine tells of a machine that joins, or of its new metadata or resources.
func (s *Scheduler) SetMachine(m Machine) {
	slot, known := s.machineByID[m.ID]
	if !known {
		slot = int32(len(s.machines))
		s.machines = append(s.machines, machine{id: m.ID, pos: none, first: none})
		s.machineByID[m.ID] = slot
		if len(m.ID) >= shortID {
			short := m.ID[:shortID]
			s.machinesByShort[short] = append(s.machinesByShort[short], slot)
		}
		s.arrivals = append(s.arrivals, slot)
	}
	s.settle()
	mc := &s.machines[slot]
	if mc.up {
		s.relabel(slot, m.Metadata)
		s.supply(slot, m.Resources)
		s.settleGlobals(slot)
		s.recheckMachine(slot)
		s.improve(slot)
		return
	}
	mc.up = true
	mc.metadata = nil
	mc.total, mc.free = nil, nil
	s.supply(slot, m.Resources)
	s.upCount++
	s.label(slot, m.Metadata)
	s.levels.add(mc.pos, 0)
	s.levels.drops++
	s.settleGlobals(slot)
	s.improve(slot)
}

// supply sets what a machine has in all; what its units take stays taken.
func (s *Scheduler) supply(slot int32, resources map[string]int64) {
	m := &s.machines[slot]
	m.accounted = len(resources) > 0
	total := make([]int64, len(m.total))
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		r := s.resource(name)
		total = atLeast(total, r)
		total[r] = resources[name]
	}
	free := slices.Clone(total)
	for i := range m.total {
		free[i] -= m.total[i] - m.free[i]
	}
	m.total, m.free = total, free
	s.loosen(slot)
}

// atLeast returns amounts long enough for number i.
func atLeast(amounts []int64, i int) []int64 {
	for len(amounts) <= i {
		amounts = append(amounts, 0)
	}
	return amounts
}

// RemoveMachine tells that a machine is gone: what was on it goes elsewhere. It
// reports whether the machine was there.
func (s *Scheduler) RemoveMachine(id string) bool {
	slot, ok := s.machineByID[id]
	if !ok || !s.machines[slot].up {
		return false
	}
	s.settle()
	m := &s.machines[slot]
	for m.first != none {
		u := m.first
		s.unit(u).mayKick = true
		s.evict(u, "machine "+id+" is gone")
	}
	for len(m.globals) > 0 {
		s.leaveGlobal(m.globals[0], slot)
	}
	for _, g := range s.globals {
		s.globalOf[g].missing.remove(m.pos)
	}
	m.missing = 0
	s.loosen(slot)
	s.unlabel(slot)
	m.closed = false
	s.closed.remove(m.pos)
	s.levels.remove(m.pos, m.load)
	s.upCount--
	m.up = false
	return true
}

// settle gives positions to machines that have joined, in the order of ids. All
// sets are renumbered if one of them isn't the last.
func (s *Scheduler) settle() {
	if len(s.arrivals) == 0 {
		return
	}
	byID := func(a, b int32) int { return strings.Compare(s.machines[a].id, s.machines[b].id) }
	slices.SortFunc(s.arrivals, byID)
	old := len(s.order)
	s.order = append(s.order, s.arrivals...)
	inOrder := old == 0 || byID(s.order[old-1], s.arrivals[0]) < 0
	s.arrivals = s.arrivals[:0]
	if inOrder {
		for p := old; p < len(s.order); p++ {
			s.machines[s.order[p]].pos = int32(p)
		}
		return
	}
	slices.SortFunc(s.order, byID)
	to := make([]int32, old)
	for p, slot := range s.order {
		if was := s.machines[slot].pos; was != none {
			to[was] = int32(p)
		}
		s.machines[slot].pos = int32(p)
	}
	s.renumber(to)
	if s.resumed > 0 {
		s.resumed = int32(len(s.order))
	}
}

// renumber moves every set of positions.
func (s *Scheduler) renumber(to []int32) {
	for _, key := range slices.Sorted(maps.Keys(s.labels)) {
		label := s.labels[key]
		label.renumber(to)
		for _, value := range slices.Sorted(maps.Keys(label.values)) {
			label.values[value].renumber(to)
		}
	}
	for _, sel := range s.selectorList {
		sel.renumber(to)
	}
	for _, p := range s.patterns {
		for _, t := range []*tally{&p.units, &p.globals, &p.conflicting, &p.replacing, &p.avoiding, &p.reserving} {
			t.renumber(to)
		}
	}
	for _, d := range s.demandList {
		d.tight.renumber(to)
	}
	for _, g := range s.globals {
		s.globalOf[g].on.renumber(to)
		s.globalOf[g].missing.renumber(to)
		s.globalOf[g].was.renumber(to)
		s.globalOf[g].told.renumber(to)
	}
	s.closed.renumber(to)
	s.levels = levels{drops: s.levels.drops + 1}
	for slot := range s.machines {
		if m := &s.machines[slot]; m.up {
			s.levels.add(m.pos, m.load)
		}
	}
}

// label enters the metadata of a machine that has none.
func (s *Scheduler) label(slot int32, metadata map[string]string) {
	m := &s.machines[slot]
	m.metadata = maps.Clone(metadata)
	for _, key := range slices.Sorted(maps.Keys(m.metadata)) {
		of := s.labels[key]
		if of == nil {
			of = &label{at: s.labelNumber(key), values: make(map[string]*set)}
			s.labels[key], s.labelAt[of.at] = of, of
		}
		value := m.metadata[key]
		if of.values[value] == nil {
			of.values[value] = &set{}
		}
		of.values[value].add(m.pos)
		of.add(m.pos)
		for len(m.values) <= of.at {
			m.values = append(m.values, nil)
		}
		m.values[of.at] = of.values[value]
	}
	for _, sel := range s.selectorList {
		if sel.allows(m) {
			sel.add(m.pos)
			sel.low = 0
		}
	}
}

// unlabel takes a machine out of everything that label put it in.
func (s *Scheduler) unlabel(slot int32) {
	m := &s.machines[slot]
	for _, sel := range s.selectorList {
		sel.remove(m.pos)
	}
	for _, key := range slices.Sorted(maps.Keys(m.metadata)) {
		of := s.labels[key]
		value := m.metadata[key]
		of.remove(m.pos)
		of.values[value].remove(m.pos)
		if of.values[value].n == 0 {
			delete(of.values, value)
		}
		if of.n == 0 {
			delete(s.labels, key)
			s.labelAt[of.at] = nil
		}
	}
	m.values = nil
}

// relabel changes a machine's metadata, if it is another; the units there count
// towards the values they are now on.
func (s *Scheduler) relabel(slot int32, metadata map[string]string) {
	m := &s.machines[slot]
	if maps.Equal(m.metadata, metadata) {
		return
	}
	units := s.unitsOn(slot)
	for _, u := range units {
		s.countSpread(u, slot, -1)
	}
	s.unlabel(slot)
	s.label(slot, metadata)
	for _, u := range units {
		s.countSpread(u, slot, +1)
	}
	s.limitsEased = len(s.waitList) > 0
}

// unitsOn lists the units placed on a machine, other than global ones, the latest
// first.
func (s *Scheduler) unitsOn(slot int32) []int32 {
	var on []int32
	for u := s.machines[slot].first; u != none; u = s.unit(u).next {
		on = append(on, u)
	}
	return on
}

// recheckMachine has the units of a machine looked at again: those of the lowest
// priority first, and of these the latest.
func (s *Scheduler) recheckMachine(slot int32) {
	units := s.unitsOn(slot)
	slices.SortStableFunc(units, func(a, b int32) int {
		return cmp.Compare(s.class(s.unit(a)).needs.Priority, s.class(s.unit(b)).needs.Priority)
	})
	for _, u := range slices.Backward(units) {
		s.recheck(u)
	}
}

// setLoad moves a machine to another level.
func (s *Scheduler) setLoad(m *machine, load int32) {
	s.levels.remove(m.pos, m.load)
	if load < m.load {
		s.levels.drops++
	}
	m.load = load
	s.levels.add(m.pos, load)
}
