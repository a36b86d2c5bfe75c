package kv

import (
	"fmt"
	"runtime"
	"time"

	"drydock/bench/floor"
	"drydock/bench/pairs"
)

// Report is all that a run came to.
type Report struct {
	// Systems are what was measured, ours first.
	Systems []SystemInfo `json:"systems"`
	// Settings are those that figures depend on.
	Settings Settings `json:"settings"`
	// Floor is what the machine itself can do.
	Floor *floor.Floor `json:"floor,omitempty"`
	Cells []CellResult `json:"cells"`
	// Failovers are there if leaders were killed.
	Failovers []Failover `json:"failovers,omitempty"`
	// Elections counts, for each system, rounds of load in which another member came
	// to lead though none had failed. Loaded is how many seconds of load there were.
	Elections map[string]int     `json:"elections"`
	Loaded    map[string]float64 `json:"loaded"`
}

// SystemInfo names a system.
type SystemInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Settings are what figures depend on.
type Settings struct {
	CPUs int `json:"cpus"`
	// ClientThreads is how many threads put the load on.
	ClientThreads int     `json:"clientThreads"`
	OS            string  `json:"os"`
	ValueBytes    int     `json:"valueBytes"`
	Keys          int     `json:"keys"`
	Pairs         int     `json:"pairs"`
	Warmup        float64 `json:"warmupSeconds"`
	Duration      float64 `json:"durationSeconds"`
	Seed          uint64  `json:"seed"`
	// Disk is the block device that has the data; empty if there is none.
	Disk string `json:"disk"`
}

// Failure is a round that was none.
type Failure struct {
	System string `json:"system"`
	Reason string `json:"reason"`
}

// CellResult is what came of a cell.
type CellResult struct {
	Cell
	// Summaries are of all rounds, by system.
	Summaries map[string]Summary `json:"summaries"`
	// Ratios are ours over the other's, by measure; none if there is no other.
	Ratios map[string]pairs.Ratio `json:"ratios,omitempty"`
	// Loud are the medians of the ratios of all pairs, calm or not: for information,
	// where too few were calm.
	Loud map[string]float64 `json:"loud,omitempty"`
	// Calm is how many pairs had little foreign load in both rounds.
	Calm     int       `json:"calm"`
	Failures []Failure `json:"failures,omitempty"`
	Samples  []Sample  `json:"samples"`
}

// Summary is a system's share of a cell: medians over the rounds, but for the
// latencies, which are those of all rounds together.
type Summary struct {
	Rounds     int     `json:"rounds"`
	Rate       float64 `json:"rate"`
	ServerCPU  float64 `json:"serverCPU"`
	ClientCPU  float64 `json:"clientCPU"`
	Flushes    float64 `json:"flushes"`
	P50        float64 `json:"p50"`
	P99        float64 `json:"p99"`
	P999       float64 `json:"p999"`
	Max        float64 `json:"max"`
	Unanswered int64   `json:"unanswered,omitempty"`
}

// metric is something that systems are compared by.
type metric struct {
	name, unit string
	// calm says that it holds only where others leave the CPUs alone.
	calm bool
	// divide makes the number that is shown.
	divide float64
	digits int
	of     func(Sample) float64
	sum    func(Summary) float64
}

// metrics are what a report shows, in its order.
var metrics = [...]metric{
	{"serverCPU", "server CPU µs/op", false, 1, 1, func(s Sample) float64 { return s.ServerCPU }, func(s Summary) float64 { return s.ServerCPU }},
	{"rate", "operations/s", true, 1, 0, func(s Sample) float64 { return s.Rate }, func(s Summary) float64 { return s.Rate }},
	{"p50", "p50 ms", true, 1000, 2, func(s Sample) float64 { return s.P50 }, func(s Summary) float64 { return s.P50 }},
	{"p99", "p99 ms", true, 1000, 2, func(s Sample) float64 { return s.P99 }, func(s Summary) float64 { return s.P99 }},
	{"p999", "p99.9 ms", true, 1000, 2, func(s Sample) float64 { return s.P999 }, func(s Summary) float64 { return s.P999 }},
}

