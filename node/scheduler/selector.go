package scheduler

import (
	"maps"
	"slices"
	"strings"

	"drydock/node/unit"
)

// selector is a demand on machines that depends on nothing but the machine:
// MachineID and MachineMetadata. Its set holds the machines that are up and meet
// it. Classes share selectors.
type selector struct {
	set
	refs  int
	at    int // its place in Scheduler.selectorList
	key   string
	needs *unit.Requirements
	// low is a load that no machine of the set is below, as of levels.drops.
	low   int32
	drops uint64
}

// selectorOf returns the selector of a unit's requirements, nil if any machine
// will do.
func (s *Scheduler) selectorOf(r *unit.Requirements) *selector {
	if !r.Pinned && len(r.Metadata) == 0 {
		return nil
	}
	var b strings.Builder
	if r.Pinned {
		b.WriteString("id\x00" + r.MachineID + "\x00")
	}
	for _, c := range r.Metadata {
		b.WriteString(c.Key + "\x00" + string(c.Op) + "\x00" + strings.Join(c.Values, "\x01") + "\x00")
	}
	key := b.String()
	if sel := s.selectors[key]; sel != nil {
		sel.refs++
		return sel
	}
	s.settle()
	sel := &selector{refs: 1, key: key, needs: r}
	s.selectors[key] = sel
	sel.at = len(s.selectorList)
	s.selectorList = append(s.selectorList, sel)
	for _, p := range s.candidates(r) {
		if m := &s.machines[s.order[p]]; m.up && sel.allows(m) {
			sel.add(p)
		}
	}
	return sel
}

func (s *Scheduler) dropSelector(sel *selector) {
	if sel == nil {
		return
	}
	sel.refs--
	if sel.refs > 0 {
		return
	}
	delete(s.selectors, sel.key)
	last := s.selectorList[len(s.selectorList)-1]
	s.selectorList[sel.at], last.at = last, sel.at
	s.selectorList = s.selectorList[:len(s.selectorList)-1]
}

// candidates returns positions that include all that meet r, in ascending order:
// those with one of the values of its rarest equality, or all.
func (s *Scheduler) candidates(r *unit.Requirements) []int32 {
	if r.Pinned {
		return s.named(r.MachineID)
	}
	best, least := -1, len(s.order)
	for i, c := range r.Metadata {
		if c.Op != unit.Is {
			continue
		}
		n := 0
		for _, v := range c.Values {
			if of := s.labels[c.Key].value(v); of != nil {
				n += of.n
			}
		}
		if n < least {
			best, least = i, n
		}
	}
	var found []int32
	if best < 0 {
		for p := range s.order {
			found = append(found, int32(p))
		}
		return found
	}
	for _, v := range r.Metadata[best].Values {
		if of := s.labels[r.Metadata[best].Key].value(v); of != nil {
			found = slices.AppendSeq(found, of.each)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// named returns the positions of the machines that MachineID=id may mean.
func (s *Scheduler) named(id string) []int32 {
	var found []int32
	if slot, ok := s.machineByID[id]; ok {
		found = append(found, s.machines[slot].pos)
	}
	for _, slot := range s.machinesByShort[id] {
		found = append(found, s.machines[slot].pos)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (sel *selector) allows(m *machine) bool {
	return sel.needs.AllowsMachine(m.id) && failing(sel.needs, m) == nil
}

// failing returns the first condition that a machine's metadata doesn't meet.
func failing(r *unit.Requirements, m *machine) *unit.Condition {
	for i := range r.Metadata {
		c := &r.Metadata[i]
		value, has := m.metadata[c.Key]
		if !c.Holds(value, has) {
			return c
		}
	}
	return nil
}

// demand is an amount of each of some resources, shared by the units that ask for
// it.
type demand struct {
	refs int
	at   int // its place in Scheduler.demandList
	key  string
	// of are numbers of resources, without repeats, and amounts.
	of []amount
	// tight are the machines known not to have it free. Whatever leaves a
	// machine takes it out, so that each entry is paid for by one refusal.
	tight set
}

type amount struct {
	resource int
	n        int64
}

// resource returns the number of a resource.
func (s *Scheduler) resource(name string) int {
	i, ok := s.resources[name]
	if !ok {
		i = len(s.resources)
		s.resources[name] = i
		s.resourceNames = append(s.resourceNames, name)
	}
	return i
}

// demandOf returns the demand of a unit's requirements, nil if they take nothing.
func (s *Scheduler) demandOf(r *unit.Requirements) *demand {
	if len(r.Resources) == 0 {
		return nil
	}
	sum := make(map[string]int64)
	for _, one := range r.Resources {
		sum[one.Name] += one.Amount
	}
	d := &demand{refs: 1}
	var key []byte
	for _, name := range slices.Sorted(maps.Keys(sum)) {
		if sum[name] > 0 {
			d.of = append(d.of, amount{s.resource(name), sum[name]})
			key = appendInts(key, int64(s.resource(name)), sum[name])
		}
	}
	d.key = string(key)
	if old := s.demands[d.key]; old != nil {
		old.refs++
		return old
	}
	s.demands[d.key] = d
	d.at = len(s.demandList)
	s.demandList = append(s.demandList, d)
	return d
}

func (s *Scheduler) dropDemand(d *demand) {
	if d == nil {
		return
	}
	d.refs--
	if d.refs > 0 {
		return
	}
	for p := range d.tight.each {
		m := &s.machines[s.order[p]]
		m.tight = slices.DeleteFunc(m.tight, func(o *demand) bool { return o == d })
	}
	delete(s.demands, d.key)
	last := s.demandList[len(s.demandList)-1]
	s.demandList[d.at], last.at = last, d.at
	s.demandList = s.demandList[:len(s.demandList)-1]
}

// fits says whether a machine has what d asks for.
func (d *demand) fits(m *machine) bool {
	return d.short(m) < 0
}

// short returns the number of the first resource that a machine has too little
// of, -1 if none.
func (d *demand) short(m *machine) int {
	if !m.accounted {
		return -1
	}
	for _, a := range d.of {
		if a.resource >= len(m.free) || m.free[a.resource] < a.n {
			return a.resource
		}
	}
	return -1
}

// take changes what is free on a machine; sign is 1 to give back, -1 to take.
func (d *demand) take(m *machine, sign int64) {
	for _, a := range d.of {
		m.free, m.total = atLeast(m.free, a.resource), atLeast(m.total, a.resource)
		m.free[a.resource] += sign * a.n
	}
}

// tighten remembers that d doesn't fit on a machine.
func (s *Scheduler) tighten(d *demand, m *machine) {
	if d.tight.add(m.pos) {
		m.tight = append(m.tight, d)
	}
}

// loosen forgets what didn't fit on a machine.
func (s *Scheduler) loosen(slot int32) {
	m := &s.machines[slot]
	for _, d := range m.tight {
		d.tight.remove(m.pos)
	}
	m.tight = m.tight[:0]
}

func appendInts(b []byte, values ...int64) []byte {
	for _, v := range values {
		for range 8 {
			b = append(b, byte(v))
			v >>= 8
		}
	}
	return b
}
