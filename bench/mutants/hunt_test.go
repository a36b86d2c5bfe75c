package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
)

func TestPlan(t *testing.T) {
	p := newPlan([]string{"b", "gone", "b"}, []string{"a", "b", "c"})
	var got []string
	for range 9 {
		b := p.step()
		got = append(got, fmt.Sprintf("%s %d-%d", b.Scenario, b.From, b.To))
	}
	want := []string{"b 1-3", "a 1-1", "c 1-1", "b 4-9", "a 2-3", "c 2-3", "b 10-17", "a 4-7", "c 4-7"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

// fake is a world in which every run costs a second, has its seed as trace, and
// does what the program's name says.
type fake struct {
	mu    sync.Mutex
	calls []string
}

func (f *fake) build(_ context.Context, m *mutant) (string, time.Duration, error) {
	if m == nil {
		return "base", time.Second, nil
	}
	if m.Name == "broken" {
		return "", 0, fmt.Errorf("%w: broken", errCatalogue)
	}
	return m.Name, time.Second, nil
}

func (f *fake) probe(_ context.Context, program string, b batch) (sighting, error) {
	f.mu.Lock()
	f.calls = append(f.calls, fmt.Sprintf("%s %s %d-%d", program, b.Scenario, b.From, b.To))
	f.mu.Unlock()
	s := sighting{}
	for seed := b.From; seed <= b.To; seed++ {
		s.CPU += time.Second
		r := runner.Report{Scenario: b.Scenario, Seed: seed, Verdict: checker.Held, Trace: fmt.Sprint(seed)}
		bad := func(check string) {
			r.Verdict = checker.Violated
			r.Findings = []runner.Finding{{Expect: check, Status: checker.Violated, Measured: "wrong"}}
		}
		switch {
		case b.Scenario == "flawed" && seed == 5:
			bad("digests-equal") // under every program
		case program == "world-fails":
			return s, errors.New("the disk is full")
		case program == "dies" && seed == 2:
			return sighting{CPU: s.CPU, Crash: "panic: x"}, nil
		case program == "base", program == "idle", program == "null-idle":
		case program == "found" && b.Scenario == "flawed" && seed == 6, program == "null-found":
			r.Trace = "other"
			bad("live-after-heal: 10s")
		case program == "doubtful":
			r.Trace, r.Verdict, r.Error = "other", checker.Unknown, "out of memory"
		default:
			r.Trace = "other"
		}
		s.Runs = append(s.Runs, r)
		if r.Verdict == checker.Violated {
			break
		}
	}
	return s, nil
}

func (f *fake) campaign(budget time.Duration, names ...string) *campaign {
	c := &campaign{
		budget: budget, jobs: 2, seeds: 2, build: f.build, probe: f.probe,
		drop: func(string) {}, say: func(string) {}, ended: func(*hunt) {},
	}
	for _, name := range names {
		m := mutant{Name: name, Area: areaWAL, Checker: "live-after-heal", Fault: "it is " + name}
		if strings.HasPrefix(name, "null-") {
			m.Null, m.Area, m.Checker = true, areaNull, ""
		}
		c.mutants = append(c.mutants, m)
	}
	return c
}

func TestCampaign(t *testing.T) {
	f := &fake{}
	c := f.campaign(120*time.Second, "found", "idle", "hidden", "dies", "doubtful", "broken", "null-idle", "null-found")
	if err := c.run(t.Context(), []string{"flawed", "other"}); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, h := range c.hunts {
		got[h.Name] = h.Verdict
		if h.Kill != nil {
			got[h.Name] += fmt.Sprintf(" %s %s@%d", h.Kill.Check, h.Kill.Scenario, h.Kill.Seed)
		}
	}
	want := map[string]string{
		"found": "killed live-after-heal flawed@6", "idle": unreached, "hidden": survived,
		"dies": "killed no node panics flawed@2", "doubtful": survived, "broken": unfit,
		"null-idle": survived, "null-found": "killed live-after-heal flawed@1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if want := []run{{"flawed", 5}}; !slices.Equal(c.guilty, want) {
		t.Errorf("the program as it is violates %v, want %v", c.guilty, want)
	}
	for _, h := range c.hunts {
		if h.Verdict == survived && (h.CPU < 15*time.Second || h.Runs == 0) {
			t.Errorf("%s survived %s of a budget of 120s for eight", h.Name, h.CPU)
		}
		if h.Verdict == unreached && h.CPU > 15*time.Second {
			t.Errorf("%s was hunted for %s though no trace changed", h.Name, h.CPU)
		}
	}
	r := c.sum()
	if r.CPU > 150*time.Second {
		t.Errorf("the hunts cost %s of 120s", r.CPU)
	}
	if r.All.Killed != 2 || r.All.Survived != 2 || r.Score != 0.5 || r.code() != 2 {
		t.Errorf("sum %+v with code %d", r, r.code())
	}
}

func TestCampaignEndsWithTheWorld(t *testing.T) {
	f := &fake{}
	err := f.campaign(time.Minute, "world-fails", "hidden").run(t.Context(), []string{"other"})
	if err == nil || !strings.Contains(err.Error(), "mutant world-fails: the disk is full") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.campaign(time.Minute, "hidden").run(ctx, []string{"other"}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: error %v", err)
	}
}

// TestScenariosThatFailAreLeftOut: what the program as it is violates can show
// nothing about a mutant.
func TestScenariosThatFailAreLeftOut(t *testing.T) {
	f := &fake{}
	c := f.campaign(10*time.Second, "hidden")
	c.seeds = 5
	if err := c.run(t.Context(), []string{"flawed", "other"}); err != nil {
		t.Fatal(err)
	}
	for _, call := range f.calls {
		if strings.HasPrefix(call, "hidden flawed") {
			t.Errorf("hunted in a scenario that fails by itself: %s", call)
		}
	}
	if r := c.sum(); r.code() != 1 || len(r.Guilty) != 1 {
		t.Errorf("code %d, guilty %v", r.code(), r.Guilty)
	}
}

func TestCode(t *testing.T) {
	for _, tc := range []struct {
		killed, survived, unreached, nulls int
		want                               int
	}{
		{9, 1, 0, 0, 0},
		{9, 2, 0, 0, 1},
		{9, 1, 30, 0, 0},
		{10, 0, 0, 1, 1},
		{0, 0, 3, 0, 0},
	} {
		c := &campaign{}
		add := func(n int, verdict string, null bool) {
			for range n {
				c.hunts = append(c.hunts, &hunt{mutant: mutant{Area: areaWAL, Null: null}, Verdict: verdict})
			}
		}
		add(tc.killed, killed, false)
		add(tc.survived, survived, false)
		add(tc.unreached, unreached, false)
		add(tc.nulls, killed, true)
		if r := c.sum(); r.code() != tc.want {
			t.Errorf("%+v: code %d", tc, r.code())
		}
	}
}

func TestReport(t *testing.T) {
	c := &campaign{own: 90 * time.Second, guilty: []run{{"pause", 7}}}
	for _, h := range []hunt{
		{
			mutant: mutant{Name: "a-b", Area: areaWAL, Checker: "logs-match"}, Verdict: killed, CPU: 3 * time.Second,
			Kill: &kill{"pause", 4, "linearizable", "a stale read"},
		},
		{
			mutant: mutant{Name: "a-c", Area: areaWAL, Fault: "it forgets", Checker: "logs-match"}, Verdict: survived,
			CPU: 20 * time.Second, Runs: 31, Unknown: 2, Trouble: "out of memory",
		},
		{mutant: mutant{Name: "a-d", Area: areaAPI, Fault: "it sleeps"}, Verdict: unreached},
		{
			mutant: mutant{Name: "null-e", Area: areaNull, Fault: "it is the same", Null: true}, Verdict: killed,
			CPU: time.Second, Kill: &kill{"pause", 4, "linearizable", "nonsense"},
		},
	} {
		c.hunts = append(c.hunts, &h)
	}
	var out strings.Builder
	for _, h := range c.hunts[:2] {
		h.line(&out, 6)
	}
	r := c.sum()
	r.text(&out, c.hunts, time.Minute)
	want := `killed      a-b      wal            3.0 CPU s   linearizable   pause@4   (expected logs-match)
survived    a-c      wal           20.0 CPU s   31 runs, 2 of them unknown

area  mutants  killed  survived  unreached  median CPU s to kill
wal   2        1       1         0          3.0
api   1        0       0         1          -
null  1        1       0         0          1.0
all   3        1       1         1          3.0

survived: nothing noticed
  a-c (wal): it forgets
      expected logs-match; 31 runs, 20.0 CPU s; 2 unknown, first out of memory

unreached: no trace changed
  a-d (api): it sleeps

WRONGLY KILLED: these change no behaviour
  null-e (null): it is the same
      linearizable: nonsense, pause@4

VIOLATED by the program as it is:
  drydock run --seed 7 scenarios/pause.yaml

score   1 of 2 reached mutants killed (50%), 1 of 1 null ones   24s of 1m0s CPU   1m30s besides, for building and comparing
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}
