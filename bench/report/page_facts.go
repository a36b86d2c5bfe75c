package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// headlineTable is the summary.
func (f *File) headlineTable() table {
	t := table{Head: []string{"what", "unit", "drydock", "ratio", "other", "beside the floor"}}
	for _, l := range f.Headlines() {
		t.Rows = append(t.Rows, []string{l.Name, l.Unit, Short(l.Ours), l.RatioText(), l.other(), l.Floor})
	}
	return t
}

// facts are what figures depend on.
func (f *File) facts() []fact {
	m := f.Machine
	list := []fact{
		{"build", f.Product},
		{"Go", m.Go},
		{"machine", fmt.Sprintf("%s, %s, %s", m.CPU, plural(m.Cores, "core"), gibibytes(m.Memory))},
		{"system", strings.TrimSpace(m.OS + " " + m.Kernel)},
		{"disk", disk(m)},
		{"pressure before", m.Before.String()},
		{"pressure after", m.After.String()},
		{"began", f.Began.UTC().Format(time.RFC3339)},
		{"ended", f.Ended.UTC().Format(time.RFC3339)},
	}
	flags := f.flags()
	for _, kind := range f.Has() {
		list = append(list, fact{"settings of " + kind, flagText(flags[kind])})
	}
	return list
}

// String says pressure in words.
func (p Pressure) String() string {
	return fmt.Sprintf("something waited for a CPU in %.0f%% of 10 s (%.0f%% of 300 s), for the disk in %.0f%%, for memory in %.0f%%", p.CPU10, p.CPU300, p.IO10, p.Memory)
}

// flagText writes settings as flags.
func flagText(f Flags) string {
	all := maps.Clone(f.Settings)
	if all == nil {
		all = make(map[string]string)
	}
	maps.Copy(all, f.Selection)
	var words []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if v := all[name]; v != "" && v != "[]" {
			words = append(words, fmt.Sprintf("--%s=%s", name, strings.Trim(v, "[]")))
		}
	}
	return strings.Join(words, " ")
}

// floorSection is what the machine itself can do.
func (f *File) floorSection() section {
	o := f.Floor
	micros := func(v float64) string { return Short(v) + " µs" }
	t := table{Head: []string{"floor", "p50", "p99", "a second, one after another"}, Rows: [][]string{
		{"write of 4 KiB over bytes that are there, and fdatasync", micros(o.Sync.P50), micros(o.Sync.P99), Short(o.Sync.Rate)},
		{"the same at the end of a file that grows", micros(o.SyncGrow.P50), micros(o.SyncGrow.P99), Short(o.SyncGrow.Rate)},
		{"512 bytes there and back over TCP on loopback", micros(o.Loopback.P50), micros(o.Loopback.P99), Short(o.Loopback.Rate)},
	}}
	if a := o.Answers; a != nil {
		t.Rows = append(t.Rows, []string{
			fmt.Sprintf("a bare answer over %d connections: server CPU %s, client CPU %s", a.Conns, micros(a.ServerCPU), micros(a.ClientCPU)), "", "", Short(a.Rate),
		})
	}
	t.Rows = append(t.Rows, []string{fmt.Sprintf("memory copied by one thread: %s GB/s", Short(o.CopyGB)), "", "", ""})
	return section{
		ID: "floors", Title: "The floors", Tables: []table{t},
		Lead:    "What no server on this machine can beat. A write that is safe on a majority takes a sync and two round trips at least; an operation takes the CPU of a bare answer at least.",
		How:     "Measured at the start of the run: in the folder of the data, on sockets of loopback, and in memory.",
		Falsify: "the disk, or a host below this machine, answers a flush without one: then its floor, and all that stands on it, is too low.",
	}
}

// section is what changed since an older file.
func (c *Comparison) section() *section {
	s := &section{
		ID: "changed", Title: "What changed since " + c.Old,
		Lead:    "Ratios are new by old, of the medians of each run's rounds, with the 95% interval. The two runs were not taken in turns, so what the machine did between them shows as well.",
		How:     "Figures of another machine or of other settings are not judged; those of the other system are controls, which no change of the product can move.",
		Falsify: "controls have moved: then the machine has changed, not the product.",
	}
	for _, d := range c.Machine {
		s.Marks = append(s.Marks, fmt.Sprintf("Another machine: %s is %q, was %q.", d.What, d.New, d.Old))
	}
	for _, kind := range slices.Sorted(maps.Keys(c.Settings)) {
		for _, d := range c.Settings[kind] {
			s.Marks = append(s.Marks, fmt.Sprintf("Other settings of %s: %s is %q, was %q.", kind, d.What, d.New, d.Old))
		}
	}
	if n := len(c.Drift()); n > 0 {
		s.Marks = append(s.Marks, fmt.Sprintf("The machine is not as it was: %d figures have changed that no change of the product moves.", n))
	}
	t := table{Head: []string{"case", "system", "measure", "old", "new", "ratio", ""}}
	counts := make(map[Outcome]int)
	for i := range c.Changes {
		ch := &c.Changes[i]
		counts[ch.Outcome]++
		if ch.Outcome == Better || ch.Outcome == Worse {
			t.Rows = append(t.Rows, []string{ch.Case, ch.System, ch.Measure + " " + ch.Unit, Short(ch.Old), Short(ch.New), ch.ratio(), ch.words()})
		}
	}
	var words []string
	for _, o := range outcomes {
		if counts[o] > 0 {
			words = append(words, fmt.Sprintf("%d %s", counts[o], o))
		}
	}
	s.Lead += " Of all figures: " + strings.Join(words, ", ") + "."
	s.Tables = []table{t}
	return s
}
