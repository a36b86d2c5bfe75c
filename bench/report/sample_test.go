package report

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/bench/consensus"
	"drydock/bench/fleetload"
	"drydock/bench/floor"
	"drydock/bench/kv"
	"drydock/bench/pairs"
	"drydock/bench/scheduler"
	"drydock/bench/simspeed"
)

var update = flag.Bool("update", false, "write testdata anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test -update writes it anew):\n%s", name, diff)
	}
}

// rounds are as many readings around a middle.
func rounds(n int, middle float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = middle * (1 + 0.02*float64(i*7%n-n/2)/float64(n))
	}
	return list
}

// sampleFile is a run with something of everything. Cost is what ours takes, by what
// it takes in the run that others are compared with.
func sampleFile(cost float64) *File {
	const n = 8
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	f := &File{
		Schema: Schema, Product: "0123456789ab", Began: at, Ended: at.Add(time.Hour), Broken: map[string]string{KindSim: "interrupted"},
		Machine: Machine{
			CPU: "A Fine CPU", Cores: 2, Memory: 24 << 30, OS: "linux/amd64", Kernel: "6.18.0", Disk: "vda", DiskCache: "write back", Go: "go1.26",
			Before: Pressure{CPU10: 12, CPU300: 20, IO10: 1}, After: Pressure{CPU10: 35, CPU300: 22},
		},
		Floor: &floor.Floor{
			Sync: floor.Times{P50: 117, P99: 260, Rate: 8027}, SyncGrow: floor.Times{P50: 211, P99: 400, Rate: 4582},
			Loopback: floor.Times{P50: 20, P99: 40, Rate: 45000}, CopyGB: 14, Answers: &floor.Answers{Conns: 64, Rate: 90000, ServerCPU: 6, ClientCPU: 9},
		},
	}
	r := &kv.Report{
		Systems:  []kv.SystemInfo{{Name: "drydock", Version: "drydock 0123456789ab"}, {Name: "etcd", Version: "3.4.23"}},
		Settings: kv.Settings{CPUs: 2, ClientThreads: 1, OS: "linux/amd64", ValueBytes: 256, Keys: 1000, Pairs: n, Warmup: 0.5, Duration: 2, Seed: 1, Disk: "vda"},
		Floor:    f.Floor, Elections: map[string]int{"etcd": 1}, Loaded: map[string]float64{"drydock": 300, "etcd": 300},
	}
	for _, c := range []struct {
		cell kv.Cell
		base float64 // server CPU of the other
		gain float64
		busy int
	}{
		{kv.Cell{Members: 3, Work: "put", Conns: 1}, 1300, 1.7, 0},
		{kv.Cell{Members: 3, Work: "put", Conns: 64}, 130, 2.6, 2},
		{kv.Cell{Members: 3, Work: "put", Conns: 256}, 110, 3.2, 0},
		{kv.Cell{Members: 3, Work: "linear-get", Conns: 64}, 110, 4.4, n},
		{kv.Cell{Members: 3, Work: "get", Conns: 64}, 33, 1, 0},
		{kv.Cell{Members: 1, Work: "put", Conns: 64}, 60, 2, 0},
		{kv.Cell{Members: 3, Work: "put", Conns: 64, Memory: true}, 120, 2.5, 0},
		{kv.Cell{Members: 3, Work: "put", Conns: 256, Load: 0.5, Asked: 4000}, 120, 2.6, 0},
		{kv.Cell{Members: 3, Work: "put", Conns: 256, Load: 0.7, Asked: 5600}, 120, 2.6, 1},
		{kv.Cell{Members: 3, Work: "put", Conns: 256, Load: 0.9, Asked: 7200}, 120, 2.6, 0},
	} {
		r.Cells = append(r.Cells, sampleCell(c.cell, n, c.base, c.gain/cost, c.busy))
	}
	for i, timers := range []kv.Timers{{Heartbeat: 50 * time.Millisecond, Election: 250 * time.Millisecond}, {Heartbeat: 100 * time.Millisecond, Election: time.Second}} {
		for k, kind := range []string{"kill", "stop"} {
			fo := kv.Failover{Kind: kind, Timers: timers, Trials: map[string][]kv.Trial{}}
			for pair, v := range rounds(n, 300*float64(1+3*i)/float64(1+29*k)) {
				fo.Trials["drydock"] = append(fo.Trials["drydock"], kv.Trial{Pair: pair, Gap: v * cost, Before: 6})
				fo.Trials["etcd"] = append(fo.Trials["etcd"], kv.Trial{Pair: pair, Gap: v * 1.4})
			}
			r.Failovers = append(r.Failovers, fo)
		}
	}
	f.KV = &KV{Flags: Flags{Settings: map[string]string{"value": "256", "keys": "1000"}, Selection: map[string]string{"pairs": "8"}}, Report: r}
	f.Consensus = sampleConsensus(n, cost)
	f.Scheduler = sampleScheduler(cost)
	f.Sim = &Sim{Flags: Flags{Settings: map[string]string{"scenario": "everything"}}, Rows: []simspeed.Row{
		{Case: simspeed.Case{Members: 3, Rate: 60, Checked: true}, Seeds: n, SimPerCPU: 120, Least: 110, Most: 130, Speeds: rounds(n, 120), SeedsPerCPU: 5, Operations: 53},
	}}
	return f
}

