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

	units, machines map[string]struct{}
	states          map[Key]struct{}
}

// Watch begins to keep changes for Changes, or ends it.
func (s *Store) Watch(on bool) {
	s.news = nil
	if on {
		s.news = newChanges()
	}
}

func newChanges() *Changes {
	return &Changes{units: make(map[string]struct{}), machines: make(map[string]struct{}), states: make(map[Key]struct{})}
}

// Changes returns what has changed since it was called last, or since Watch; it is
// empty without Watch.
func (s *Store) Changes() Changes {
	if s.news == nil || s.news.none() {
		return Changes{}
	}
	c := s.news
	s.news = newChanges()
	return Changes{Units: c.Units, Machines: c.Machines, States: c.States, All: c.All}
}

// none says whether nothing has changed.
func (c *Changes) none() bool {
	return !c.All && len(c.Units)+len(c.Machines)+len(c.States) == 0
}

// room says whether one more change can be named.
func (c *Changes) room() bool {
	if c.All {
		return false
	}
	if len(c.Units)+len(c.Machines)+len(c.States) >= maxChanges {
		*c = Changes{All: true}
		return false
	}
	return true
}

// note adds key to list unless it is there.
func note[K comparable](list []K, seen map[K]struct{}, key K) []K {
	if _, ok := seen[key]; ok {
		return list
	}
	seen[key] = struct{}{}
	return append(list, key)
}

func (s *Store) tellUnit(name string) {
	if c := s.news; c != nil && c.room() {
		c.Units = note(c.Units, c.units, name)
	}
}

func (s *Store) tellMachine(id string) {
	if c := s.news; c != nil && c.room() {
		c.Machines = note(c.Machines, c.machines, id)
	}
}

func (s *Store) tellState(unit, machine string) {
	if c := s.news; c != nil && c.room() {
		c.States = note(c.States, c.states, Key{unit, machine})
	}
}