func newReport(o Options) *Report {
	r := &Report{
		Settings: Settings{
			CPUs: runtime.NumCPU(), ClientThreads: clientThreads(), OS: runtime.GOOS + "/" + runtime.GOARCH, ValueBytes: o.ValueBytes, Keys: o.Keys, Pairs: o.Pairs,
			Warmup: o.Warmup.Seconds(), Duration: o.Duration.Seconds(), Seed: o.Seed,
			Disk: DiskName(o.Dir),
		},
		Elections: make(map[string]int), Loaded: make(map[string]float64), Cells: []CellResult{},
	}
	for _, s := range o.Systems {
		r.Systems = append(r.Systems, SystemInfo{Name: s.Name, Version: s.Version})
	}
	return r
}

// readings are a system's, in the order of the rounds.
func (c *CellResult) readings(system string, of func(Sample) float64) []float64 {
	var list []float64
	for _, s := range c.Samples {
		if s.System == system {
			list = append(list, of(s))
		}
	}
	return list
}

// judge makes summaries and ratios of the samples.
func (c *CellResult) judge(r *Report, seed uint64) error {
	c.Summaries = make(map[string]Summary)
	for _, sys := range r.Systems {
		middle := func(of func(Sample) float64) float64 { return pairs.Median(c.readings(sys.Name, of)) }
		all := merged(c.Samples, sys.Name)
		us := func(share float64) float64 { return float64(all.At(share)) / float64(time.Microsecond) }
		s := Summary{
			Rate: middle(func(s Sample) float64 { return s.Rate }), ServerCPU: middle(func(s Sample) float64 { return s.ServerCPU }),
			ClientCPU: middle(func(s Sample) float64 { return s.ClientCPU }), Flushes: middle(func(s Sample) float64 { return s.Flushes }),
			P50: us(0.5), P99: us(0.99), P999: us(0.999), Max: float64(all.Max()) / float64(time.Microsecond),
		}
		for _, sample := range c.Samples {
			if sample.System == sys.Name {
				s.Rounds++
				s.Unanswered += sample.Unanswered
				r.Loaded[sys.Name] += sample.Seconds
			}
		}
		c.Summaries[sys.Name] = s
	}
	if len(r.Systems) < 2 {
		return nil
	}
	return c.compare(r.Systems[0].Name, r.Systems[1].Name, seed)
}

// compare makes the ratios, of the pairs in which both rounds came off.
func (c *CellResult) compare(ours, theirs string, seed uint64) error {
	one, other := make(map[int]Sample), make(map[int]Sample)
	last := -1
	for _, s := range c.Samples {
		switch s.System {
		case ours:
			one[s.Pair] = s
		case theirs:
			other[s.Pair] = s
		}
		last = max(last, s.Pair)
	}
	c.Ratios, c.Loud = make(map[string]pairs.Ratio), make(map[string]float64)
	for i, m := range metrics {
		var a, b, all []float64
		c.Calm = 0
		for pair := range last + 1 {
			x, okX := one[pair]
			y, okY := other[pair]
			if !okX || !okY {
				continue
			}
			quiet := x.Foreign < calmShare && y.Foreign < calmShare
			all = append(all, m.of(x)/m.of(y))
			if quiet {
				c.Calm++
			}
			if quiet || !m.calm {
				a, b = append(a, m.of(x)), append(b, m.of(y))
			}
		}
		ratio, err := pairs.Compare(a, b, seed+uint64(i))
		if err != nil {
			return fmt.Errorf("kv: %s: %s: %w", c.Cell, m.name, err)
		}
		c.Ratios[m.name], c.Loud[m.name] = ratio, pairs.Median(all)
	}
	return nil
}
