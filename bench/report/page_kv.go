package report

import (
	"cmp"
	"fmt"
	"slices"

	"drydock/bench/kv"
	"drydock/bench/pairs"
)

// classes are the colours of the systems, ours first.
var classes = []string{"ours", "theirs"}

const kvHow = "Members are real processes on this machine, and every request goes to the member that leads. CPU time is the run time of all threads of " +
	"all servers of a system over the counted window, by the operations completed in it; rates and latencies count in rounds only in which others had less than 30% " +
	"of the CPUs. A bar is the median of the rounds, its whisker the 95% interval of that median; a ring is a round under pressure. " +
	"The floor of CPU time is a server of one thread that reads a request and writes an answer, and does nothing else."

// kvSections are those of bench kv: closed loops, open loops, leaders that go.
func (f *File) kvSections() []section {
	r := f.KV.Report
	closed := section{
		ID: "kv", Title: "The node as clients see it",
		Lead: fmt.Sprintf("%s. Values of %d bytes over %d keys, %s of %g s. Shorter is better in CPU time, longer in rates.",
			against(r), r.Settings.ValueBytes, r.Settings.Keys, plural(r.Settings.Pairs, "round"), r.Settings.Duration),
		How:     kvHow,
		Falsify: "work is left to a process that isn't counted or to the time after a round (longer rounds would cost more an operation), if the load generator is the limit (noted where it took over 90% of its threads), or if another seed's interval excludes this one's median.",
		Marks:   kvMarks(r),
	}
	for _, size := range sizes(r) {
		closed.Charts = append(closed.Charts, kvBars(r, size, kvMeasures[0], "Server CPU, µs an operation"), kvBars(r, size, kvMeasures[1], "Operations a second"))
	}
	for _, size := range sizes(r) {
		size.alone = true
		closed.Charts = append(closed.Charts, kvBars(r, size, kvMeasures[0], "Server CPU, µs an operation"), kvBars(r, size, kvMeasures[2], "p50, µs"))
	}
	closed.Charts = slices.DeleteFunc(closed.Charts, func(c chart) bool { return c.Height == 0 })
	closed.Tables = append(closed.Tables, boundTable(r))
	list := []section{closed}
	if open := openSection(r); len(open.Charts) > 0 {
		list = append(list, open)
	}
	if gone := goneSection(r); len(gone.Charts) > 0 {
		list = append(list, gone)
	}
	return list
}

func against(r *kv.Report) string {
	switch len(r.Systems) {
	case 0:
		return "No system"
	case 1:
		return r.Systems[0].Name + " alone"
	}
	return fmt.Sprintf("%s beside %s %s, with the same durability on the same disk", r.Systems[0].Name, r.Systems[1].Name, r.Systems[1].Version)
}

// kvMarks say what a reader must know.
func kvMarks(r *kv.Report) []string {
	var list []string
	busy, all := 0, 0
	for _, c := range r.Cells {
		for _, s := range c.Samples {
			all++
			if s.Foreign >= calmShare {
				busy++
			}
		}
	}
	if busy > 0 {
		list = append(list, fmt.Sprintf("In %d of %d rounds others had 30%% or more of the CPUs: no rate or latency is judged by them.", busy, all))
	}
	if r.Settings.Disk == "" {
		list = append(list, "The data was on no disk that is known: nothing here says what durability costs.")
	}
	return list
}

// size is a kind of cluster, and whether one connection has it alone: what that costs
// would leave no room for the others in a drawing.
type size struct {
	members       int
	memory, alone bool
}

// of tells whether a cell is a closed loop on such a cluster.
func (s size) of(c kv.Cell) bool {
	return c.Load == 0 && c.Members == s.members && c.Memory == s.memory && (c.Conns == 1) == s.alone
}

func (s size) String() string {
	name := plural(s.members, "member")
	if s.memory {
		name += ", data in memory"
	}
	if s.alone {
		name += ", one connection"
	}
	return name
}

func sizes(r *kv.Report) []size {
	var list []size
	for _, c := range r.Cells {
		if s := (size{members: c.Members, memory: c.Memory}); c.Load == 0 && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b size) int { return cmp.Compare(b.members, a.members) })
	return list
}

