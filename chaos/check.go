package chaos

import (
	"fmt"
	"slices"
	"strings"
)

// ParamError says which parameter of a fault is wrong, and why.
type ParamError struct {
	Param string
	Why   string
	Hint  string
}

// Error implements error.
func (e *ParamError) Error() string {
	return fmt.Sprintf("%s: %s", e.Param, e.Why)
}

// Check looks for relations between the parameters of a fault that no single
// parameter shows. The error is a *ParamError.
func Check(p Params) error {
	switch p := p.(type) {
	case *Partition:
		return p.check()
	case *Membership:
		if len(p.Add)+len(p.Remove) == 0 {
			return &ParamError{"membership", "names no node", "`membership: {add: [n4]}`"}
		}
		for _, name := range append(append([]string{}, p.Add...), p.Remove...) {
			if !Selector(name).IsName() || isWorker(name) {
				return &ParamError{"membership", fmt.Sprintf("%q is not a node's name", name), "names are n1, n2, …"}
			}
		}
	case *ClockRate:
		return p.check()
	case *ClockJump:
		return p.check()
	case *Loss:
		return p.Probability.check()
	case *Duplicate:
		return p.Probability.check()
	case *Reorder:
		return p.Probability.check()
	}
	return checkUnits(p)
}

func (p *Partition) check() error {
	given := 0
	for _, is := range []bool{len(p.Isolate) > 0, len(p.Bridge) > 0, len(p.Groups) > 0, len(p.Cut) > 0} {
		if is {
			given++
		}
	}
	if given > 1 {
		return &ParamError{"partition", "isolate, bridge, groups and cut exclude one another", "use two steps for two partitions"}
	}
	implied := (&Partition{Isolate: p.Isolate, Bridge: p.Bridge, Groups: p.Groups, Cut: p.Cut}).shape()
	if given == 1 && p.Shape != "" && p.Shape != implied {
		return &ParamError{"shape", fmt.Sprintf("%q contradicts %q", p.Shape, implied), "leave shape out"}
	}
	if p.Shape == "groups" && len(p.Groups) == 0 {
		return &ParamError{"shape", "groups needs the groups", "`partition: {groups: [[n1, n2], [n3]]}`"}
	}
	for _, link := range p.Cut {
		from, to, _ := strings.Cut(link, ">")
		if !Selector(from).IsName() || !Selector(to).IsName() || from == to {
			return &ParamError{"cut", fmt.Sprintf("%q is not a link", link), "`cut: [n1>n2, n2>n1]`"}
		}
	}
	oneWay := p.Direction == "in" || p.Direction == "out"
	if oneWay && slices.Contains([]string{"bridge", "ring", "cut"}, p.shape()) {
		return &ParamError{"direction", "a " + p.shape() + " has no direction", "isolate and groups have"}
	}
	return nil
}

func (p Probability) check() error {
	if p <= 0 || p > 1 {
		return &ParamError{"probability", "must be more than 0 and at most 100%", "`5%` or `0.05`"}
	}
	return nil
}