// sampleCell has n pairs in which ours takes as many times less as gain says; busy of
// them had neighbours.
func sampleCell(cell kv.Cell, n int, base, gain float64, busy int) kv.CellResult {
	c := kv.CellResult{Cell: cell, Summaries: make(map[string]kv.Summary), Ratios: make(map[string]pairs.Ratio), Calm: n - busy}
	theirs := rounds(n, base)
	ours := rounds(n, base/gain)
	for i := range n {
		for k, system := range []string{"drydock", "etcd"} {
			cpu := [][]float64{ours, theirs}[k][i]
			s := kv.Sample{System: system, Pair: i, Ops: 1000, Seconds: 2, Rate: 9e5 / cpu, ServerCPU: cpu, ClientCPU: 10, Flushes: 0.2, Foreign: 0.1}
			if s.Rate > cell.Asked && cell.Asked > 0 {
				s.Rate = cell.Asked
			}
			s.P50, s.P99, s.P999, s.Max = cpu*float64(20+cell.Conns)/2, cpu*float64(20+cell.Conns), cpu*float64(40+cell.Conns)*2, 1e5
			if i < busy {
				s.Foreign = 0.6
			}
			c.Samples = append(c.Samples, s)
		}
	}
	for _, system := range []string{"drydock", "etcd"} {
		of := func(m measure[kv.Sample]) float64 { m.calm = false; return pairs.Median(kvReadings(&c, system, m)) }
		c.Summaries[system] = kv.Summary{Rounds: n, ServerCPU: of(kvMeasures[0]), Rate: of(kvMeasures[1]), P50: of(kvMeasures[2]), P99: of(kvMeasures[3]), P999: of(kvMeasures[4])}
	}
	for i, name := range []string{"serverCPU", "rate", "p50", "p99", "p999"} {
		var one, other []float64
		for _, s := range c.Samples {
			if kvMeasures[i].calm && s.Foreign >= calmShare {
				continue
			}
			if v := kvMeasures[i].of(s); s.System == "drydock" {
				one = append(one, v)
			} else {
				other = append(other, v)
			}
		}
		c.Ratios[name], _ = pairs.Compare(one, other, 1) // readings above 0, as many of each
	}
	return c
}

