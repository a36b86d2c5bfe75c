package fleetctl

import (
	"maps"
	"slices"

	"drydock/node/scheduler"
	"drydock/node/ui"
	"drydock/node/unit"
)

// desired is a unit's desired state.
type desired int

const (
	inactive desired = iota
	loaded
	launched
)

// known is a unit that a plan has spoken of.
type known struct {
	desired desired
	needs   *unit.Requirements
	// refused is why a cluster wouldn't take it; then it isn't there.
	refused string
}

// cluster is what a plan runs on: units and machines as the commands so far have
// left them, and the scheduler that is told of them.
type cluster struct {
	scheduler *scheduler.Scheduler
	units     map[string]*known
	machines  map[string]op
	// overrides are the metadata that meta has set, in order; as in fleet they
	// outlive the machine's restart.
	overrides []op
	remarks   []ui.Problem
}

// outcome is where everything is after a step.
type outcome struct {
	Step     int                 `json:"step"`
	Placed   map[string]string   `json:"placed"`
	Global   map[string][]string `json:"global"`
	Unplaced map[string]string   `json:"unplaced"`

	moves []scheduler.Move
}

func newCluster(machines []scheduler.Machine) *cluster {
	c := &cluster{scheduler: scheduler.New(), units: make(map[string]*known), machines: make(map[string]op)}
	for _, m := range machines {
		c.machines[m.ID] = op{machine: m, id: m.ID}
		c.scheduler.SetMachine(m)
	}
	return c
}

// run carries out one step and waits until nothing moves any more.
func (c *cluster) run(n int, s step) outcome {
	for _, o := range s.ops {
		c.apply(o)
	}
	moves, _ := c.scheduler.Solve(0)
	return c.look(n, moves)
}

// apply tells the scheduler of one op.
func (c *cluster) apply(o op) {
	switch o.verb {
	case start, load, submit:
		c.change(o)
	case stop, unload, destroy:
		c.lower(o)
	case up:
		c.machines[o.id] = o
		c.scheduler.SetMachine(o.withOverrides(c.overrides))
	case down:
		if !c.scheduler.RemoveMachine(o.id) {
			c.remark(o, "no machine %q is up", o.id)
		}
		delete(c.machines, o.id)
	case drain, undrain:
		if !c.scheduler.Drain(o.id, o.verb == drain) {
			c.remark(o, "no machine %q is up", o.id)
		}
	case meta:
		c.overrides = append(c.overrides, o)
		if m, ok := c.machines[o.id]; ok {
			c.scheduler.SetMachine(m.withOverrides(c.overrides))
		} else {
			c.remark(o, "no machine %q is up: this holds from when it is", o.id)
		}
	case preset:
		if !c.scheduler.Assign(o.name, o.id) {
			c.remark(o, "preset: %s or the machine %q isn't there, or the unit isn't to have a machine", o.name, o.id)
		}
	}
}

// change submits, loads or starts a unit.
func (c *cluster) change(o op) {
	k := c.units[o.name]
	needs := o.needs
	if needs == nil && k == nil {
		needs = c.template(o.name)
	}
	if k == nil {
		k = &known{}
		c.units[o.name] = k
	}
	if needs != nil {
		k.needs, k.refused = needs, o.refused
	}
	if o.verb != submit || k.refused != "" {
		if name, err := unit.ParseName(o.name); err == nil && name.IsTemplate() && o.verb != submit && k.refused == "" {
			c.remark(o, "cannot activate template %q: start its instances", o.name)
			return
		}
		k.desired = map[verb]desired{submit: inactive, load: loaded, start: launched}[o.verb]
	}
	if k.refused != "" {
		c.scheduler.RemoveUnit(o.name)
		return
	}
	c.scheduler.SetUnit(scheduler.Unit{Name: o.name, Active: k.desired != inactive, Needs: k.needs})
}

// template returns the requirements of the template that a unit is an instance
// of, with its own specifiers.
func (c *cluster) template(name string) *unit.Requirements { return nil }

// lower stops, unloads or destroys a unit.
func (c *cluster) lower(o op) {
	k := c.units[o.name]
	if k == nil {
		c.remark(o, "%s: no unit %q is known", o.verb, o.name)
		return
	}
	switch {
	case o.verb == destroy:
		delete(c.units, o.name)
		c.scheduler.RemoveUnit(o.name)
		return
	case o.verb == stop && k.desired == inactive:
		c.remark(o, "unable to stop unit %s in state inactive", o.name)
		return
	case o.verb == stop:
		k.desired = loaded
	default:
		k.desired = inactive
	}
	if k.refused == "" {
		c.scheduler.SetUnit(scheduler.Unit{Name: o.name, Active: k.desired != inactive, Needs: k.needs})
	}
}

func (c *cluster) remark(o op, format string, args ...any) {
	c.remarks = append(c.remarks, remark(o.at, format, args...))
}

// look asks where everything is.
func (c *cluster) look(n int, moves []scheduler.Move) outcome {
	out := outcome{
		Step: n, Placed: map[string]string{}, Global: map[string][]string{}, Unplaced: map[string]string{}, moves: moves,
	}
	for _, name := range slices.Sorted(maps.Keys(c.units)) {
		k := c.units[name]
		switch {
		case k.refused != "":
			out.Unplaced[name] = "refused: " + k.refused
			continue
		case k.desired != inactive && k.needs != nil && k.needs.Global:
			out.Global[name] = append([]string{}, c.scheduler.Everywhere(name)...)
		case c.scheduler.Where(name) != "":
			out.Placed[name] = c.scheduler.Where(name)
		}
		if why := c.scheduler.Why(name); why != "" {
			out.Unplaced[name] = why
		}
	}
	return out
}
