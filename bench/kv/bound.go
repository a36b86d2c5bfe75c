package kv

import (
	"fmt"
	"io"
	"math"
	"strings"

	"drydock/bench/pairs"
	"drydock/node/ui"
)

// Bound is a figure beside the floor below it.
type Bound struct {
	// Figure and Floor are in Unit; Of names the floor.
	Figure float64
	Floor  float64
	Unit   string
	Of     string
}

// Times is how many times the floor the figure is.
func (b Bound) Times() float64 { return b.Figure / b.Floor }

// Bounds lists what bounds a system in a cell, from the machine's floors. None without
// floors or rounds.
//
// One connection waits for everything one after the other, so its median stands
// beside the steps that an operation can't be without: the round trip of the client,
// and, of a write or a linearizable read with other members, one of theirs; a write's
// sync, which leader and followers do at the same time. Many connections wait for the
// CPUs, so there the CPU time stands beside a server's that only answers.
func (r *Report) Bounds(c *CellResult, system string) []Bound {
	s := c.Summaries[system]
	if r.Floor == nil || s.Rounds == 0 || c.Load > 0 {
		return nil
	}
	var list []Bound
	if floor, of := r.Steps(c.Cell); c.Conns == 1 && floor > 0 {
		list = append(list, Bound{Figure: s.P50, Floor: floor, Unit: "µs", Of: of})
	}
	if a := r.Floor.Answers; a != nil && a.ServerCPU > 0 && c.Conns > 1 {
		list = append(list, Bound{Figure: s.ServerCPU, Floor: a.ServerCPU, Unit: "µs of CPU", Of: "a bare answer"})
	}
	return list
}

// Steps is the time of what an operation of a cell can't be without, in microseconds,
// and what that is; 0 for work that mixes several, and without floors.
func (r *Report) Steps(c Cell) (micros float64, of string) {
	if r.Floor == nil {
		return 0, ""
	}
	trips, syncs := 1, 0
	switch c.Work {
	case "put", "cas", "append":
		trips, syncs = 1+min(1, c.Members-1), 1
	case "linear-get":
		trips = 1 + min(1, c.Members-1)
	case "get":
	default:
		return 0, "" // a mixture of them
	}
	of = "a round trip"
	if trips > 1 {
		of = "2 round trips"
	}
	if syncs > 0 && !c.Memory {
		return r.Floor.Sync.P50 + float64(trips)*r.Floor.Loopback.P50, "a sync and " + of
	}
	return float64(trips) * r.Floor.Loopback.P50, of
}

// Busy is the share of all CPUs that servers and load took, 0 to 1: near 1 the CPUs
// are the limit, and a rate says no more than CPU time does.
func (r *Report) Busy(c *CellResult, system string) float64 {
	share := pairs.Median(c.readings(system, func(s Sample) float64 { return s.Rate * (s.ServerCPU + s.ClientCPU) / 1e6 }))
	return math.Min(1, share/float64(max(r.Settings.CPUs, 1)))
}

// writeBounds prints a table with what bounds our system in a part's cells.
func writeBounds(out io.Writer, r *Report, cells []CellResult) {
	if r.Floor == nil || len(r.Systems) == 0 {
		return
	}
	ours := r.Systems[0].Name
	t := ui.NewTable(out)
	rows := 0
	for i := range cells {
		c := &cells[i]
		list := r.Bounds(c, ours)
		if len(list) == 0 {
			continue
		}
		if rows == 0 {
			fmt.Fprintf(out, "\nwhat bounds %s\n", ours)
			t.Row("work", "conns", "figure beside its floor", "CPUs in use", "flushes/s")
		}
		rows++
		var words []string
		for _, b := range list {
			words = append(words, fmt.Sprintf("%s: %.1f times %s (%.1f)", boundFigure(b), b.Times(), b.Of, b.Floor))
		}
		flushes := "-"
		if r.Settings.Disk != "" && !c.Memory {
			flushes = fmt.Sprintf("%.0f", pairs.Median(c.readings(ours, func(s Sample) float64 { return s.Flushes * s.Rate })))
		}
		t.Row(workText(c), fmt.Sprint(c.Conns), strings.Join(words, "; "), fmt.Sprintf("%.0f%%", 100*r.Busy(c, ours)), flushes)
	}
	t.Flush()
	if rows > 0 && !cells[0].Memory {
		fmt.Fprintf(out, "one writer's syncs, one after another: %.0f/s\n", r.Floor.Sync.Rate)
	}
}

func boundFigure(b Bound) string {
	if b.Unit == "µs" {
		return fmt.Sprintf("p50 %.0f µs", b.Figure)
	}
	return fmt.Sprintf("%.1f %s", b.Figure, b.Unit)
}
