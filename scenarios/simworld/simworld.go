// Package simworld offers the simulator to the scenario runner: it translates
// a scenario into the simulator's configuration and the simulator's result into
// the runner's evidence. Neither side knows the other.
package simworld

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"drydock/chaos"
	"drydock/node/state"
	"drydock/node/unit"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim"
	"drydock/sim/dist"
	"drydock/sim/history"
)

// world is the simulator as a runner.World.
type world struct{}

// New returns the simulated world.
func New() runner.World { return world{} }

// Name implements runner.World.
func (world) Name() string { return "sim" }

// Supports implements runner.World.
func (world) Supports(k chaos.Kind) error { return sim.Supports(k) }

// Run implements runner.World.
func (world) Run(ctx context.Context, spec runner.Spec) (*runner.Result, error) {
	cfg := config(spec)
	if p := spec.Scenario.Profile; p != nil {
		if err := measured(&cfg, p); err != nil {
			return nil, err
		}
	}
	res, err := sim.Run(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return result(spec.Scenario, res), nil
}

// config translates a scenario.
func config(spec runner.Spec) sim.Config {
	s := spec.Scenario
	k := s.Cluster.Knobs
	return sim.Config{
		Seed: spec.Seed, Quiet: spec.Quiet, Record: spec.Record, Observe: spec.Observe,
		Tape: spec.Tape, Listen: spec.Listen, Until: spec.Until,
		Voters: s.Voters(), Learners: s.Learners(), Nodes: s.Nodes(),
		Releases: releases(s.Older(spec.Seed)), Upgrades: s.Upgrades(spec.Seed),
		Knobs: sim.Knobs{
			Tick: k.Tick, Heartbeat: k.Heartbeat, Election: k.Election,
			CheckpointEntries: uint64(k.CheckpointEvery), CatchUpEntries: uint64(k.CatchUpEntries),
			SegmentBytes: int64(k.SegmentBytes), MaxAppends: k.MaxInFlight,
			AutoPromote: k.AutoPromote,
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
		Load: load(s.Load.KV), TTL: ttl(s.Load.TTL), Lock: lock(s.Load.Lock), Watch: watch(s.Load.Watch),
		Fleet: fleet(s),
		Plan:  s.Plan(spec.Seed, sim.Supports), Duration: s.Duration, HealAt: s.HealAt,
	}
}

// measured puts a profile in place of assumptions. Links keep the latency and jitter
// that the scenario asks for, since a lab's wire adds just those to its own; tails
// are what was measured. Nodes tick as processes do.
func measured(cfg *sim.Config, p *scenario.Profile) error {
	m := new(sim.Measured)
	for _, one := range []struct {
		into *dist.Dist
		of   *scenario.Spread
	}{{&m.Link, &p.Link}, {&m.Request, &p.Request}, {&m.Fsync, &p.Fsync}, {&m.Start, &p.Start}, {&m.Boot, &p.Boot}} {
		var err error
		if *one.into, err = one.of.Dist(); err != nil {
			return fmt.Errorf("simworld: %s: %w", p.File, err)
		}
	}
	cfg.Measured, cfg.Knobs.Tick = m, cfg.Knobs.Heartbeat
	cfg.Net.TailChance = 0
	return nil
}

// fleet translates the machines that run units, and the units; nil without any.
func fleet(s *scenario.Scenario) *sim.FleetConfig {
	machines := s.FleetMachines()
	if len(machines) == 0 {
		return nil
	}
	cfg := &sim.FleetConfig{Keep: s.Cluster.Knobs.KeepRunning}
	if s.Rest > 0 {
		cfg.RestFrom = s.Duration - s.Rest
	}
	for _, m := range machines {
		one := sim.FleetMachine{Name: m.Name, Metadata: make(map[string]string), Clone: slices.Contains(s.Cluster.Clones, m.Name)}
		for _, pair := range m.Metadata {
			key, value, _ := strings.Cut(pair, "=")
			one.Metadata[key] = value
		}
		if m.CPU > 0 || m.Memory > 0 {
			one.Resources = make(map[string]int64)
		}
		if m.CPU > 0 {
			one.Resources[unit.CPU] = m.CPU
		}
		if m.Memory > 0 {
			one.Resources[unit.Memory] = m.Memory << 20
		}
		cfg.Machines = append(cfg.Machines, one)
	}
	for i := range s.Load.Units {
		u := &s.Load.Units[i]
		for _, name := range u.Names() {
			one := sim.FleetUnit{Name: name, Group: u.Name, Text: u.Text, At: u.At, Desired: u.Desired}
			if u.Replicas == 0 {
				one.Facts = []history.FleetUnit{u.Facts(name)}
			} else {
				for _, instance := range u.Runs() {
					one.Facts = append(one.Facts, u.Facts(instance))
				}
			}
			cfg.Units = append(cfg.Units, one)
		}
	}
	return cfg
}

func releases(older map[string]int) map[string]state.Release {
	out := make(map[string]state.Release)
	// any order: each makes its own
	for name, r := range older {
		out[name] = state.Release(r)
	}
	return out
}

func load(kv scenario.KV) sim.Load {
	return sim.Load{
		Clients: kv.Clients, Keys: kv.Keys, Mix: mix(kv.Mix), Rate: kv.Rate, Think: kv.Think,
		Timeout: kv.Timeout, Retry: kv.Retry, Roam: kv.Endpoints == "all", ValueBytes: kv.ValueBytes,
	}
}

func ttl(t scenario.TTL) sim.TTLLoad {
	return sim.TTLLoad{
		Clients: t.Clients, Keys: t.Keys, Least: t.Shortest, Most: t.Longest,
		Refresh: float64(t.Refresh), Think: t.Think,
	}
}

func lock(l scenario.Lock) sim.LockLoad {
	return sim.LockLoad{
		Clients: l.Clients, Locks: l.Locks, Queue: l.Style == "in-order", TTL: l.TTL, Hold: l.Hold, Think: l.Think,
	}
}

func watch(w scenario.Watch) sim.WatchLoad {
	out := sim.WatchLoad{Clients: w.Clients, Starts: w.Start, Back: w.Back, Session: w.Session, Slow: float64(w.Slow)}
	for _, mode := range w.Mode {
		out.Streams = append(out.Streams, mode == "stream")
	}
	return out
}

// mix lists the kinds that have a weight, in a fixed order.
func mix(m scenario.Mix) []sim.Weight {
	all := []sim.Weight{
		{Kind: string(history.Get), Weight: m.Get},
		{Kind: string(history.List), Weight: m.List},
		{Kind: string(history.Put), Weight: m.Put},
		{Kind: string(history.Create), Weight: m.Create},
		{Kind: string(history.Update), Weight: m.Update},
		{Kind: string(history.CAS), Weight: m.CAS},
		{Kind: string(history.Delete), Weight: m.Delete},
		{Kind: string(history.CAD), Weight: m.CAD},
		{Kind: string(history.Append), Weight: m.Append},
		{Kind: "stale-get", Weight: m.StaleGet},
	}
	var out []sim.Weight
	for _, w := range all {
		if w.Weight > 0 {
			out = append(out, w)
		}
	}
	return out
}

// result translates the evidence.
func result(s *scenario.Scenario, res *sim.Result) *runner.Result {
	out := &runner.Result{
		Nodes: s.Nodes(), Simulated: res.Simulated, HealedAt: res.HealedAt,
		Trace: res.Trace, Tape: res.Tape, Outcomes: res.Outcomes, Strikes: res.Strikes,
		Ops: res.Ops, Truth: res.Truth, Led: res.Led, Votes: res.Votes, Said: res.Said,
		Digests: res.Digests, Entries: res.Entries, Applied: res.Applied,
		Faults: res.Faults, Restarts: res.Restarts, Running: res.Running, Voters: res.Voters,
		FinalCommit: res.FinalCommit, SnapshotsInstalled: res.SnapshotsInstalled,
		Missing: res.Missing, Broken: res.Broken, Recording: res.Recording,
		Observed: res.Observed,
	}
	for _, l := range res.Timeline {
		out.Timeline = append(out.Timeline, runner.Event{
			At: l.At, Node: l.Node, Text: l.Text, Mark: runner.Mark(l.Mark), States: l.States,
		})
	}
	return out
}
