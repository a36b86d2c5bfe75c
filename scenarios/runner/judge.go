package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/scenarios/checker/keyspace"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
)

// minAcked is the least number of acknowledged operations for a run to mean
// anything.
const minAcked = 10

// stallMost is how long the machine that a world is on may stand still without times
// losing their meaning: less than it takes to think that a leader is lost.
const stallMost = 200 * time.Millisecond

// Finding is one expectation of a run with what was measured.
type Finding struct {
	// Expect is the expectation as written, or what every run promises.
	Expect string `json:"expect"`
	// Status is held, violated or unknown.
	Status checker.Status `json:"verdict"`
	// Measured is what was found, in a line.
	Measured string `json:"measured"`
	// At is the time on the run's clock from which a violation shows.
	At time.Duration `json:"at,omitempty"`
	// Violation is the evidence, if violated.
	Violation *checker.Violation `json:"violation,omitempty"`

	verdict     checker.Verdict
	expectation string // its kind, if it is one
}

// evidence is a result with its history settled, ready to be judged.
type evidence struct {
	*Result
	spec Spec
	// ops are the clients' operations, settled; all has the expiries, too.
	ops, all []history.Op
	// truth says that the disks hold all commands, which replay has replayed.
	truth   bool
	replay  *keyspace.Replay
	clock   keyspace.ClockBound
	acked   int
	effects int
	fired   int
}

func newEvidence(spec Spec, res *Result) *evidence {
	e := &evidence{Result: res, spec: spec, ops: res.Ops, all: res.Ops, truth: len(res.Truth) > 0 && len(res.Missing) == 0}
	if e.truth {
		e.ops = history.Settle(res.Ops, res.Truth)
		e.replay = keyspace.NewReplay(res.Truth)
		if res.Coarse {
			e.replay.Seen(res.Watches)
		}
		expiries := e.replay.Expiries(len(e.ops)+1, res.Simulated)
		if res.Coarse {
			for i := range expiries {
				expiries[i].Call = 0 // it is known by when it had come, not since when
			}
		}
		e.all = append(slices.Clone(e.ops), expiries...)
		e.clock = clockBound(res.Strikes, res.Restarts, res.Simulated)
	}
	for i := range e.ops {
		if e.ops[i].Status == history.OK {
			e.acked++
		}
	}
	for _, n := range chaos.CountOutcomes(res.Outcomes) {
		if n.Kind != chaos.KindHeal {
			e.effects += n.Effective
			e.fired += n.Fired
		}
	}
	return e
}

// findings compares the evidence with everything that the scenario expects.
func (e *evidence) findings() []Finding {
	out := e.broken()
	for _, x := range e.spec.Scenario.Expect {
		if e.Unseen[x.Kind] != "" {
			continue
		}
		out = append(out, e.expect(x))
	}
	if len(e.Rotten)+len(e.Noticed) > 0 && !expects(e.spec.Scenario, scenario.ExpectRot) {
		// Always promised, but it means nothing without rot.
		out = append(out, e.expect(scenario.Expectation{Kind: scenario.ExpectRot, Text: scenario.ExpectRot}))
	}
	return append(e.stopped(out), e.telling()...)
}

// unjudged names the expectations that are left out, each with the reason.
func (e *evidence) unjudged() (list []string) {
	for _, x := range e.spec.Scenario.Expect {
		if why := e.Unseen[x.Kind]; why != "" {
			list = append(list, fmt.Sprintf("%s: %s", x.Text, why))
		}
	}
	return list
}

func expects(s *scenario.Scenario, kind string) bool {
	return slices.ContainsFunc(s.Expect, func(x scenario.Expectation) bool { return x.Kind == kind })
}

// broken are the violations that no scenario has to name: they come first.
func (e *evidence) broken() []Finding {
	var out []Finding
	if len(e.Broken) > 0 {
		out = append(out, Finding{
			Expect: "every node keeps its invariants", Status: checker.Violated,
			Measured: firstLine(e.Broken[0]), At: e.Simulated,
			Violation: &checker.Violation{Why: e.Broken[0], At: int64(e.Simulated)},
		})
	}
	if len(e.Missing) > 0 {
		f := Finding{Expect: "what was applied is on some disk"}
		f.fail(fmt.Sprintf("%d entries are on none, the first at index %d", len(e.Missing), e.Missing[0]), e.Simulated)
		out = append(out, f)
	}
	return out
}

// stopped adds what ended the run, unless a finding says so already.
func (e *evidence) stopped(findings []Finding) []Finding {
	var stop *stopError
	if !errors.As(e.Stopped, &stop) {
		return findings
	}
	for i := range findings {
		f := &findings[i]
		if f.expectation != stop.expect {
			continue
		}
		if f.Status != checker.Violated {
			f.Status, f.Measured = checker.Violated, firstLine(stop.violation.Why)
			f.At, f.Violation = time.Duration(stop.violation.At), stop.violation
			f.verdict = checker.Verdict{Status: f.Status, Check: f.Expect, Summary: f.Measured, Ops: len(e.ops), Violation: f.Violation}
		}
	}
	return findings
}

// early says that the run ended before its time, by a violation.
func (e *evidence) early() bool { return len(e.Broken) > 0 || e.Stopped != nil }

// telling are findings about runs that mean nothing.
func (e *evidence) telling() []Finding {
	var out []Finding
	if e.acked < minAcked {
		out = append(out, Finding{
			Expect: "enough is acknowledged to mean anything", Status: checker.Unknown,
			Measured: fmt.Sprintf("%d operations, at least %d", e.acked, minAcked),
		})
	}
	out = append(out, e.idle()...)
	asked := hasFaults(e.Outcomes) || e.spec.Scenario.Nemesis.Profile != ""
	if e.effects == 0 && asked {
		out = append(out, Finding{
			Expect: "some fault takes effect", Status: checker.Unknown,
			Measured: fmt.Sprintf("none of %d", e.fired),
		})
	}
	return out
}

