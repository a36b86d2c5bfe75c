package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/chaos"
	"drydock/scenarios/scenario"
)

// TestNemesisInFiles: the key becomes steps after the written ones, the same
// for the same seed, within its bounds and of what the world supports.
func TestNemesisInFiles(t *testing.T) {
	s, err := scenario.Parse("f", []byte(`
scenario: drawn
cluster: {members: 3, learners: 1}
nemesis: {profile: everything, from: 4s, until: 9s, rate: 40, spares: 2, without: [crash]}
duration: 20s
settle: 8s
steps:
  - at: 1s
    crash: leader
`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Nodes(), []string{"n1", "n2", "n3", "n4", "n5", "n6"}; !slices.Equal(got, want) {
		t.Errorf("nodes %v, want %v", got, want)
	}
	noDisks := func(k chaos.Kind) error {
		if strings.HasPrefix(string(k), "disk") {
			return fmt.Errorf("no %s here", k)
		}
		return nil
	}
	show := func(seed uint64) []string {
		var out []string
		for _, step := range s.Plan(seed, noDisks).Steps {
			out = append(out, step.Name+" "+step.At.String()+" "+step.Describe())
		}
		return out
	}
	if !slices.Equal(show(3), show(3)) || slices.Equal(show(3), show(4)) {
		t.Error("a seed must draw one plan, and another seed another")
	}
	joined := 0
	for seed := range uint64(30) {
		plan := s.Plan(seed, noDisks)
		if plan.Steps[0].Drawn || plan.Steps[0].Fault.Kind() != chaos.KindCrash {
			t.Fatalf("the written step comes first, not %+v", plan.Steps[0])
		}
		for _, step := range plan.Steps[1:] {
			kind := step.Fault.Kind()
			if !step.Drawn || step.At.Seconds() < 4 || step.At.Seconds() >= 9 || kind == chaos.KindCrash || noDisks(kind) != nil {
				t.Errorf("drawn %s at %s: %s", step.Name, step.At, step.Describe())
			}
			if m, ok := step.Fault.(*chaos.Membership); ok && len(m.Add) > 0 {
				joined++
				if m.Add[0] != "n5" && m.Add[0] != "n6" {
					t.Errorf("%v joins", m.Add)
				}
			}
		}
	}
	if joined == 0 {
		t.Error("nobody ever joins")
	}
}

// TestDrawnStepsCanBeWritten: a plan that was drawn is a file's steps, too.
func TestDrawnStepsCanBeWritten(t *testing.T) {
	s := parse(t, "cluster: {members: 5}\nnemesis: {profile: everything, rate: 40, spares: 2, mixed: true}\nduration: 60s\n")
	for seed := range uint64(30) {
		plan := s.Plan(seed, nil)
		written := parse(t, "cluster: {members: 5}\nnemesis: {profile: swarm, spares: 2}\nduration: 60s\n")
		written.Steps = scenario.StepsOf(plan)
		again, err := scenario.Parse("f", scenario.Encode(written))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i, step := range again.Steps {
			if got, want := step.Fault, plan.Steps[i].Fault; !cmp.Equal(got, want) {
				t.Fatalf("seed %d: %s", seed, cmp.Diff(want, got))
			}
		}
	}
}
