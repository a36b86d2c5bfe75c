package fleet

import (
	"fmt"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// restLag is how long the last consequences of what users asked for may be logged
// after they have ceased to ask; restLeast the least rest that says something.
const (
	restLag   = 2 * time.Second
	restLeast = time.Second
)

// CheckHeard judges whether the leader's word reached every machine in time, as long
// as there was an agent to hear it. The first word is not waited for.
func CheckHeard(f *history.Fleet) checker.Verdict {
	began := time.Now()
	v := verdict{checker.Verdict{Status: checker.Held, Check: "machines hear from the leader", Ops: len(f.Machines)}}
	for i := range f.Losses {
		if l := &f.Losses[i]; !l.Dead && l.Begin != 0 {
			until := "the end"
			if l.End != 0 {
				until = seconds(l.End)
			}
			v.fail(l.Begin, l.Machine, fmt.Sprintf("%s lived, and heard nothing of what it had sent after %s until %s", l.Machine, seconds(l.Begin), until))
		}
	}
	switch {
	case len(f.Machines) == 0:
		v.Status, v.Summary = checker.Unknown, "there are no machines"
	case v.Status == checker.Held:
		v.Summary = fmt.Sprintf("%d machines", len(f.Machines))
	}
	v.Took = time.Since(began)
	return v.Verdict
}

// CheckRest judges whether the log stands still while nobody asks for anything.
// Applied are the indexes that members had applied, End is when the run ended.
func CheckRest(f *history.Fleet, applied []history.Applied, end time.Duration) checker.Verdict {
	began := time.Now()
	v := verdict{checker.Verdict{Status: checker.Held, Check: "at rest nothing is logged"}}
	from := f.RestFrom + int64(restLag)
	if f.RestFrom == 0 || int64(end)-from < int64(restLeast) {
		v.Status, v.Summary = checker.Unknown, "there was no rest to look at"
		return v.Verdict
	}
	var before, after uint64
	for i := range applied {
		if a := &applied[i]; a.Time <= from {
			before = max(before, a.Index)
		} else if a.Index > before && a.Index > after {
			after = a.Index
			v.fail(a.Time, "", fmt.Sprintf("%s applied entry %d at %s, %s after the last request", a.Node, a.Index, seconds(a.Time), seconds(a.Time-f.RestFrom)))
		}
	}
	if v.Status == checker.Held {
		v.Summary = fmt.Sprintf("no entry in %s of rest", seconds(int64(end)-from))
	}
	v.Took = time.Since(began)
	return v.Verdict
}
