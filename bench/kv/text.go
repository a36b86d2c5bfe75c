package kv

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"drydock/bench/pairs"
	"drydock/node/ui"
)

// Write prints a report for people.
func Write(env *ui.Env, r *Report) {
	out := env.Stdout
	writeHead(out, r)
	for _, part := range parts(r.Cells) {
		fmt.Fprintf(out, "\n%s\n", env.Paint(part.title, ui.Bold))
		t := ui.NewTable(out)
		cells := []string{"work", "conns", "measure"}
		for _, s := range r.Systems {
			cells = append(cells, s.Name)
		}
		if len(r.Systems) > 1 {
			cells = append(cells, "ratio")
		}
		t.Row(cells...)
		for i := range part.cells {
			writeCell(t, r, &part.cells[i])
		}
		t.Flush()
		writeBounds(out, r, part.cells)
		writeBusy(out, part.cells)
		for i := range part.cells {
			writeNotes(out, r, &part.cells[i])
		}
	}
	writeFailovers(env, r)
	writeElections(out, r)
	writeFloor(out, r)
}

func writeHead(out io.Writer, r *Report) {
	var names []string
	for _, s := range r.Systems {
		version, _, _ := strings.Cut(strings.TrimPrefix(s.Version, "drydock "), "   ") // the build's details follow
		names = append(names, s.Name+" "+version)
	}
	s := r.Settings
	fmt.Fprintf(out, "bench kv   %s\n", strings.Join(names, " against "))
	fmt.Fprintf(out, "           values of %d bytes, %d keys, %d rounds of %gs after %gs of warm-up, in random order, seed %d\n",
		s.ValueBytes, s.Keys, s.Pairs, s.Duration, s.Warmup, s.Seed)
	fmt.Fprintf(out, "           %d CPUs shared by servers and clients, %s; every system with its defaults, at the leader\n", s.CPUs, s.OS)
	if s.Disk != "" {
		fmt.Fprintf(out, "           data on %s\n", s.Disk)
	} else {
		fmt.Fprint(out, "           ! data on no disk that is known: nothing here says what durability costs; see --dir\n")
	}
	if len(r.Systems) > 1 {
		fmt.Fprintf(out, "ratio      %s / %s: median of the pairs' ratios (95%% interval); rates and latencies of pairs with less\n"+
			"           than %.0f%% foreign CPU in both rounds, CPU time of all\n", r.Systems[0].Name, r.Systems[1].Name, 100*calmShare)
	}
}

// part is a table of the report.
type part struct {
	title string
	cells []CellResult
}

// parts splits the cells into tables, in the order that they were measured in.
func parts(cells []CellResult) []part {
	var list []part
	for _, c := range cells {
		title := fmt.Sprintf("members: %d, ", c.Members)
		if c.Load > 0 {
			title += "open loop; latencies count from when a request was due"
		} else {
			title += "closed loop"
		}
		if c.Memory {
			title += "; data in memory, where a sync costs nothing"
		}
		if len(list) == 0 || list[len(list)-1].title != title {
			list = append(list, part{title: title})
		}
		last := &list[len(list)-1]
		last.cells = append(last.cells, c)
	}
	return list
}

// writeCell prints a line for each measure.
func writeCell(t *ui.Table, r *Report, c *CellResult) {
	work, conns := workText(c), fmt.Sprint(c.Conns)
	for _, m := range metrics {
		if m.name == "p999" && c.Load == 0 {
			continue // a closed loop has no tail to speak of
		}
		cells := []string{work, conns, m.unit}
		for _, s := range r.Systems {
			cells = append(cells, m.show(c.Summaries[s.Name]))
		}
		if len(r.Systems) > 1 {
			cells = append(cells, ratioText(c.Ratios[m.name], c.Loud[m.name]))
		}
		t.Row(cells...)
		work, conns = "", ""
	}
}

// workText names the work and, of an open loop, its rate.
func workText(c *CellResult) string {
	if c.Load == 0 {
		return c.Work
	}
	return fmt.Sprintf("%s at %.0f%%, %.0f/s", c.Work, 100*c.Load, c.Asked)
}

func (m metric) show(s Summary) string {
	if s.Rounds == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", m.digits, m.sum(s)/m.divide)
}

// ratioText is a ratio and what it says; loud is that of all pairs, calm or not.
func ratioText(r pairs.Ratio, loud float64) string {
	text := fmt.Sprintf("%.2fx (%.2f - %.2f)", r.Median, r.Low, r.High)
	switch {
	case r.Pairs == 0 && loud > 0:
		return fmt.Sprintf("undecided, no calm pair; %.2fx of all", loud)
	case r.Pairs == 0:
		return "undecided, no pair"
	case r.Verdict == pairs.Same:
		return text + " no difference"
	case r.Verdict == pairs.Undecided:
		return fmt.Sprintf("%.2fx undecided, %d of %d pairs", r.Median, r.Pairs, pairs.Least)
	}
	return text
}

// writeBusy marks the rounds in which the machine wasn't ours.
func writeBusy(out io.Writer, cells []CellResult) {
	busy, rounds := 0, 0
	for _, c := range cells {
		for _, s := range c.Samples {
			rounds++
			if s.Foreign >= calmShare {
				busy++
			}
		}
	}
	if busy > 0 {
		fmt.Fprintf(out, "! others had %.0f%% or more of the CPUs in %d of %d rounds\n", 100*calmShare, busy, rounds)
	}
}

