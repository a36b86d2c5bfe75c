package kv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"drydock/bench/floor"
	"drydock/bench/load"
	"drydock/bench/pairs"
)

// Options say what to measure.
type Options struct {
	// Systems are one, or two to be compared: ours first.
	Systems []System
	// Dir is where data is kept; what is made in it is removed again.
	Dir string
	// MemoryDir, if not empty, is a directory on a file system in memory, for a row
	// without a disk.
	MemoryDir string
	// Members are the sizes of clusters, Works the workloads' names, Conns the
	// numbers of connections.
	Members []int
	Works   []string
	Conns   []int
	// Loads are the shares of the slower system's peak that the open loop asks for,
	// OpenWorks the workloads that it does so with, over OpenConns connections.
	Loads     []float64
	OpenWorks []string
	OpenConns int
	// ValueBytes is the size of values, Keys how many there are to choose from.
	ValueBytes, Keys int
	// Pairs is how many rounds each system takes of each cell; Warmup and Duration
	// are those of a round.
	Pairs            int
	Warmup, Duration time.Duration
	// Kills and Stops are how many times a leader is killed and stopped, for each of
	// Timers.
	Kills, Stops int
	Timers       []Timers
	// Floor is how long each of the machine's floors is measured; 0 not at all.
	Floor time.Duration
	// Seed decides the order of rounds and what is asked for.
	Seed uint64
	// Progress, if not nil, is told what is going on.
	Progress func(string)

	// probing is how long writes go on before a leader goes and after it came back,
	// settling the longest quiet before, so that leaders go at any time between two
	// heartbeats; defaults if 0.
	probing, settling time.Duration

	_ struct{}
}

// The defaults of a trial's pace.
const (
	defaultProbing  = 500 * time.Millisecond
	defaultSettling = time.Second
)

// calmShare is the share of the CPUs that others may have in a round by whose rates
// and latencies anything is judged.
const calmShare = 0.3

// attempts is how often a round is tried that fails.
const attempts = 3

// memoryConns is what the row without a disk is measured with.
const memoryConns = 64

// bench is a measurement that is going on.
type bench struct {
	Options
	starter *starter
	rng     *rand.Rand
	report  *Report
	done    int       // rounds
	rounds  int       // in all
	began   time.Time // the first of them
}

// Run measures. When it fails, or its context ends, the report has what there was
// until then.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	o.probing, o.settling = cmp.Or(o.probing, defaultProbing), cmp.Or(o.settling, defaultSettling)
	b := &bench{Options: o, starter: newStarter(), rng: rand.New(rand.NewPCG(o.Seed, 0))}
	defer b.starter.close()
	b.report = newReport(o)
	dir, err := os.MkdirTemp(o.Dir, "bench-kv-*")
	if err != nil {
		return b.report, fmt.Errorf("kv: %w", err)
	}
	err = b.all(ctx, dir)
	for i := range b.report.Cells {
		err = errors.Join(err, b.report.Cells[i].judge(b.report, o.Seed))
	}
	return b.report, errors.Join(err, os.RemoveAll(dir))
}

func (b *bench) all(ctx context.Context, dir string) error {
	if b.Floor > 0 {
		b.Progress("the machine's floors")
		f, err := floor.Measure(ctx, dir, b.Floor)
		if err != nil {
			return err
		}
		b.report.Floor = &f
	}
	groups := b.groups()
	for _, g := range groups {
		b.rounds += b.Pairs * len(b.Systems) * (len(g.closed) + len(g.works)*len(b.Loads))
	}
	for i, g := range groups {
		if err := b.group(ctx, filepath.Join(dir, fmt.Sprint("group", i)), g); err != nil {
			return err
		}
	}
	if b.Kills+b.Stops == 0 {
		return nil
	}
	for i, t := range b.Timers {
		if err := b.failovers(ctx, filepath.Join(dir, fmt.Sprint("failover", i)), t); err != nil {
			return err
		}
	}
	return nil
}

// group is the cells that are measured with the same clusters.
type group struct {
	members int
	memory  bool
	closed  []Cell
	works   []string // of the open loop
}

func (b *bench) groups() []group {
	var list []group
	for _, members := range b.Members {
		g := group{members: members, works: b.OpenWorks}
		for _, name := range b.Works {
			w, _ := workload(name) // a name that is none fails when it is measured
			for _, conns := range b.Conns {
				if conns >= w.leastConns {
					g.closed = append(g.closed, Cell{Members: members, Work: name, Conns: conns})
				}
			}
		}
		if len(g.closed) > 0 {
			list = append(list, g)
		}
	}
	if b.MemoryDir != "" && len(b.Members) > 0 && slices.Contains(b.Works, "put") {
		members := slices.Max(b.Members)
		list = append(list, group{
			members: members, memory: true,
			closed: []Cell{{Members: members, Work: "put", Conns: memoryConns, Memory: true}},
		})
	}
	return list
}

