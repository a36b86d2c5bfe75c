package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// RunningOptions say what CheckRunning and CheckUp ask for. Times are run time.
type RunningOptions struct {
	// Healed is when the last fault was undone, End when the run ended.
	Healed, End time.Duration
	// Within is the time allowed: from Healed or the last wish on, or at any time.
	Within time.Duration
	_      struct{}
}

// final is what users want of a unit in the end.
type final struct {
	desired, hash string
}

// finals finds what users wanted last of each unit, and when they had last been
// granted something; pending says that something was not.
func finals(f *history.Fleet) (want map[string]final, last int64, pending *history.FleetWish) {
	want = make(map[string]final)
	for i := range f.Wishes {
		w := &f.Wishes[i]
		last = max(last, w.Asked, w.Done)
		if w.Done == 0 {
			pending = w
		}
		if w.Unit == "" || w.Do == "restart" {
			continue
		}
		x := final{w.Desired, w.Hash}
		if x.hash == "" {
			x.hash = want[w.Unit].hash
		}
		want[w.Unit] = x
	}
	return want, last, pending
}

// group is what one group of units should come to.
type group struct {
	name  string
	least int
}

// CheckRunning judges whether everything that is wanted and can run does, in the
// wanted edition, and nothing else, from some time after healing on. Worst is how
// long that took.
func CheckRunning(f *history.Fleet, opt RunningOptions) checker.Verdict {
	began := time.Now()
	v := verdict{checker.Verdict{Status: checker.Held, Check: "what is wanted runs", Ops: len(f.Runs)}}
	want, last, pending := finals(f)
	base := max(int64(opt.Healed), last)
	deadline := base + int64(opt.Within)
	switch {
	case len(f.Wishes) == 0:
		v.Status, v.Summary = checker.Unknown, "nobody wanted anything"
	case deadline > int64(opt.End):
		v.Status = checker.Unknown
		v.Summary = fmt.Sprintf("the run ends %s after the last wish and healing, not %s", seconds(int64(opt.End)-base), seconds(int64(opt.Within)))
	case pending != nil:
		v.fail(deadline, pending.Unit+pending.Machine, fmt.Sprintf("a user's wish was never granted: %s %s%s, asked at %s", pending.Do, pending.Unit, pending.Machine, seconds(pending.Asked)))
	default:
		worst := v.groups(f, want, base, deadline, int64(opt.End))
		if v.Status == checker.Held {
			worst = max(worst, v.others(f, want, base, deadline))
		}
		v.Worst = time.Duration(worst)
		if v.Status == checker.Held {
			v.Summary = fmt.Sprintf("%d units, the last %.1fs after healing and the last wish", len(f.Units), v.Worst.Seconds())
		}
	}
	v.Took = time.Since(began)
	return v.Verdict
}

// verdict is one that can be made worse.
type verdict struct{ checker.Verdict }

func (v *verdict) fail(at int64, key, why string) {
	if v.Status != checker.Violated {
		v.Status, v.Summary = checker.Violated, why
		v.Violation = &checker.Violation{Key: key, Why: why, At: at}
	}
}

// groups looks at how many of each group run from the deadline on. It returns the
// longest time from base until enough did for good.
func (v *verdict) groups(f *history.Fleet, want map[string]final, base, deadline, end int64) (worst int64) {
	in := make(map[string]string)
	for _, g := range groupsOf(f, want) {
		if g.least <= 0 {
			continue
		}
		for i := range f.Units {
			if f.Units[i].Group == g.name {
				in[f.Units[i].Name] = g.name
			}
		}
		late, low := enough(f, func(r *history.Ran) bool { return in[r.Unit] == g.name }, g.least, base, end)
		if late > deadline {
			v.fail(deadline, g.name, fmt.Sprintf("of the group %s, %d units were to run since %s; %d ran at %s, %s after healing and the last wish",
				g.name, g.least, seconds(deadline), low, seconds(late), seconds(late-base)))
		}
		worst = max(worst, late-base)
	}
	return worst
}

// groupsOf lists the groups with how many runs each should come to.
func groupsOf(f *history.Fleet, want map[string]final) []group {
	var list []group
	at := make(map[string]int)
	stuck := make(map[string]int)
	for i := range f.Units {
		u := &f.Units[i]
		k, ok := at[u.Group]
		if !ok {
			k = len(list)
			at[u.Group] = k
			list = append(list, group{name: u.Group})
		}
		if u.Flaky || want[owner(u)].desired != "launched" {
			continue
		}
		stuck[u.Group] = u.Stuck
		if !u.Global {
			list[k].least++
			continue
		}
		for m := range f.Machines {
			if allows(metadataAtEnd(f, &f.Machines[m]), u.Metadata) {
				list[k].least++
			}
		}
	}
	for k := range list {
		list[k].least -= stuck[list[k].name]
	}
	return list
}

