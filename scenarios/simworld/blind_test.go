package simworld_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/scenarios/simworld"
	"drydock/sim/history"
)

// blindScenario has every load and some faults, each alone.
const blindScenario = `
scenario: blind
cluster: {members: 3}
load:
  kv: {clients: 3, keys: 4, think: 40ms}
  ttl: {clients: 2, think: 60ms}
  lock: {clients: 3}
  watch: {clients: 4}
steps:
  - {at: 4s, crash: {node: leader, restart_after: 1s}}
duration: 16s
settle: 8s
expect:
%s`

// allChecks are the expectations that have a checker.
var allChecks = []string{
	"linearizable", "acknowledged-writes-kept", "one-leader-per-term", "digests-equal", "logs-match",
	"indexes-monotone", "only-voters-decide", "bounded", "locks-exclusive", "lifetimes-kept: 3s",
	"releases-honoured", "upgraded-within: 2s",
	"watches-complete: 3s", "live-after-heal: 3s", "outage-within: 3s", "leader-within: 3s",
}

// evidence is a world that returns evidence instead of running anything.
type evidence struct{ *runner.Result }

// Name implements runner.World.
func (evidence) Name() string { return "evidence" }

// Supports implements runner.World.
func (evidence) Supports(chaos.Kind) error { return nil }

// Run implements runner.World.
func (e evidence) Run(context.Context, runner.Spec) (*runner.Result, error) { return e.Result, nil }

// keeper remembers the result of the run.
type keeper struct {
	runner.World
	kept *runner.Result
}

// Run implements runner.World.
func (k *keeper) Run(ctx context.Context, spec runner.Spec) (*runner.Result, error) {
	res, err := k.World.Run(ctx, spec)
	k.kept = res
	return res, err
}

