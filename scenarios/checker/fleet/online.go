package fleet

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// Facts are what is known of units and machines before a run; it begins with all
// of them known.
type Facts struct {
	Units    []history.FleetUnit
	Machines []history.FleetMachine
	// Keep says that machines which are cut off go on running their units, so that
	// a unit may well run twice.
	Keep bool
}

// Once objects to a unit that isn't global and runs on two machines at once.
type Once struct {
	units map[string]*history.FleetUnit
	keep  bool
	runs  map[string][]string // machines, by unit
	seen  int
}

// NewOnce begins to follow a run.
func NewOnce(f *Facts) *Once {
	return &Once{units: byName(f.Units), keep: f.Keep, runs: make(map[string][]string)}
}

// Ran takes a run that has begun or ended.
func (o *Once) Ran(r *history.Ran) *checker.Violation {
	at := slices.Index(o.runs[r.Unit], r.Machine)
	if r.End != 0 {
		if at >= 0 {
			o.runs[r.Unit] = slices.Delete(o.runs[r.Unit], at, at+1)
		}
		return nil
	}
	o.seen++
	others := o.runs[r.Unit]
	o.runs[r.Unit] = append(slices.Clone(others), r.Machine)
	if u := o.units[r.Unit]; u != nil && u.Global || o.keep || len(others) == 0 {
		return nil
	}
	return &checker.Violation{
		Key: r.Unit, At: r.Begin,
		Why: fmt.Sprintf("%s begins to run on %s at %s while it runs on %s", r.Unit, r.Machine, seconds(r.Begin), strings.Join(others, ", ")),
	}
}

// Apart objects to units in conflict that run on one machine at once.
type Apart struct {
	units map[string]*history.FleetUnit
	runs  map[string][]string // units, by machine
}

// NewApart begins to follow a run.
func NewApart(f *Facts) *Apart {
	return &Apart{units: byName(f.Units), runs: make(map[string][]string)}
}

// Ran takes a run that has begun or ended.
func (a *Apart) Ran(r *history.Ran) *checker.Violation {
	here := a.runs[r.Machine]
	if r.End != 0 {
		if at := slices.Index(here, r.Unit); at >= 0 {
			a.runs[r.Machine] = slices.Delete(here, at, at+1)
		}
		return nil
	}
	a.runs[r.Machine] = append(slices.Clone(here), r.Unit)
	for _, other := range here {
		if other != r.Unit && a.conflict(r.Unit, other) {
			return &checker.Violation{
				Key: r.Unit, At: r.Begin,
				Why: fmt.Sprintf("%s begins to run on %s at %s, where %s runs: they are in conflict", r.Unit, r.Machine, seconds(r.Begin), other),
			}
		}
	}
	return nil
}

// conflict says whether either of two units names the other.
func (a *Apart) conflict(one, other string) bool {
	names := func(from, to string) bool {
		u := a.units[from]
		return u != nil && slices.ContainsFunc(u.Conflicts, func(glob string) bool {
			ok, err := path.Match(glob, to)
			return err == nil && ok
		})
	}
	return names(one, other) || names(other, one)
}

// decided is how long a placement may be on its way, from the decision to the
// unit's first process: texts to fetch, others to wait for, links that delay.
const decided = 10 * time.Second

// Placed objects to units on machines that don't allow them.
type Placed struct {
	units    map[string]*history.FleetUnit
	machines map[string][]described
	runs     map[string]map[string]bool // units, by machine
}

// described is a machine's metadata from a time on.
type described struct {
	at   int64
	pair []string
}

// NewPlaced begins to follow a run.
func NewPlaced(f *Facts) *Placed {
	p := &Placed{units: byName(f.Units), machines: make(map[string][]described), runs: make(map[string]map[string]bool)}
	for _, m := range f.Machines {
		p.machines[m.Name] = []described{{pair: m.Metadata}}
		p.runs[m.Name] = make(map[string]bool)
	}
	return p
}

