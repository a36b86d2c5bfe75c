package simworld_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drydock/scenarios/runner"
	"drydock/scenarios/simworld"
)

// traceHere is the full trace hash of a run in this process.
func traceHere(t *testing.T, name string, seed uint64) string {
	t.Helper()
	r := runner.Run(context.Background(), simworld.New(), runner.Spec{Scenario: load(t, name), Seed: seed, Quiet: true})
	if len(r.Trace) != 64 {
		t.Fatalf("%s seed %d: trace %q, %s", name, seed, r.Trace, r.Error)
	}
	return r.Trace
}

// TestSameSeedSameTraceEverywhere compares full trace hashes over repeated runs
// in this process and runs in others with other thread counts and collectors.
// Under -race the test itself is instrumented and the program it compares with
// is not, so that holds the two builds against each other as well.
func TestSameSeedSameTraceEverywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	bin := filepath.Join(t.TempDir(), "drydock")
	if out, err := exec.Command("go", "build", "-o", bin, "drydock").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, run := range []struct {
		scenario string
		seed     string
		number   uint64
	}{
		{"power-loss", "7", 7}, {"lossy-network", "7", 7}, {"membership", "3", 3}, {"lagging-follower", "5", 5},
	} {
		want := traceHere(t, run.scenario, run.number)
		if again := traceHere(t, run.scenario, run.number); again != want {
			t.Errorf("%s seed %s: %s, then %s in the same process", run.scenario, run.seed, want, again)
		}
		for _, env := range [][]string{
			{"GOMAXPROCS=1"}, {"GOMAXPROCS=8"}, {"GOGC=10"}, {"GOGC=off"}, {"GODEBUG=gccheckmark=0,randseednop=0"},
		} {
			cmd := exec.Command(bin, "run", "--trace-hash", "--seed", run.seed, run.scenario)
			cmd.Env = append(os.Environ(), env...)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s %v: %v", run.scenario, env, err)
			}
			if got := strings.TrimSpace(string(out)); got != want {
				t.Errorf("%s seed %s: %s here, %s with %v", run.scenario, run.seed, want, got, env)
			}
		}
		if other := traceHere(t, run.scenario, run.number+1); other == want {
			t.Errorf("%s: seeds %d and %d have one trace", run.scenario, run.number, run.number+1)
		}
	}
}
