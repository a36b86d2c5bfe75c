package sim

import (
	"testing"
	"time"

	"drydock/chaos"
)

func TestTorture(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		cfg := testConfig(seed, 3)
		cfg.Duration, cfg.HealAt = 30*time.Second, 22*time.Second
		sel := func(s ...chaos.Selector) chaos.Selectors { return s }
		cfg.Plan = chaos.Plan{Steps: []chaos.Step{
			{Every: &chaos.Every{Period: 4 * time.Second}, Jitter: time.Second, Fault: &chaos.Crash{Node: sel(chaos.Any), LoseUnsynced: true, Torn: true, RestartAfter: time.Second}},
			{Every: &chaos.Every{Period: 5 * time.Second}, Jitter: time.Second, For: 2 * time.Second, Fault: &chaos.Partition{Isolate: sel(chaos.Leader)}},
			{Every: &chaos.Every{Period: 9 * time.Second}, Jitter: time.Second, Fault: &chaos.PowerLoss{LoseUnsynced: true, Torn: true, RestartAfter: 500 * time.Millisecond, Jitter: 300 * time.Millisecond}},
			{Every: &chaos.Every{Period: 6 * time.Second}, Jitter: time.Second, For: time.Second, Fault: &chaos.Pause{Node: sel(chaos.Leader)}},
			{At: 2 * time.Second, AtSet: true, Fault: &chaos.Loss{Probability: 0.05}},
			{At: 2 * time.Second, AtSet: true, Fault: &chaos.Duplicate{Probability: 0.05}},
			{At: 6 * time.Second, AtSet: true, Fault: &chaos.Membership{Add: []string{"n4", "n5"}}},
			{At: 15 * time.Second, AtSet: true, Fault: &chaos.Membership{Remove: []string{"n1", "n2"}}},
		}}
		r := run(t, cfg)
		ok, unknown := countOK(r)
		t.Logf("seed %d: %d ok, %d unknown, %d events, commit %d snapshots %d voters %v running %v", seed, ok, unknown, r.Events, r.FinalCommit, r.SnapshotsInstalled, r.Voters, r.Running)
	}
}
