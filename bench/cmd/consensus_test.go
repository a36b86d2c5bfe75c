package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"drydock/bench/consensus"
	"drydock/node/ui"
)

// benchConsensus calls bench consensus; it returns its output, its exit code and its error.
func benchConsensus(ctx context.Context, t *testing.T, args string) (out string, code int, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &ui.Env{Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" }, Width: 80}
	c := newConsensus(env)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(append(strings.Fields(args), "--dir", t.TempDir()))
	err = c.ExecuteContext(ctx)
	return stdout.String(), ui.Code(err), err
}

const brief = "--work core,write --members 1,3 --storage memory --links process --depth 4 --value 64 --rounds 1 --round 30ms --warm 5ms --trials 1" +
	" --heartbeat 20ms --election 100ms"

func TestConsensusPrints(t *testing.T) {
	t.Parallel()
	out, code, err := benchConsensus(t.Context(), t, brief+" --seed 2")
	if err != nil || code != ui.Held {
		t.Fatalf("exit %d, %v", code, err)
	}
	for _, want := range []string{"floor ", "\ncore\n", "\nwrite\n", "drydock  1  ", "CPU µs", "\nhandover  3 "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestConsensusJSON(t *testing.T) {
	t.Parallel()
	out, _, err := benchConsensus(t.Context(), t, brief+" --trials 0 --json")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	// The floor, two rows of core, two of write.
	if len(lines) != 1+2+2 {
		t.Fatalf("%d lines:\n%s", len(lines), out)
	}
	var row consensus.Row
	if err := json.Unmarshal([]byte(lines[4]), &row); err != nil {
		t.Fatal(err)
	}
	if row.Work != consensus.Write || row.Members != 3 || len(row.Rounds) != 1 || row.Rounds[0].Rate <= 0 {
		t.Errorf("%+v", row)
	}
}

func TestConsensusRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--work wirte":                      "did you mean write?",
		"--storage ram":                     `--storage: "ram" is none of`,
		"--links udp":                       `--links: "udp" is none of`,
		"--members 0":                       "--members: 0, want 1 to 9",
		"--depth 5000":                      "--depth: 5000, want 1 to 4096",
		"--value 0":                         "--value: 0, want 1",
		"--depth 4096 --value 65536":        "want at most 33554432",
		"--rounds 0":                        "--rounds: 0, want 1",
		"--trials -1":                       "--trials: -1, want 0",
		"--round 1ms":                       "--round: 1ms, want at least 10ms",
		"--heartbeat 50ms --election 60ms":  "--election: 60ms, want at least two heartbeats",
		"--peer no-such-program":            "go build -C bench/consensus/peer",
		"--members 3 --work= --storage ram": "--work: nothing was named",
	} {
		out, code, err := benchConsensus(t.Context(), t, args)
		if err == nil || code != ui.Usage || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("%s: exit %d, %v, want %q", args, code, err, want)
		}
	}
}

func TestConsensusInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, code, err := benchConsensus(ctx, t, brief); code != ui.Interrupted {
		t.Errorf("exit %d, %v", code, err)
	}
}

func TestConsensusWhereNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	_, code, err := benchConsensus(t.Context(), t, brief+" --cpuprofile no/such/folder/cpu.prof")
	if code != ui.WorldFailed || !strings.Contains(err.Error(), "--cpuprofile") {
		t.Errorf("exit %d, %v", code, err)
	}
}

func TestQuickKeepsWhatWasGiven(t *testing.T) {
	o := &consensusOptions{depths: []int{7}, members: []int{1}, rounds: 9}
	o.hurry(func(flag string) bool { return flag == "depth" })
	if o.depths[0] != 7 || o.members[0] != 3 || o.rounds != 1 {
		t.Errorf("%+v", o)
	}
}