// idle finds loads of which nothing was seen, where no expectation looks at
// them.
func (e *evidence) idle() []Finding {
	load := e.spec.Scenario.Load
	events, expiring := 0, 0
	for i := range e.Watches {
		events += len(e.Watches[i].Events)
	}
	for i := range e.ops {
		if op := &e.ops[i]; op.TTL > 0 && op.Status == history.OK && op.Code == 0 {
			expiring++
		}
	}
	var out []Finding
	for _, l := range []struct {
		clients, seen int
		judge, expect string
	}{
		{load.TTL.Clients, expiring, scenario.ExpectLifetimes, "some key gets a time to live"},
		{load.Lock.Clients, len(e.Holds), scenario.ExpectLocks, "some lock is held"},
		{load.Watch.Clients, events, scenario.ExpectWatches, "some watch sees an event"},
	} {
		judged := slices.ContainsFunc(e.spec.Scenario.Expect, func(x scenario.Expectation) bool { return x.Kind == l.judge })
		if l.clients > 0 && l.seen == 0 && !judged {
			out = append(out, Finding{Expect: l.expect, Status: checker.Unknown, Measured: fmt.Sprintf("none by %d clients", l.clients)})
		}
	}
	return out
}

func hasFaults(outcomes []chaos.Outcome) bool {
	for _, o := range outcomes {
		if o.Kind != chaos.KindHeal {
			return true
		}
	}
	return false
}

// expect judges one expectation.
func (e *evidence) expect(x scenario.Expectation) Finding {
	f := e.judge(x)
	f.expectation = x.Kind
	if f.Status == checker.Violated && e.Stall >= stallMost && scenario.OfTime(x.Kind) {
		f.Status = checker.Unknown
		f.Measured += fmt.Sprintf("; but the machine itself stood still for %s at %s: too slow to judge times", seconds(e.Stall), seconds(e.StallAt))
	}
	return f
}

func (e *evidence) judge(x scenario.Expectation) Finding {
	switch x.Kind {
	case scenario.ExpectMinAcked:
		return e.count(x, e.acked, checker.Violated, "acknowledged")
	case scenario.ExpectMinFaults:
		return e.count(x, e.effects, checker.Unknown, "took effect")
	case scenario.ExpectSnapshot:
		return e.count(x, e.SnapshotsInstalled, checker.Unknown, "installed")
	case scenario.ExpectMembership:
		f := Finding{Expect: x.String(), Status: checker.Held, Measured: strings.Join(e.Voters, " ")}
		switch {
		case len(e.Voters) != x.Count && e.early():
			f.Status, f.Measured = checker.Unknown, "the run ended early"
		case len(e.Voters) != x.Count:
			f.fail(fmt.Sprintf("%d voters at the end: %s", len(e.Voters), strings.Join(e.Voters, " ")), e.Simulated)
		}
		return f
	}
	check, ok := checks[x.Kind]
	if !ok {
		return Finding{Expect: x.String(), Status: checker.Unknown, Measured: "this program has no check for it"}
	}
	v := worstOf(check(e, x))
	f := Finding{Expect: x.String(), Status: v.Status, Measured: v.Summary, Violation: v.Violation, verdict: v}
	if v.Violation != nil {
		f.At = time.Duration(v.Violation.At)
	}
	if v.Worst > 0 && v.Status == checker.Held && !strings.Contains(v.Summary, "worst") {
		f.Measured = strings.TrimSuffix("worst "+seconds(v.Worst)+", "+v.Summary, ", ")
	}
	return f
}

// count judges an expectation of at least so many; short is what too few make
// of it.
func (e *evidence) count(x scenario.Expectation, n int, short checker.Status, verb string) Finding {
	f := Finding{Expect: x.String(), Status: checker.Held, Measured: fmt.Sprintf("%d %s", n, verb)}
	if n >= x.Count {
		return f
	}
	if e.early() {
		short = checker.Unknown // the run ended early
	}
	if short == checker.Violated {
		f.fail(f.Measured, e.Simulated)
	}
	f.Status = short
	return f
}

func (f *Finding) fail(why string, at time.Duration) {
	f.Status, f.Measured, f.At = checker.Violated, why, at
	f.Violation = &checker.Violation{Why: why, At: int64(at)}
	f.verdict = checker.Verdict{Status: f.Status, Check: f.Expect, Summary: why, Violation: f.Violation}
}

// worstOf joins the verdicts of checks that one expectation is made of: a
// violation first, then an unknown; the summaries of what held are joined.
func worstOf(verdicts []checker.Verdict) checker.Verdict {
	for _, status := range []checker.Status{checker.Violated, checker.Unknown} {
		for _, v := range verdicts {
			if v.Status == status {
				return v
			}
		}
	}
	out := verdicts[0]
	for _, v := range verdicts[1:] {
		if v.Ops > 0 {
			out.Summary += ", " + v.Summary
		}
		out.Took += v.Took
		out.Worst = max(out.Worst, v.Worst)
	}
	return out
}

// overall is the verdict of a run: violated if any finding is, else unknown if
// any is, else held.
func overall(findings []Finding) checker.Status {
	status := checker.Held
	for _, f := range findings {
		switch f.Status {
		case checker.Violated:
			return checker.Violated
		case checker.Unknown:
			status = checker.Unknown
		}
	}
	return status
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
