package runner

import (
	"context"
	"fmt"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// Bounds of the window whose messages are recorded for a failure.
const (
	windowBefore = 150 * time.Millisecond
	windowAfter  = 20 * time.Millisecond
	windowMin    = 400 * time.Millisecond
	windowMax    = 3 * time.Second
	windowEvents = 1500
)

// FailedAt is the time from which the worst violation shows; ok is false if
// none shows at a time.
func (r *Report) FailedAt() (at time.Duration, ok bool) {
	f := r.Worst()
	if f == nil || f.Status != checker.Violated || f.At <= 0 {
		return 0, false
	}
	return f.At, true
}

// Window returns the part of the run that explains its violation: it covers
// the operations of the evidence as far as the bound allows, and ends with the
// answer that was wrong.
func (r *Report) Window() (history.Window, bool) {
	at, ok := r.FailedAt()
	if !ok {
		return history.Window{}, false
	}
	from := at
	if v := r.Worst().Violation; v != nil {
		for i := range v.Ops {
			from = min(from, time.Duration(v.Ops[i].Call))
		}
	}
	from = min(max(from-windowBefore, at-windowMax), at-windowMin)
	return history.Window{From: max(0, from), Until: at + windowAfter, Max: windowEvents}, true
}

// Rerun runs what r reports on once more, in this process and with window
// recorded, and returns a report with all evidence. The same seed must be the
// same run; if it is not, that is the worst finding of both reports.
func (r *Report) Rerun(ctx context.Context, w World, spec Spec, window *history.Window) *Report {
	spec.Quiet, spec.Record = false, window
	again := Run(ctx, w, spec)
	again.Replay = r.Replay
	if again.Failed() || r.Trace == again.Trace || r.Trace == "" {
		return again
	}
	why := fmt.Sprintf("the same seed ran twice: trace %s and then %s", short(r.Trace), short(again.Trace))
	for _, of := range []*Report{r, again} {
		of.Verdict = checker.Violated
		of.Findings = append([]Finding{{
			Expect: "determinism", Status: checker.Violated, Measured: why, Violation: &checker.Violation{Why: why},
		}}, of.Findings...)
	}
	return again
}
