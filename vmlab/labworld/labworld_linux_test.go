package labworld_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/vmlab/lab"
	"drydock/vmlab/labworld"
	"drydock/vmlab/netns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// short has a fault of each sort that a lab does: of a machine's power, a process, a
// link, a disk and a clock.
const short = `
scenario: short
runs_on: [sim, lab]
cluster: {members: 3}
load:
  kv: {clients: 4, keys: 4, think: 20ms}
  watch: {clients: 2}
steps:
  - {at: 500ms, crash: {node: leader, torn: true, restart_after: 300ms}}
  - {at: 1500ms, partition: {isolate: leader}, for: 700ms}
  - {at: 1800ms, slow-disk: {node: n2, latency: 20ms}, for: 500ms}
  - {at: 1900ms, clock-jump: {node: n3, by: 1h, direction: back}, for: 500ms}
  - {at: 2500ms, power-loss: {restart_after: 200ms, jitter: 50ms}}
duration: 6s
settle: 2500ms
expect:
  - promised
  - min-acknowledged: 50
  - min-faults: 5
`

// TestAScenarioOnRealProcesses runs faults of all sorts on a lab of namespaces, and
// has the simulator's checkers judge what came of it.
func TestAScenarioOnRealProcesses(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: labs of namespaces need root")
	}
	if testing.Short() {
		t.Skip("skipped: builds the program")
	}
	bin := filepath.Join(t.TempDir(), "drydock")
	if out, err := exec.Command("go", "build", "-o", bin, "drydock").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	s, err := scenario.Parse("short.yaml", []byte(short))
	if err != nil {
		t.Fatal(err)
	}
	w := labworld.New("lab", []lab.Driver{netns.New()}, bin)
	if refused := s.Refusals(w.Name(), w.Supports); len(refused) > 0 {
		t.Fatalf("refused: %v", refused)
	}
	r := runner.Run(t.Context(), w, runner.Spec{Scenario: s, Seed: 3})
	for _, e := range r.Timeline {
		t.Logf("%9.3fs %s %s", e.At.Seconds(), e.States, e.Text)
	}
	if r.Verdict != checker.Held {
		t.Fatalf("%s %s: %+v; faults %+v", r.Verdict, r.Error, r.Worst(), r.Faults)
	}
	if len(r.Unjudged) == 0 {
		t.Error("nothing is left unjudged, though nobody saw the votes")
	}
}

// TestFaultsThatNoLabHasAreRefused: by name, before anything is done.
func TestFaultsThatNoLabHasAreRefused(t *testing.T) {
	w := labworld.New("lab", []lab.Driver{netns.New()}, "")
	for _, k := range []chaos.Kind{chaos.KindBitRot, chaos.KindUpgrade, chaos.KindFailpoint} {
		if err := w.Supports(k); err == nil {
			t.Errorf("%s is said to be possible", k)
		}
	}
	for _, k := range []chaos.Kind{chaos.KindCrash, chaos.KindPowerLoss, chaos.KindClockJump, chaos.KindDiskStall, chaos.KindLoss} {
		if err := w.Supports(k); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
}
