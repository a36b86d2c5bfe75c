package labworld_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/vmlab/lab"
	"drydock/vmlab/labworld"
	"drydock/vmlab/netns"
	"drydock/vmlab/uml"
	"drydock/vmlab/work"
)

// withUnits has a machine that runs units lose its power, units crash and hang, and a
// user change their minds.
const withUnits = `
scenario: with-units
runs_on: [sim, lab]
cluster: {members: 1, workers: 3, machines: [{metadata: [disk=ssd]}, {}]}
load:
  kv: {clients: 1, think: 100ms}
  units:
    - {name: web, count: 3, at: 200ms, service: [Restart=always, RestartSec=100ms]}
    - {name: fast, metadata: [disk=ssd], at: 200ms, conflicts: ["web@9*"]}
    - {name: everywhere, at: 200ms, global: true}
    - {name: late, desired: later, work: up=50ms, service: [Type=notify]}
steps:
  - {at: 1s, unit-crash: {unit: "web@*", most: 1}}
  - {at: 1200ms, crash: {node: runner, restart_after: 400ms}}
  - {at: 1300ms, units: {do: start, name: late.service}}
  - {at: 2s, unit-hang: "late*", for: 300ms}
  - {at: 1900ms, units: {do: restart, name: late.service}}
duration: 7500ms
settle: 3s
expect:
  - units-once
  - conflicts-apart
  - placed-where-allowed
  - restarts-have-causes
  - states-true
  - units-running: 1500ms
  - units-up-within: 6s
  - min-faults: 4
`

// program builds the program, unless there is one.
func program(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: labs of namespaces need root")
	}
	if testing.Short() {
		t.Skip("skipped: builds the program")
	}
	if bin := os.Getenv("DRYDOCK_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "drydock")
	if out, err := exec.Command("go", "build", "-o", bin, "drydock").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	link := filepath.Join(t.TempDir(), "dd") // as whoever has it on a path may call it
	if err := os.Symlink(bin, link); err != nil {
		t.Fatal(err)
	}
	return link
}

func parse(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestUnitsOnRealProcesses runs units on a lab of namespaces.
func TestUnitsOnRealProcesses(t *testing.T) {
	w := labworld.New("lab", []lab.Driver{netns.New()}, program(t))
	s := parse(t, withUnits)
	if refused := s.Refusals(w.Name(), w.Supports); len(refused) > 0 {
		t.Fatalf("refused: %v", refused)
	}
	r := runner.Run(t.Context(), w, runner.Spec{Scenario: s, Seed: 4})
	for _, e := range r.Timeline {
		t.Logf("%9.3fs %s %s", e.At.Seconds(), e.States, e.Text)
	}
	if r.Verdict == checker.Unknown && r.Error == "" {
		t.Skipf("skipped: on a machine that stands still now and then nothing is judged: %+v", r.Worst())
	}
	if r.Verdict != checker.Held {
		t.Fatalf("%s %s: %+v; faults %+v", r.Verdict, r.Error, r.Worst(), r.Faults)
	}
}

// planted is quiet: whatever runs twice there does so by what the test plants.
const planted = `
scenario: planted
runs_on: [lab]
cluster: {members: 1, workers: 2}
load:
  kv: {clients: 1}
  units: [{name: web, at: 200ms}]
duration: 3s
settle: 2s
expect: [units-once]
`

// TestAUnitThatRunsTwiceIsCaught plants a second process of a unit beside the one that
// the cluster has started.
func TestAUnitThatRunsTwiceIsCaught(t *testing.T) {
	bin := program(t)
	temp, err := os.MkdirTemp("", "twice")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(temp); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			found, _ := filepath.Glob(filepath.Join(temp, "*", "units", "w2", work.Name))
			if len(found) == 1 {
				_ = exec.CommandContext(ctx, found[0], "unit=web.service").Run() // killed in the end
			}
			<-tick.C
		}
	}()
	r := runner.Run(ctx, labworld.New("lab", []lab.Driver{netns.New()}, bin), runner.Spec{Scenario: parse(t, planted), Seed: 4})
	cancel()
	<-over
	if r.Verdict != checker.Violated || r.Worst() == nil || !strings.Contains(fmt.Sprintf("%+v", *r.Worst()), "web.service begins to run") {
		t.Fatalf("%s %s: %+v", r.Verdict, r.Error, r.Worst())
	}
}

// TestUnitsThatNoLabCanWatchAreRefused: by name, before anything is done.
func TestUnitsThatNoLabCanWatchAreRefused(t *testing.T) {
	w := labworld.New("lab", []lab.Driver{uml.New()}, "")
	for _, k := range []chaos.Kind{chaos.KindUnits, chaos.KindUnitCrash, chaos.KindDrain} {
		if err := w.Supports(k); err == nil || !strings.Contains(err.Error(), string(k)+": the driver uml can't") {
			t.Errorf("%s: %v", k, err)
		}
	}
	r := runner.Run(t.Context(), w, runner.Spec{Scenario: parse(t, planted), Seed: 4})
	if !strings.Contains(r.Error, "units: the driver uml can't") {
		t.Errorf("%s: %q", r.Verdict, r.Error)
	}
}
