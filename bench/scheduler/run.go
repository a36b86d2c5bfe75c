package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
)

// Row is what one case came to, over its rounds.
type Row struct {
	Case
	Rounds []Round `json:"rounds"`
	// Checked is how many places were compared with the reference solver's.
	Checked int `json:"checked"`
}

// Run says what to measure.
type Run struct {
	Shapes []Shape
	// Machines are cluster sizes; PerMachine are units a machine.
	Machines, PerMachine []int
	Rounds               int
	// MostUnits bounds a case; larger ones are left out.
	MostUnits int
	// Enough is how many placements a round's fill has at least, in several clusters
	// if one has fewer units.
	Enough int
	// Progress is told before each round; it may be nil.
	Progress func(done, all int, c Case)
}

// Cases are the rows that a run will have.
func (r *Run) Cases() []Case {
	var list []Case
	for _, sh := range r.Shapes {
		for _, per := range r.PerMachine {
			for _, m := range r.Machines {
				if c := (Case{Shape: sh, Machines: m, Units: m * per}); c.Units <= r.MostUnits {
					list = append(list, c)
				}
			}
		}
	}
	return list
}

// Measure compares each shape with the reference and measures each case. Rounds
// of the cases are interleaved, so that a busy minute meets all. What was measured
// until an error is returned with it.
func (r *Run) Measure(ctx context.Context) ([]Row, error) {
	cases := r.Cases()
	checked := make(map[Shape]int)
	for _, sh := range r.Shapes {
		n, err := Check(sh)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sh, err)
		}
		checked[sh] = n
	}
	rows := make([]Row, len(cases))
	for i, c := range cases {
		rows[i] = Row{Case: c, Checked: checked[c.Shape]}
	}
	for round := range r.Rounds {
		for i, c := range cases {
			if err := ctx.Err(); err != nil {
				return measured(rows), err
			}
			if r.Progress != nil {
				r.Progress(round*len(cases)+i, r.Rounds*len(cases), c)
			}
			one, err := measure(c, r.Enough)
			if err != nil {
				return measured(rows), err
			}
			rows[i].Rounds = append(rows[i].Rounds, one)
			debug.FreeOSMemory() // the next case begins with nothing to sweep
		}
	}
	return rows, nil
}

func measured(rows []Row) []Row {
	return slices.DeleteFunc(rows, func(r Row) bool { return len(r.Rounds) == 0 })
}

// Reading is a figure over a row's rounds.
type Reading struct{ Median, Least, Most float64 }

// Over reads a figure of all rounds.
func (r *Row) Over(figure func(Round) float64) Reading {
	list := make([]float64, len(r.Rounds))
	for i, one := range r.Rounds {
		list[i] = figure(one)
	}
	slices.Sort(list)
	n := len(list)
	if n == 0 {
		return Reading{}
	}
	return Reading{Median: (list[n/2] + list[(n-1)/2]) / 2, Least: list[0], Most: list[n-1]}
}

// Growth is how a cost grows with the cluster, for one shape at so many units a
// machine.
type Growth struct {
	Shape      Shape `json:"shape"`
	PerMachine int   `json:"perMachine"`
	Machines   []int `json:"machines"`
	// Fill, Change and Loss are CPU time a unit, by that at the smallest size: 1 at
	// all sizes is cost that is linear in the units changed.
	Fill   []float64 `json:"fill"`
	Change []float64 `json:"change"`
	Loss   []float64 `json:"loss"`
}

// Growths compares rows that differ in size alone.
func Growths(rows []Row) []Growth {
	var list []Growth
	first := make(map[int]*Row) // by place in list
	for i := range rows {
		r := &rows[i]
		if len(r.Rounds) == 0 {
			continue
		}
		per := r.Units / r.Machines
		k := slices.IndexFunc(list, func(g Growth) bool { return g.Shape == r.Shape && g.PerMachine == per })
		if k < 0 {
			k = len(list)
			list = append(list, Growth{Shape: r.Shape, PerMachine: per})
			first[k] = r
		}
		g, base := &list[k], first[k]
		by := func(figure func(Round) float64) float64 {
			return r.Over(figure).Median / cmp.Or(base.Over(figure).Median, 1)
		}
		g.Machines = append(g.Machines, r.Machines)
		g.Fill = append(g.Fill, by(func(o Round) float64 { return o.UnitNanos }))
		g.Change = append(g.Change, by(func(o Round) float64 { return o.ChangeNanos }))
		g.Loss = append(g.Loss, by(func(o Round) float64 { return o.LossNanos }))
	}
	return slices.DeleteFunc(list, func(g Growth) bool { return len(g.Machines) < 2 })
}
