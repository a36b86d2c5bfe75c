package fleet

import (
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// fresh is how long a change may take to be reported while nothing is in its way.
const fresh = 1500 * time.Millisecond

// place names a unit on a machine.
type place struct{ unit, machine string }

// CheckStates judges whether what the cluster holds to be the states of units at
// the end is so, and whether none is missing. What has changed just before counts
// neither way. End is when the run ended.
func CheckStates(f *history.Fleet, end time.Duration) checker.Verdict {
	began := time.Now()
	v := verdict{checker.Verdict{Status: checker.Held, Check: "reported states are true", Ops: len(f.States)}}
	if !f.Known {
		v.Status, v.Summary = checker.Unknown, "at the end there was no leader to ask"
		return v.Verdict
	}
	s := newStates(f, end)
	for i := range f.States {
		v.state(s, &f.States[i], int64(end))
	}
	for i := range f.Actual {
		a := &f.Actual[i]
		at := place{a.Unit, a.Machine}
		if s.living[a.Machine] && !s.moving[at] && !s.flaky(a.Unit) && s.said[at] == nil {
			v.fail(int64(end), a.Unit, fmt.Sprintf("%s has %s, %s/%s, and the cluster knows nothing of it", a.Machine, a.Unit, a.Active, a.Sub))
		}
	}
	if len(f.States) == 0 && v.Status == checker.Held {
		v.Status, v.Summary = checker.Unknown, "no state was reported"
	}
	if v.Status == checker.Held {
		v.Summary = fmt.Sprintf("%d states", len(f.States))
	}
	v.Took = time.Since(began)
	return v.Verdict
}

// states are what is so, and what was said.
type states struct {
	units  map[string]*history.FleetUnit
	living map[string]bool
	said   map[place]*history.FleetState
	actual map[place]*history.FleetActual
	runs   map[place]*history.Ran // that last
	moving map[place]bool         // has changed just before
}

func newStates(f *history.Fleet, end time.Duration) *states {
	s := &states{
		units: byName(f.Units), living: make(map[string]bool), said: make(map[place]*history.FleetState),
		actual: make(map[place]*history.FleetActual), runs: make(map[place]*history.Ran), moving: make(map[place]bool),
	}
	for _, name := range f.Living {
		s.living[name] = true
	}
	for i := range f.States {
		s.said[place{f.States[i].Unit, f.States[i].Machine}] = &f.States[i]
	}
	for i := range f.Actual {
		s.actual[place{f.Actual[i].Unit, f.Actual[i].Machine}] = &f.Actual[i]
	}
	since := int64(end - fresh)
	for i := range f.Runs {
		r := &f.Runs[i]
		at := place{r.Unit, r.Machine}
		if r.End == 0 {
			s.runs[at] = r
		}
		if r.Begin >= since || r.End >= since {
			s.moving[at] = true
		}
	}
	return s
}

func (s *states) flaky(unit string) bool {
	u := s.units[unit]
	return u == nil || u.Flaky
}

// state judges one reported state.
func (v *verdict) state(s *states, x *history.FleetState, end int64) {
	at := place{x.Unit, x.Machine}
	says := fmt.Sprintf("the cluster holds %s on %s to be %s/%s", x.Unit, x.Machine, x.Active, x.Sub)
	a, r := s.actual[at], s.runs[at]
	running := slices.Contains([]string{"active", "activating", "reloading", "deactivating"}, x.Active)
	switch {
	case !s.living[x.Machine]:
		v.fail(end, x.Unit, says+", and the machine has no session")
	case s.moving[at] || s.flaky(x.Unit):
	case a == nil && r == nil && running:
		v.fail(end, x.Unit, says+", and the machine has nothing of it")
	case a != nil && (a.Active != x.Active || a.Sub != x.Sub):
		v.fail(end, x.Unit, fmt.Sprintf("%s; it is %s/%s", says, a.Active, a.Sub))
	case x.Active == "active" && x.Sub == "running" && r == nil:
		v.fail(end, x.Unit, says+", and it has no process")
	case r != nil && !running:
		v.fail(end, x.Unit, says+", and it runs since "+seconds(r.Begin))
	case r != nil && x.Hash != r.Hash:
		v.fail(end, x.Unit, fmt.Sprintf("%s in edition %.7s, and it runs %.7s", says, x.Hash, r.Hash))
	}
}