func sampleConsensus(n int, cost float64) *Consensus {
	c := &Consensus{Flags: Flags{Settings: map[string]string{"round": "1s"}}}
	row := func(cs consensus.Case, cpu float64) {
		r := consensus.Row{Case: cs}
		for i, v := range rounds(n, cpu) {
			r.Rounds = append(r.Rounds, consensus.Sample{
				Rate: 1e6 / v, CPU: v, Allocs: 3.5, Frames: 0.1, Syncs: 0.02, P50: v * 64, P99: v * 100, P999: v * 200, Pressure: float64(10 * (i % 5)),
			})
		}
		c.Rows = append(c.Rows, r)
	}
	for _, members := range []int{1, 3, 5} {
		for _, depth := range []int{1, 64, 512} {
			for _, value := range []int{64, 256, 4096} {
				if members != 3 && (depth != 64 || value != 256) {
					continue
				}
				cs := consensus.Case{System: consensus.Own, Work: consensus.Core, Members: members, Storage: consensus.Memory, Links: consensus.Process, Depth: depth, Value: value}
				row(cs, cost*(0.2+5/float64(depth)+float64(value)/2000)*float64(members)/3)
			}
		}
	}
	durable := consensus.Case{System: consensus.Own, Work: consensus.Write, Members: 3, Storage: consensus.Disk, Links: consensus.Process, Depth: 512, Value: 256}
	row(durable, 9*cost)
	durable.System = consensus.Peer
	row(durable, 40)
	c.Failovers = []consensus.Failovers{{Work: consensus.Crash, Members: 3, Storage: consensus.Memory, Links: consensus.Process, Heartbeat: 50, Election: 250, Gaps: rounds(n, 310), Terms: []uint64{1}}}
	return c
}

func sampleScheduler(cost float64) *Scheduler {
	s := &Scheduler{Flags: Flags{Settings: map[string]string{"enough": "100000"}}}
	for _, shape := range []scheduler.Shape{scheduler.Plain, scheduler.Mixed} {
		for i, machines := range []int{100, 1000, 10_000} {
			r := scheduler.Row{Case: scheduler.Case{Shape: shape, Machines: machines, Units: 100 * machines}, Checked: 24200}
			for _, v := range rounds(3, 400*cost*(1+float64(i))) {
				r.Rounds = append(r.Rounds, scheduler.Round{
					FillCPU: 1e9 / v, FillWall: 0.9e9 / v, UnitNanos: v, BytesPerUnit: 230, Change: scheduler.Times{P50: 1, P99: 3, N: 100},
					Loss: scheduler.Times{P50: 90, P99: 200, N: 100}, LossUnits: 100, ChangeNanos: 900, LossNanos: 800,
				})
			}
			s.Rows = append(s.Rows, r)
		}
	}
	s.Growths = scheduler.Growths(s.Rows)
	s.Replays = []scheduler.Replay{{Trace: "openb", Machines: 1523, Tasks: 8152, CPU: 1e5, Memory: 5e5, GPUs: 6212}}
	for i, strategy := range scheduler.Strategies {
		one := scheduler.StrategyResult{Strategy: strategy, Timed: scheduler.Timed{Placed: scheduler.Shares{CPU: 1, Memory: 1, GPU: 1}, MachinesMean: 500 - 100*float64(i), MachinesPeak: 900}}
		for k, load := range scheduler.Loads {
			share := 1 - 0.02*float64(k)*float64(1+i)*cost
			one.Pressed = append(one.Pressed, scheduler.Point{Load: load, Placed: scheduler.Shares{CPU: share, Memory: share, GPU: share}, Runs: scheduler.Shares{GPU: share}, Fragments: 1 - share, Machines: 100 * k, Tasks: 900 * k})
		}
		s.Replays[0].Results = append(s.Replays[0].Results, one)
	}
	s.Durable = &fleetload.Result{
		Members: 3, Machines: 10_000, Units: 1_000_000, Storage: consensus.Disk, Links: consensus.TCP,
		Fill: fleetload.Fill{Seconds: 14 * cost, Rate: 1e6 / 14 / cost, CPU: 28 * cost}, Replicas: &fleetload.Fill{Seconds: 9 * cost, Rate: 1e6 / 9 / cost, CPU: 17 * cost}, Increment: fleetload.Latency{P50: 1.2, P99: 3},
		Loss: fleetload.Loss{Units: 100, Decide: fleetload.Latency{P50: 0.4, Most: 1.1}, Commit: fleetload.Latency{P50: 2.5}}, Rest: fleetload.Rest{Silent: 0.006, Beats: 0.03},
	}
	return s
}
