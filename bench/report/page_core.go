package report

import (
	"cmp"
	"fmt"
	"slices"

	"drydock/bench/consensus"
	"drydock/bench/pairs"
	"drydock/bench/scheduler"
	"drydock/bench/simspeed"
)

// colour is the class of the i-th of several lines.
func colour(i int) string { return fmt.Sprintf("c%d", i%7) }

const (
	headBatch = 64
	headBytes = 256
	headSize  = 3
)

// coreSection is bench consensus: what a command costs by batch, bytes and members.
func (f *File) coreSection() section {
	c := f.Consensus
	s := section{
		ID: "consensus", Title: "The log without HTTP",
		Lead: "What a command costs in the cluster's log, and how many a second it takes. Lines go through the medians of the rounds, the thin upright lines from the least to the most.",
		How: "All members are in one process, whose whole CPU time is counted. Core is consensus alone: one thread steps all members, with frames encoded and decoded between them, a batch at a time. " +
			"Write is whole members asked by proposers that each wait for their answer, read the same for linearizable reads.",
		Falsify: "an answer wasn't done, a batch wasn't committed whole by all members, members differ at a round's end, or there were fewer syncs than a majority needs: all are refused.",
	}
	busy, all := 0, 0
	for _, r := range c.Rows {
		for _, one := range r.Rounds {
			all++
			if one.Pressure >= calmPressure {
				busy++
			}
		}
	}
	if busy > 0 {
		s.Marks = append(s.Marks, fmt.Sprintf("Before %d of %d rounds something waited for a CPU in 30%% of the time or more.", busy, all))
	}
	s.Charts = slices.DeleteFunc([]chart{c.byBatch(), c.byBytes(), c.byMembers(), c.durable(false), c.durable(true), c.reads(), c.gone()},
		func(c chart) bool { return len(c.Shapes) == 0 })
	t := table{Title: "Beside the floors", Head: []string{"case", "CPU µs/op", "op/s", "floor"}}
	for i := range c.Rows {
		r := &c.Rows[i]
		if floor := f.coreFloor(r); floor != "" && r.System == consensus.Own && len(r.Rounds) > 0 && r.Value == headBytes && r.Members == headSize {
			t.Rows = append(t.Rows, []string{
				caseName(r.Case), Short(r.Figure(func(s *consensus.Sample) float64 { return s.CPU }).Median),
				Short(r.Figure(func(s *consensus.Sample) float64 { return s.Rate }).Median), floor,
			})
		}
	}
	s.Tables = append(s.Tables, t)
	return s
}

// coreLines draws a figure of rows over one of their sizes, with a line for each of
// another.
func (c *Consensus) coreLines(l lineChart, want func(consensus.Case) bool, x, line func(consensus.Case) int, name func(consensus.Case) string, of func(*consensus.Sample) float64) chart {
	type found struct {
		at   int
		line series
	}
	var lines []found
	var ticks []float64
	for i := range c.Rows {
		r := &c.Rows[i]
		if !want(r.Case) || len(r.Rounds) == 0 {
			continue
		}
		k := slices.IndexFunc(lines, func(f found) bool { return f.at == line(r.Case) && f.line.Name == name(r.Case) })
		if k < 0 {
			k = len(lines)
			lines = append(lines, found{line(r.Case), series{Name: name(r.Case), Style: "solid"}})
		}
		fig := r.Figure(of)
		lines[k].line.Points = append(lines[k].line.Points, point{X: float64(x(r.Case)), Y: fig.Median, Low: fig.Least, High: fig.Most})
		if at := float64(x(r.Case)); !slices.Contains(ticks, at) {
			ticks = append(ticks, at)
		}
	}
	if len(lines) == 0 {
		return chart{}
	}
	slices.SortStableFunc(lines, func(a, b found) int { return cmp.Compare(a.at, b.at) })
	for i, f := range lines {
		f.line.Class = colour(i)
		slices.SortFunc(f.line.Points, func(a, b point) int { return cmp.Compare(a.X, b.X) })
		l.Series = append(l.Series, f.line)
	}
	l.TicksX = ticks
	return l.draw()
}

func depth(c consensus.Case) int   { return c.Depth }
func value(c consensus.Case) int   { return c.Value }
func members(c consensus.Case) int { return c.Members }

func cpu(s *consensus.Sample) float64  { return s.CPU }
func rate(s *consensus.Sample) float64 { return s.Rate }

