package runner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/runner/faketest"
	"drydock/sim/history"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// fail runs the fake world's wrong scenario with a seed at which it is.
func fail(t *testing.T, seed uint64) (runner.Spec, *runner.Report) {
	t.Helper()
	spec := runner.Spec{Scenario: parse(t, "wrong", crash), Seed: seed, Tape: true}
	r := runner.Run(context.Background(), faketest.World{}, spec)
	if r.Verdict != checker.Violated {
		t.Fatalf("seed %d: %s", seed, r.Verdict)
	}
	return spec, r
}

func TestKeepAndOpen(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := runner.Shelve(runner.RunsDir, noon)
	if err != nil || dir != filepath.Join(runner.RunsDir, "20260304-1") {
		t.Fatalf("%q, %v", dir, err)
	}
	spec, r := fail(t, 3)
	if err := runner.Keep(dir, spec.Scenario, r); err != nil {
		t.Fatal(err)
	}
	if r.Replay != "drydock replay wrong@3" || r.Smaller() != "drydock shrink wrong@3" || r.Recording != filepath.Join(dir, "wrong@3") {
		t.Errorf("replay %q, smaller %q, in %q", r.Replay, r.Smaller(), r.Recording)
	}
	rec, err := runner.Find(runner.RunsDir, "wrong@3")
	if err != nil {
		t.Fatal(err)
	}
	if rec.Report.Trace != r.Trace || rec.Tape == nil || rec.Tape.Trace != r.Trace || rec.Build != runner.ThisBuild() ||
		string(rec.Scenario.Text) != string(spec.Scenario.Text) || len(rec.Strikes) != 1 || rec.Build.Program == "" {
		t.Errorf("kept %+v", rec)
	}
	if !runner.SameFailure(rec.Report, r) {
		t.Errorf("the failure %q was %q", rec.Report.Failure(), r.Failure())
	}
	f, err := os.Open(filepath.Join(r.Recording, "history.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head, ops, err := history.Decode(f, "history.jsonl", history.Options{})
	if err != nil || head.Seed != "3" || len(ops) != len(r.Ops()) {
		t.Errorf("history of %d operations, %+v: %v", len(ops), head, err)
	}

	again := runner.Again(context.Background(), faketest.World{}, rec, spec)
	if again.Difference != nil || again.Trace != rec.Report.Trace {
		t.Errorf("replay differs: %+v", again.Difference)
	}
	spec.Seed = 6
	again = runner.Again(context.Background(), faketest.World{}, rec, spec)
	if again.Difference == nil || again.Difference.From != 1 {
		t.Errorf("another seed differs by %+v", again.Difference)
	}
}

// TestShelves: a directory for each call that has failures, the newest first.
func TestShelves(t *testing.T) {
	root := t.TempDir()
	for _, at := range []time.Time{noon, noon, noon.AddDate(0, 0, 1), noon} {
		dir, err := runner.Shelve(root, at)
		if err != nil {
			t.Fatal(err)
		}
		spec, r := fail(t, 3)
		if err := runner.Keep(dir, spec.Scenario, r); err != nil {
			t.Fatal(err)
		}
		if r.Replay != "drydock replay "+filepath.Join(dir, "wrong@3") {
			t.Errorf("below another root, %q", r.Replay)
		}
	}
	rec, err := runner.Find(root, "wrong")
	if err != nil || rec.Dir != filepath.Join(root, "20260305-1", "wrong@3") {
		t.Errorf("newest: %+v, %v", rec, err)
	}
	if got := fmt.Sprint(runner.Recordings(root)); got != "[wrong@3]" {
		t.Error(got)
	}
	empty, err := runner.Shelve(root, noon)
	if err != nil || filepath.Base(empty) != "20260304-4" {
		t.Fatalf("%s, %v", empty, err)
	}
	runner.Unshelve(empty)
	runner.Unshelve(filepath.Join(root, "20260304-1"))
	if entries, _ := os.ReadDir(root); len(entries) != 4 {
		t.Errorf("%d directories", len(entries))
	}
}

func TestNoRecording(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "20260304-1", "x@1")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"absent": "", "no JSON": "{", "another version": `{"drydock-recording":9,"report":{}}`, "no report": `{"drydock-recording":1}`,
		"no scenario": `{"drydock-recording":1,"report":{}}`,
	} {
		if text != "" {
			if err := os.WriteFile(filepath.Join(dir, "run.json"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := runner.Find(root, "x@1"); !errors.Is(err, runner.ErrNoRecording) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, ref := range []string{"../x@1", "*@1", ""} {
		if _, err := runner.Find(root, ref); !errors.Is(err, runner.ErrNoRecording) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestBatchRecords(t *testing.T) {
	b := batch(t, "1-90", "wrong")
	b.KeepGoing, b.Recordings = true, t.TempDir()
	tally, err := b.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, r := range tally.Reports {
		if r.Recording != "" {
			kept++
		}
	}
	// Those under way when there are enough are recorded all the same.
	if tally.Violated != 30 || kept < runner.MaxRecordings || kept > runner.MaxRecordings+b.Jobs || tally.Recorded != kept {
		t.Errorf("%d violated, %d recorded, %d counted", tally.Violated, kept, tally.Recorded)
	}
	b = batch(t, "1-2", "dies")
	b.Recordings = t.TempDir()
	if tally, err = b.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	rec, err := runner.Open(tally.Reports[0].Recording)
	if err != nil || rec.Tape != nil || rec.Report.Worst() == nil {
		t.Errorf("of a worker that died: %+v, %v", rec, err)
	}
}

// TestBatchFor runs seed after seed of both files; what held is counted only.
func TestBatchFor(t *testing.T) {
	b := batch(t, "7-7", "calm", "wrong")
	b.For, b.KeepGoing = time.Second, true
	tally, err := b.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	calm, wrong := tally.Files[0], tally.Files[1]
	if tally.Done < 6 || calm.Done+wrong.Done != tally.Done || calm.Done-wrong.Done > 1 || calm.Done < wrong.Done {
		t.Errorf("%d runs: %+v", tally.Done, tally.Files)
	}
	if calm.Held != calm.Done || wrong.Worst != checker.Violated || wrong.Held != wrong.Done-tally.Violated {
		t.Errorf("%d violated: %+v", tally.Violated, tally.Files)
	}
	if len(tally.Reports) != tally.Violated || tally.Reports[0].Seed != 9 || tally.Repeated == 0 {
		t.Errorf("%d reports, %d repeated", len(tally.Reports), tally.Repeated)
	}
	if line := tally.Progress(); !strings.Contains(line, "runs  held") {
		t.Error(line)
	}
}

func TestFailure(t *testing.T) {
	f := func(expect, measured string) *runner.Report {
		return &runner.Report{Verdict: checker.Violated, Findings: []runner.Finding{
			{Expect: "held: 1", Status: checker.Held},
			{Expect: expect, Measured: measured, Status: checker.Violated},
		}}
	}
	tests := []struct {
		a, b *runner.Report
		same bool
	}{
		{f("linearizable", "x"), f("linearizable", "y"), true},
		{f("linearizable", "x"), f("logs-match", "x"), false},
		{f("leader-within: 3s", "worst 4s"), f("leader-within: 2s", "worst 9s"), true},
		{f("no node panics", "panic: committed 5 after 7"), f("no node panics", "panic: committed 15 after 70"), true},
		{f("no node panics", "panic: committed 5 after 7"), f("no node panics", "panic: nil map"), false},
		{f("no node panics", `key "a1" is gone`), f("no node panics", `key "b" is gone`), true},
		{f("linearizable", "x"), &runner.Report{Verdict: checker.Held}, false},
		{&runner.Report{Verdict: checker.Unknown}, &runner.Report{Verdict: checker.Unknown}, false},
	}
	for _, tt := range tests {
		if got := runner.SameFailure(tt.a, tt.b); got != tt.same {
			t.Errorf("%q and %q: %v", tt.a.Failure(), tt.b.Failure(), got)
		}
		if way := tt.a.Failure(); way != "" && tt.a.Fails(way) == nil {
			t.Errorf("%q is not found", way)
		}
	}
}
