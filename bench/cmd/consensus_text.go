package cmd

import (
	"fmt"

	"drydock/bench/consensus"
	"drydock/bench/report"
	"drydock/node/ui"
)

// printText writes a table for each kind of work.
func (r *consensusReport) printText() {
	if r.o.failover {
		fmt.Fprintln(r.env.Stdout, "bench consensus   failover")
	} else {
		fmt.Fprintf(r.env.Stdout, "bench consensus   %d rounds of %v, median (least - most); CPU and allocations of this process, an operation\n",
			r.o.rounds, r.o.round)
	}
	fmt.Fprintf(r.env.Stdout, "floor   write and sync of 4 KiB p50 %s p99 %s µs (of a growing file %s), loopback round trip p50 %s µs, copy %s GB/s\n",
		report.Short(r.floor.Sync.P50), report.Short(r.floor.Sync.P99), report.Short(r.floor.SyncGrow.P50), report.Short(r.floor.Loopback.P50), report.Short(r.floor.CopyGB))
	var work consensus.Work
	var t *ui.Table
	for i := range r.rows {
		row := &r.rows[i]
		if len(row.Rounds) == 0 {
			continue
		}
		if row.Work != work {
			if t != nil {
				t.Flush()
			}
			work = row.Work
			fmt.Fprintf(r.env.Stdout, "\n%s\n", work)
			t = ui.NewTable(r.env.Stdout)
			t.Row("system", "members", "storage", "links", "depth", "bytes", "a second", "", "CPU µs", "",
				"allocs", "frames", "syncs", "a sync µs", "p50 µs", "p99 µs", "p99.9 µs", "pressure")
		}
		r.row(t, row)
	}
	if t != nil {
		t.Flush()
	}
	r.ratios()
	r.printFailovers()
}

// printFailovers writes a table of the gaps that leaders left.
func (r *consensusReport) printFailovers() {
	if len(r.failovers) == 0 {
		return
	}
	fmt.Fprintf(r.env.Stdout, "\nwithout an acknowledged write, ms; heartbeat %v, election %v\n", r.o.heartbeat, r.o.election)
	t := ui.NewTable(r.env.Stdout)
	t.Row("leader", "members", "storage", "links", "trials", "least", "p50", "p90", "most", "more than one term")
	for i := range r.failovers {
		f := &r.failovers[i]
		more := 0
		for _, n := range f.Terms {
			if n > 1 {
				more++
			}
		}
		t.Row(string(f.Work), fmt.Sprint(f.Members), string(f.Storage), string(f.Links), fmt.Sprint(len(f.Gaps)),
			report.Short(f.Quantile(0)), report.Short(f.Quantile(0.5)), report.Short(f.Quantile(0.9)), report.Short(f.Quantile(1)), fmt.Sprint(more))
	}
	t.Flush()
}

func (r *consensusReport) row(t *ui.Table, row *consensus.Row) {
	rate := row.Figure(func(s *consensus.Sample) float64 { return s.Rate })
	cpu := row.Figure(func(s *consensus.Sample) float64 { return s.CPU })
	median := func(of func(*consensus.Sample) float64) string { return report.Short(row.Figure(of).Median) }
	t.Row(row.System, fmt.Sprint(row.Members), string(row.Storage), string(row.Links), fmt.Sprint(row.Depth), fmt.Sprint(row.Value),
		report.Short(rate.Median), spread(rate), report.Short(cpu.Median), spread(cpu),
		median(func(s *consensus.Sample) float64 { return s.Allocs }),
		median(func(s *consensus.Sample) float64 { return s.Frames }),
		median(func(s *consensus.Sample) float64 { return s.Syncs }),
		median(func(s *consensus.Sample) float64 { return s.SyncTime }),
		median(func(s *consensus.Sample) float64 { return s.P50 }),
		median(func(s *consensus.Sample) float64 { return s.P99 }),
		median(func(s *consensus.Sample) float64 { return s.P999 }),
		median(func(s *consensus.Sample) float64 { return s.Pressure })+"%")
}

func spread(f consensus.Figure) string {
	return fmt.Sprintf("(%s - %s)", report.Short(f.Least), report.Short(f.Most))
}

// ratios compares with the other library, round by round. Its work is write; core
// and apply, which do less, stand beside it as well and are named.
func (r *consensusReport) ratios() {
	for i := range r.rows {
		own := &r.rows[i]
		for k := range r.rows {
			peer := &r.rows[k]
			same := own.Case
			same.System, same.Work = peer.System, peer.Work
			if own.System != consensus.Own || own.Work == consensus.Read || peer.System != consensus.Peer || peer.Case != same {
				continue
			}
			r.ratio(own, peer)
		}
	}
}

// ratio prints how one row compares with the other library's.
func (r *consensusReport) ratio(own, peer *consensus.Row) {
	fmt.Fprintf(r.env.Stdout, "\n%s, against %s's %s\n", own.Case, peer.System, peer.Work)
	for _, figure := range []struct {
		name string
		of   func(*consensus.Sample) float64
	}{
		{"rate", func(s *consensus.Sample) float64 { return s.Rate }},
		{"CPU an operation", func(s *consensus.Sample) float64 { return s.CPU }},
		{"p50", func(s *consensus.Sample) float64 { return s.P50 }},
		{"p99", func(s *consensus.Sample) float64 { return s.P99 }},
	} {
		ratio, err := consensus.Compare(own, peer, figure.of)
		if err != nil {
			fmt.Fprintf(r.env.Stdout, "  %s: %v\n", figure.name, err)
			continue
		}
		fmt.Fprintf(r.env.Stdout, "  %s: %s times %s's, 95%% of %s to %s in %d pairs: %s\n", figure.name, report.Short(ratio.Median),
			peer.System, report.Short(ratio.Low), report.Short(ratio.High), ratio.Pairs, ratio.Verdict)
	}
}