func core(c consensus.Case) bool { return c.Work == consensus.Core && c.Storage == consensus.Memory }

func (c *Consensus) byBatch() chart {
	return c.coreLines(
		lineChart{Title: "Core: CPU a proposal over the batch", X: "commands a batch", Y: "µs", LogX: true, LogY: true, Note: "Three members in memory; a line for each size of values."},
		func(k consensus.Case) bool { return core(k) && k.Members == headSize }, depth, value,
		func(k consensus.Case) string { return fmt.Sprintf("%d bytes", k.Value) }, cpu)
}

func (c *Consensus) byBytes() chart {
	return c.coreLines(
		lineChart{Title: "Core: CPU a proposal over its bytes", X: "bytes of a value", Y: "µs", LogX: true, LogY: true, Note: "Three members in memory; a line for each size of batches."},
		func(k consensus.Case) bool { return core(k) && k.Members == headSize }, value, depth,
		func(k consensus.Case) string { return fmt.Sprintf("batches of %d", k.Depth) }, cpu)
}

func (c *Consensus) byMembers() chart {
	return c.coreLines(
		lineChart{Title: "Core: CPU a proposal over members", X: "members", Y: "µs", LogY: true, Note: "Values of 256 bytes; the CPU of all members together."},
		func(k consensus.Case) bool { return core(k) && k.Value == headBytes }, members, depth,
		func(k consensus.Case) string { return fmt.Sprintf("batches of %d", k.Depth) }, cpu)
}

// durable is what whole members commit on the disk, or what it costs.
func (c *Consensus) durable(cost bool) chart {
	l := lineChart{Title: "Write on the disk: commits a second", X: "proposers", Y: "commits a second", LogX: true, LogY: true, Note: "Three members, values of 256 bytes, every commit synced by a majority."}
	of := rate
	if cost {
		l.Title, l.Y, of = "Write on the disk: CPU a commit", "µs", cpu
	}
	return c.coreLines(l, func(k consensus.Case) bool {
		return k.Work == consensus.Write && k.Storage == consensus.Disk && k.Members == headSize && k.Value == headBytes
	}, depth, func(consensus.Case) int { return 0 }, func(k consensus.Case) string { return fmt.Sprintf("%s, %s", k.System, k.Links) }, of)
}

// reads are linearizable ones.
func (c *Consensus) reads() chart {
	return c.coreLines(
		lineChart{Title: "Linearizable reads a second", X: "proposers", Y: "reads a second", LogX: true, LogY: true, Note: "Three members; reads share quorum rounds and log nothing."},
		func(k consensus.Case) bool { return k.Work == consensus.Read && k.Members == headSize }, depth,
		func(consensus.Case) int { return 0 }, func(k consensus.Case) string { return fmt.Sprintf("%s, %s", k.Storage, k.Links) }, rate)
}

// gone is the distribution of failovers without HTTP.
func (c *Consensus) gone() chart {
	var rows []strip
	for i := range c.Failovers {
		f := &c.Failovers[i]
		if len(f.Gaps) > 0 {
			rows = append(rows, strip{
				Name: fmt.Sprintf("%s %d", f.Work, f.Members), Class: "ours", Trials: f.Gaps, Middle: pairs.Median(f.Gaps),
			})
		}
	}
	if len(rows) == 0 {
		return chart{}
	}
	return stripChart("A leader goes, without HTTP: ms without a write", "By how the leader went and members; one row for each storage and kind of links.", "ms", rows)
}

