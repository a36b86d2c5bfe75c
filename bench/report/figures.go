package report

import (
	"fmt"
	"slices"

	"drydock/bench/kv"
	"drydock/bench/pairs"
)

// calmShare is the share of the CPUs that others may have in a round by whose rates
// and latencies anything is judged; calmPressure the same of the pressure, in percent,
// of rounds that are measured by that.
const (
	calmShare    = 0.3
	calmPressure = 30
)

// Figure is a number of a file.
type Figure struct {
	// Kind is the kind of benchmark, Case what was measured, System of what; two
	// systems with a slash between them are a ratio of theirs.
	Kind    string `json:"kind"`
	Case    string `json:"case"`
	System  string `json:"system"`
	Measure string `json:"measure"`
	Unit    string `json:"unit"`
	// More says that more of it is better, else less is.
	More bool `json:"more,omitempty"`
	// Value is the median of Readings, one a round. Rates and latencies are those of
	// calm rounds.
	Value    float64   `json:"value"`
	Readings []float64 `json:"-"`
	// Exact figures have no spread: the same settings give the same number.
	Exact bool `json:"exact,omitempty"`
	// Control figures say nothing of the product, only whether the machine is the same.
	Control bool `json:"control,omitempty"`
	// Asked is the rate, in operations a second, at which a latency was taken; 0 if
	// none was asked for.
	Asked float64 `json:"asked,omitempty"`
}

// key is what makes figures of two files the same.
func (f *Figure) key() [5]string { return [5]string{f.Kind, f.Case, f.System, f.Measure, f.Unit} }

// Figures lists the numbers of a file.
func (f *File) Figures() []Figure {
	var list []Figure
	list = append(list, f.floorFigures()...)
	if f.KV != nil {
		list = append(list, kvFigures(f.KV.Report)...)
	}
	if f.Consensus != nil {
		list = append(list, f.Consensus.figures()...)
	}
	if f.Scheduler != nil {
		list = append(list, f.Scheduler.figures()...)
	}
	if f.Sim != nil {
		list = append(list, f.Sim.figures()...)
	}
	for i := range list {
		list[i].Value = pairs.Median(list[i].Readings)
	}
	return list
}

func (f *File) floorFigures() []Figure {
	if f.Floor == nil {
		return nil
	}
	one := func(name, unit string, more bool, v float64) Figure {
		return Figure{Kind: "floor", Case: name, System: "machine", Measure: "floor", Unit: unit, More: more, Readings: []float64{v}, Control: true}
	}
	return []Figure{
		one("write and fdatasync of 4 KiB in place, p50", "µs", false, f.Floor.Sync.P50),
		one("write and fdatasync of 4 KiB at a file's end, p50", "µs", false, f.Floor.SyncGrow.P50),
		one("round trip over loopback, p50", "µs", false, f.Floor.Loopback.P50),
		one("copy of memory", "GB/s", true, f.Floor.CopyGB),
	}
}

// measure is what a round is read for.
type measure[R any] struct {
	name, unit string
	more, calm bool
	of         func(R) float64
}

// kvMeasures are what bench kv judges by.
var kvMeasures = []measure[kv.Sample]{
	{"server CPU", "µs/op", false, false, func(s kv.Sample) float64 { return s.ServerCPU }},
	{"rate", "op/s", true, true, func(s kv.Sample) float64 { return s.Rate }},
	{"p50", "µs", false, true, func(s kv.Sample) float64 { return s.P50 }},
	{"p99", "µs", false, true, func(s kv.Sample) float64 { return s.P99 }},
	{"p99.9", "µs", false, true, func(s kv.Sample) float64 { return s.P999 }},
}

// cellName names a cell of bench kv without the rate, which differs between runs.
func cellName(c kv.Cell) string {
	name := fmt.Sprintf("%s, %s, %s", plural(c.Members, "member"), c.Work, plural(c.Conns, "connection"))
	if c.Load > 0 {
		name += fmt.Sprintf(", open at %.0f%%", 100*c.Load)
	}
	if c.Memory {
		name += ", data in memory"
	}
	return name
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func kvFigures(r *kv.Report) []Figure {
	var list []Figure
	for i := range r.Cells {
		c := &r.Cells[i]
		for _, m := range kvMeasures {
			if m.name == "p99.9" && c.Load == 0 {
				continue
			}
			for k, s := range r.Systems {
				list = append(list, Figure{
					Kind: KindKV, Case: cellName(c.Cell), System: s.Name, Measure: m.name, Unit: m.unit, More: m.more,
					Readings: kvReadings(c, s.Name, m), Control: k > 0, Asked: c.Asked,
				})
			}
			if len(r.Systems) > 1 {
				list = append(list, Figure{
					Kind: KindKV, Case: cellName(c.Cell), System: r.Systems[0].Name + "/" + r.Systems[1].Name, Measure: m.name, Unit: "times",
					More: m.more, Readings: kvRatios(c, r.Systems[0].Name, r.Systems[1].Name, m), Asked: c.Asked,
				})
			}
		}
	}
	for _, f := range r.Failovers {
		name := fmt.Sprintf("leader %s, timers %v / %v", ended(f.Kind), f.Timers.Heartbeat, f.Timers.Election)
		for k, s := range r.Systems {
			gaps := make([]float64, len(f.Trials[s.Name]))
			for i, t := range f.Trials[s.Name] {
				gaps[i] = t.Gap
			}
			list = append(list, Figure{Kind: KindKV, Case: name, System: s.Name, Measure: "writes pause", Unit: "ms", Readings: gaps, Control: k > 0})
		}
	}
	return list
}

// ended is how a leader went.
func ended(kind string) string {
	if kind == "kill" {
		return "killed"
	}
	return "stopped"
}

// kvReadings are those of a system's rounds that a measure holds in.
func kvReadings(c *kv.CellResult, system string, m measure[kv.Sample]) []float64 {
	var list []float64
	for _, s := range c.Samples {
		if s.System == system && (!m.calm || s.Foreign < calmShare) {
			list = append(list, m.of(s))
		}
	}
	return list
}

// kvRatios are the ratios of the pairs in which both rounds came off, and were calm if
// the measure needs that.
func kvRatios(c *kv.CellResult, one, other string, m measure[kv.Sample]) []float64 {
	var list []float64
	for _, a := range c.Samples {
		if a.System != one {
			continue
		}
		k := slices.IndexFunc(c.Samples, func(b kv.Sample) bool { return b.System == other && b.Pair == a.Pair })
		if k < 0 {
			continue
		}
		b := c.Samples[k]
		if calm := a.Foreign < calmShare && b.Foreign < calmShare; (calm || !m.calm) && m.of(b) > 0 {
			list = append(list, m.of(a)/m.of(b))
		}
	}
	return list
}
