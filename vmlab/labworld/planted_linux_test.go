package labworld_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/vmlab/lab"
	"drydock/vmlab/labworld"
	"drydock/vmlab/netns"
)

// dark cuts the power of all members at once, twice, while their disks are slow to sync.
const dark = `
scenario: dark
runs_on: [lab]
cluster: {members: 3}
load:
  kv: {clients: 8, keys: 6, think: 20ms}
steps:
  - {at: 200ms, slow-disk: {node: all, latency: 60ms}}
  - {at: 1s, jitter: 200ms, power-loss: {torn: true, restart_after: 300ms}}
  - {at: 3s, jitter: 200ms, power-loss: {torn: true, restart_after: 300ms}}
duration: 7s
settle: 3s
`

// lagging has followers that are cut off from the others, and not from their clients.
const lagging = `
scenario: lagging
runs_on: [lab]
cluster: {members: 3}
load:
  kv: {clients: 9, keys: 2, think: 10ms, endpoints: one, mix: {get: 60, put: 40}}
steps:
  - {every: {period: 1500ms, from: 500ms, until: 3s}, partition: {isolate: follower}, for: 1s}
duration: 6s
settle: 2s
`

// TestPlantedFaultsAreCaught builds the program with a fault in it, and sees that a
// lab's verdict names what is broken; a build without one holds.
func TestPlantedFaultsAreCaught(t *testing.T) {
	for _, planted := range []struct {
		name, scenario, file, from, to string
		caught                         []string // by one of these
	}{
		{
			"an answer before the sync", dark, "node/persist.go",
			"\t\t\treturn\n\t\t}\n\t\tn.core.Persisted(a)\n\t})\n", "\t\t}\n\t})\n\tn.core.Persisted(a)\n",
			[]string{scenario.ExpectAcked, scenario.ExpectLinearizable, scenario.ExpectLogs, scenario.ExpectDigests},
		},
		{
			"a read that asks nobody", lagging, "node/request.go",
			"\tcase call.Linearizable:\n\t\tif err = n.core.Read(token); err == nil {\n\t\t\tn.calls[token] = call\n\t\t}\n", "",
			[]string{scenario.ExpectLinearizable, scenario.ExpectIndexes},
		},
	} {
		t.Run(planted.name, func(t *testing.T) {
			bin := build(t, planted.file, planted.from, planted.to)
			s, err := scenario.Parse("planted.yaml", []byte(planted.scenario))
			if err != nil {
				t.Fatal(err)
			}
			// What of a fault shows depends on the machine: three runs are enough.
			for seed := range uint64(3) {
				r := runner.Run(t.Context(), labworld.New("lab", []lab.Driver{netns.New()}, bin), runner.Spec{Scenario: s, Seed: seed + 1})
				for _, f := range r.Findings {
					t.Logf("%s %s: %s", f.Status, f.Expect, f.Measured)
					if f.Status == checker.Violated && strings.Contains(strings.Join(planted.caught, " "), f.Expect) {
						return
					}
				}
				t.Logf("seed %d: %s %s", seed+1, r.Verdict, r.Error)
			}
			t.Error("it is not caught")
		})
	}
}

// build compiles the program with an edit of one file.
func build(t *testing.T, file, from, to string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: labs of namespaces need root")
	}
	if testing.Short() {
		t.Skip("skipped: builds the program")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(root, file)
	text, err := os.ReadFile(place)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), from) != 1 {
		t.Fatalf("%s has changed: the fault can't be planted", file)
	}
	dir := t.TempDir()
	edited, list, bin := filepath.Join(dir, "edited.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "drydock")
	if err := os.WriteFile(edited, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{place: edited}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", list, "-o", bin, "drydock").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}