// metadataAtEnd is a machine's metadata as users left it.
func metadataAtEnd(f *history.Fleet, m *history.FleetMachine) []string {
	out := m.Metadata
	for i := range f.Wishes {
		if w := &f.Wishes[i]; w.Machine == m.Name && w.Do == "metadata" {
			out = w.Metadata
		}
	}
	return out
}

// enough finds the last time from base on at which fewer than least of the runs
// that count went on, and how few; base if there were always enough.
func enough(f *history.Fleet, counts func(*history.Ran) bool, least int, base, end int64) (late int64, low int) {
	type change struct {
		at int64
		by int
	}
	var list []change
	n := 0
	for i := range f.Runs {
		r := &f.Runs[i]
		if !counts(r) || r.End != 0 && r.End <= base {
			continue
		}
		if r.Begin <= base {
			n++
		} else {
			list = append(list, change{r.Begin, 1})
		}
		if r.End != 0 {
			list = append(list, change{r.End, -1})
		}
	}
	slices.SortStableFunc(list, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.by, a.by)) })
	late = base
	for _, c := range list {
		if n < least {
			late, low = c.at, n
		}
		n += c.by
	}
	if n < least {
		late, low = end, n
	}
	return late, low
}

// others looks for what runs from the deadline on and shouldn't, or in another
// edition than is wanted. It returns the longest time from base until it didn't.
func (v *verdict) others(f *history.Fleet, want map[string]final, base, deadline int64) (worst int64) {
	units := byName(f.Units)
	for i := range f.Runs {
		r := &f.Runs[i]
		u := units[r.Unit]
		if u == nil {
			v.fail(r.Begin, r.Unit, fmt.Sprintf("%s ran %s, which is nobody's unit", r.Machine, r.Unit))
			return worst
		}
		if r.End != 0 && r.End <= base {
			continue
		}
		w, late := want[owner(u)], r.End
		wrong := ""
		switch {
		case w.desired != "launched":
			wrong = "which nobody wants to run"
		case u.Of == "" && w.hash != "" && r.Hash != w.hash:
			wrong = "in an edition that was replaced"
		default:
			continue
		}
		if late == 0 || late > deadline {
			v.fail(deadline, r.Unit, fmt.Sprintf("at %s, %s after healing and the last wish, %s still runs %s, %s",
				seconds(deadline), seconds(deadline-base), r.Machine, r.Unit, wrong))
			return worst
		}
		worst = max(worst, late-base)
	}
	return worst
}

// CheckUp judges whether what is wanted and can run is never without a running
// process for long, from when users asked for it, whatever happens. Units of groups
// of which some can't run, global ones and those that end by themselves are left
// out. Worst is the longest time that some unit was without.
func CheckUp(f *history.Fleet, opt RunningOptions) checker.Verdict {
	began := time.Now()
	v := verdict{checker.Verdict{Status: checker.Held, Check: "what is wanted is up", Ops: len(f.Runs)}}
	runs := make(map[string][]*history.Ran)
	for i := range f.Runs {
		runs[f.Runs[i].Unit] = append(runs[f.Runs[i].Unit], &f.Runs[i])
	}
	wishes := make(map[string][]*history.FleetWish)
	for i := range f.Wishes {
		if w := &f.Wishes[i]; w.Unit != "" && w.Do != "restart" {
			wishes[w.Unit] = append(wishes[w.Unit], w)
		}
	}
	looked := 0
	for i := range f.Units {
		u := &f.Units[i]
		if u.Global || u.Flaky || u.Stuck > 0 {
			continue
		}
		looked++
		for k, w := range wishes[owner(u)] {
			if w.Desired != "launched" {
				continue
			}
			until := int64(opt.End)
			if k+1 < len(wishes[owner(u)]) {
				until = wishes[owner(u)][k+1].Asked
			}
			gap, at := longestGap(runs[u.Name], w.Asked, until)
			if gap > int64(opt.Within) {
				v.fail(at, u.Name, fmt.Sprintf("%s was wanted and ran nowhere from %s until %s", u.Name, seconds(at), seconds(at+gap)))
			}
			v.Worst = max(v.Worst, time.Duration(gap))
		}
	}
	if looked == 0 {
		v.Status, v.Summary = checker.Unknown, "there is no unit to look at"
	}
	if v.Status == checker.Held {
		v.Summary = fmt.Sprintf("%d units, none without a process for more than %.1fs", looked, v.Worst.Seconds())
	}
	v.Took = time.Since(began)
	return v.Verdict
}

// longestGap finds the longest time between two that no run covers, and when it
// began.
func longestGap(runs []*history.Ran, from, until int64) (gap, at int64) {
	covered := from
	look := func(begin int64) {
		if d := min(begin, until) - covered; d > gap {
			gap, at = d, covered
		}
	}
	for _, r := range runs { // in order of their beginning
		if r.Begin >= until {
			break
		}
		look(r.Begin)
		if r.End == 0 {
			return gap, at
		}
		covered = max(covered, r.End)
	}
	look(until)
	return gap, at
}