// writeNotes says what a reader must know of a cell.
func writeNotes(out io.Writer, r *Report, c *CellResult) {
	note := func(system, format string, args ...any) {
		fmt.Fprintf(out, "! %s, connections: %d, %s: %s\n", workText(c), c.Conns, system, fmt.Sprintf(format, args...))
	}
	for _, s := range r.Systems {
		if n := c.Summaries[s.Name].Unanswered; n > 0 {
			note(s.Name, "%d requests were due and unanswered at the ends of rounds", n)
		}
		if flushes := c.readings(s.Name, func(s Sample) float64 { return s.Flushes }); unflushed(r, c, flushes) {
			note(s.Name, "the disk was never asked to flush its cache; what was acknowledged may be in no safe place")
		}
		if cores := pairs.Median(c.readings(s.Name, clientCores)); cores > clientBound*float64(r.Settings.ClientThreads) {
			note(s.Name, "the load generator took %.1f cores; it may be the limit, not the server", cores)
		}
		failed := 0
		reason := ""
		for _, f := range c.Failures {
			if f.System == s.Name {
				failed++
				reason = f.Reason
			}
		}
		if failed > 0 {
			note(s.Name, "rounds that failed and were taken again: %d; the last: %.160s", failed, reason)
		}
	}
}

// clientBound is the share of its threads above which the load generator is taken
// for the limit.
const clientBound = 0.9

func clientCores(s Sample) float64 { return s.ClientCPU * s.Rate / 1e6 }

// unflushed tells whether writes were acknowledged in all rounds without a flush of
// the disk's cache by anybody.
func unflushed(r *Report, c *CellResult, flushes []float64) bool {
	writes := c.Work == "put" || c.Work == "cas" || c.Work == "append"
	return writes && !c.Memory && r.Settings.Disk != "" && len(flushes) > 0 && slices.Max(flushes) == 0
}

func writeFailovers(env *ui.Env, r *Report) {
	titles := map[string]string{
		killed:  "leader killed (kill -9): ms to the next acknowledged write",
		stopped: "leader stopped (SIGTERM): ms of the longest gap between acknowledged writes",
	}
	for _, kind := range []string{killed, stopped} {
		t := ui.NewTable(env.Stdout)
		header := []string{"heartbeat / election", "trials"}
		for _, s := range r.Systems {
			header = append(header, s.Name)
		}
		rows := 0
		for _, f := range r.Failovers {
			if f.Kind != kind {
				continue
			}
			if rows == 0 {
				fmt.Fprintf(env.Stdout, "\n%s\n", env.Paint(titles[kind], ui.Bold))
				if f.Ratio != nil {
					header = append(header, "ratio")
				}
				t.Row(header...)
			}
			rows++
			writeFailover(t, r, f)
		}
		t.Flush()
		for _, f := range r.Failovers {
			if n := len(f.Failures); f.Kind == kind && n > 0 {
				fmt.Fprintf(env.Stdout, "! trials that failed at %v / %v: %d; the last, of %s: %.160s\n",
					f.Timers.Heartbeat, f.Timers.Election, n, f.Failures[n-1].System, f.Failures[n-1].Reason)
			}
		}
	}
}

func writeFailover(t *ui.Table, r *Report, f Failover) {
	row := []string{fmt.Sprintf("%v / %v", f.Timers.Heartbeat, f.Timers.Election), fmt.Sprint(len(f.Trials[r.Systems[0].Name]))}
	for _, s := range r.Systems {
		text := spread(f.gaps(s.Name, func(t Trial) float64 { return t.Gap }))
		if f.Kind == stopped {
			text += fmt.Sprintf(", before %.0f", pairs.Median(f.gaps(s.Name, func(t Trial) float64 { return t.Before })))
		}
		row = append(row, text)
	}
	if f.Ratio != nil {
		row = append(row, ratioText(*f.Ratio, 0))
	}
	t.Row(row...)
}

// spread is the median with the extremes.
func spread(ms []float64) string {
	if len(ms) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f (%.0f - %.0f)", pairs.Median(ms), slices.Min(ms), slices.Max(ms))
}

func writeElections(out io.Writer, r *Report) {
	var list []string
	for _, s := range r.Systems {
		if r.Loaded[s.Name] > 0 {
			list = append(list, fmt.Sprintf("%s %d in %v", s.Name, r.Elections[s.Name],
				time.Duration(r.Loaded[s.Name]*float64(time.Second)).Round(time.Second)))
		}
	}
	if len(list) > 0 {
		fmt.Fprintf(out, "\nelections  under load, though no leader had failed: %s\n", strings.Join(list, ", "))
	}
}

func writeFloor(out io.Writer, r *Report) {
	if r.Floor == nil {
		return
	}
	f := r.Floor
	fmt.Fprintf(out, "\nfloor      fdatasync of 4 KiB in place p50 %.0fµs, p99 %.0fµs, %.0f/s; at the end of a file p50 %.0fµs, %.0f/s\n",
		f.Sync.P50, f.Sync.P99, f.Sync.Rate, f.SyncGrow.P50, f.SyncGrow.Rate)
	fmt.Fprintf(out, "           loopback round trip of 512 bytes p50 %.0fµs, %.0f/s; memory copy %.1f GB/s\n",
		f.Loopback.P50, f.Loopback.Rate, f.CopyGB)
	if a := f.Answers; a != nil {
		fmt.Fprintf(out, "           bare answers over %d connections %.0f/s, server CPU %.1fµs, client %.1fµs\n", a.Conns, a.Rate, a.ServerCPU, a.ClientCPU)
	}
}
