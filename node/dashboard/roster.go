package dashboard

import (
	"sync"
	"time"

	"drydock/node/fleet"
)

// roster is who the machines are. It doesn't change.
type roster struct {
	up, known int
	// names are machines' by id, alike those that several have.
	names map[string]string
	alike map[string]bool
}

// rosterShare is how much of the member's thread may go into looking who the machines
// are, as a fraction: where there are many, the pages show them as they were a moment
// ago.
const rosterShare = 50

// rosterCache keeps the roster for as long as it took long to make.
type rosterCache struct {
	mu    sync.Mutex
	last  *roster
	until time.Time
}

func (c *rosterCache) look(s *fleet.Store) *roster {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := time.Now()
	if begun.Before(c.until) {
		return c.last
	}
	r := &roster{known: s.Machines(), names: make(map[string]string), alike: make(map[string]bool)}
	seen := make(map[string]bool)
	for m := range s.MachinesFrom(0) {
		r.names[m.ID] = m.Name
		r.alike[m.Name] = seen[m.Name]
		seen[m.Name] = true
		if m.Session != 0 {
			r.up++
		}
	}
	c.last = r
	if took := time.Since(begun); took > time.Millisecond {
		c.until = begun.Add(rosterShare * took)
	}
	return r
}

// nameOf is a machine's name for people: its own, or, if it has none or another has
// the same, with the beginning of its id.
func (r *roster) nameOf(id string) string {
	switch name := r.names[id]; {
	case name == "":
		return shortID(id)
	case r.alike[name]:
		return name + " " + shortID(id)
	default:
		return name
	}
}

func shortID(id string) string { return id[:min(8, len(id))] }

func (r *roster) link(id string) machineLink {
	return machineLink{Name: r.nameOf(id), Href: unitsOn(id)}
}
