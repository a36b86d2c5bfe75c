package cmd

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drydock/bench/report"
	"drydock/node/ui"
	"drydock/scenarios/simworld"
)

// TestAllInterrupted: what was measured until then is written, and says so.
func TestAllInterrupted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "all.json")
	ctx, stop := context.WithCancel(t.Context())
	var stdout bytes.Buffer
	// The run ends when the third kind is about to begin.
	env := &ui.Env{Stdout: &stdout, Stderr: endAt{"scheduler", stop}, Getenv: func(string) string { return "" }, Width: 80}
	c := newAll(env, simworld.New())
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs([]string{
		"--quick", "--only", "consensus,scheduler,sim", "--dir", t.TempDir(), "-o", file,
		"--consensus", "--work core --depth 4 --round 20ms --warm 1ms --storage memory --trials 0",
	})
	err := c.ExecuteContext(ctx)
	if ui.Code(err) != ui.Interrupted || !strings.Contains(err.Error(), "what was measured until then is written") {
		t.Fatalf("exit %d, %v", ui.Code(err), err)
	}
	f, err := readFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if f.Consensus == nil || len(f.Consensus.Rows) != 1 || f.Sim != nil || f.Broken[report.KindScheduler] != "interrupted" || f.Broken[report.KindSim] == "" {
		t.Errorf("%+v", f)
	}
	if !strings.Contains(stdout.String(), "! sim is not whole: interrupted before it began") {
		t.Errorf("the summary says nothing of it:\n%s", stdout.String())
	}
}

// endAt ends a run at a line of progress.
type endAt struct {
	word string
	end  func()
}

func (w endAt) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(w.word)) {
		w.end()
	}
	return len(b), nil
}

// TestSettings: flags that only select figures, or say where files are, tell no two
// runs apart.
func TestSettings(t *testing.T) {
	kinds := func(args ...string) map[string]report.Flags {
		t.Helper()
		o := &allOptions{only: report.Kinds, dir: ".", extra: make(map[string]*string)}
		for i, kind := range report.Kinds {
			text := ""
			if i < len(args) {
				text = args[i]
			}
			o.extra[kind] = &text
		}
		parts, err := o.parts(&ui.Env{}, simworld.New())
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[string]report.Flags)
		for _, p := range parts {
			all[p.kind] = p.settings()
		}
		return all
	}
	base := kinds()
	same := kinds("--pairs 20 --members 1 --work put --conns 64 --dir /", "--depth 1 --rounds 9", "--shape plain --most 1000", "--seeds 2")
	for _, kind := range report.Kinds {
		for name, v := range base[kind].Settings {
			if got := same[kind].Settings[name]; got != v {
				t.Errorf("%s: --%s is %q, was %q", kind, name, got, v)
			}
		}
		for _, name := range slices.Concat(aside, selecting) {
			if v, has := base[kind].Settings[name]; has {
				t.Errorf("%s: --%s, %s, is a setting", kind, name, v)
			}
		}
	}
	other := kinds("--value 4096", "--round 2s", "--enough 7", "--scenario hot-key")
	for kind, name := range map[string]string{report.KindKV: "value", report.KindConsensus: "round", report.KindScheduler: "enough", report.KindSim: "scenario"} {
		if other[kind].Settings[name] == base[kind].Settings[name] {
			t.Errorf("%s: --%s makes no difference: %v", kind, name, other[kind].Settings)
		}
	}
	if len(same[report.KindKV].Selection["conns"]) == 0 || same[report.KindKV].Selection["conns"] == base[report.KindKV].Selection["conns"] {
		t.Errorf("the selection is not kept: %v", same[report.KindKV].Selection)
	}
}
