package legacy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"drydock/node/legacy"
)

// otherwise lists the recorded steps of 0.3 and 0.4 that this member answers
// otherwise, by case, and why.
var otherwise = map[string]map[int]string{
	"legacy-mod-dashboard":   everyStep(5, "the dashboard is a handler of its own", 3, 4, 5),
	"legacy-errors":          everyStep(12, "/v2/keys speaks 3.4: cluster id, causes and indexes, methods, the root"),
	"legacy-machines-leader": {1: "/version is JSON, as 3.4's"},
	"legacy-registry":        {2: "/v2/keys speaks 3.4, and there is no configuration until somebody sets one"},
}

func everyStep(n int, why string, but ...int) map[int]string {
	m := make(map[int]string)
	for i := 1; i <= n; i++ {
		m[i] = why
	}
	for _, i := range but {
		delete(m, i)
	}
	return m
}

// TestRecordedConversations plays what was recorded from etcd 0.3.0 and 0.4.9.
func TestRecordedConversations(t *testing.T) {
	dir := os.Getenv("DRYDOCK_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "conformance", "etcd-v2")
	}
	if _, err := os.Stat(filepath.Join(dir, "replay", "main.go")); err != nil {
		t.Skipf("no recorded conversations (DRYDOCK_CONFORMANCE names their folder): %v", err)
	}
	runner := filepath.Join(t.TempDir(), "replay")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", runner, ".")
	build.Dir = filepath.Join(dir, "replay")
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the replay: %v\n%s", err, out)
	}
	results := replay(t, runner, "-cases", filepath.Join(dir, "cases-legacy"), "-endpoint", start(t, legacy.Options{}).client)
	// What 3.4 doesn't have it answers as unknown, some of the paths here, too.
	results = append(results, replay(t, runner, "-cases", filepath.Join(dir, "cases"), "-run", "unknown-paths", "-endpoint", start(t, legacy.Options{}).client)...)
	steps := 0
	for _, c := range results {
		t.Run(c.Name, func(t *testing.T) {
			for _, s := range c.Steps {
				steps++
				why := otherwise[c.Name][s.N]
				switch {
				case !s.OK && why == "":
					t.Errorf("step %d: %v", s.N, s.Diffs)
				case !s.OK:
					t.Logf("step %d differs: %s", s.N, why)
				}
			}
		})
	}
	if steps < 50 {
		t.Errorf("only %d steps were played", steps)
	}
}

// result is what the runner reports of a case.
type result struct {
	Name  string
	Steps []struct {
		N     int
		OK    bool
		Diffs []string
	}
}

func replay(t *testing.T, runner string, args ...string) []result {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.json")
	play := exec.CommandContext(t.Context(), runner, append(args, "-strict", "-q", "-json", report)...)
	out, _ := play.CombinedOutput() // it fails as long as one step differs
	raw, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var results []result
	if err := json.Unmarshal(raw, &results); err != nil {
		t.Fatal(err)
	}
	return results
}
