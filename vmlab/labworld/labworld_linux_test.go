package labworld_test

import (
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

// waits has all that clients do beside plain keys, and faults that lie in wait or that
// the leader survives.
const waits = `
scenario: waits
runs_on: [lab]
cluster: {members: 3, knobs: {checkpoint_every: 60, catch_up_entries: 10}}
disk: {fsync: 1ms, jitter: 1ms, tail: 1%, tail_latency: 20ms}
network: {tail: 1%, tail_latency: 20ms}
load:
  kv: {clients: 2, keys: 2, think: 40ms}
  ttl: {clients: 2, think: 40ms}
  lock: {clients: 3, ttl: 1s, hold: 100ms, think: 20ms}
  watch: {clients: 2, slow: 20%, session: 1s}
steps:
  - {at: 500ms, disk-error: {node: leader, on: sync, nth: 3, restart_after: 500ms}}
  - {at: 2500ms, transfer-leadership: follower}
  - {at: 2700ms, slow-node: {node: leader, latency: 20ms}, for: 500ms}
duration: 6s
settle: 2500ms
expect:
  - promised
  - min-acknowledged: 50
  - min-faults: 2
`

// moves has members come, go and lose their disks.
const moves = `
scenario: moves
runs_on: [lab]
cluster: {members: 3, knobs: {checkpoint_every: 40, catch_up_entries: 5}}
load:
  kv: {clients: 3, keys: 4, think: 30ms}
steps:
  - {at: 500ms, membership: {add: [n4]}}
  - {at: 2500ms, membership: {remove: [n1]}}
  - {at: 4s, wipe: {node: follower, restart_after: 100ms}}
duration: 9s
settle: 4500ms
expect:
  - promised
  - membership: 3
  - snapshot-installed: 1
  - min-acknowledged: 50
  - min-faults: 3
`

// TestScenariosOnRealProcesses runs faults of all sorts on labs of namespaces, and has
// the simulator's checkers judge what came of it. On a machine that does too much else a
// run may come to mean nothing, which is no failure of the program.
func TestScenariosOnRealProcesses(t *testing.T) {
	bin := program(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, text := range []string{short, waits, moves} {
		s, err := scenario.Parse("test.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(s.Name, func(t *testing.T) {
			w := labworld.New("lab", []lab.Driver{netns.New()}, bin)
			if refused := s.Refusals(w.Name(), w.Supports); len(refused) > 0 {
				t.Fatalf("refused: %v", refused)
			}
			r := runner.Run(t.Context(), w, runner.Spec{Scenario: s, Seed: 3})
			for _, e := range r.Timeline {
				t.Logf("%9.3fs %s %s", e.At.Seconds(), e.States, e.Text)
			}
			switch {
			case r.Verdict == checker.Violated || r.Failed():
				t.Fatalf("%s %s: %+v; faults %+v", r.Verdict, r.Error, r.Worst(), r.Faults)
			case r.Verdict == checker.Unknown:
				t.Skipf("skipped: the machine is too busy to tell: %s: %s", r.Worst().Expect, r.Worst().Measured)
			}
			if len(r.Unjudged) == 0 {
				t.Error("nothing is left unjudged, though nobody saw the votes")
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(temp, "drydock-lab-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
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