// section is bench scheduler.
func (s *Scheduler) section() section {
	out := section{
		ID: "scheduler", Title: "The scheduler",
		Lead: "CPU time to place a unit in an empty cluster until it is full, on one core, by what units ask for; flat is a cost that the size of the cluster doesn't change.",
		How:  "A cluster is told of all units and asked for decisions after every 512. CPU time is the process's, the garbage collector's included. Every shape also goes through fill, changes and losses in a slow reference solver, and one unit elsewhere means that nothing is printed.",
		Falsify: "work is put off until the clock has stopped (every unit's place is looked up then), or a rule is wrong in both solvers. " +
			"The replay is exact: the same trace and seed give the same shares.",
	}
	for _, per := range s.perMachine() {
		l := lineChart{Title: fmt.Sprintf("CPU a unit, %d units a machine", per), X: "machines", Y: "ns", LogX: true, LogY: true}
		loss := lineChart{Title: fmt.Sprintf("A machine lost with %d units", per), X: "machines", Y: "µs until all have places, p50", LogX: true, LogY: true}
		for i, shape := range scheduler.Shapes {
			fill := s.line(shape, per, i, func(r scheduler.Round) float64 { return r.UnitNanos })
			if len(fill.Points) == 0 {
				continue
			}
			l.Series = append(l.Series, fill)
			loss.Series = append(loss.Series, s.line(shape, per, i, func(r scheduler.Round) float64 { return r.Loss.P50 }))
		}
		out.Charts = append(out.Charts, l.draw(), loss.draw())
	}
	for i := range s.Replays {
		out.Charts = append(out.Charts, pressed(&s.Replays[i])...)
	}
	if s.Durable != nil {
		t := table{Title: "Through members: " + durableName(s.Durable), Head: []string{"what", "figure", ""}}
		for _, f := range durableFigures(s.Durable) {
			t.Rows = append(t.Rows, []string{f.Measure, Short(pairs.Median(f.Readings)), f.Unit})
		}
		out.Tables = append(out.Tables, t)
	}
	return out
}

func (s *Scheduler) perMachine() []int {
	var list []int
	for _, r := range s.Rows {
		if r.Machines > 0 && !slices.Contains(list, r.Units/r.Machines) {
			list = append(list, r.Units/r.Machines)
		}
	}
	return list
}

// line is a figure of one shape over machines.
func (s *Scheduler) line(shape scheduler.Shape, per, i int, of func(scheduler.Round) float64) series {
	line := series{Name: string(shape), Class: colour(i), Style: "solid"}
	for k := range s.Rows {
		r := &s.Rows[k]
		if r.Shape != shape || r.Machines == 0 || r.Units/r.Machines != per || len(r.Rounds) == 0 {
			continue
		}
		v := r.Over(of)
		line.Points = append(line.Points, point{X: float64(r.Machines), Y: v.Median, Low: v.Least, High: v.Most})
	}
	return line
}

// pressed draws a replay under rising load.
func pressed(r *scheduler.Replay) []chart {
	placed := lineChart{Title: "GPU placed, " + r.Trace, X: "% asked for", Y: "% of what was asked for", Note: "Tasks of the trace come and stay; load is what was asked for by what there is."}
	pieces := lineChart{Title: "Free GPU of no use, " + r.Trace, X: "% asked for", Y: "% of what is free", Note: "What a task of the trace, drawn by how often its kind comes, can't use where it lies."}
	used := lineChart{Title: "Machines used, " + r.Trace, X: "% asked for", Y: "machines"}
	for i, one := range r.Results {
		a := series{Name: string(one.Strategy), Class: colour(i), Style: "solid"}
		b, c := a, a
		for _, p := range one.Pressed {
			a.Points = append(a.Points, point{X: 100 * p.Load, Y: 100 * p.Placed.GPU})
			b.Points = append(b.Points, point{X: 100 * p.Load, Y: 100 * p.Fragments})
			c.Points = append(c.Points, point{X: 100 * p.Load, Y: float64(p.Machines)})
		}
		placed.Series, pieces.Series, used.Series = append(placed.Series, a), append(pieces.Series, b), append(used.Series, c)
	}
	return []chart{placed.draw(), pieces.draw(), used.draw()}
}

// section is bench sim.
func (s *Sim) section() section {
	out := section{
		ID: "sim", Title: "The simulator",
		Lead:    "Simulated seconds that one CPU second buys: whole clusters with their disks, network, clients and faults, with all checkers and without.",
		How:     "CPU time of the process over seeds, one after another; the bar is their median, the whisker its 95% interval.",
		Falsify: "a run fails or does less than was asked of it: both are refused.",
	}
	var rows []barRow
	for _, r := range s.Rows {
		rows = append(rows, barRow{Name: simName(r.Case), Bars: []bar{simBar(r)}})
	}
	if len(rows) > 0 {
		c := barChart("Simulated seconds a CPU second", "", rows)
		c.Legend = nil
		out.Charts = append(out.Charts, c)
	}
	return out
}

func simBar(r simspeed.Row) bar {
	b := bar{Class: "ours", Name: "drydock", Value: r.SimPerCPU}
	if len(r.Speeds) >= pairs.Least {
		b.Low, b.High = pairs.Interval(r.Speeds, 1)
	}
	return b
}
