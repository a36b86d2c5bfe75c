package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const (
	liveCheck      = "live after healing"
	availableCheck = "a leader again after every fault that took it"
)

// spreadTime is how long what is committed may take to reach all members, if the
// options say nothing else.
const spreadTime = time.Second

// LiveOptions say what CheckLive asks for. Times are run time.
type LiveOptions struct {
	// Healed is when the last fault was undone, End when the run ended.
	Healed, End time.Duration
	// Within is the time allowed from Healed on.
	Within time.Duration
	// Clients must each get an answer; nil means all that occur in the
	// operations.
	Clients []string
	// Running are the members that are up at the end.
	Running []string
	// Restarts tell a member's lives apart: what it had applied in a life
	// before does not count.
	Restarts []history.Restart
	// FinalCommit is what every running member must have applied at the end,
	// but for what no member had applied until Spread before; 0 asks for
	// nothing.
	FinalCommit uint64
	// Spread is how long what is committed may take to reach all members: a
	// second if zero. Slow links and disks want more.
	Spread time.Duration
	_      struct{}
}

// CheckLive judges whether the cluster works again after healing: every client
// has an operation answered, and every running member has applied all that any
// member had applied by then, both in time; at the end, all is applied
// everywhere. Worst is the longest of the times.
func CheckLive(ops []history.Op, applied []history.Applied, opt LiveOptions) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: liveCheck, Ops: len(ops)}
	clients, byClient, bad := answeredAfter(ops, opt)
	members, byMember, late := caughtUp(applied, opt)
	if bad == nil {
		bad = late
	}
	v.Worst = max(byClient, byMember)
	switch {
	case bad != nil && opt.End-opt.Healed < opt.Within:
		v.Status = checker.Unknown
		v.Summary = fmt.Sprintf("the run ended %v after healing, before %v were over; until then: %s", opt.End-opt.Healed, opt.Within, bad.Why)
	case bad != nil:
		v.Status, v.Summary, v.Violation = checker.Violated, bad.Why, bad
	case clients == 0:
		v.Status, v.Summary = checker.Unknown, "there was no client to look at"
	default:
		v.Summary = fmt.Sprintf("worst %s: %d clients answered in %s, %d members caught up in %s", seconds(v.Worst),
			clients, seconds(byClient), members, seconds(byMember))
	}
	v.Took = time.Since(began)
	return v
}

// answeredAfter measures when each client got its first answer after healing.
func answeredAfter(ops []history.Op, opt LiveOptions) (clients int, worst time.Duration, bad *checker.Violation) {
	first := map[string]time.Duration{}
	for _, c := range opt.Clients {
		first[c] = -1
	}
	for i := range ops {
		op := &ops[i]
		got, known := first[op.Client]
		if !known {
			if opt.Clients != nil {
				continue
			}
			first[op.Client], got = -1, -1
		}
		if at := time.Duration(op.Return); op.Status == history.OK && at >= opt.Healed && (got < 0 || at < got) {
			first[op.Client] = at
		}
	}
	for _, c := range slices.Sorted(maps.Keys(first)) {
		took := first[c] - opt.Healed
		why := ""
		switch {
		case first[c] < 0:
			why = fmt.Sprintf("%s got no answer after healing at %s", c, seconds(opt.Healed))
		case took > opt.Within:
			why = fmt.Sprintf("%s got its first answer %s after healing, not within %s", c, seconds(took), seconds(opt.Within))
		}
		if why != "" && bad == nil {
			bad = &checker.Violation{Key: c, Why: why, At: int64(opt.Healed + opt.Within)}
		}
		worst = max(worst, took)
	}
	return len(first), worst, bad
}

