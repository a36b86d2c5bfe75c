package report

import (
	"fmt"
	"slices"
	"strings"

	"drydock/bench/consensus"
	"drydock/bench/kv"
	"drydock/bench/pairs"
	"drydock/bench/scheduler"
	"drydock/node/ui"
)

// Headline is a line of the summary: a figure beside the other system's, and beside
// the floor that bounds it.
type Headline struct {
	// Kind is the kind of benchmark.
	Kind string
	// Name says what was measured, Unit in what.
	Name, Unit string
	// Ours and Theirs are the figures; 0 if there is none. Other names the other system.
	Ours, Theirs float64
	Other        string
	// Ratio is ours by theirs, nil if there are none.
	Ratio *pairs.Ratio
	// More says that more is better.
	More bool
	// Floor says what bounds it, in words; empty if nothing does that is measured.
	Floor string
}

// Headlines are the lines that a run has figures for.
func (f *File) Headlines() []Headline {
	var list []Headline
	if f.KV != nil {
		list = append(list, kvHeadlines(f.KV.Report)...)
	}
	if f.Consensus != nil {
		list = append(list, f.coreHeadlines()...)
	}
	if f.Scheduler != nil {
		list = append(list, f.Scheduler.headlines()...)
	}
	if f.Sim != nil {
		list = append(list, f.Sim.headlines()...)
	}
	return list
}

// kvHeadings are the cells that make headlines, and which measures of them.
var kvHeadings = []struct {
	cell     kv.Cell
	measures []string
}{
	{kv.Cell{Members: 3, Work: "put", Conns: 64}, []string{"server CPU", "rate"}},
	{kv.Cell{Members: 3, Work: "put", Conns: 256}, []string{"server CPU", "rate"}},
	{kv.Cell{Members: 3, Work: "put", Conns: 64, Memory: true}, []string{"server CPU"}},
	{kv.Cell{Members: 3, Work: "linear-get", Conns: 64}, []string{"server CPU", "rate"}},
	{kv.Cell{Members: 3, Work: "get", Conns: 64}, []string{"server CPU", "rate"}},
	{kv.Cell{Members: 3, Work: "watch", Conns: 64}, []string{"server CPU"}},
	{kv.Cell{Members: 3, Work: "put", Conns: 1}, []string{"p50"}},
	{kv.Cell{Members: 1, Work: "put", Conns: 64}, []string{"server CPU", "rate"}},
}

func kvHeadlines(r *kv.Report) []Headline {
	var list []Headline
	for _, h := range kvHeadings {
		k := slices.IndexFunc(r.Cells, func(c kv.CellResult) bool { return c.Cell == h.cell && len(c.Samples) > 0 })
		if k < 0 {
			continue
		}
		for _, m := range kvMeasures {
			if slices.Contains(h.measures, m.name) {
				list = append(list, kvHeadline(r, &r.Cells[k], m))
			}
		}
	}
	for _, f := range r.Failovers {
		line := Headline{
			Kind: KindKV, Name: fmt.Sprintf("leader %s, timers %v / %v", ended(f.Kind), f.Timers.Heartbeat, f.Timers.Election),
			Unit: "ms without a write", Ratio: f.Ratio,
		}
		for i, s := range r.Systems {
			var gaps []float64
			for _, t := range f.Trials[s.Name] {
				gaps = append(gaps, t.Gap)
			}
			if i == 0 {
				line.Ours = pairs.Median(gaps)
			} else {
				line.Theirs, line.Other = pairs.Median(gaps), s.Name
			}
		}
		list = append(list, line)
	}
	return list
}

func kvHeadline(r *kv.Report, c *kv.CellResult, m measure[kv.Sample]) Headline {
	every := m
	every.calm = false // where no round was calm a figure is shown still, and not judged
	line := Headline{Kind: KindKV, Name: cellName(c.Cell), Unit: m.name + " " + m.unit, More: m.more}
	if m.name == "rate" {
		line.Unit = m.unit
	}
	line.Ours = pairs.Median(kvReadings(c, r.Systems[0].Name, every))
	if len(r.Systems) > 1 {
		line.Other = r.Systems[1].Name
		line.Theirs = pairs.Median(kvReadings(c, line.Other, every))
		ratio := c.Ratios[map[string]string{"server CPU": "serverCPU"}[m.name]]
		if m.name != "server CPU" {
			ratio = c.Ratios[m.name]
		}
		line.Ratio = &ratio
	}
	for _, b := range r.Bounds(c, r.Systems[0].Name) {
		if (b.Unit == "µs") == (m.name == "p50") && m.name != "rate" {
			line.Floor = fmt.Sprintf("%.1f times %s, %s µs", b.Times(), b.Of, Short(b.Floor))
		}
	}
	if m.name == "rate" {
		line.Floor = fmt.Sprintf("%.0f%% of the CPUs in use", 100*r.Busy(c, r.Systems[0].Name))
	}
	return line
}