// group starts a cluster of each system and measures the group's cells. All run all
// the time: the idle one costs the other what an idle cluster costs.
func (b *bench) group(ctx context.Context, dir string, g group) (err error) {
	if g.memory {
		if dir, err = os.MkdirTemp(b.MemoryDir, "bench-kv-*"); err != nil {
			return fmt.Errorf("kv: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	clusters, err := b.clusters(ctx, dir, g.members, Timers{})
	for _, c := range clusters {
		defer c.close()
	}
	if err != nil {
		return err
	}
	for _, c := range clusters {
		if err := fill(ctx, c, b.Keys, newValue(b.ValueBytes)); err != nil {
			return err
		}
	}
	first := len(b.report.Cells)
	if err := b.cells(ctx, clusters, dir, g.closed); err != nil || g.memory {
		return err
	}
	return b.cells(ctx, clusters, dir, b.open(g, b.report.Cells[first:]))
}

// clusters starts one cluster of each system.
func (b *bench) clusters(ctx context.Context, dir string, members int, t Timers) ([]*cluster, error) {
	var list []*cluster
	for _, sys := range b.Systems {
		b.Progress(fmt.Sprintf("start %s, members: %d", sys.Name, members))
		c, err := newCluster(b.starter, sys, dir, members, t)
		if err != nil {
			return list, err
		}
		list = append(list, c)
		if err := c.start(ctx); err != nil {
			return list, err
		}
	}
	return list, nil
}

// open makes the open loop's cells, by the peaks that the closed loop has found.
func (b *bench) open(g group, closed []CellResult) []Cell {
	var list []Cell
	for _, name := range g.works {
		peak := slowestPeak(name, b.report.Systems, closed)
		for _, share := range b.Loads {
			if peak > 0 {
				list = append(list, Cell{Members: g.members, Work: name, Conns: b.OpenConns, Load: share, Asked: share * peak})
			}
		}
	}
	return list
}

// slowestPeak is the highest median rate that the slower system has reached with a
// workload, 0 if one has none.
func slowestPeak(work string, systems []SystemInfo, closed []CellResult) float64 {
	slowest := 0.0
	for i, sys := range systems {
		peak := 0.0
		for _, c := range closed {
			if c.Work == work {
				peak = max(peak, pairs.Median(c.readings(sys.Name, func(s Sample) float64 { return s.Rate })))
			}
		}
		if i == 0 || peak < slowest {
			slowest = peak
		}
	}
	return slowest
}

// cells measures cells in pairs of rounds. Each pair goes through all cells, in an
// order drawn anew, so that no cell has the calm hour for itself.
func (b *bench) cells(ctx context.Context, clusters []*cluster, dir string, cells []Cell) error {
	at := len(b.report.Cells)
	for _, cell := range cells {
		b.report.Cells = append(b.report.Cells, CellResult{Cell: cell, Samples: []Sample{}})
	}
	for pair := range b.Pairs {
		for _, i := range b.rng.Perm(len(cells)) {
			result := &b.report.Cells[at+i]
			for turn, k := range b.rng.Perm(len(clusters)) {
				b.done++
				b.Progress(fmt.Sprintf("round %d of %d%s: %s, %s", b.done, b.rounds, b.left(), clusters[k].sys.Name, cells[i]))
				s, err := b.try(ctx, clusters[k], result, dir)
				if err != nil {
					return err
				}
				if s.Ops > 0 {
					s.Pair, s.First = pair, turn == 0
					result.Samples = append(result.Samples, s)
				}
			}
		}
	}
	return nil
}

// left says how long the rounds that are left take, once that can be told.
func (b *bench) left() string {
	const enough = 5
	if b.done == 1 {
		b.began = time.Now()
	}
	if b.done <= enough {
		return ""
	}
	each := time.Since(b.began) / time.Duration(b.done-1)
	return fmt.Sprintf(", %v left", (each * time.Duration(b.rounds-b.done+1)).Round(time.Second))
}

// try measures a round, again if it fails; a round that keeps failing is left out,
// and the report says so. Its error is one that ends all.
func (b *bench) try(ctx context.Context, c *cluster, result *CellResult, dir string) (Sample, error) {
	r := round{
		Cell: result.Cell, keys: b.Keys, value: newValue(b.ValueBytes), warmup: b.Warmup, duration: b.Duration,
		workers: clientThreads(), dir: dir,
	}
	for range attempts {
		r.seed = b.rng.Uint64() >> 16
		s, err := measure(ctx, c, r)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		result.Failures = append(result.Failures, Failure{System: c.sys.Name, Reason: err.Error()})
		if errors.Is(err, errElection) {
			b.report.Elections[c.sys.Name]++
		}
		if errors.Is(err, errForm) || errors.Is(err, os.ErrNotExist) {
			return s, err // no round will do better
		}
		if err := c.start(ctx); err != nil {
			return s, err
		}
	}
	return Sample{}, nil
}

// clientThreads is how many threads put the load on: a quarter of the machine, and
// one on a small one, where each takes from the servers.
func clientThreads() int { return max(1, runtime.NumCPU()/4) }

// String says in words what the cell's load is.
func (c Cell) String() string {
	kind := fmt.Sprintf("%s, connections: %d", c.Work, c.Conns)
	if c.Load > 0 {
		kind += fmt.Sprintf(", %.0f%% of the peak", 100*c.Load)
	}
	if c.Memory {
		kind += ", data in memory"
	}
	return fmt.Sprintf("members: %d, %s", c.Members, kind)
}

// merged joins the latencies of a system's rounds.
func merged(samples []Sample, system string) *load.Latency {
	all := load.NewLatency()
	for _, s := range samples {
		if s.System == system && s.latency != nil {
			all.Add(s.latency)
		}
	}
	return all
}