// Wish takes a user's change of a machine's metadata.
func (p *Placed) Wish(w *history.FleetWish) {
	if w.Do == "metadata" {
		// It may have taken effect at any time since it was asked for.
		p.machines[w.Machine] = append(p.machines[w.Machine], described{at: w.Asked, pair: w.Metadata})
	}
}

// Ran takes a run that has begun or ended.
func (p *Placed) Ran(r *history.Ran) *checker.Violation {
	if here := p.runs[r.Machine]; here != nil && r.End != 0 {
		delete(here, r.Unit)
		return nil
	} else if here != nil {
		here[r.Unit] = true
	}
	u := p.units[r.Unit]
	if u == nil || len(u.Metadata) == 0 {
		return nil
	}
	list := p.machines[r.Machine]
	for i := range list {
		until := int64(1<<63 - 1)
		if i+1 < len(list) {
			until = list[i+1].at
		}
		if until >= r.Begin-int64(decided) && allows(list[i].pair, u.Metadata) {
			return nil
		}
	}
	return &checker.Violation{
		Key: r.Unit, At: r.Begin,
		Why: fmt.Sprintf("%s, which wants %s, begins to run on %s at %s, which is %s", r.Unit,
			strings.Join(u.Metadata, " "), r.Machine, seconds(r.Begin), strings.Join(list[len(list)-1].pair, " ")),
	}
}

// allows says whether metadata meets conditions: of one key any, of several all.
func allows(has, wants []string) bool {
	met := make(map[string]bool)
	for _, want := range wants {
		key, _, _ := strings.Cut(want, "=")
		met[key] = met[key] || slices.Contains(has, want)
	}
	for _, key := range slices.Sorted(maps.Keys(met)) {
		if !met[key] {
			return false
		}
	}
	return true
}

// Capacity objects to machines on which units reserve more than there is.
type Capacity struct {
	units    map[string]*history.FleetUnit
	machines map[string]*history.FleetMachine
	cpu, mem map[string]int64
}

// NewCapacity begins to follow a run.
func NewCapacity(f *Facts) *Capacity {
	c := &Capacity{
		units: byName(f.Units), machines: make(map[string]*history.FleetMachine),
		cpu: make(map[string]int64), mem: make(map[string]int64),
	}
	for i := range f.Machines {
		c.machines[f.Machines[i].Name] = &f.Machines[i]
	}
	return c
}

// Ran takes a run that has begun or ended.
func (c *Capacity) Ran(r *history.Ran) *checker.Violation {
	u, m := c.units[r.Unit], c.machines[r.Machine]
	if u == nil || m == nil {
		return nil
	}
	sign := int64(1)
	if r.End != 0 {
		sign = -1
	}
	c.cpu[m.Name] += sign * u.CPU
	c.mem[m.Name] += sign * u.Memory
	why := ""
	switch {
	case r.End != 0:
	case m.CPU > 0 && u.CPU > 0 && c.cpu[m.Name] > m.CPU:
		why = fmt.Sprintf("%d thousandths of a core of %d", c.cpu[m.Name], m.CPU)
	case m.Memory > 0 && u.Memory > 0 && c.mem[m.Name] > m.Memory:
		why = fmt.Sprintf("%d MiB of %d", c.mem[m.Name], m.Memory)
	}
	if why == "" {
		return nil
	}
	return &checker.Violation{
		Key: r.Unit, At: r.Begin,
		Why: fmt.Sprintf("%s begins to run on %s at %s, where units then have %s", r.Unit, r.Machine, seconds(r.Begin), why),
	}
}

func byName(list []history.FleetUnit) map[string]*history.FleetUnit {
	out := make(map[string]*history.FleetUnit, len(list))
	for i := range list {
		out[list[i].Name] = &list[i]
	}
	return out
}

func seconds(t int64) string { return fmt.Sprintf("%.3fs", time.Duration(t).Seconds()) }
