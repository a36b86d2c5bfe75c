package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// loads checks the times to live, which the protocol counts in whole seconds.
func (d *decoder) loads(s *Scenario) {
	for _, one := range []struct {
		path string
		time time.Duration
	}{
		{"load.ttl.shortest", s.Load.TTL.Shortest}, {"load.ttl.longest", s.Load.TTL.Longest}, {"load.lock.ttl", s.Load.Lock.TTL},
	} {
		if one.time%time.Second != 0 {
			d.fail(d.at[one.path], "1s, 2s, 3s, …", "a time to live is in whole seconds, not %s", shortTime(one.time))
		}
	}
	if t := s.Load.TTL; t.Longest < t.Shortest {
		at := cmp.Or(d.at["load.ttl.longest"], d.at["load.ttl.shortest"])
		d.fail(at, "", "longest: %s is less than shortest, %s", shortTime(t.Longest), shortTime(t.Shortest))
	}
}

// nemesis checks the time and the faults of the nemesis.
func (d *decoder) nemesis(s *Scenario) {
	n := s.Nemesis
	for _, list := range []struct {
		key   string
		words []string
	}{{"only", n.Only}, {"without", n.Without}} {
		for i, w := range list.words {
			if !slices.Contains(faultWords(), w) {
				d.fail(d.at[fmt.Sprintf("nemesis.%s[%d]", list.key, i)], meant(w, faultWords()), "%s: no fault is called %q", list.key, w)
			}
		}
	}
	if n.Profile == "" {
		return
	}
	until := n.Until
	if until == 0 {
		until = s.HealAt
	}
	if n.From >= until || until > s.HealAt {
		at := cmp.Or(d.at["nemesis.until"], d.at["nemesis.from"], d.at["nemesis"])
		d.fail(at, "faults strike between `from` and `until`", "nemesis: from %s until %s, but all is healed at %s",
			shortTime(n.From), shortTime(until), shortTime(s.HealAt))
	}
}
