package runner

import (
	"context"
	"fmt"

	"drydock/chaos"
	"drydock/scenarios/scenario"
	"drydock/sim"
)

// Sim is the simulated world. Only one run may be under way in a process.
type Sim struct{}

var _ World = Sim{}

// Name implements World.
func (Sim) Name() string { return "sim" }

// Supports implements World.
func (Sim) Supports(k chaos.Kind) error { return sim.Supports(k) }

// Run implements World.
func (Sim) Run(ctx context.Context, spec Spec) (*Result, error) {
	cfg := simConfig(spec)
	r, err := sim.Run(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("simulated world: %w", err)
	}
	out := &Result{
		Nodes: cfg.Nodes, Simulated: r.Simulated, HealedAt: r.HealedAt, Trace: r.Trace, Outcomes: r.Outcomes,
		Ops: r.Ops, Truth: r.Truth, Led: r.Led, Votes: r.Votes, Said: r.Said, Digests: r.Digests,
		Entries: r.Entries, Applied: r.Applied, Faults: r.Faults, Restarts: r.Restarts,
		Running: r.Running, Voters: r.Voters, FinalCommit: r.FinalCommit,
		SnapshotsInstalled: r.SnapshotsInstalled, Broken: r.Broken,
	}
	for _, index := range r.Missing {
		out.Broken = append(out.Broken, fmt.Sprintf("committed entry %d is on no disk", index))
	}
	for _, l := range r.Timeline {
		out.Timeline = append(out.Timeline, Event{At: l.At, Node: l.Node, Text: l.Text, Mark: Mark(l.Mark), States: l.States})
	}
	return out, nil
}

func simConfig(spec Spec) sim.Config {
	s := spec.Scenario
	k, kv := s.Cluster.Knobs, s.Load.KV
	return sim.Config{
		Seed:     spec.Seed,
		Voters:   s.Voters(),
		Learners: s.Learners(),
		Nodes:    s.Nodes(),
		Knobs: sim.Knobs{
			Heartbeat: k.Heartbeat, Election: k.Election, CheckpointEntries: uint64(k.CheckpointEvery),
			CatchUpEntries: uint64(k.CatchUpEntries), SegmentBytes: int64(k.SegmentBytes), MaxAppends: k.MaxInFlight,
			ChunkBytes: chunkBytes,
		},
		Net: sim.Delays{
			Least: s.Network.Latency, Jitter: s.Network.Jitter,
			TailChance: float64(s.Network.Tail), TailMost: s.Network.TailLatency,
		},
		Loss: float64(s.Network.Loss), Duplicate: float64(s.Network.Duplicate), Reorder: float64(s.Network.Reorder),
		Disk: sim.Delays{
			Least: s.Disk.Fsync, Jitter: s.Disk.Jitter,
			TailChance: float64(s.Disk.Tail), TailMost: s.Disk.TailLatency,
		},
		Load: sim.Load{
			Clients: kv.Clients, Keys: kv.Keys, Mix: simMix(kv.Mix), Rate: kv.Rate, Think: kv.Think,
			Timeout: kv.Timeout, Retry: kv.Retry, Roam: kv.Endpoints != "one", ValueBytes: kv.ValueBytes,
		},
		Plan: s.Plan(), Duration: s.Duration, HealAt: s.HealAt, Quiet: spec.Quiet,
	}
}

// chunkBytes keeps snapshot streams of several pieces even in small states.
const chunkBytes = 4096

func simMix(m scenario.Mix) []sim.Weight {
	if m == (scenario.Mix{}) {
		m = scenario.DefaultMix()
	}
	return []sim.Weight{
		{Kind: "get", Weight: m.Get}, {Kind: "list", Weight: m.List}, {Kind: "put", Weight: m.Put},
		{Kind: "create", Weight: m.Create}, {Kind: "update", Weight: m.Update}, {Kind: "cas", Weight: m.CAS},
		{Kind: "delete", Weight: m.Delete}, {Kind: "cad", Weight: m.CAD}, {Kind: "append", Weight: m.Append},
		{Kind: "stale-get", Weight: m.StaleGet},
	}
}
