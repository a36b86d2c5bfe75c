package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// Report is what came of one run; as JSON it is the line that --json prints
// and that worker processes answer with. Fields are only ever added.
type Report struct {
	Scenario string `json:"scenario"`
	File     string `json:"file"`
	World    string `json:"world"`
	Seed     uint64 `json:"seed"`
	// Profile is the file of the scenario's profile, if it has one.
	Profile string         `json:"profile,omitempty"`
	Verdict checker.Status `json:"verdict"`
	// Error says why the world failed; then Verdict is unknown.
	Error string `json:"error,omitempty"`
	// Findings are the expectations with what was measured.
	Findings []Finding `json:"expect,omitempty"`
	// Unjudged are the expectations of which the world has no evidence, each with the
	// reason.
	Unjudged []string `json:"unjudged,omitempty"`
	// Operations counts what clients asked, Acknowledged what was answered.
	Operations   int `json:"operations"`
	Acknowledged int `json:"acknowledged"`
	// Faults tells for each step whether it took effect.
	Faults []chaos.Outcome `json:"faults,omitempty"`
	// Simulated is the length on the run's clock, Took the real time; both in
	// nanoseconds.
	Simulated time.Duration `json:"simulated"`
	Took      time.Duration `json:"took"`
	// Trace is the hash of the full event trace.
	Trace string `json:"trace,omitempty"`
	// Replay is the command that repeats the run.
	Replay string `json:"replay"`
	// Recording is the directory that the run was recorded in, if it was.
	Recording string `json:"recording,omitempty"`
	// Kept is the directory that nodes' logs and data were left in, if they were.
	Kept string `json:"kept,omitempty"`

	Nodes    []string `json:"nodes,omitempty"`
	Timeline []Event  `json:"timeline,omitempty"`

	ops    []history.Op
	result *Result
}

// Ops returns the operations of the run, settled, and the expiries of keys;
// they stay in the process that ran it.
func (r *Report) Ops() []history.Op { return r.ops }

// Result returns the evidence of the run, nil if there is none here: it stays
// in the process that ran it.
func (r *Report) Result() *Result { return r.result }

// Failed tells that the world failed before there was anything to judge.
func (r *Report) Failed() bool { return r.Error != "" }

// Worst returns the first violated finding, else the first unknown one, else
// nil.
func (r *Report) Worst() *Finding {
	for _, status := range []checker.Status{checker.Violated, checker.Unknown} {
		for i := range r.Findings {
			if r.Findings[i].Status == status {
				return &r.Findings[i]
			}
		}
	}
	return nil
}

// blank is a report before its run.
func blank(w World, spec Spec) *Report {
	profile := ""
	if p := spec.Scenario.Profile; p != nil {
		profile = p.File
	}
	return &Report{
		Profile:  profile,
		Scenario: spec.Scenario.Name, File: spec.Scenario.File, World: w.Name(), Seed: spec.Seed,
		Verdict: checker.Unknown, Replay: fmt.Sprintf("drydock run %s%s--seed %d %s", inWorld(w), spec.Scenario.Profile.Flag(), spec.Seed, spec.Scenario.File),
	}
}

// inWorld is the flag that names a world which is not the first.
func inWorld(w World) string {
	if w.Name() == "sim" {
		return ""
	}
	flags := "--world " + w.Name() + " "
	if d, ok := w.(Driven); ok && d.Driver() != d.Drivers()[0] {
		flags += "--driver " + d.Driver() + " "
	}
	return flags
}

// Run runs a scenario once, in this process, and judges it. A panic of the
// world or of a node within it is a violation, not the end of the program.
func Run(ctx context.Context, w World, spec Spec) (r *Report) {
	r = blank(w, spec)
	began := time.Now()
	defer func() {
		r.Took = time.Since(began)
		if p := recover(); p != nil {
			r.panicked(fmt.Sprintf("panic: %v", p), string(debug.Stack()))
		}
	}()
	spec.Observe = newOnline(spec.Scenario).observe
	res, err := w.Run(ctx, spec)
	switch {
	case errors.Is(err, context.Canceled):
		r.Error = interrupted
		return r
	case errors.Is(err, context.DeadlineExceeded):
		r.Error = "it came to no end in time"
		return r
	case err != nil:
		r.Error = err.Error()
		return r
	}
	e := newEvidence(spec, res)
	r.Findings = e.findings()
	r.Verdict = overall(r.Findings)
	r.Unjudged = e.unjudged()
	r.Operations = len(res.Ops)
	r.Faults, r.Simulated, r.Trace, r.Nodes = res.Outcomes, res.Simulated, res.Trace, res.Nodes
	r.Acknowledged, r.ops, r.result = e.acked, e.all, res
	if !spec.Quiet {
		r.Timeline = res.Timeline
	}
	r.leave(spec.Keep, res.Remains)
	return r
}

// leave keeps what a run that did not hold has left, and removes the rest. That it
// can't be kept changes no verdict.
func (r *Report) leave(dir string, left Remains) {
	if left == nil {
		return
	}
	if dir != "" && r.Verdict != checker.Held {
		if kept, err := left.Keep(dir); err == nil {
			r.Kept = kept
		} else {
			r.Kept = fmt.Sprintf("nowhere: %v", err)
		}
	}
	if err := left.Remove(); err != nil && r.Error == "" {
		r.Verdict, r.Error = checker.Unknown, fmt.Sprintf("what it left can't be removed: %v", err)
	}
}

// panicked makes a report of a run that ended in a panic.
func (r *Report) panicked(what, stack string) {
	r.Verdict = checker.Violated
	r.Findings = []Finding{{
		Expect: "no node panics", Status: checker.Violated, Measured: firstLine(what),
		Violation: &checker.Violation{Why: strings.TrimSpace(what + "\n" + stack)},
	}}
}
