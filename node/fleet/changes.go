package fleet

// maxChanges is how many changes are told one by one.
const maxChanges = 1 << 16

// Key names a unit's state on a machine.
type Key struct{ Unit, Machine string }

// Changes are what commands have changed, each thing once, in the order of the
// first change. What is named may be gone.
type Changes struct {
	// Units have another text, wish, place, or a machine less to leave.
	Units []string
	// Machines have another session, metadata, patch, drain or orders.
	Machines []string
	// States are of units on machines.
	States []Key
	// All says that there were too many to name them: anything may have changed.
	All bool

	// units and machines are those that are named, and know it.
	units    []*entry
	machines []*host
	states   map[Key]struct{}
}

// Watch begins to keep changes for Changes, or ends it.
func (s *Store) Watch(on bool) {
	s.news.forget()
	s.news = nil
	if on {
		s.news = newChanges()
	}
}

func newChanges() *Changes { return &Changes{states: make(map[Key]struct{})} }

// Changes returns what has changed since it was called last, or since Watch; it is
// empty without Watch.
func (s *Store) Changes() Changes {
	if s.news == nil || s.news.none() {
		return Changes{}
	}
	c := s.news
	c.Units = make([]string, len(c.units))
	for i, e := range c.units {
		c.Units[i] = e.unit.Name
	}
	c.forget()
	s.news = newChanges()
	return Changes{Units: c.Units, Machines: c.Machines, States: c.States, All: c.All}
}

// forget has units and machines know that they are named no more.
func (c *Changes) forget() {
	if c == nil {
		return
	}
	for _, e := range c.units {
		e.noted = false
	}
	for _, h := range c.machines {
		h.noted = false
	}
}

// none says whether nothing has changed.
func (c *Changes) none() bool {
	return !c.All && len(c.units)+len(c.Machines)+len(c.States) == 0
}

// room says whether one more change can be named.
func (c *Changes) room() bool {
	if c.All {
		return false
	}
	if len(c.units)+len(c.Machines)+len(c.States) >= maxChanges {
		c.forget()
		*c = Changes{All: true}
		return false
	}
	return true
}

func (s *Store) tellUnit(e *entry) {
	if c := s.news; c != nil && !e.noted && c.room() {
		e.noted = true
		c.units = append(c.units, e)
	}
}

func (s *Store) tellMachine(h *host) {
	if c := s.news; c != nil && !h.noted && c.room() {
		h.noted = true
		c.machines, c.Machines = append(c.machines, h), append(c.Machines, h.machine.ID)
	}
}

func (s *Store) tellState(unit, machine string) {
	c, key := s.news, Key{unit, machine}
	if c == nil || !c.room() {
		return
	}
	if _, ok := c.states[key]; !ok {
		c.states[key] = struct{}{}
		c.States = append(c.States, key)
	}
}