// kvBars compares a measure in all closed loops of one size.
func kvBars(r *kv.Report, of size, m measure[kv.Sample], title string) chart {
	var rows []barRow
	for i := range r.Cells {
		c := &r.Cells[i]
		if !of.of(c.Cell) || len(c.Samples) == 0 {
			continue
		}
		row := barRow{Name: fmt.Sprintf("%s, %d", c.Work, c.Conns)}
		for k, s := range r.Systems {
			every := m
			every.calm = false
			calm, all := kvReadings(c, s.Name, m), kvReadings(c, s.Name, every)
			b := bar{Class: classes[min(k, 1)], Name: s.Name, Value: pairs.Median(calm)}
			if len(calm) == 0 {
				b.Value = pairs.Median(all)
			}
			if len(calm) >= pairs.Least {
				b.Low, b.High = pairs.Interval(calm, 1)
			}
			for _, sample := range c.Samples {
				if sample.System == s.Name && sample.Foreign >= calmShare {
					b.Busy = append(b.Busy, m.of(sample))
				}
			}
			row.Bars = append(row.Bars, b)
		}
		if len(r.Systems) > 1 {
			row.Ratio = ratioWords(pairRatio(r, c, m))
		}
		for _, b := range r.Bounds(c, r.Systems[0].Name) {
			if (b.Unit == "µs") == (m.name == "p50") && m.name != "rate" {
				row.Floor = b.Floor
			}
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return chart{}
	}
	return barChart(title+"; "+of.String(), "Work and connections, closed loop.", rows)
}

// pairRatio is the ratio of a cell's pairs.
func pairRatio(r *kv.Report, c *kv.CellResult, m measure[kv.Sample]) pairs.Ratio {
	ratios := kvRatios(c, r.Systems[0].Name, r.Systems[1].Name, m)
	ones := make([]float64, len(ratios))
	for i := range ones {
		ones[i] = 1
	}
	ratio, err := pairs.Compare(ratios, ones, 1)
	if err != nil {
		return pairs.Ratio{} // of 0, as of a round without an operation
	}
	return ratio
}

func ratioWords(r pairs.Ratio) string {
	h := Headline{Ratio: &r}
	return h.RatioText()
}

// boundTable has each closed loop beside what bounds it.
func boundTable(r *kv.Report) table {
	t := table{Title: "Each beside its floor", Fold: true, Head: []string{"cluster", "work", "connections", "figure", "floor", "times", "CPUs in use"}}
	for i := range r.Cells {
		c := &r.Cells[i]
		if len(r.Systems) == 0 {
			break
		}
		for _, b := range r.Bounds(c, r.Systems[0].Name) {
			t.Rows = append(t.Rows, []string{
				size{members: c.Members, memory: c.Memory}.String(), c.Work, fmt.Sprint(c.Conns), Short(b.Figure) + " " + b.Unit,
				fmt.Sprintf("%s, %s", b.Of, Short(b.Floor)), fmt.Sprintf("%.1f", b.Times()), fmt.Sprintf("%.0f%%", 100*r.Busy(c, r.Systems[0].Name)),
			})
		}
	}
	return t
}

// openSection is latency against load.
func openSection(r *kv.Report) section {
	s := section{
		ID: "load", Title: "Latency against load",
		Lead: "Requests are due at a fixed rate, the same for both systems: 50, 70 and 90% of what the slower one reached. A latency counts from when its request was due, " +
			"so a stall of the server shows in every request that it kept waiting. Rings are closed loops of 1, 16, 64 and 256 connections: there the latency is the length of the queue.",
		How:     "Each point is the median over the calm rounds of that round's quantile; all rounds if none was calm. The JSON has every round with its foreign CPU.",
		Falsify: "the rate wasn't reached (the point stands left of the other system's), or requests that were due stayed unanswered and don't count with their age.",
	}
	type panel struct {
		members int
		work    string
	}
	var panels []panel
	for _, c := range r.Cells {
		if p := (panel{c.Members, c.Work}); c.Load > 0 && !slices.Contains(panels, p) {
			panels = append(panels, p)
		}
	}
	for _, p := range panels {
		l := lineChart{
			Title: fmt.Sprintf("%s, %s", p.work, plural(p.members, "member")), X: "operations a second", Y: "ms", LogY: true,
		}
		for k, sys := range r.Systems {
			for q, m := range kvMeasures[2:] {
				style := []string{"solid", "dash", "dots"}[q]
				l.Series = append(l.Series, series{
					Name: sys.Name + " " + m.name, Class: classes[min(k, 1)], Style: style,
					Points: loadPoints(r, p.members, p.work, sys.Name, m, true),
				})
			}
			l.Series = append(l.Series, series{
				Name: sys.Name + ", closed loop p50", Class: classes[min(k, 1)], Style: "none",
				Points: loadPoints(r, p.members, p.work, sys.Name, kvMeasures[2], false),
			})
		}
		l.Floor, l.FloorName = r.Steps(kv.Cell{Members: p.members, Work: p.work})
		l.Floor /= 1e3
		s.Charts = append(s.Charts, l.draw())
	}
	return s
}

// loadPoints are a system's latencies by the rate at which they were taken.
func loadPoints(r *kv.Report, members int, work, system string, m measure[kv.Sample], open bool) []point {
	var list []point
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.Members != members || c.Work != work || c.Memory || (c.Load > 0) != open {
			continue
		}
		of, by := m, kvMeasures[1]
		if len(kvReadings(c, system, of)) == 0 {
			of.calm, by.calm = false, false // no round was calm: all are shown
		}
		latency, rate := kvReadings(c, system, of), kvReadings(c, system, by)
		if len(latency) == 0 {
			continue
		}
		p := point{X: pairs.Median(rate), Y: pairs.Median(latency) / 1e3}
		what := plural(c.Conns, "connection")
		if open {
			what = fmt.Sprintf("%.0f%% of the slower one's peak", 100*c.Load)
		}
		p.Title = fmt.Sprintf("%s %s, %s: %s ms at %s/s", system, m.name, what, Short(p.Y), Short(p.X))
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b point) int { return cmp.Compare(a.X, b.X) })
	return list
}

