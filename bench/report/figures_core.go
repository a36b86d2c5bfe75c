package report

import (
	"fmt"

	"drydock/bench/consensus"
	"drydock/bench/fleetload"
	"drydock/bench/scheduler"
	"drydock/bench/simspeed"
)

// coreMeasures are what bench consensus judges by.
var coreMeasures = []measure[consensus.Sample]{
	{"CPU", "µs/op", false, false, func(s consensus.Sample) float64 { return s.CPU }},
	{"rate", "op/s", true, true, func(s consensus.Sample) float64 { return s.Rate }},
	{"allocations", "a op", false, false, func(s consensus.Sample) float64 { return s.Allocs }},
	{"frames", "a op", false, false, func(s consensus.Sample) float64 { return s.Frames }},
	{"syncs", "a op", false, false, func(s consensus.Sample) float64 { return s.Syncs }},
	{"p50", "µs", false, true, func(s consensus.Sample) float64 { return s.P50 }},
	{"p99", "µs", false, true, func(s consensus.Sample) float64 { return s.P99 }},
	{"p99.9", "µs", false, true, func(s consensus.Sample) float64 { return s.P999 }},
}

// caseName names a case of bench consensus without its system.
func caseName(c consensus.Case) string {
	return fmt.Sprintf("%s, %s, %s, %s, depth %d, %d bytes", c.Work, plural(c.Members, "member"), c.Storage, c.Links, c.Depth, c.Value)
}

func (c *Consensus) figures() []Figure {
	var list []Figure
	for i := range c.Rows {
		row := &c.Rows[i]
		for _, m := range coreMeasures {
			var readings []float64
			for _, s := range row.Rounds {
				if v := m.of(s); (!m.calm || s.Pressure < calmPressure) && v > 0 {
					readings = append(readings, v)
				}
			}
			if len(readings) == 0 && !m.calm {
				continue // frames of a single member: there are none
			}
			list = append(list, Figure{
				Kind: KindConsensus, Case: caseName(row.Case), System: row.System, Measure: m.name, Unit: m.unit, More: m.more,
				Readings: readings, Control: row.System != consensus.Own,
			})
		}
	}
	for _, f := range c.Failovers {
		list = append(list, Figure{
			Kind: KindConsensus, Case: fmt.Sprintf("%s, %s, %s, %s", f.Work, plural(f.Members, "member"), f.Storage, f.Links),
			System: consensus.Own, Measure: "writes pause", Unit: "ms", Readings: f.Gaps,
		})
	}
	return list
}

// placeMeasures are what bench scheduler judges by.
var placeMeasures = []measure[scheduler.Round]{
	{"placements", "a CPU s", true, false, func(r scheduler.Round) float64 { return r.FillCPU }},
	{"scheduler's memory", "bytes/unit", false, false, func(r scheduler.Round) float64 { return r.BytesPerUnit }},
	{"one more unit, p50", "µs", false, false, func(r scheduler.Round) float64 { return r.Change.P50 }},
	{"one more unit, p99", "µs", false, false, func(r scheduler.Round) float64 { return r.Change.P99 }},
	{"a machine lost, p50", "µs", false, false, func(r scheduler.Round) float64 { return r.Loss.P50 }},
	{"a machine lost, p99", "µs", false, false, func(r scheduler.Round) float64 { return r.Loss.P99 }},
}

// shapeName names a case of bench scheduler.
func shapeName(c scheduler.Case) string {
	return fmt.Sprintf("%s, %d machines, %d units", c.Shape, c.Machines, c.Units)
}

func (s *Scheduler) figures() []Figure {
	var list []Figure
	for i := range s.Rows {
		for _, m := range placeMeasures {
			var readings []float64
			for _, r := range s.Rows[i].Rounds {
				if v := m.of(r); v > 0 {
					readings = append(readings, v)
				}
			}
			list = append(list, Figure{
				Kind: KindScheduler, Case: shapeName(s.Rows[i].Case), System: "drydock", Measure: m.name, Unit: m.unit, More: m.more, Readings: readings,
			})
		}
	}
	if s.Durable != nil {
		list = append(list, durableFigures(s.Durable)...)
	}
	for i := range s.Replays {
		for _, r := range s.Replays[i].Results {
			list = append(list, replayFigures(s.Replays[i].Trace, r)...)
		}
	}
	return list
}

// durableName names the part through members.
func durableName(d *fleetload.Result) string {
	return fmt.Sprintf("through %s, %s, %d machines, %d units", plural(d.Members, "member"), d.Storage, d.Machines, d.Units)
}

// durableFigures are of the part through members: one reading each, since it is run once.
func durableFigures(d *fleetload.Result) []Figure {
	var list []Figure
	add := func(measure, unit string, more bool, v float64) {
		if v > 0 {
			list = append(list, Figure{
				Kind: KindScheduler, Case: durableName(d), System: "drydock", Measure: measure, Unit: unit, More: more, Readings: []float64{v},
			})
		}
	}
	add("a place for all", "s", false, d.Fill.Seconds)
	add("CPU, members and load", "µs/unit", false, d.Fill.CPU)
	if p := d.Replicas; p != nil {
		add("a place for all, as replicas", "s", false, p.Seconds)
		add("CPU, members and load, as replicas", "µs/unit", false, p.CPU)
	}
	add("memory of all", "bytes/unit", false, d.Memory.HeapPerUnit)
	add("one more unit, p50", "ms", false, d.Increment.P50)
	add("one more unit, p99", "ms", false, d.Increment.P99)
	add("a machine lost, decided, p50", "ms", false, d.Loss.Decide.P50)
	add("a machine lost, committed, p50", "ms", false, d.Loss.Commit.P50)
	add("at rest, with beats", "% of a core", false, 100*d.Rest.Beats)
	add("at rest, without", "% of a core", false, 100*d.Rest.Silent)
	return list
}

// replayFigures are of one strategy on one trace.
func replayFigures(trace string, r scheduler.StrategyResult) []Figure {
	var list []Figure
	add := func(when, measure, unit string, more bool, v float64) {
		list = append(list, Figure{
			Kind: KindScheduler, Case: fmt.Sprintf("replay of %s, %s", trace, when), System: string(r.Strategy), Measure: measure, Unit: unit,
			More: more, Readings: []float64{v}, Exact: true,
		})
	}
	add("its own times", "GPU placed", "%", true, 100*r.Timed.Placed.GPU)
	add("its own times", "machines used", "on average", false, r.Timed.MachinesMean)
	for i, p := range r.Pressed {
		if i == len(scheduler.Loads) {
			break // of a release that knew more
		}
		when := fmt.Sprintf("load %.0f%%", 100*scheduler.Loads[i])
		add(when, "CPU placed", "%", true, 100*p.Placed.CPU)
		add(when, "memory placed", "%", true, 100*p.Placed.Memory)
		add(when, "GPU placed", "%", true, 100*p.Placed.GPU)
		add(when, "free GPU of no use", "%", false, 100*p.Fragments)
	}
	return list
}

// simName names a case of bench sim.
func simName(c simspeed.Case) string {
	checkers := "no checkers"
	if c.Checked {
		checkers = "all checkers"
	}
	return fmt.Sprintf("%s, %.0f operations/s, %s", plural(c.Members, "member"), c.Rate, checkers)
}

func (s *Sim) figures() []Figure {
	var list []Figure
	for _, r := range s.Rows {
		list = append(list, Figure{
			Kind: KindSim, Case: simName(r.Case), System: "drydock", Measure: "simulated time", Unit: "s per CPU s", More: true, Readings: r.Speeds,
		})
	}
	return list
}
