package cmd

import (
	"fmt"
	"strings"

	"drydock/bench/report"
	"drydock/bench/scheduler"
	"drydock/node/ui"
)

func (r *schedulerReport) printText() {
	if len(r.rows) > 0 {
		r.printSpeed()
		r.printGrowth()
	}
	for i := range r.replays {
		r.printReplay(&r.replays[i])
	}
	if r.durable != nil {
		r.printDurable(r.durable)
	}
}

func (r *schedulerReport) printSpeed() {
	places, shapes := 0, map[scheduler.Shape]bool{}
	for i := range r.rows {
		if row := &r.rows[i]; !shapes[row.Shape] {
			shapes[row.Shape] = true
			places += row.Checked
		}
	}
	fmt.Fprintf(r.env.Stdout, "bench scheduler   %s, median (least - most); CPU time of this process\n", count(r.o.rounds, "round"))
	fmt.Fprintf(r.env.Stdout, "exact   %d places on samples of %s are the reference solver's\n\n", places, count(len(shapes), "shape"))
	t := ui.NewTable(r.env.Stdout)
	t.Row("shape", "machines", "units", "placed/CPU s", "", "placed/s", "bytes/unit", "start p50 µs", "p99 µs", "loss p50 ms", "p99 ms", "units lost", "at rest")
	for i := range r.rows {
		row := &r.rows[i]
		median := func(of func(scheduler.Round) float64) string { return report.Short(row.Over(of).Median) }
		rate := row.Over(func(o scheduler.Round) float64 { return o.FillCPU })
		t.Row(string(row.Shape), fmt.Sprint(row.Machines), fmt.Sprint(row.Units),
			report.Short(rate.Median), fmt.Sprintf("(%s - %s)", report.Short(rate.Least), report.Short(rate.Most)),
			median(func(o scheduler.Round) float64 { return o.FillWall }),
			median(func(o scheduler.Round) float64 { return o.BytesPerUnit }),
			median(func(o scheduler.Round) float64 { return o.Change.P50 }),
			median(func(o scheduler.Round) float64 { return o.Change.P99 }),
			median(func(o scheduler.Round) float64 { return o.Loss.P50 / 1e3 }),
			median(func(o scheduler.Round) float64 { return o.Loss.P99 / 1e3 }),
			median(func(o scheduler.Round) float64 { return o.LossUnits }),
			fmt.Sprintf("%.4f%%", 100*row.Over(func(o scheduler.Round) float64 { return o.Rest }).Median))
	}
	t.Flush()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (r *schedulerReport) printGrowth() {
	growths := scheduler.Growths(r.rows)
	if len(growths) == 0 {
		return
	}
	fmt.Fprintln(r.env.Stdout, "\nCPU time a unit, times that in the smallest cluster (1 is linear in the units changed)")
	t := ui.NewTable(r.env.Stdout)
	t.Row("shape", "units a machine", "machines", "fill", "start and end", "loss")
	for _, g := range growths {
		t.Row(string(g.Shape), fmt.Sprint(g.PerMachine), strings.Trim(strings.ReplaceAll(fmt.Sprint(g.Machines), " ", " - "), "[]"),
			ratios(g.Fill), ratios(g.Change), ratios(g.Loss))
	}
	t.Flush()
}

func ratios(list []float64) string {
	words := make([]string, len(list))
	for i, one := range list {
		words[i] = report.Short(one)
	}
	return strings.Join(words, " - ")
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

func (r *schedulerReport) printReplay(p *scheduler.Replay) {
	fmt.Fprintf(r.env.Stdout, "\nreplay %s   %d machines with %.0f cores, %.0f GiB, %.0f GPUs; %d tasks\n", p.Trace, p.Machines, p.CPU, p.Memory, p.GPUs, p.Tasks)
	fmt.Fprintln(r.env.Stdout, "\nat the trace's own times: what was asked for that found a place, before its end")
	t := ui.NewTable(r.env.Stdout)
	t.Row("strategy", "CPU", "memory", "GPU", "waited", "never placed", "GPU in pieces", "machines, most", "on average")
	for _, one := range p.Results {
		d := one.Timed
		t.Row(string(one.Strategy), percent(d.Placed.CPU), percent(d.Placed.Memory), percent(d.Placed.GPU), fmt.Sprint(d.Waited),
			fmt.Sprint(d.Never), fmt.Sprint(d.Split), fmt.Sprint(d.MachinesPeak), report.Short(d.MachinesMean))
	}
	t.Flush()
	fmt.Fprintln(r.env.Stdout, "\nunder rising load: tasks come and stay; load is what was asked for by what there is")
	t = ui.NewTable(r.env.Stdout)
	t.Row("load", "strategy", "CPU", "memory", "GPU", "GPU in one piece", "free GPU of no use", "machines", "tasks")
	for i, load := range scheduler.Loads {
		for _, one := range p.Results {
			if i >= len(one.Pressed) {
				continue
			}
			d := one.Pressed[i]
			t.Row(percent(load), string(one.Strategy), percent(d.Placed.CPU), percent(d.Placed.Memory), percent(d.Placed.GPU),
				percent(d.Runs.GPU), percent(d.Fragments), fmt.Sprint(d.Machines), fmt.Sprint(d.Tasks))
		}
	}
	t.Flush()
}
