package cmd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drydock/scenarios/scenario"
	"drydock/vmlab/calibrate"
)

// crashes is a scenario with two trials of a leader's end.
const crashes = `scenario: crashes
runs_on: [sim, lab]
load:
  kv: {clients: 3, think: 20ms, mix: {put: 1}}
steps:
  - every: {period: 2s, from: 1500ms, times: 2}
    crash: {node: leader, lose_unsynced: false, restart_after: 500ms}
duration: 7s
settle: 2s
`

// TestALabIsMeasuredAndCompared: the profile is one that the simulator takes, and a
// comparison has trials of both worlds. What they come to is the machine's matter.
func TestALabIsMeasuredAndCompared(t *testing.T) {
	s := newShell(t)
	out := s.must("lab", "calibrate", "--quick", "--nodes", "2", "-o", "p.yaml")
	for _, want := range []string{"link, beyond its delay", "core-01 → core-02", "core-02 → core-01", "fsync", "written    p.yaml"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "p.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := scenario.ParseProfile("p.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if p.Driver != "netns" || p.Machines != 2 || p.Link.Samples != 200 || p.Fsync.Samples != 200 || p.Start.Samples != 4 {
		t.Errorf("%+v", p)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "crashes.yaml"), []byte(crashes), 0o600); err != nil {
		t.Fatal(err)
	}
	if one, two := s.must("run", "--profile", "p.yaml", "--trace-hash", "crashes.yaml"), s.must("run", "--profile", "p.yaml", "--trace-hash", "crashes.yaml"); one != two {
		t.Errorf("the same seed and profile, two runs: %s and %s", one, two)
	}
	// Fewer trials than a verdict takes: whatever they say, it is none.
	out, code := s.run("lab", "calibrate", "--compare", "crashes.yaml", "--profile", "p.yaml", "--trials", "1", "--report", "p.html", "--json")
	if code != 3 {
		t.Fatalf("exit status %d\n%s", code, out)
	}
	c := new(calibrate.Comparison)
	if err := json.Unmarshal([]byte(out[strings.IndexByte(out, '{'):]), c); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if c.Measures[0].Name != calibrate.Outage || c.Measures[0].Predicted.N < 2 || len(c.Measures[0].Lab) == 0 {
		t.Errorf("%+v", c.Measures)
	}
	if page, err := os.ReadFile(filepath.Join(s.dir, "p.html")); err != nil || !strings.Contains(string(page), "<circle") {
		t.Errorf("the page: %v\n%s", err, page)
	}
}

// TestCallsOfCalibrateThatAreWrong are told before a lab is made.
func TestCallsOfCalibrateThatAreWrong(t *testing.T) {
	s := newShell(t)
	if err := os.WriteFile(filepath.Join(s.dir, "bad.yaml"), []byte("drydock-profile: 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ args, want string }{
		{"--nodes 1", "a link has two ends"},
		{"--driver netnss", "did you mean netns?"},
		{"--trials 3", "--trials goes with --compare"},
		{"-o none/p.yaml", "no directory none"},
		{"--compare write-outage", "--compare needs a profile"},
		{"--compare write-outage --profile bad.yaml", "bad.yaml:1:18"},
		{"--compare write-outage --profile none.yaml", "none.yaml"},
		{"--compare write-outage --profile bad.yaml --within 3", "a share such as 25%"},
		{"--compare write-outage --profile bad.yaml --trials 0", "1 to 10000"},
		{"--compare write-outage --quick", "don't go with --compare"},
	} {
		out, code := s.run(append([]string{"lab", "calibrate"}, strings.Fields(tc.args)...)...)
		if code != 2 || !strings.Contains(out, tc.want) {
			t.Errorf("%s: exit status %d, no %q in\n%s", tc.args, code, tc.want, out)
		}
	}
	if out, code := s.run("run", "--world", "lab", "--profile", "bad.yaml", "write-outage"); code != 2 || !strings.Contains(out, "--profile is for the simulator") {
		t.Errorf("a profile for a lab: exit status %d\n%s", code, out)
	}
}
