package simworld_test

import (
	"context"
	"strings"
	"testing"

	"drydock/chaos"
	"drydock/scenarios"
	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/scenarios/simworld"
)

// load parses a scenario of the library.
func load(t *testing.T, name string) *scenario.Scenario {
	t.Helper()
	text, ok := scenarios.Find(name)
	if !ok {
		t.Fatalf("no scenario %s", name)
	}
	s, err := scenario.Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLibraryHolds runs every scenario of the library once, in the simulator,
// and wants every written step to have taken effect, and of drawn ones half.
// Short tests run two of them.
func TestLibraryHolds(t *testing.T) {
	names := scenarios.Names()
	if testing.Short() {
		names = names[:2]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			s := load(t, name)
			r := runner.Run(context.Background(), simworld.New(), runner.Spec{Scenario: s, Seed: 1})
			if r.Verdict != checker.Held {
				t.Fatalf("%s %s: %+v", r.Verdict, r.Error, r.Worst())
			}
			drawn, idle := 0, 0
			for _, o := range r.Faults {
				switch {
				case strings.HasPrefix(o.Name, chaos.DrawnPrefix):
					drawn++
					if o.Effective == 0 {
						idle++
					}
				case o.Effective == 0 && name != "example": // it shows more than fits into one run
					t.Errorf("%s: fired %d times without effect: %s", o.Name, o.Fired, o.Why)
				}
			}
			if idle > drawn/2 {
				t.Errorf("%d of %d drawn faults had no effect", idle, drawn)
			}
			if len(r.Timeline) < 5 || len(r.Timeline[0].States) != len(r.Nodes) {
				t.Errorf("timeline of %d lines for %d nodes", len(r.Timeline), len(r.Nodes))
			}
		})
	}
}

// TestQuietChangesNothing pins that showing a run doesn't change it, nor does
// what ran before it in the process.
func TestQuietChangesNothing(t *testing.T) {
	s := load(t, "lossy-network")
	var traces []string
	for _, spec := range []runner.Spec{
		{Scenario: s, Seed: 7}, {Scenario: s, Seed: 8}, {Scenario: s, Seed: 7, Quiet: true},
	} {
		traces = append(traces, runner.Run(context.Background(), simworld.New(), spec).Trace)
	}
	if traces[0] == "" || traces[0] != traces[2] || traces[0] == traces[1] {
		t.Errorf("seeds 7, 8 and 7: %q", traces)
	}
}
