package cluster

import (
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const outageCheck = "answers again soon after a single fault"

// OutageOptions say what CheckOutage asks for.
type OutageOptions struct {
	// Within is the longest time that clients may be without an answer by a
	// majority after a fault.
	Within time.Duration
	// Restarts end the faults that took a process away.
	Restarts []history.Restart
	// End is when the run ended.
	End time.Duration
	_   struct{}
}

// CheckOutage measures the longest time without an answer by a majority after
// each fault that comes alone: none other is there, or was shortly before. A
// fault that leaves no majority is none of these.
func CheckOutage(faults []history.Fault, ops []history.Op, opt OutageOptions) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: outageCheck}
	var answers []int64
	for i := range ops {
		if op := &ops[i]; op.Status == history.OK && !op.Stale && op.Kind != history.Expire {
			answers = append(answers, op.Return)
		}
	}
	slices.Sort(answers)
	var worst history.Fault
	faults = lasting(faults, opt)
	for i, f := range faults {
		if f.NoQuorum || !single(faults, i, opt.Within) || time.Duration(f.Time)+opt.Within > opt.End {
			continue
		}
		v.Ops++
		if gap := gapAfter(answers, f, opt); gap > v.Worst || v.Ops == 1 {
			v.Worst, worst = gap, f
		}
	}
	what := fmt.Sprintf("worst %s, after %s%s at %s", seconds(v.Worst), worst.Kind, spaced(worst.Node), seconds(time.Duration(worst.Time)))
	switch {
	case v.Ops == 0:
		v.Status, v.Summary = checker.Unknown, "no fault came alone"
	case v.Worst > opt.Within:
		v.Status, v.Summary = checker.Violated, what+", not within "+seconds(opt.Within)
		v.Violation = &checker.Violation{Key: worst.Node, Why: v.Summary, At: worst.Time + int64(opt.Within)}
	default:
		v.Summary = fmt.Sprintf("%s; %s", what, checker.Count(v.Ops, "fault"))
	}
	v.Took = time.Since(began)
	return v
}

// lasting is the faults without those that bring something back, each with its
// end: a member that was killed is there again with its next start.
func lasting(faults []history.Fault, opt OutageOptions) []history.Fault {
	var list []history.Fault
	for _, f := range faults {
		switch f.Kind {
		case "restart", "heal":
			continue
		case "crash", "power-loss":
			f.End = int64(opt.End)
			for _, r := range opt.Restarts {
				if r.Node == f.Node && r.Time >= f.Time {
					f.End = r.Time
					break
				}
			}
		}
		list = append(list, f)
	}
	return list
}

// single says that no other fault is there from a time before the i-th until
// as long after it.
func single(faults []history.Fault, i int, margin time.Duration) bool {
	f := faults[i]
	for j, g := range faults {
		begins, ends := g.Time, max(g.End, g.Time)
		if i != j && begins <= f.Time+int64(margin) && ends >= f.Time-int64(margin) {
			return false
		}
	}
	return true
}

// gapAfter is the longest time without an answer that begins within the margin
// after a fault, up to twice the margin.
func gapAfter(answers []int64, f history.Fault, opt OutageOptions) time.Duration {
	until := min(f.Time+2*int64(opt.Within), int64(opt.End))
	i, _ := slices.BinarySearch(answers, f.Time)
	longest, before := int64(0), f.Time
	for ; before <= f.Time+int64(opt.Within); i++ {
		at := until
		if i < len(answers) {
			at = min(answers[i], until)
		}
		longest = max(longest, at-before)
		if at == until {
			break
		}
		before = at
	}
	return time.Duration(longest)
}
