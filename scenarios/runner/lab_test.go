package runner_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/runner/faketest"
	"drydock/scenarios/scenario"
)

func TestWorldsAndTheirDrivers(t *testing.T) {
	worlds := []runner.World{faketest.World{}, faketest.Lab{}}
	w, err := runner.FindWorld(worlds, "lab", "engines")
	if err != nil || w.(runner.Driven).Driver() != "engines" {
		t.Errorf("%v, %v", w, err)
	}
	if w, err = runner.FindWorld(worlds, "lab", ""); err != nil || w.(runner.Driven).Driver() != "boxes" {
		t.Errorf("%v, %v", w, err)
	}
	for _, bad := range []struct{ name, driver, says string }{
		{"moon", "", "there are: sim, lab"},
		{"sim", "boxes", "made by no driver"},
		{"lab", "rafts", "there are: boxes, engines"},
	} {
		if _, err := runner.FindWorld(worlds, bad.name, bad.driver); !errors.Is(err, runner.ErrWorld) || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%s by %s: %v", bad.name, bad.driver, err)
		}
	}
}

// TestAMachineThatStandsStill: what took too long then proves nothing.
func TestAMachineThatStandsStill(t *testing.T) {
	for name, want := range map[string]checker.Status{"stalls": checker.Unknown, "leaderless": checker.Violated} {
		s, err := scenario.Parse(name, []byte("scenario: "+name+"\n"+crash+"expect: [{leader-within: 2s}, only-voters-decide]"))
		if err != nil {
			t.Fatal(err)
		}
		r := runner.Run(context.Background(), faketest.Lab{}, runner.Spec{Scenario: s, Seed: 1})
		if len(r.Findings) != 1 || r.Verdict != want || (want == checker.Unknown) != strings.Contains(r.Findings[0].Measured, "stood still for 3s at 2s") {
			t.Errorf("%s: %s, %+v", name, r.Verdict, r.Findings)
		}
		if len(r.Unjudged) != 1 || !strings.Contains(r.Unjudged[0], "nobody counts votes here") {
			t.Errorf("%s: not judged: %q", name, r.Unjudged)
		}
	}
}

// TestWhatIsLeft: what a run that did not hold has left is kept, and the rest removed.
func TestWhatIsLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for seed, kept := range map[uint64]bool{1: false, 3: true} {
		dir := t.TempDir()
		r := runner.Run(context.Background(), faketest.Lab{}, runner.Spec{Scenario: parse(t, "wrong", crash), Seed: seed, Keep: dir})
		if _, err := os.Stat(filepath.Join(dir, "kept", "console.log")); (err == nil) != kept || (r.Kept != "") != kept {
			t.Errorf("seed %d: %s, kept in %q: %v", seed, r.Verdict, r.Kept, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestABatchHere makes the runs in this process, one at a time and none twice.
func TestABatchHere(t *testing.T) {
	b := &runner.Batch{World: "lab", Jobs: 8, Limit: 30 * time.Second, KeepGoing: true, Scenarios: []*scenario.Scenario{parse(t, "wrong", crash)}}
	running, most := 0, 0
	b.Here = func(ctx context.Context, s *scenario.Scenario, seed uint64) *runner.Report {
		running++
		most = max(most, running)
		defer func() { running-- }()
		return runner.Run(ctx, faketest.Lab{}, runner.Spec{Scenario: s, Seed: seed})
	}
	var err error
	if b.Seeds, err = runner.ParseSeeds("40"); err != nil {
		t.Fatal(err)
	}
	tally, err := b.Run(context.Background())
	if err != nil || tally.Done != 40 || tally.Held != 27 || tally.Violated != 13 || tally.Repeated != 0 || most != 1 {
		t.Errorf("%+v, %d at once: %v", tally, most, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.OnReport = func(*runner.Report, *runner.Tally) { cancel() }
	if tally, err = b.Run(ctx); err != nil || !tally.Interrupted || tally.Done > 2 {
		t.Errorf("cut short after one: %+v, %v", tally, err)
	}
}
