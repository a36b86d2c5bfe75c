package agent

import (
	"fmt"
	"slices"

	"drydock/node/unit"
)

// room says why a unit can't be started beside what is on the machine; empty if it
// can. What counts is what is there, not what is ordered: a unit that has been
// moved away is in the way until nothing is left of it.
func (a *Agent) room(l *local) string {
	for _, o := range a.units {
		if o == l || !o.inTheWay() {
			continue
		}
		switch {
		case o.unsure && o.file == nil:
			return fmt.Sprintf("waits for the end of %s, which is left of an earlier life of the agent", o.name)
		case matches(l.req.Conflicts, o.name) || matches(o.req.Conflicts, l.name):
			return fmt.Sprintf("waits for the end of %s, with which it is in conflict", o.name)
		case o.order == nil && matches(l.req.Replaces, o.name):
			return fmt.Sprintf("waits for the end of %s, which it replaces", o.name)
		}
	}
	if len(a.cfg.Machine.Resources) == 0 {
		return ""
	}
	for _, want := range l.req.Resources {
		if want.Amount <= 0 {
			continue
		}
		total, used := a.cfg.Machine.Resources[want.Name], int64(0)
		for _, o := range a.units {
			if o != l && o.inTheWay() {
				used += amount(o.req.Resources, want.Name)
			}
		}
		if free := total - used; want.Amount > free {
			return fmt.Sprintf("waits for %s: it needs %d, and %d of %d are free", want.Name, want.Amount, max(0, free), total)
		}
	}
	return ""
}

// inTheWay says whether a unit takes its place on the machine: something of it may
// run, or it is about to go and hasn't.
func (l *local) inTheWay() bool { return !l.quiet() || l.order == nil && !l.absent() }

func matches(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return unit.Glob(g, name) })
}

func amount(resources []unit.Resource, name string) int64 {
	for _, r := range resources {
		if r.Name == name {
			return r.Amount
		}
	}
	return 0
}