// coreHeadlines are those of bench consensus: the core's cost, and what is durable.
func (f *File) coreHeadlines() []Headline {
	var list []Headline
	for _, h := range []struct {
		want    consensus.Case
		measure string
	}{
		{consensus.Case{Work: consensus.Core, Members: 3, Storage: consensus.Memory, Links: consensus.Process, Depth: 64, Value: 256}, "CPU"},
		{consensus.Case{Work: consensus.Core, Members: 3, Storage: consensus.Memory, Links: consensus.Process, Depth: 512, Value: 256}, "CPU"},
		{consensus.Case{Work: consensus.Write, Members: 3, Storage: consensus.Disk, Links: consensus.Process, Depth: 512, Value: 256}, "rate"},
		{consensus.Case{Work: consensus.Write, Members: 3, Storage: consensus.Disk, Links: consensus.TCP, Depth: 512, Value: 256}, "rate"},
		{consensus.Case{Work: consensus.Read, Members: 3, Storage: consensus.Memory, Links: consensus.TCP, Depth: 512, Value: 256}, "rate"},
	} {
		h.want.System = consensus.Own
		ours := f.Consensus.row(h.want)
		if ours == nil {
			continue
		}
		k := slices.IndexFunc(coreMeasures, func(m measure[consensus.Sample]) bool { return m.name == h.measure })
		list = append(list, f.coreHeadline(ours, coreMeasures[k]))
	}
	for i := range f.Consensus.Failovers {
		o := &f.Consensus.Failovers[i]
		if o.Members != headSize || o.Storage != f.Consensus.safest() {
			continue
		}
		list = append(list, Headline{
			Kind: KindConsensus, Name: fmt.Sprintf("%s of the leader, %s, %s, %s", o.Work, plural(o.Members, "member"), o.Storage, o.Links),
			Unit: "ms without a write", Ours: o.Quantile(0.5),
		})
	}
	return list
}

// safest is where members of failovers kept their files: on the disk, if any did.
func (c *Consensus) safest() consensus.Storage {
	for i := range c.Failovers {
		if c.Failovers[i].Storage == consensus.Disk {
			return consensus.Disk
		}
	}
	return consensus.Memory
}

func (c *Consensus) row(want consensus.Case) *consensus.Row {
	for i := range c.Rows {
		if c.Rows[i].Case == want && len(c.Rows[i].Rounds) > 0 {
			return &c.Rows[i]
		}
	}
	return nil
}

func (f *File) coreHeadline(ours *consensus.Row, m measure[consensus.Sample]) Headline {
	of := func(s *consensus.Sample) float64 { return m.of(*s) }
	line := Headline{
		Kind: KindConsensus, Name: caseName(ours.Case), Unit: m.name + " " + m.unit, More: m.more,
		Ours: ours.Figure(of).Median, Floor: f.coreFloor(ours),
	}
	if m.name == "rate" {
		line.Unit = m.unit
	}
	other := ours.Case
	other.System = consensus.Peer
	if peer := f.Consensus.row(other); peer != nil {
		line.Theirs, line.Other = peer.Figure(of).Median, other.System
		if r, err := consensus.Compare(ours, peer, of); err == nil {
			line.Ratio = &r
		}
	}
	return line
}

// coreFloor says what bounds a row of bench consensus.
func (f *File) coreFloor(row *consensus.Row) string {
	median := func(of func(*consensus.Sample) float64) float64 { return row.Figure(of).Median }
	switch {
	case f.Floor == nil:
	case row.Work == consensus.Core || row.Work == consensus.Apply:
		if f.Floor.CopyGB > 0 {
			copied := float64(row.Members*row.Value) / (f.Floor.CopyGB * 1e3)
			return fmt.Sprintf("%.0f times a copy of its bytes to each member, %s µs", median(func(s *consensus.Sample) float64 { return s.CPU })/copied, Short(copied))
		}
	case row.Work == consensus.Write && row.Storage == consensus.Disk && f.Floor.Sync.Rate > 0:
		syncs := median(func(s *consensus.Sample) float64 { return s.Syncs * s.Rate })
		return fmt.Sprintf("%.0f syncs/s; one writer gets %.0f", syncs, f.Floor.Sync.Rate)
	}
	return ""
}

