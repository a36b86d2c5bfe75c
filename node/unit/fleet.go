package unit

import (
	"errors"
	"path"
	"strings"
	"time"
)

// FleetSection is the section that the scheduler reads.
const FleetSection = "X-Fleet"

// Requirements is what a unit asks of the scheduler: its [X-Fleet] section with
// specifiers replaced and old spellings merged. The package comment has a table
// of the options. The zero value asks for nothing.
type Requirements struct {
	// Pinned says that a machine is named. MachineID may then still be empty,
	// which no machine's id is. AllowsMachine compares.
	Pinned    bool
	MachineID string
	// MachineOf names units, or globs of names; each needs one on the machine.
	MachineOf []string
	// Metadata are conditions on the machine's metadata; all must hold.
	Metadata []Condition
	// Conflicts and Replaces are globs of unit names. A bad glob matches nothing.
	Conflicts, Replaces []string
	// Global runs the unit on every machine that allows it.
	Global bool

	// Avoids are globs of units to stay away from while another machine allows.
	Avoids []string
	// Spread are metadata keys over whose values the group is spread, the most
	// important first. The group is the instances of the unit's template and
	// what SpreadWith's globs match.
	Spread, SpreadWith []string
	// SpreadLimit is how many of the group one value of each key may have; 0 is
	// no limit, and spreading then a wish.
	SpreadLimit int
	// Priority decides who yields where room is short, from -1000 to 1000.
	Priority int
	// Replicas is how many instances a template is kept at, named 1 to Replicas;
	// 0 makes none.
	Replicas int
	// Budget is how many of a unit's group may be down or moving on purpose at
	// once; the zero Budget sets no limit.
	Budget Budget
	// Rebalance lets the unit be moved for balance alone.
	Rebalance bool
	// Settle is how long a replaced unit must have run before the next follows.
	Settle time.Duration
	// MoveAfter is the number of failed starts on one machine after which the
	// unit is placed elsewhere; 0 never moves it for that.
	MoveAfter int
	// Retry is the delay before a failed unit is started again, doubled each
	// time up to RetryMax; 0 leaves it to the unit's own Restart.
	Retry, RetryMax time.Duration
	// Resources is what the unit takes of its machine, sorted by name.
	Resources []Resource
}

// Budget is a number of units, or a share of them. Both zero is no limit.
type Budget struct {
	Count   int
	Percent int
}

// Of returns how many of n units the budget lets go at once, at least one of
// some; limited is false if any number may.
func (b Budget) Of(n int) (count int, limited bool) {
	switch {
	case b.Percent > 0:
		return min(n, max(1, n*b.Percent/100)), true
	case b.Count > 0:
		return min(n, b.Count), true
	}
	return n, false
}

// Resource is an amount of one resource.
type Resource struct {
	// Name is CPU, Memory, Disk or a name of the operator's.
	Name string
	// Amount is in thousandths of a core for CPU, in bytes for Memory and Disk,
	// else in thousandths of whatever the operator counts.
	Amount int64
}

// The resources that have options of their own.
const (
	CPU    = "cpu"
	Memory = "memory"
	Disk   = "disk"
)

// AllowsMachine says whether the unit's MachineID, if any, means the machine
// with this id. As in fleet, the first eight characters stand for the whole.
func (r Requirements) AllowsMachine(id string) bool {
	const short = 8
	return !r.Pinned || r.MachineID == id || len(id) >= short && r.MachineID == id[:short]
}

// Glob says whether a pattern of Conflicts, Replaces, Avoids, SpreadWith or
// MachineOf matches a unit's name. A bad pattern matches nothing.
func Glob(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// IsGlob says whether a name of MachineOf is a pattern.
func IsGlob(s string) bool { return strings.ContainsAny(s, "*?[") }

// Validate reports contradictions, in fleet's order and words, which its clients
// show. Fleet's engine obeys such requirements all the same, so nothing else
// here refuses them.
func (r Requirements) Validate() error {
	for _, peer := range r.MachineOf {
		for _, c := range r.Conflicts {
			if Glob(c, peer) {
				return asError([]Problem{at(Option{}, "unresolvable requirements: peer %q matches conflict %q", peer, c)})
			}
		}
		for _, c := range r.Replaces {
			if Glob(c, peer) {
				return asError([]Problem{at(Option{}, "unresolvable requirements: peer %q matches replace %q", peer, c)})
			}
		}
	}
	peers, conflicts, replaces := len(r.MachineOf) > 0, len(r.Conflicts) > 0, len(r.Replaces) > 0
	for _, c := range []struct {
		both bool
		what string
	}{
		{r.Pinned && peers, "MachineID cannot be used with Peers"},
		{r.Pinned && conflicts, "MachineID cannot be used with Conflicts"},
		{r.Pinned && r.Global, "MachineID cannot be used with Global"},
		{r.Pinned && replaces, "MachineID cannot be used with Replaces"},
		{r.Global && peers, "Global cannot be used with Peers"},
		{r.Global && replaces, "Global cannot be used with Replaces"},
		{conflicts && replaces, "Conflicts cannot be used with Replaces"},
	} {
		if c.both {
			return asError([]Problem{{What: c.what}})
		}
	}
	return nil
}

// ParseFleet reads the lines of an [X-Fleet] section of the unit with this name,
// without its header. Line numbers in remarks and errors count from 1.
func ParseFleet(name Name, lines []string) (Requirements, []Problem, error) {
	options, remarks, err := lex("[" + FleetSection + "]\n" + strings.Join(lines, "\n"))
	if err != nil {
		if p, ok := errors.AsType[Problem](err); ok {
			p.Line = max(0, p.Line-1)
			err = p
		}
		return Requirements{}, nil, wrap(err)
	}
	for i := range options {
		options[i].Line--
		if options[i].Section != FleetSection {
			return Requirements{}, nil, wrap(at(options[i], "another section among the lines of [%s]", FleetSection))
		}
	}
	for i := range remarks {
		remarks[i].Line--
	}
	r, more, err := parseFleet(name, options)
	return r, append(remarks, more...), err
}
