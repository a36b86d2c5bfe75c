package simworld_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/scenarios/simworld"
	"drydock/sim/tape"
)

// TestLookingOnChangesNothing: neither a tape nor a listener, and a run that is
// stopped early is the same as far as it goes.
func TestLookingOnChangesNothing(t *testing.T) {
	s := load(t, "membership")
	run := func(spec runner.Spec) *runner.Report {
		t.Helper()
		spec.Scenario, spec.Seed, spec.Quiet = s, 3, true
		r := runner.Run(context.Background(), simworld.New(), spec)
		if r.Failed() {
			t.Fatal(r.Error)
		}
		return r
	}
	plain, taped := run(runner.Spec{}), run(runner.Spec{Tape: true})
	told := map[string]int{}
	last := uint64(0)
	heard := run(runner.Spec{Tape: true, Listen: &tape.Listener{Tell: func(m tape.Moment) {
		if told[m.What]++; m.Event > 0 && m.Event != last+1 {
			t.Errorf("event %d after %d", m.Event, last)
		}
		last = max(last, m.Event)
		if m.Node == "" && m.What != "fault" {
			t.Errorf("nobody's moment: %+v", m)
		}
	}}})
	if plain.Trace != taped.Trace || plain.Trace != heard.Trace {
		t.Fatalf("traces %s, %s, %s", plain.Trace, taped.Trace, heard.Trace)
	}
	whole := taped.Result().Tape
	if whole.Trace != plain.Trace || last != whole.Events || uint64(len(whole.Marks)) != whole.Events {
		t.Errorf("a tape of %d events, %d marks, %s; told of %d", whole.Events, len(whole.Marks), whole.Trace, last)
	}
	for _, what := range []string{"step", "send", "receive", "request", "response", "job", "applied", "role", "boot", "crash", "fault"} {
		if told[what] == 0 {
			t.Errorf("told of no %s: %v", what, told)
		}
	}
	part := run(runner.Spec{Tape: true, Until: 7 * time.Second})
	if part.Simulated != 7*time.Second || part.Trace == plain.Trace {
		t.Errorf("stopped at %s", part.Simulated)
	}
	if d := tape.Compare(whole, part.Result().Tape, true); d != nil {
		t.Errorf("a run that is stopped early differs: %+v", d)
	}
}

// TestRegressionsHold runs what failed once and was kept, each with its seed.
func TestRegressionsHold(t *testing.T) {
	files, err := filepath.Glob("../regress/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no regression scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := scenario.Parse(file, text)
			if err != nil {
				t.Fatal(err)
			}
			if s.Seed == 0 || s.Why == "" || s.Name+".yaml" != filepath.Base(file) {
				t.Errorf("name %q, seed %d, why %q", s.Name, s.Seed, s.Why)
			}
			r := runner.Run(context.Background(), simworld.New(), runner.Spec{Scenario: s, Seed: uint64(s.Seed), Quiet: true})
			if r.Verdict != checker.Held {
				t.Errorf("%s %s: %+v", r.Verdict, r.Error, r.Worst())
			}
		})
	}
}