func blind(t *testing.T, expect []string) *scenario.Scenario {
	t.Helper()
	list := ""
	for _, x := range expect {
		list += "  - " + x + "\n"
	}
	s, err := scenario.Parse("blind.yaml", fmt.Appendf(nil, blindScenario, list))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// violated lists the expectations that are violated in the evidence.
func violated(t *testing.T, expect []string, res *runner.Result) []string {
	t.Helper()
	r := runner.Run(context.Background(), evidence{res}, runner.Spec{Scenario: blind(t, expect), Seed: 1})
	if r.Failed() {
		t.Fatal(r.Error)
	}
	var list []string
	for _, f := range r.Findings {
		if f.Status == checker.Violated {
			list = append(list, f.Expect)
		}
	}
	return list
}

// TestEveryCheckerBearsLoad spoils the records of a good run in a way that one
// checker alone can see: with it the run is violated, without it it is not.
func TestEveryCheckerBearsLoad(t *testing.T) {
	k := &keeper{World: simworld.New()}
	good := runner.Run(context.Background(), k, runner.Spec{Scenario: blind(t, allChecks), Seed: 3})
	if good.Verdict != checker.Held {
		t.Fatalf("the good run is %s: %+v", good.Verdict, good.Worst())
	}
	for _, tc := range spoilers {
		t.Run(tc.sees, func(t *testing.T) {
			res := *k.kept
			res.Ops = slices.Clone(res.Ops)
			if !tc.spoil(&res) {
				t.Fatal("the run has nothing to spoil")
			}
			checks := allChecks
			if !slices.Contains(checks, tc.sees) {
				checks = append(slices.Clone(checks), tc.sees)
			}
			checks = slices.DeleteFunc(slices.Clone(checks), func(x string) bool { return slices.Contains(tc.aside, x) })
			if got := violated(t, checks, &res); !slices.Equal(got, []string{tc.sees}) {
				t.Errorf("violated: %q, want %q alone", got, tc.sees)
			}
			without := slices.DeleteFunc(slices.Clone(checks), func(x string) bool { return x == tc.sees })
			// Rot is looked for whenever there is some.
			if got := violated(t, without, &res); len(got) > 0 && tc.sees != "rot-noticed" {
				t.Errorf("without it, violated: %q", got)
			}
		})
	}
}

// spoiler spoils records so that one checker sees it.
type spoiler struct {
	sees  string
	aside []string // checks that would see it, too, by their nature
	spoil func(r *runner.Result) bool
}

// firstOp spoils the first operation that fits.
func firstOp(fits func(*history.Op) bool, spoil func(*history.Op)) func(*runner.Result) bool {
	return func(r *runner.Result) bool {
		for i := len(r.Ops) / 2; i < len(r.Ops); i++ {
			if fits(&r.Ops[i]) {
				spoil(&r.Ops[i])
				return true
			}
		}
		return false
	}
}

// last returns where to change the last record of a copy.
func last[T any](list *[]T) *T {
	*list = slices.Clone(*list)
	return &(*list)[len(*list)-1]
}

var spoilers = []spoiler{
	{"linearizable", nil, firstOp(func(op *history.Op) bool {
		return op.Kind == history.Get && !op.Stale && op.Out != nil && op.Left == 0
	}, func(op *history.Op) {
		other := "another value"
		op.Out = &other
	})},
	{"acknowledged-writes-kept", nil, firstOp(func(op *history.Op) bool {
		return op.Kind == history.CAS && op.Code != 0
	}, func(op *history.Op) { op.Status, op.Code = history.Refused, 0 })},
	{"one-leader-per-term", nil, func(r *runner.Result) bool {
		v := *last(&r.Votes)
		for _, n := range r.Nodes {
			if n != v.To {
				v.To = n
				r.Votes = append(r.Votes, v)
				return true
			}
		}
		return false
	}},
	{"digests-equal", nil, func(r *runner.Result) bool {
		last(&r.Digests).Digest = "0123456789abcdef"
		return true
	}},
	{"logs-match", nil, func(r *runner.Result) bool {
		last(&r.Entries).Hash = "0123456789abcdef"
		return true
	}},
	// Where answers carry revisions, their order says more than indexes.
	{"indexes-monotone", []string{"linearizable"}, firstOp(func(op *history.Op) bool {
		return op.Status == history.OK && !op.Stale && op.Code != 0 && op.Kind != history.Get
	}, func(op *history.Op) { op.Index = 1 })},
	{"only-voters-decide", nil, func(r *runner.Result) bool {
		l := *last(&r.Led)
		r.Votes = slices.DeleteFunc(slices.Clone(r.Votes), func(v history.Vote) bool { return v.Term == l.Term })
		return true
	}},
	{"bounded", nil, func(r *runner.Result) bool {
		last(&r.Sizes).Inbox = 1 << 20
		return true
	}},
	{"locks-exclusive", nil, func(r *runner.Result) bool {
		h := *last(&r.Holds)
		h.Client = "l9"
		r.Holds = append(r.Holds, h)
		return true
	}},
	{"lifetimes-kept: 3s", nil, firstOp(func(op *history.Op) bool {
		return op.Kind == history.Get && !op.Stale && op.Left > 0
	}, func(op *history.Op) { op.Left += 5 })},
	{"watches-complete: 3s", nil, func(r *runner.Result) bool {
		r.Watches = slices.Clone(r.Watches)
		for i := range r.Watches {
			if w := &r.Watches[i]; w.Stream && w.Path == "/" && len(w.Events) > 4 {
				w.Events = slices.Delete(slices.Clone(w.Events), 2, 3)
				return true
			}
		}
		return false
	}},
	{"live-after-heal: 3s", nil, func(r *runner.Result) bool {
		r.Applied = slices.DeleteFunc(slices.Clone(r.Applied), func(a history.Applied) bool {
			return a.Node == r.Nodes[0] && time.Duration(a.Time) > r.Simulated-3*time.Second
		})
		return true
	}},
	{"outage-within: 200ms", nil, func(r *runner.Result) bool {
		// Nobody asks for anything at the end of the run.
		r.Faults = append(slices.Clone(r.Faults), history.Fault{
			Time: int64(r.Simulated - 500*time.Millisecond), Kind: "crash", Node: "n1",
		})
		return true
	}},
	{"leader-within: 200ms", nil, func(r *runner.Result) bool {
		r.Faults = append(slices.Clone(r.Faults), history.Fault{
			Time: int64(r.Simulated - 500*time.Millisecond), Kind: "crash", Node: "n1", TookLeader: true,
		})
		return true
	}},
	{"releases-honoured", nil, func(r *runner.Result) bool {
		r.Lives = slices.Clone(r.Lives)
		for i := range r.Lives {
			r.Lives[i].Release = 1
			if r.Lives[i].End == 0 {
				return true
			}
		}
		return false
	}},
	{"upgraded-within: 2s", nil, func(r *runner.Result) bool {
		r.Truth = slices.Clone(r.Truth)
		for i := range r.Truth {
			if r.Truth[i].Member != "" {
				r.Truth[i].Member = ""
				return true
			}
		}
		return false
	}},
	{"rot-noticed", nil, func(r *runner.Result) bool {
		again := *last(&r.Restarts)
		r.Rotten = append(r.Rotten, history.Rotten{Time: again.Time - 1, Node: again.Node, File: "wal/1", Live: true})
		return true
	}},
}

// stopping is a world that shows its observer things until it objects.
type stopping struct {
	*runner.Result
	shown []history.Observation
	seen  int
}

// Name implements runner.World.
func (*stopping) Name() string { return "stopping" }

// Supports implements runner.World.
func (*stopping) Supports(chaos.Kind) error { return nil }

// Run implements runner.World.
func (w *stopping) Run(_ context.Context, spec runner.Spec) (*runner.Result, error) {
	res := *w.Result
	for i := range w.shown {
		w.seen++
		if res.Stopped = spec.Observe(&w.shown[i]); res.Stopped != nil {
			break
		}
	}
	return &res, nil
}

// TestRunsStopAtTheFirstViolation shows each kind of observation that is wrong,
// and then another: the run ends at the first, and is violated by it alone.
func TestRunsStopAtTheFirstViolation(t *testing.T) {
	k := &keeper{World: simworld.New()}
	s := blind(t, allChecks)
	runner.Run(context.Background(), k, runner.Spec{Scenario: s, Seed: 3})
	get := func(call int64, revision, index uint64) *history.Op {
		return &history.Op{ID: int(call), Client: "c1", Kind: history.Get, Key: "/k", Call: call, Return: call + 1, Status: history.OK, Revision: revision, Index: index}
	}
	event := func(modified uint64) history.WatchEvent {
		return history.WatchEvent{Time: 7, Action: "set", Key: "/k", Modified: modified}
	}
	for expect, wrong := range map[string][]history.Observation{
		"one-leader-per-term":  {{Led: &history.Led{Time: 1, Node: "n1", Term: 9}}, {Led: &history.Led{Time: 7, Node: "n2", Term: 9}}},
		"digests-equal":        {{Digest: &history.Digest{Time: 1, Node: "n1", Index: 9, Digest: "a"}}, {Digest: &history.Digest{Time: 7, Node: "n2", Index: 9, Digest: "b"}}},
		"linearizable":         {{Op: get(1, 9, 8)}, {Op: get(6, 8, 8)}},
		"indexes-monotone":     {{Op: get(1, 9, 8)}, {Op: get(6, 9, 7)}},
		"watches-complete: 3s": {{Watch: &history.Watch{Path: "/k", Events: []history.WatchEvent{event(9)}}}, {Watch: &history.Watch{Path: "/k", Events: []history.WatchEvent{event(9), event(8)}}}},
		"locks-exclusive":      {{Hold: &history.Hold{Client: "l1", Lock: "/l", Fence: 9, Acquired: 1, Ended: 2}}, {Hold: &history.Hold{Client: "l2", Lock: "/l", Fence: 8, Acquired: 7}}},
	} {
		t.Run(expect, func(t *testing.T) {
			w := &stopping{Result: k.kept, shown: append(wrong, history.Observation{Led: &history.Led{Node: "n3", Term: 99}})}
			r := runner.Run(context.Background(), w, runner.Spec{Scenario: s, Seed: 1})
			bad := r.Worst()
			if r.Verdict != checker.Violated || bad.Expect != expect || bad.Violation == nil || bad.At != 7 {
				t.Errorf("%s by %+v", r.Verdict, bad)
			}
			if w.seen != 2 {
				t.Errorf("the observer was shown %d things, want 2", w.seen)
			}
		})
	}
}

// TestClocksExcuseEarlyExpiries makes keys expire too early, and shows which
// faults of clocks excuse that.
func TestClocksExcuseEarlyExpiries(t *testing.T) {
	k := &keeper{World: simworld.New()}
	s := blind(t, allChecks)
	runner.Run(context.Background(), k, runner.Spec{Scenario: s, Seed: 3})
	early := *k.kept
	early.Truth = slices.Clone(early.Truth)
	for i := range early.Truth {
		if early.Truth[i].Kind == history.Expire {
			early.Truth[i].Time -= int64(400 * time.Millisecond)
		}
	}
	whole := func(p chaos.Params) chaos.Strike {
		return chaos.Strike{End: early.Simulated, Fault: chaos.Fault{Params: p}}
	}
	at := func(at time.Duration, p chaos.Params) chaos.Strike {
		return chaos.Strike{At: at, End: at + time.Second, Fault: chaos.Fault{Params: p}}
	}
	last := early.Simulated - time.Millisecond
	for _, tc := range []struct {
		name    string
		strikes []chaos.Strike
		want    bool // violated
	}{
		{"right clocks", nil, true},
		{"another fault", []chaos.Strike{whole(&chaos.Pause{})}, true},
		{"a fast clock", []chaos.Strike{whole(&chaos.ClockRate{Rate: 1.5, Clock: chaos.ClockMono})}, false},
		{"a clock a little fast", []chaos.Strike{whole(&chaos.ClockRate{Rate: 1.02, Clock: chaos.ClockMono})}, true},
		{"a fast clock, later", []chaos.Strike{at(last, &chaos.ClockRate{Rate: 1.5, Clock: chaos.ClockMono})}, true},
		{"a calendar that jumped, before a start long after", []chaos.Strike{at(0, &chaos.ClockJump{By: time.Second, Clock: chaos.ClockWall})}, true},
		{"a calendar that jumped, later", []chaos.Strike{at(last, &chaos.ClockJump{By: time.Second, Clock: chaos.ClockWall})}, true},
		{"a clock that jumped, once", []chaos.Strike{at(0, &chaos.ClockJump{By: time.Second, Clock: chaos.ClockMono})}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := early
			res.Strikes = tc.strikes
			got := violated(t, []string{"lifetimes-kept: 3s"}, &res)
			if (len(got) > 0) != tc.want {
				t.Errorf("violated: %q", got)
			}
		})
	}
}
