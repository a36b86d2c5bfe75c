package shrink_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/scenarios/shrink"
)

// TestMain makes fewer draws than usual: each is a whole search.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "8"); err != nil {
		panic(err)
	}
	m.Run()
}

// many is a scenario of n steps; each is told by the loss that it makes, in
// tenths of a percent, counted from 1.
func many(t testing.TB, n int) (*scenario.Scenario, []chaos.Strike) {
	var text strings.Builder
	text.WriteString("scenario: many\ncluster: {members: 5}\nload: {kv: {clients: 9, keys: 8}}\nnetwork: {loss: 1%}\n" +
		"nemesis: {profile: swarm, spares: 2}\nexpect: [linearizable, min-faults: 3, logs-match]\nsteps:\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&text, "  - {at: %dms, loss: {probability: %d.%d%%, from: leader}}\n", 1000+417*i, i/10, i%10)
	}
	s, err := scenario.Parse("many.yaml", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	var strikes []chaos.Strike
	for _, step := range s.Steps {
		strikes = append(strikes, chaos.Strike{At: step.At, End: step.At + 1234567*time.Microsecond, Fault: chaos.Fault{
			Kind: chaos.KindLoss, Params: step.Fault, Links: []chaos.Link{{From: "n4", To: "n1"}, {From: "n4", To: "n2"}},
		}})
	}
	return s, strikes
}

// has lists which of many's steps a scenario still has.
func has(s *scenario.Scenario) []int {
	var out []int
	for _, step := range s.Steps {
		if loss, ok := step.Fault.(*chaos.Loss); ok {
			out = append(out, int(float64(loss.Probability)*1000+0.5))
		}
	}
	return out
}

// world fails whenever bad says so, at 7 s.
func world(bad func(s *scenario.Scenario, seed uint64) bool) func(context.Context, *scenario.Scenario, uint64) *runner.Report {
	return func(ctx context.Context, s *scenario.Scenario, seed uint64) *runner.Report {
		r := &runner.Report{Scenario: s.Name, Seed: seed, Verdict: checker.Held, Acknowledged: 100}
		for i, step := range s.Steps {
			r.Faults = append(r.Faults, chaos.Outcome{Step: i, Kind: step.Fault.Kind(), Fired: 1, Effective: 1})
		}
		if ctx.Err() != nil {
			r.Error = "interrupted"
		}
		if bad(s, seed) {
			r.Verdict = checker.Violated
			r.Findings = []runner.Finding{{Expect: "linearizable", Status: checker.Violated, At: 7 * time.Second}}
		}
		return r
	}
}

func contains(s *scenario.Scenario, want []int) bool {
	got := has(s)
	return !slices.ContainsFunc(want, func(i int) bool { return !slices.Contains(got, i) })
}

// TestFindsWhatMatters: whichever steps are needed, they and no others are left.
func TestFindsWhatMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 24).Draw(t, "steps")
		needed := rapid.SliceOfNDistinct(rapid.IntRange(1, n), 0, min(n, 4), rapid.ID).Draw(t, "needed")
		slices.Sort(needed)
		k := shrink.Shrinker{Jobs: 3, Try: world(func(s *scenario.Scenario, _ uint64) bool {
			return contains(s, needed) && s.Load.KV.Clients >= 3
		})}
		s, strikes := manyOf(t, n)
		got := k.Run(context.Background(), s, 5, k.Try(context.Background(), s, 5), strikes, nil)
		if got == nil || !got.Complete {
			t.Fatalf("nothing was found: %+v", got)
		}
		if left := has(got.Scenario); !slices.Equal(left, needed) {
			t.Fatalf("%v are left, %v are needed", left, needed)
		}
		if r := k.Try(context.Background(), got.Scenario, got.Seed); r.Verdict != checker.Violated {
			t.Fatal("what was found does not fail")
		}
	})
}

func manyOf(t *rapid.T, n int) (*scenario.Scenario, []chaos.Strike) {
	return many(fatal{t: t}, n)
}

// fatal is the part of testing.TB that many needs.
type fatal struct {
	testing.TB
	t *rapid.T
}