// caughtUp measures when each running member had applied all that was applied
// anywhere at the time of healing, and compares the end.
func caughtUp(applied []history.Applied, opt LiveOptions) (members int, worst time.Duration, bad *checker.Violation) {
	began := map[string]int64{} // of each member's last life
	for _, r := range opt.Restarts {
		began[r.Node] = max(began[r.Node], r.Time)
	}
	var target, final uint64
	for _, a := range applied {
		if time.Duration(a.Time) <= opt.Healed {
			target = max(target, a.Index)
		}
		if time.Duration(a.Time) <= opt.End-cmp.Or(opt.Spread, spreadTime) {
			final = max(final, a.Index)
		}
	}
	final = min(final, opt.FinalCommit)
	reached, last := map[string]int64{}, map[string]uint64{}
	for _, a := range applied {
		if a.Time < began[a.Node] {
			continue
		}
		last[a.Node] = max(last[a.Node], a.Index)
		if at, ok := reached[a.Node]; a.Index >= target && (!ok || a.Time < at) {
			reached[a.Node] = a.Time
		}
	}
	for _, n := range slices.Sorted(slices.Values(opt.Running)) {
		at, ok := reached[n]
		took := max(0, time.Duration(at)-opt.Healed)
		why := ""
		switch {
		case !ok && target > 0:
			why = fmt.Sprintf("%s applied index %d at most, not %d as others had at healing", n, last[n], target)
		case took > opt.Within:
			why = fmt.Sprintf("%s caught up %s after healing, not within %s", n, seconds(took), seconds(opt.Within))
		case last[n] < final:
			why = fmt.Sprintf("%s applied index %d at the end, not %d", n, last[n], final)
		}
		if why != "" && bad == nil {
			bad = &checker.Violation{Key: n, Why: why, At: int64(opt.Healed + opt.Within)}
		}
		worst = max(worst, took)
	}
	return len(opt.Running), worst, bad
}

// AvailableOptions say what CheckAvailable asks for.
type AvailableOptions struct {
	// Within is the time allowed; 0 only measures.
	Within time.Duration
	// End is when the run ended.
	End time.Duration
	_   struct{}
}

// CheckAvailable measures, for every fault that took the leader, the time until
// somebody led again: a member became leader, or an operation asked for after
// the fault was answered as a majority must answer it. Where the fault left no
// majority, the time counts from its end. Worst is the longest of the times.
func CheckAvailable(led []history.Led, faults []history.Fault, ops []history.Op, opt AvailableOptions) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: availableCheck}
	var worstAt history.Fault
	open := false
	for _, f := range faults {
		if !f.TookLeader {
			continue
		}
		from := f.Time
		if f.NoQuorum {
			if f.End == 0 {
				continue
			}
			from = f.End
		}
		v.Ops++
		at, ok := ledAgain(led, ops, from)
		if !ok {
			at = int64(opt.End)
		}
		if gap := time.Duration(at - from); gap > v.Worst || v.Ops == 1 {
			v.Worst, worstAt, open = gap, f, !ok
		}
	}
	what := fmt.Sprintf("worst %s, after %s%s at %s", seconds(v.Worst), worstAt.Kind, spaced(worstAt.Node), seconds(time.Duration(worstAt.Time)))
	switch {
	case v.Ops == 0:
		v.Status, v.Summary = checker.Unknown, "no fault took the leader"
	case opt.Within > 0 && v.Worst > opt.Within:
		v.Status, v.Summary = checker.Violated, what+", not within "+seconds(opt.Within)
		v.Violation = &checker.Violation{Key: worstAt.Node, Why: v.Summary, At: worstAt.Time + int64(opt.Within)}
	case open:
		v.Status, v.Summary = checker.Unknown, "the run ended before there was a leader again; "+what
	default:
		v.Summary = fmt.Sprintf("%s; %d faults; longest %s without an answer", what, v.Ops, seconds(Silence(ops)))
	}
	v.Took = time.Since(began)
	return v
}

// ledAgain is the first sign of a leader at or after from.
func ledAgain(led []history.Led, ops []history.Op, from int64) (at int64, ok bool) {
	sign := func(t int64) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	for _, l := range led {
		if l.Time >= from {
			sign(l.Time)
		}
	}
	for i := range ops {
		if op := &ops[i]; op.Status == history.OK && !op.Stale && op.Call >= from {
			sign(op.Return)
		}
	}
	return at, ok
}

// Silence is the longest time between two answers that a majority must give,
// from the first operation's call to the last answer.
func Silence(ops []history.Op) time.Duration {
	var answers []int64
	var first int64 = -1
	for i := range ops {
		op := &ops[i]
		if first < 0 || op.Call < first {
			first = op.Call
		}
		if op.Status == history.OK && !op.Stale {
			answers = append(answers, op.Return)
		}
	}
	slices.Sort(answers)
	var longest int64
	before := first
	for _, at := range answers {
		longest = max(longest, at-before)
		before = at
	}
	return time.Duration(longest)
}

func spaced(node string) string {
	if node == "" {
		return ""
	}
	return " of " + node
}

func seconds(d time.Duration) string { return checker.Seconds(int64(d)) + "s" }
