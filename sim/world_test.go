package sim

import (
	"context"
	"testing"
	"time"

	"drydock/chaos"
	"drydock/sim/history"
)

// testConfig is a small run with every kind of operation.
func testConfig(seed uint64, members int) Config {
	names := []string{"n1", "n2", "n3", "n4", "n5"}
	return Config{
		Seed: seed, Voters: names[:members], Nodes: names,
		Knobs: Knobs{
			Heartbeat: 50 * time.Millisecond, Election: 250 * time.Millisecond, CheckpointEntries: 100,
			CatchUpEntries: 50, SegmentBytes: 32 << 10, MaxAppends: 4, ChunkBytes: 4096,
		},
		Net:  Delays{Least: time.Millisecond, Jitter: 500 * time.Microsecond, TailChance: 0.001, TailMost: 50 * time.Millisecond},
		Disk: Delays{Least: time.Millisecond, Jitter: 500 * time.Microsecond, TailChance: 0.005, TailMost: 100 * time.Millisecond},
		Load: Load{
			Clients: 5, Keys: 5, Think: 30 * time.Millisecond, Timeout: time.Second, Retry: 3, Roam: true, ValueBytes: 16,
			Mix: []Weight{{"get", 30}, {"list", 5}, {"put", 20}, {"create", 4}, {"update", 4}, {"cas", 15}, {"delete", 4}, {"cad", 2}, {"append", 12}, {staleGet, 4}},
		},
		Duration: 15 * time.Second, HealAt: 10 * time.Second,
	}
}

func run(t *testing.T, cfg Config) *Result {
	t.Helper()
	r, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Timeline {
		t.Logf("%8.3f %s %s", l.At.Seconds(), l.States, l.Text)
	}
	if len(r.Broken) > 0 {
		t.Fatalf("broken: %v", r.Broken)
	}
	return r
}

func countOK(r *Result) (ok, unknown int) {
	for i := range r.Ops {
		switch r.Ops[i].Status {
		case history.OK:
			ok++
		case history.Unknown:
			unknown++
		}
	}
	return ok, unknown
}

func TestCalmClusterAnswersEverything(t *testing.T) {
	r := run(t, testConfig(1, 3))
	ok, unknown := countOK(r)
	t.Logf("%d ok, %d unknown, %d events, trace %s", ok, unknown, r.Events, r.Trace)
	if ok < 500 || unknown > 0 {
		t.Errorf("%d operations answered, %d unknown", ok, unknown)
	}
	if len(r.Missing) > 0 || len(r.Truth) == 0 {
		t.Errorf("audit: %d commands, missing %v", len(r.Truth), r.Missing)
	}
}

func TestLeaderCrash(t *testing.T) {
	cfg := testConfig(2, 3)
	cfg.Plan = chaos.Plan{Steps: []chaos.Step{{
		At: 3 * time.Second, AtSet: true,
		Fault: &chaos.Crash{Node: chaos.Selectors{chaos.Leader}, LoseUnsynced: true, Torn: true, RestartAfter: 2 * time.Second},
	}}}
	r := run(t, cfg)
	if ok, _ := countOK(r); ok < 400 {
		t.Errorf("%d operations answered", ok)
	}
}