func (f fatal) Fatal(args ...any) { f.t.Fatal(args...) }

func TestMakesAllOfItSmaller(t *testing.T) {
	s, strikes := many(t, 12)
	k := shrink.Shrinker{Jobs: 2, Try: world(func(s *scenario.Scenario, _ uint64) bool { return contains(s, []int{4}) })}
	got := k.Run(context.Background(), s, 5, k.Try(context.Background(), s, 5), strikes, nil)
	if got == nil {
		t.Fatal("nothing was found")
	}
	text := string(scenario.Encode(got.Scenario))
	want := `scenario: many
cluster: {members: 1}
load:
  kv: {clients: 2, keys: 1, mix: {get: 30, put: 20}}
`
	if !strings.HasPrefix(text, want) || strings.Contains(text, "nemesis") || strings.Contains(text, "network") || strings.Contains(text, "min-faults") {
		t.Errorf("left:\n%s", text)
	}
	if got.Scenario.Duration > 9*time.Second || got.Scenario.Expect[0].Kind != "linearizable" || len(got.Scenario.Expect) != 2 {
		t.Errorf("left:\n%s", text)
	}
	if step := got.Scenario.Steps[0]; step.At%(100*time.Millisecond) != 0 || step.For != 0 {
		t.Errorf("step %s", scenario.StepText(&step))
	}
}

// TestTriesOtherSeeds: where leaving a step out only helps with another seed.
func TestTriesOtherSeeds(t *testing.T) {
	s, strikes := many(t, 4)
	k := shrink.Shrinker{Jobs: 2, Try: world(func(s *scenario.Scenario, seed uint64) bool {
		return contains(s, []int{2}) && (len(s.Steps) == 4 || seed == 7)
	})}
	got := k.Run(context.Background(), s, 5, k.Try(context.Background(), s, 5), strikes, nil)
	if got == nil || got.Seed != 7 || !slices.Equal(has(got.Scenario), []int{2}) {
		t.Fatalf("%+v", got)
	}
}

func TestEndsWithItsTime(t *testing.T) {
	s, strikes := many(t, 20)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var runs atomic.Int64
	k := shrink.Shrinker{Jobs: 1, Try: world(func(s *scenario.Scenario, _ uint64) bool {
		if runs.Add(1) == 8 {
			cancel()
		}
		return contains(s, []int{3, 17})
	})}
	got := k.Run(ctx, s, 5, k.Try(context.Background(), s, 5), strikes, nil)
	if got == nil || got.Complete || runs.Load() > 10 || !contains(got.Scenario, []int{3, 17}) {
		t.Fatalf("%d runs: %+v", runs.Load(), got)
	}
}

func TestNothingToFind(t *testing.T) {
	s, strikes := many(t, 5)
	once := true
	for name, bad := range map[string]func(*scenario.Scenario, uint64) bool{
		"never fails again": func(*scenario.Scenario, uint64) bool { was := once; once = false; return was },
		"does not fail":     func(*scenario.Scenario, uint64) bool { return false },
	} {
		once = true
		k := shrink.Shrinker{Jobs: 1, Try: world(bad)}
		if got := k.Run(context.Background(), s, 5, k.Try(context.Background(), s, 5), strikes, nil); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestMeansSomething: a candidate that proves nothing doesn't count.
func TestMeansSomething(t *testing.T) {
	s, strikes := many(t, 6)
	usual := world(func(*scenario.Scenario, uint64) bool { return true })
	k := shrink.Shrinker{Jobs: 1, Try: func(ctx context.Context, s *scenario.Scenario, seed uint64) *runner.Report {
		r := usual(ctx, s, seed)
		if len(s.Steps) < 2 {
			r.Acknowledged = 3
		}
		for i := range r.Faults {
			if len(s.Steps) < 3 {
				r.Faults[i].Effective = 0
			}
		}
		return r
	}}
	got := k.Run(context.Background(), s, 5, k.Try(context.Background(), s, 5), strikes, nil)
	if got == nil || len(got.Scenario.Steps) != 3 {
		t.Fatalf("%+v", got)
	}
}
