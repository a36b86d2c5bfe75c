package fleet

import (
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// settles is for how long a wish that was granted may still have consequences that
// machines carry out: links that delay, machines that are cut off for a time.
const settles = 10 * time.Second

// CheckCauses judges whether each end and each beginning of a run has a cause:
// somebody's wish, a failure of its own, the loss of its machine or of the
// machine's word with the leader.
func CheckCauses(f *history.Fleet) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: "nothing stops or starts without a cause", Ops: len(f.Runs)}
	c := newCauses(f)
	moved := 0
	for i := range f.Runs {
		r := &f.Runs[i]
		u := c.units[r.Unit]
		if u == nil || u.Flaky {
			continue
		}
		why, at := c.noEnd(u, r), r.End
		if why == "" {
			why, at = c.noBegin(u, r), r.Begin
		}
		if why != "" {
			v.Status, v.Summary = checker.Violated, why
			v.Violation = &checker.Violation{Key: r.Unit, Why: why, At: at}
			break
		}
		if r.End != 0 {
			moved++
		}
	}
	switch {
	case v.Status == checker.Violated:
	case len(f.Runs) == 0:
		v.Status, v.Summary = checker.Unknown, "no unit ran"
	default:
		v.Summary = fmt.Sprintf("%d runs, %d ended", len(f.Runs), moved)
	}
	v.Took = time.Since(began)
	return v
}

// causes finds what may have led to something.
type causes struct {
	units    map[string]*history.FleetUnit
	wishes   map[string][]*history.FleetWish // by unit or machine, in order
	losses   map[string][]*history.FleetLoss // by machine
	previous map[*history.Ran]*history.Ran
}

func newCauses(f *history.Fleet) *causes {
	c := &causes{
		units: byName(f.Units), wishes: make(map[string][]*history.FleetWish),
		losses: make(map[string][]*history.FleetLoss), previous: make(map[*history.Ran]*history.Ran),
	}
	for i := range f.Wishes {
		w := &f.Wishes[i]
		c.wishes[w.Unit+w.Machine] = append(c.wishes[w.Unit+w.Machine], w)
	}
	for i := range f.Losses {
		c.losses[f.Losses[i].Machine] = append(c.losses[f.Losses[i].Machine], &f.Losses[i])
	}
	last := make(map[string]*history.Ran)
	for i := range f.Runs { // in order of their beginning
		r := &f.Runs[i]
		key := r.Unit
		if u := c.units[r.Unit]; u != nil && u.Global {
			key += " " + r.Machine
		}
		c.previous[r], last[key] = last[key], r
	}
	return c
}

// owner is the name under which users wish for a unit.
func owner(u *history.FleetUnit) string {
	if u.Of != "" {
		return u.Of
	}
	return u.Name
}

// wished says whether a wish about a name may still have had consequences in a
// stretch of time.
func (c *causes) wished(about string, from, to int64) bool {
	return slices.ContainsFunc(c.wishes[about], func(w *history.FleetWish) bool {
		return w.Asked <= to && (w.Done == 0 || w.Done+int64(settles) >= from)
	})
}

// drained says whether a machine was to be emptied at a time.
func (c *causes) drained(machine string, at int64) bool {
	on := false
	for _, w := range c.wishes[machine] {
		if w.Do == "drain" && w.Asked <= at {
			on = !w.End
		}
	}
	return on
}

// replaced says whether a run was of an edition that was to go. An instance's text
// has another hash than its template's: any replacement of that may be the cause.
func (c *causes) replaced(u *history.FleetUnit, r *history.Ran) bool {
	hash, replaced := "", false
	for _, w := range c.wishes[owner(u)] {
		if w.Asked <= r.End && w.Hash != "" {
			hash = w.Hash
			replaced = replaced || w.Do == "replace"
		}
	}
	if u.Of != "" {
		return replaced
	}
	return hash != r.Hash
}

// noEnd says why the end of a run is without a cause; "" if it has one.
func (c *causes) noEnd(u *history.FleetUnit, r *history.Ran) string {
	at := r.End
	if r.Told != 0 {
		at = r.Told
	}
	if r.Why == "guarded" && r.Awake {
		return fmt.Sprintf("the guard of %s had to end %s at %s, though the agent lived and could have", r.Machine, r.Unit, seconds(r.End))
	}
	onWord := r.Why == "stopped" || r.Why == "killed" || r.Why == "guarded"
	switch {
	case r.End == 0 || !onWord || r.Cut || u.Movable || len(u.With) > 0:
		return ""
	case c.wished(owner(u), at, at) || c.wished(r.Machine, at, at) || c.drained(r.Machine, at) || c.replaced(u, r):
		return ""
	}
	return fmt.Sprintf("%s was %s on %s at %s: nobody had asked, and the machine had the leader's word",
		r.Unit, r.Why, r.Machine, seconds(at))
}

// noBegin says why the beginning of a run is without a cause; "" if it has one.
func (c *causes) noBegin(u *history.FleetUnit, r *history.Ran) string {
	if why := c.unwanted(u, r.Begin); why != "" {
		return fmt.Sprintf("%s was started on %s at %s, but %s", r.Unit, r.Machine, seconds(r.Begin), why)
	}
	p := c.previous[r]
	if p == nil || p.End == 0 || u.Revives || p.Why != "exited" && p.Why != "struck" {
		return ""
	}
	lost := slices.ContainsFunc(c.losses[p.Machine], func(l *history.FleetLoss) bool {
		return l.Begin <= r.Begin && (l.End == 0 || l.End >= p.Begin)
	})
	if lost || c.wished(owner(u), p.End, r.Begin) || c.wished(p.Machine, p.End, r.Begin) {
		return ""
	}
	return fmt.Sprintf("%s had %s on %s at %s, and was started again on %s at %s, though its file doesn't ask for it",
		r.Unit, p.Why, p.Machine, seconds(p.End), r.Machine, seconds(r.Begin))
}

// unwanted says since when nobody can have wanted a unit to run at a time; "" if
// somebody may.
func (c *causes) unwanted(u *history.FleetUnit, at int64) string {
	var last *history.FleetWish
	list := c.wishes[owner(u)]
	for _, w := range list {
		if w.Asked > at || w.Do == "restart" {
			continue
		}
		last = w
	}
	switch {
	case last == nil:
		return "nobody had ever asked for it"
	case last.Desired == "launched" || last.Done == 0 || last.Done+int64(settles) > at:
		return ""
	}
	return fmt.Sprintf("since %s it was to be %s", seconds(last.Done), wanted(last))
}

// wanted is what a wish wants, in a word.
func wanted(w *history.FleetWish) string {
	if w.Desired == "" {
		return "gone"
	}
	return w.Desired
}