// headlines are the largest cluster of mixed units, or of whatever shape there is.
func (s *Scheduler) headlines() []Headline {
	var best *scheduler.Row
	for i := range s.Rows {
		r := &s.Rows[i]
		if len(r.Rounds) == 0 || r.Machines > headMachines {
			continue
		}
		if best == nil || rank(r) > rank(best) {
			best = r
		}
	}
	if best == nil {
		return s.durableHeadlines()
	}
	median := func(of func(scheduler.Round) float64) float64 { return best.Over(of).Median }
	name := shapeName(best.Case)
	return append([]Headline{
		{Kind: KindScheduler, Name: name, Unit: "placements a CPU s", More: true, Ours: median(func(r scheduler.Round) float64 { return r.FillCPU })},
		{Kind: KindScheduler, Name: name, Unit: "µs for one more unit, p50", Ours: median(func(r scheduler.Round) float64 { return r.Change.P50 })},
		{
			Kind: KindScheduler, Name: fmt.Sprintf("%s, a machine lost with %.0f", name, median(func(r scheduler.Round) float64 { return r.LossUnits })),
			Unit: "ms until all have places, p50", Ours: median(func(r scheduler.Round) float64 { return r.Loss.P50 / 1e3 }),
		},
	}, s.durableHeadlines()...)
}

func (s *Scheduler) durableHeadlines() []Headline {
	d := s.Durable
	if d == nil {
		return nil
	}
	name := durableName(d)
	list := []Headline{
		{Kind: KindScheduler, Name: name, Unit: "s until all have places, one by one", Ours: d.Fill.Seconds},
		{Kind: KindScheduler, Name: name, Unit: "units/s, one by one", More: true, Ours: d.Fill.Rate},
	}
	if p := d.Replicas; p != nil {
		list = append(list,
			Headline{Kind: KindScheduler, Name: name, Unit: "s until all have places, as replicas of templates", Ours: p.Seconds},
			Headline{Kind: KindScheduler, Name: name, Unit: "units/s, as replicas of templates", More: true, Ours: p.Rate},
		)
	}
	return append(list, []Headline{
		{Kind: KindScheduler, Name: name, Unit: fmt.Sprintf("ms to decide where %.0f go, p50", d.Loss.Units), Ours: d.Loss.Decide.P50},
		{Kind: KindScheduler, Name: name, Unit: "% of a core at rest, without beats", Ours: 100 * d.Rest.Silent},
		{Kind: KindScheduler, Name: name, Unit: "% of a core at rest, with beats", Ours: 100 * d.Rest.Beats},
	}...)
}

// headMachines is the size of cluster that makes the headline.
const headMachines = 10_000

// rank prefers mixed units, then many of them, then machines.
func rank(r *scheduler.Row) int {
	n := r.Units*1000 + r.Machines/100
	if r.Shape == scheduler.Mixed {
		n += 1 << 40
	}
	return n
}

func (s *Sim) headlines() []Headline {
	var list []Headline
	for _, r := range s.Rows {
		if r.Members == 3 && r.Checked {
			list = append(list, Headline{Kind: KindSim, Name: simName(r.Case), Unit: "simulated s per CPU s", More: true, Ours: r.SimPerCPU})
		}
	}
	return list
}

// WriteSummary prints the headlines.
func (f *File) WriteSummary(env *ui.Env) {
	lines := f.Headlines()
	if len(lines) == 0 {
		return
	}
	out := env.Stdout
	fmt.Fprintf(out, "%s\n", env.Paint("summary", ui.Bold))
	fmt.Fprintf(out, "drydock %s on %s, %s, pressure on its CPUs %.0f%% before and %.0f%% after\n",
		f.Product, f.Machine.CPU, plural(f.Machine.Cores, "core"), f.Machine.Before.CPU10, f.Machine.After.CPU10)
	t := ui.NewTable(out)
	t.Row("what", "unit", "drydock", "other", "ratio", "floor")
	name := ""
	for _, l := range lines {
		label := l.Name
		if label == name {
			label = ""
		}
		name = l.Name
		t.Row(label, l.Unit, Short(l.Ours), l.other(), l.RatioText(), l.Floor)
	}
	t.Flush()
	for _, kind := range Kinds {
		if why := f.Broken[kind]; why != "" {
			fmt.Fprintf(out, "! %s is not whole: %s\n", kind, strings.TrimSpace(why))
		}
	}
}

func (l *Headline) other() string {
	if l.Other == "" {
		return ""
	}
	return Short(l.Theirs) + " " + l.Other
}

// RatioText is the ratio with what it says, empty if there is none.
func (l *Headline) RatioText() string {
	r := l.Ratio
	if r == nil {
		return ""
	}
	switch {
	case r.Pairs == 0:
		return "undecided, no calm pair"
	case r.Verdict == pairs.Undecided:
		return fmt.Sprintf("%.2fx undecided, %s", r.Median, plural(r.Pairs, "pair"))
	case r.Verdict == pairs.Same:
		return fmt.Sprintf("%.2fx (%.2f - %.2f) no difference", r.Median, r.Low, r.High)
	}
	return fmt.Sprintf("%.2fx (%.2f - %.2f)", r.Median, r.Low, r.High)
}
