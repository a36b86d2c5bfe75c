package plan

import (
	"maps"
	"slices"
	"strconv"

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
	// instantiate is a template's.
	instantiate func(unit.Name) *unit.Requirements
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
	// What has moved runs at once, so that budgets hold nothing up for long.
	for latest := moves; len(latest) > 0; moves = append(moves, latest...) {
		for _, m := range latest {
			if m.To != "" {
				c.scheduler.Running(m.Unit)
			}
		}
		latest, _ = c.scheduler.Solve(0)
	}
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
	if k == nil {
		k = &known{}
		c.units[o.name] = k
		if o.needs == nil {
			k.needs, k.refused = c.fromTemplate(o.name)
		}
	}
	if o.needs != nil {
		k.needs, k.refused, k.instantiate = o.needs, o.refused, o.instantiate
	}
	switch name, err := unit.ParseName(o.name); {
	case k.refused != "":
		c.scheduler.RemoveUnit(o.name)
	case err == nil && name.IsTemplate():
		c.changeTemplate(o, k, name)
	default:
		k.desired = map[verb]desired{submit: inactive, load: loaded, start: launched}[o.verb]
		c.tell(o.name, k)
	}
}

func (c *cluster) tell(name string, k *known) {
	c.scheduler.SetUnit(scheduler.Unit{Name: name, Active: k.desired != inactive, Needs: k.needs})
}

// fromTemplate returns the requirements of an instance whose template is known,
// with the instance's specifiers.
func (c *cluster) fromTemplate(instance string) (*unit.Requirements, string) {
	name, err := unit.ParseName(instance)
	if err != nil || !name.IsInstance() {
		return nil, ""
	}
	template, _ := name.Template()
	k := c.units[template.String()]
	if k == nil || k.instantiate == nil {
		return nil, ""
	}
	return k.instantiate(name), k.refused
}

// changeTemplate submits a template. One with Replicas is started by starting so
// many instances; others can't be.
func (c *cluster) changeTemplate(o op, k *known, template unit.Name) {
	c.tell(o.name, k)
	if o.verb == submit {
		return
	}
	if k.needs == nil || k.needs.Replicas == 0 {
		c.remark(o, "cannot activate template %q: start its instances, or give it Replicas=", o.name)
		return
	}
	var are []unit.Name
	for _, written := range slices.Sorted(maps.Keys(c.units)) {
		if name, err := unit.ParseName(written); err == nil {
			are = append(are, name)
		}
	}
	_, surplus, err := scheduler.Instances(template, k.needs.Replicas, are)
	if err != nil {
		c.remark(o, "%v", err)
		return
	}
	for _, name := range surplus {
		c.lower(op{verb: destroy, name: name.String(), at: o.at})
	}
	for n := 1; n <= k.needs.Replicas; n++ {
		if name, err := template.With(strconv.Itoa(n)); err == nil {
			c.change(op{verb: o.verb, name: name.String(), needs: k.instantiate(name), at: o.at})
		}
	}
}

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
		c.tell(o.name, k)
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
			out.Unplaced[name] = c.inWords(name, k, why)
		}
	}
	return out
}

// inWords adds to the scheduler's reason what only the plan knows.
func (c *cluster) inWords(name string, k *known, why string) string {
	parsed, err := unit.ParseName(name)
	if err == nil && parsed.IsTemplate() {
		return "a template: its instances run"
	}
	if k.desired == inactive {
		return "inactive: submitted, and not loaded or started"
	}
	return why
}
