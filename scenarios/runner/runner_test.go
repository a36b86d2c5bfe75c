package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/ui"
	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/runner/faketest"
	"drydock/scenarios/scenario"
)

// TestMain lets the test binary serve as a worker process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "work" {
		if err := runner.Worker(context.Background(), os.Stdin, os.Stdout, []runner.World{faketest.World{}}); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

// parse makes a scenario of that name; more is added to the file.
func parse(t *testing.T, name, more string) *scenario.Scenario {
	t.Helper()
	text := fmt.Sprintf("scenario: %s\nexpect: [linearizable, min-acknowledged: 2]\n%s", name, more)
	s, err := scenario.Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const crash = "steps: [{at: 1s, crash: leader}]\n"

func TestRunVerdicts(t *testing.T) {
	tests := []struct {
		name, more string
		seed       uint64
		want       checker.Status
		code       int
		says       string
	}{
		{"calm", crash, 3, checker.Held, ui.Held, ""},
		{"wrong", crash, 2, checker.Held, ui.Held, ""},
		{"wrong", crash, 3, checker.Violated, ui.Violated, "linearizable"},
		{"panics", crash, 1, checker.Violated, ui.Violated, "panic: raft: committed 5 after 7"},
		{"fails", crash, 1, checker.Unknown, ui.WorldFailed, ""},
		{"short", crash, 1, checker.Unknown, ui.Unknown, "enough is acknowledged"},
		{"idle", crash, 1, checker.Unknown, ui.Unknown, "some fault takes effect"},
		{"idle", "", 1, checker.Held, ui.Held, ""},
	}
	for _, tt := range tests {
		s := parse(t, tt.name, tt.more)
		r := runner.Run(context.Background(), faketest.World{}, runner.Spec{Scenario: s, Seed: tt.seed})
		if r.Verdict != tt.want || r.Code() != tt.code {
			t.Errorf("%s %d: %s, code %d, want %s, code %d: %+v", tt.name, tt.seed, r.Verdict, r.Code(), tt.want, tt.code, r.Worst())
		}
		said := ""
		if f := r.Worst(); f != nil {
			said = f.Expect + ": " + f.Measured
		}
		if !strings.Contains(said, tt.says) {
			t.Errorf("%s %d says %q, want %q", tt.name, tt.seed, said, tt.says)
		}
	}
}

func TestCounts(t *testing.T) {
	tests := []struct {
		expect string
		want   checker.Status
	}{
		{"min-acknowledged: 60", checker.Held},
		{"min-acknowledged: 61", checker.Violated},
		{"min-faults: 1", checker.Held},
		{"min-faults: 2", checker.Unknown},
		{"membership: 3", checker.Held},
		{"membership: 5", checker.Violated},
		{"snapshot-installed: 1", checker.Held},
		{"snapshot-installed: 2", checker.Unknown},
	}
	for _, tt := range tests {
		s, err := scenario.Parse("f", []byte("scenario: calm\n"+crash+"expect: ["+tt.expect+"]"))
		if err != nil {
			t.Fatal(err)
		}
		r := runner.Run(context.Background(), faketest.World{}, runner.Spec{Scenario: s, Seed: 1})
		if len(r.Findings) != 1 || r.Findings[0].Status != tt.want || r.Findings[0].Expect != tt.expect {
			t.Errorf("%s: %+v, want %s", tt.expect, r.Findings, tt.want)
		}
	}
}

func batch(t *testing.T, seeds string, names ...string) *runner.Batch {
	t.Helper()
	b := &runner.Batch{World: "sim", Jobs: 2, Limit: 30 * time.Second, Command: []string{os.Args[0], "work"}}
	for _, name := range names {
		b.Scenarios = append(b.Scenarios, parse(t, name, crash))
	}
	var err error
	if b.Seeds, err = runner.ParseSeeds(seeds); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBatch(t *testing.T) {
	tests := []struct {
		seeds, name string
		going       bool
		want        string
		code        int
	}{
		{"40", "calm", false, "done 40 held 40 violated 0 unknown 0 failed 0 repeated 2", ui.Held},
		{"1-9", "wrong", true, "done 9 held 6 violated 3 unknown 0 failed 0 repeated 1", ui.Violated},
		{"2", "moody", true, "done 2 held 1 violated 1 unknown 0 failed 0 repeated 1", ui.Violated},
		{"2", "dies", true, "done 2 held 0 violated 2 unknown 0 failed 0 repeated 1", ui.Violated},
		{"3", "fails", true, "done 3 held 0 violated 0 unknown 0 failed 3 repeated 0", ui.WorldFailed},
		{"1", "short", true, "done 1 held 0 violated 0 unknown 1 failed 0 repeated 0", ui.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := batch(t, tt.seeds, tt.name)
			b.KeepGoing = tt.going
			tally, err := b.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("done %d held %d violated %d unknown %d failed %d repeated %d",
				tally.Done, tally.Held, tally.Violated, tally.Unknown, tally.Failed, tally.Repeated)
			if got != tt.want || tally.Code() != tt.code {
				t.Errorf("got %s, code %d\nwant %s, code %d", got, tally.Code(), tt.want, tt.code)
			}
			for i, r := range tally.Reports {
				if r.Seed != b.Seeds[i] {
					t.Errorf("report %d is of seed %d", i, r.Seed)
				}
			}
		})
	}
}

func TestBatchNamesWhatDied(t *testing.T) {
	tally, err := batch(t, "1-2", "dies").Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if f := tally.Reports[0].Worst(); f == nil || f.Measured != "panic: nobody catches this" {
		t.Errorf("finding %+v", f)
	}
	tally, err = batch(t, "1-2", "moody").Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if f := tally.Reports[0].Worst(); f == nil || f.Expect != "determinism" {
		t.Errorf("finding %+v", f)
	}
}

func TestBatchLimits(t *testing.T) {
	b := batch(t, "1", "hangs")
	b.Limit = 200 * time.Millisecond
	tally, err := b.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if tally.Failed != 1 || tally.Reports[0].Error != "no end after 200ms" {
		t.Errorf("%+v", tally.Reports[0])
	}

	b = batch(t, "50", "wrong")
	tally, err = b.Run(context.Background())
	if err != nil || tally.Violated == 0 || tally.Done == 50 || tally.Interrupted {
		t.Errorf("stop at the first violation: %v, %+v", err, tally)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	tally, err = batch(t, "1-4", "hangs").Run(ctx)
	if err != nil || !tally.Interrupted || tally.Code() != ui.Interrupted || tally.Failed != 0 {
		t.Errorf("interrupted: %v, %+v", err, tally)
	}
}

func TestReportIsOneJSONLine(t *testing.T) {
	s := parse(t, "wrong", crash)
	r := runner.Run(context.Background(), faketest.World{}, runner.Spec{Scenario: s, Seed: 3})
	text, err := json.Marshal(r)
	if err != nil || bytes.ContainsRune(text, '\n') {
		t.Fatalf("%v: %s", err, text)
	}
	var back runner.Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Verdict != r.Verdict || back.Worst() == nil || back.Worst().Violation == nil || len(back.Timeline) != 3 {
		t.Errorf("lost on the way: %s", text)
	}
	if diff := cmp.Diff(r.Worst().Violation.Ops, back.Worst().Violation.Ops); diff != "" {
		t.Error(diff)
	}
}

func TestParseSeeds(t *testing.T) {
	tests := []struct {
		text string
		n    int
		last uint64
	}{
		{"1", 1, 1},
		{"200", 200, 200},
		{"5-9", 5, 9},
		{"7-7", 1, 7},
		{"0-1", 2, 1},
		{"0", 0, 0},
		{"9-5", 0, 0},
		{"x", 0, 0},
		{"1-", 0, 0},
		{"-5", 0, 0},
		{"1-99999999999", 0, 0},
		{"18446744073709551614-18446744073709551615", 2, 18446744073709551615},
	}
	for _, tt := range tests {
		seeds, err := runner.ParseSeeds(tt.text)
		if (err != nil) != (tt.n == 0) || len(seeds) != tt.n || tt.n > 0 && seeds[tt.n-1] != tt.last {
			t.Errorf("%q: %d seeds, %v", tt.text, len(seeds), err)
		}
	}
}
