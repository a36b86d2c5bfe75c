package control

import (
	"drydock/node/fleet"
	"drydock/node/scheduler"
	"drydock/node/unit"
)

// takeover is what a new leader has yet to tell its scheduler. Meanwhile nothing is
// decided; sessions are kept from the first moment on.
type takeover struct {
	machines []string
	// units is a heap: to put a million in order at once would take longer than the
	// other members wait for this one.
	units  []asked
	listed bool
	last   string // the unit that was read last, while they are listed
}

// asked is a unit that is to have a place, in the order in which that was asked.
type asked struct {
	at   uint64
	name string
}

func (a asked) before(b asked) bool { return a.at < b.at || a.at == b.at && a.name < b.name }

// push adds a unit.
func (t *takeover) push(a asked) {
	i := len(t.units)
	t.units = append(t.units, a)
	for i > 0 && a.before(t.units[(i-1)/2]) {
		t.units[i] = t.units[(i-1)/2]
		i = (i - 1) / 2
	}
	t.units[i] = a
}

// pop takes the unit that was asked for first.
func (t *takeover) pop() asked {
	first, n := t.units[0], len(t.units)-1
	a := t.units[n]
	t.units[n] = asked{}
	t.units = t.units[:n]
	i := 0
	for child := 1; child < n; child = 2*i + 1 {
		if child+1 < n && t.units[child+1].before(t.units[child]) {
			child++
		}
		if !t.units[child].before(a) {
			break
		}
		t.units[i] = t.units[child]
		i = child
	}
	if n > 0 {
		t.units[i] = a
	}
	return first
}

// beginTakeover enters the sessions that the state has. They are as if they had
// been heard now: whoever led before has acknowledged nothing that was sent later.
func (c *Control) beginTakeover() {
	c.taking = &takeover{}
	for m := range c.store.MachinesFrom(0) {
		if m.Session == 0 {
			continue
		}
		if s := c.table.byID[m.ID]; s == nil {
			c.begin(&m)
		}
		c.taking.machines = append(c.taking.machines, m.ID)
	}
}

// startOver forgets all that was decided, and reads the state anew: more has
// changed than could be told.
func (c *Control) startOver() {
	c.sched = scheduler.New()
	c.records = make(map[string]*record)
	c.dirty, c.changed = newQueue(), newQueue()
	var all []string
	for m := range c.store.MachinesFrom(0) {
		all = append(all, m.ID)
		if s := c.table.byID[m.ID]; s != nil {
			s.inScheduler, s.drained = false, false
		}
	}
	c.taking = &takeover{}
	for _, id := range all {
		c.followMachine(id)
	}
	c.beginTakeover()
}

// takeOver does a part of what is left.
func (c *Control) takeOver() {
	t := c.taking
	n := maxRead
	for ; n > 0 && len(t.machines) > 0; n-- {
		id := t.machines[0]
		t.machines = t.machines[1:]
		m, _ := c.store.Machine(id)
		c.tellMachine(id, &m, c.table.byID[id])
	}
	if n > 0 && !t.listed {
		c.listUnits(4 * n) // reading a unit's record costs little beside its text
		return
	}
	for ; n > 0 && len(t.units) > 0; n-- {
		c.resume(t.pop().name)
	}
	if t.listed && len(t.units) == 0 && len(t.machines) == 0 {
		c.taking, c.busy = nil, true
	}
}

// listUnits reads the next units that are to have a place.
func (c *Control) listUnits(n int) {
	t := c.taking
	for u := range c.store.UnitsAfter(t.last) {
		if n--; n < 0 {
			return
		}
		t.last = u.Name
		if schedulable(&u) {
			t.push(asked{u.Asked, u.Name})
		}
	}
	t.listed = true
}

// schedulable says whether a unit is to have a place: it is active, and no template.
func schedulable(u *fleet.Unit) bool {
	if u.Desired == fleet.Inactive {
		return false
	}
	name, err := unit.ParseName(u.Name)
	return err == nil && !name.IsTemplate()
}

// resume tells the scheduler of a unit as it stands. Where an earlier text of it
// runs, the scheduler must hear what that asks for, and of the new text as of one
// that has yet to come.
func (c *Control) resume(name string) {
	u, ok := c.store.Unit(name)
	if !ok || !schedulable(&u) {
		return // it has changed, and is among those
	}
	var on []string
	stands := u.Hash
	for i := range u.Places {
		on = append(on, u.Places[i].Machine)
		if !u.Global {
			stands = u.Places[i].Hash
		}
	}
	c.sched.Resume(scheduler.Unit{Name: name, Active: true, Needs: c.store.Requirements(name, stands)}, on...)
	if stands != u.Hash {
		c.followUnit(name)
	}
	c.mark(name)
	for _, id := range on {
		c.examine(name, id)
	}
}
