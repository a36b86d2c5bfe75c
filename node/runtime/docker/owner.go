package docker

import (
	"slices"
	"strings"
	"time"
)

// fits says whether a container may have come of a claim without a name.
func (cl claim) fits(c container) bool {
	if cl.Name != "" || cl.Image == "" || cl.Image != c.Image {
		return false
	}
	if cl.Open {
		return len(c.Command) >= len(cl.Args) && slices.Equal(c.Command[:len(cl.Args)], cl.Args)
	}
	return slices.Equal(c.Command, cl.Args)
}

// mayFit says it of a container that wasn't inspected.
func mayFit(units []record, c container) bool {
	return slices.ContainsFunc(units, func(u record) bool {
		return slices.ContainsFunc(u.Claims, func(cl claim) bool {
			return cl.Name == "" && cl.Image != "" && cl.Image == c.Image
		})
	})
}

// owners says whose containers are: their units' names by container id. Containers
// without a name that a unit gives are expected to be inspected.
func owners(units []record, containers []container) map[string]string {
	owned := make(map[string]string)
	var rest []container
	for _, c := range containers {
		if name := byWord(units, c); name != "" {
			owned[c.ID] = name
		} else if c.Labels[Label] == "" {
			rest = append(rest, c)
		}
	}
	slices.SortFunc(rest, func(a, b container) int {
		if d := a.Created.Compare(b.Created); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
	taken := make(map[start]bool)
	for _, c := range rest {
		if s, ok := cause(units, c, taken); ok {
			taken[s] = true
			owned[c.ID] = s.unit
		}
	}
	return owned
}

// byWord returns whose a container is by its label or name, "" if nobody's.
func byWord(units []record, c container) string {
	for _, u := range units {
		if c.Labels[Label] == u.Unit {
			return u.Unit
		}
	}
	if c.Labels[Label] != "" {
		return ""
	}
	for _, u := range units {
		for _, cl := range u.Claims {
			if cl.Name != "" && slices.Contains(c.Names, cl.Name) {
				return u.Unit
			}
		}
	}
	return ""
}

// start is one start of a unit.
type start struct {
	unit string
	at   time.Time
}

// cause returns the start that a container came of: of those units that make such
// containers, each one's last start before it, if none has come of that yet; and of
// these the earliest.
func cause(units []record, c container, taken map[start]bool) (best start, ok bool) {
	for _, u := range units {
		if !slices.ContainsFunc(u.Claims, func(cl claim) bool { return cl.fits(c) }) {
			continue
		}
		last := start{unit: u.Unit}
		for _, at := range u.Starts {
			if !at.After(c.Created) && at.After(last.at) {
				last.at = at
			}
		}
		if !last.at.IsZero() && !taken[last] && (!ok || last.at.Before(best.at)) {
			best, ok = last, true
		}
	}
	return best, ok
}