// goneSection is how long writes pause when a leader goes.
func goneSection(r *kv.Report) section {
	s := section{
		ID: "leaders", Title: "When a leader goes",
		Lead:    "Each dot is a trial; the upright line and the number are the median. Both systems have the same timers (heartbeat / election).",
		How:     "Killed: from kill -9 at a random time to the first acknowledgment of a write that was sent when the process was gone; a write starts every 5 ms at the other members, whatever became of those before. Stopped: the longest time between two acknowledgments around a SIGTERM.",
		Falsify: "a write that was acknowledged is lost (what `drydock run` looks for), or if the same gap shows without a stop: the trials' own resolution is in the JSON as before.",
	}
	for _, kind := range []struct{ name, title string }{{"kill", "Leader killed: ms to the next write"}, {"stop", "Leader stopped: longest ms without a write"}} {
		var rows []strip
		for _, f := range r.Failovers {
			for k, sys := range r.Systems {
				if f.Kind != kind.name || len(f.Trials[sys.Name]) == 0 {
					continue
				}
				row := strip{Name: sys.Name, Class: classes[min(k, 1)]}
				if k == 0 {
					row.Name = fmt.Sprintf("%v/%v", f.Timers.Heartbeat, f.Timers.Election)
				}
				for _, t := range f.Trials[sys.Name] {
					row.Trials = append(row.Trials, t.Gap)
				}
				row.Middle = pairs.Median(row.Trials)
				rows = append(rows, row)
			}
		}
		if len(rows) > 0 {
			c := stripChart(kind.title, "", "ms", rows)
			for k, sys := range r.Systems {
				c.Legend = append(c.Legend, key{Class: classes[min(k, 1)], Name: sys.Name})
			}
			s.Charts = append(s.Charts, c)
		}
	}
	for _, sys := range r.Systems {
		if n := r.Elections[sys.Name]; n > 0 {
			s.Marks = append(s.Marks, fmt.Sprintf("%s elected another leader under load in %s, though none had failed (%.0f s of load).", sys.Name, plural(n, "round"), r.Loaded[sys.Name]))
		}
	}
	return s
}
