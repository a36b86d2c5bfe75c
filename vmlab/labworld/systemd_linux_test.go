package labworld_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/labworld"
	"drydock/vmlab/nspawn"
)

// underSystemd has a machine lose its power that runs units under a systemd of its own.
// Elections are such as suit containers that share their processors.
const underSystemd = `
scenario: under-systemd
runs_on: [lab]
cluster: {members: 1, workers: 2, knobs: {heartbeat: 100ms, election: 1s}}
load:
  kv: {clients: 1, think: 200ms}
  units:
    - {name: web, count: 2, at: 500ms}
    - {name: stubborn, at: 500ms, work: hangs}
    - {name: everywhere, at: 500ms, global: true}
steps:
  - {at: 6s, crash: {node: runner, restart_after: 3s}}
duration: 24s
settle: 12s
expect:
  - units-once
  - restarts-have-causes
  - states-true
  - units-running: 10s
  - min-faults: 1
`

// TestFailoverUnderSystemd: what ran on a machine that loses its power runs elsewhere,
// where the runtime is systemd.
func TestFailoverUnderSystemd(t *testing.T) {
	bin := program(t)
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Skip("skipped: systemd-nspawn is missing: apt-get install systemd-container")
	}
	images := os.Getenv("DRYDOCK_IMAGES")
	if images == "" {
		images = filepath.Join("..", "..", image.Root)
	}
	images, err := filepath.Abs(images)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (image.Store{Dir: images}).Open(image.Default); err != nil {
		t.Skipf("skipped: %v; in the repository's directory, or $DRYDOCK_IMAGES", err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, filepath.Dir(image.Root)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(images, filepath.Join(dir, image.Root)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	w := labworld.New("lab", []lab.Driver{nspawn.New()}, bin)
	r := runner.Run(t.Context(), w, runner.Spec{Scenario: parse(t, underSystemd), Seed: 4})
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
