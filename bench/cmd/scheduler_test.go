package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drydock/bench/scheduler"
	"drydock/node/ui"
)

// benchScheduler calls bench scheduler; it returns its output, its exit code and its error.
func benchScheduler(ctx context.Context, t *testing.T, args ...string) (out string, code int, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	env := &ui.Env{Stdout: &stdout, Stderr: &stderr, Getenv: func(string) string { return "" }, Width: 80}
	c := newScheduler(env)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	err = c.ExecuteContext(ctx)
	return stdout.String(), ui.Code(err), err
}

// folder has a small trace.
func traceFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"openb_node_list_all_node.csv": "sn,cpu_milli,memory_mib,gpu,model\nb,8000,1000,2,T4\na,4000,1000,0,\n",
		"openb_pod_list_small.csv": "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n" +
			"x,1000,10,1,600,T4|P100,LS,Running,0,10,0\ny,1000,10,1,600,,LS,Running,5,20,5\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSchedulerPrints(t *testing.T) {
	out, code, err := benchScheduler(t.Context(), t, "--shape=mixed,all", "--machines=100,200", "--per-machine=10", "--enough=1000", "--rounds=1", "--no-durable", "--trace="+traceFolder(t))
	if err != nil || code != ui.Held {
		t.Fatalf("exit %d, %v", code, err)
	}
	for _, want := range []string{
		"exact   ", "\nmixed  100       1000 ", "\nall    10               100 - 200  1.00 - ", "replay small   2 machines with 12 cores, 2 GiB, 2 GPUs; 2 tasks",
		"\nleast-loaded  100.0%", "\n100.0%  best-fit ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestSchedulerJSON(t *testing.T) {
	out, _, err := benchScheduler(t.Context(), t, "--shape=plain", "--machines=100,200", "--per-machine=10", "--enough=1000", "--rounds=2", "--no-durable", "--trace="+traceFolder(t), "--json")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2+1+1 {
		t.Fatalf("%d lines:\n%s", len(lines), out)
	}
	var row struct{ Row scheduler.Row }
	if err := json.Unmarshal([]byte(lines[0]), &row); err != nil {
		t.Fatal(err)
	}
	if row.Row.Shape != scheduler.Plain || len(row.Row.Rounds) != 2 || row.Row.Rounds[0].FillCPU <= 0 || row.Row.Checked == 0 {
		t.Errorf("%+v", row)
	}
	var replay struct{ Replay scheduler.Replay }
	if err := json.Unmarshal([]byte(lines[3]), &replay); err != nil || len(replay.Replay.Results) != len(scheduler.Strategies) {
		t.Errorf("%v, %+v", err, replay)
	}
}

func TestSchedulerRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--shape=mixde":                       "did you mean mixed?",
		"--strategy=worst":                    `--strategy: "worst" is none of`,
		"--machines=99":                       "--machines: 99, want 100",
		"--per-machine=0":                     "--per-machine: 0, want 1",
		"--rounds=0":                          "--rounds: 0, want 1",
		"--enough=0":                          "--enough: 0, want 1",
		"--most=1":                            "--most: 1, want 100",
		"--most=900":                          "leave no case",
		"--no-speed --no-replay --no-durable": "leave nothing",
		"--durable-machines=0":                "--durable-machines: 0, want 1",
		"--durable-units=0":                   "--durable-units: 0, want 1",
		"--submitters=9000":                   "--submitters: 9000, want 1",
		"--increments=0":                      "--increments: 0, want 1",
		"--losses=0":                          "--losses: 0, want 1",
		"--rest=1ns":                          "--rest: 1ns, want 100ms",
		"--storage=tape":                      `--storage: "tape" is none of`,
		"--shape= --machines=100":             "--shape: nothing was named",
	} {
		out, code, err := benchScheduler(t.Context(), t, strings.Fields(args)...)
		if err == nil || code != ui.Usage || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("%s: exit %d, %v, want %q", args, code, err, want)
		}
	}
	if _, code, err := benchScheduler(t.Context(), t, "--no-speed", "--trace="+t.TempDir()); code != ui.WorldFailed || !strings.Contains(err.Error(), "openb_node_list_*.csv") {
		t.Errorf("exit %d, %v", code, err)
	}
}

func TestSchedulerInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, code, err := benchScheduler(ctx, t, "--quick"); code != ui.Interrupted {
		t.Errorf("exit %d, %v", code, err)
	}
}
