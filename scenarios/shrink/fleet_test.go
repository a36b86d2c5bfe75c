package shrink_test

import (
	"context"
	"testing"
	"time"

	"drydock/chaos"
	"drydock/scenarios/scenario"
	"drydock/scenarios/shrink"
)

// TestFewerUnitsAndMachines: of units and machines, what a failure needs is left, and
// what the step names.
func TestFewerUnitsAndMachines(t *testing.T) {
	text := `
scenario: fleet
cluster: {members: 5, workers: 9, machines: [{metadata: [disk=ssd]}]}
load:
  units:
    - {name: a, count: 4}
    - {name: b, count: 12, metadata: [disk=ssd]}
    - {name: c}
steps:
  - {at: 3s, crash: {node: w3}}
rest: 4s
expect: [linearizable]
`
	s, err := scenario.Parse("fleet.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	strikes := []chaos.Strike{{At: 3 * time.Second, Fault: chaos.Fault{
		Kind: chaos.KindCrash, Params: s.Steps[0].Fault, Nodes: []string{"w3"},
	}}}
	k := shrink.Shrinker{Jobs: 2, Try: world(func(s *scenario.Scenario, _ uint64) bool {
		for i := range s.Load.Units {
			if u := &s.Load.Units[i]; u.Name == "b" && u.Count >= 3 {
				return len(s.Steps) > 0
			}
		}
		return false
	})}
	got := k.Run(context.Background(), s, 1, k.Try(context.Background(), s, 1), strikes, nil)
	if got == nil {
		t.Fatal("nothing was found")
	}
	left := got.Scenario
	if len(left.Load.Units) != 1 || left.Load.Units[0].Count != 3 || left.Cluster.Workers != 3 || left.Cluster.Machines != nil {
		t.Errorf("left:\n%s", scenario.Encode(left))
	}
}
