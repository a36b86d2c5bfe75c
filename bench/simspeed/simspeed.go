// Package simspeed measures the simulator: how many simulated seconds, and
// seeds, one CPU second buys, for clusters of several sizes under load and
// faults, with the checkers and without.
//
// CPU time of the process is the unit, since it holds on a machine that others
// use as well; a row's spread over its seeds is shown beside its median. What
// would falsify a figure: a run that fails or does less than was asked of it.
// Measure refuses both.
package simspeed

import (
	"context"
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
)

// Case is one row's work.
type Case struct {
	// Members is the number of voters.
	Members int `json:"members"`
	// Rate is how many operations all clients together aim at, a simulated
	// second.
	Rate float64 `json:"rate"`
	// Checked says whether the run is judged or only made.
	Checked bool `json:"checked"`
}

// Cases are the rows of the standard measurement.
func Cases() []Case {
	var list []Case
	for _, members := range []int{3, 5} {
		for _, rate := range []float64{60, 200} {
			for _, checked := range []bool{true, false} {
				list = append(list, Case{Members: members, Rate: rate, Checked: checked})
			}
		}
	}
	return list
}

// Row is what one case came to.
type Row struct {
	Case
	Seeds int `json:"seeds"`
	// SimPerCPU is the median over the seeds of simulated seconds per CPU
	// second; Least and Most are its extremes.
	SimPerCPU float64 `json:"simPerCPU"`
	Least     float64 `json:"least"`
	Most      float64 `json:"most"`
	// Speeds is the same of each seed, slowest first.
	Speeds []float64 `json:"speeds"`
	// SeedsPerCPU is seeds per CPU second.
	SeedsPerCPU float64 `json:"seedsPerCPU"`
	// Operations is how many operations clients began, a simulated second.
	Operations float64 `json:"operations"`
}

// clients share the load of a case.
const clients = 10

// shape makes the case's scenario out of a base.
func shape(base *scenario.Scenario, c Case) *scenario.Scenario {
	s := *base
	s.Cluster.Members = c.Members
	s.Load.KV.Clients = clients
	s.Load.KV.Rate = c.Rate / clients
	return &s
}

// Measure runs a case over seeds 1 to seeds. CPU returns the CPU time that the
// process has used.
func Measure(ctx context.Context, w runner.World, base *scenario.Scenario, c Case, seeds int, cpu func() (time.Duration, error)) (Row, error) {
	s := shape(base, c)
	row := Row{Case: c, Seeds: seeds}
	var speeds []float64
	var total time.Duration
	for seed := uint64(1); seed <= uint64(seeds); seed++ {
		before, err := cpu()
		if err != nil {
			return row, err
		}
		simulated, ops, err := once(ctx, w, runner.Spec{Scenario: s, Seed: seed, Quiet: true}, c.Checked)
		if err != nil {
			return row, fmt.Errorf("seed %d: %w", seed, err)
		}
		after, err := cpu()
		if err != nil {
			return row, err
		}
		used := max(after-before, time.Microsecond)
		total += used
		speeds = append(speeds, simulated.Seconds()/used.Seconds())
		row.Operations += float64(ops) / simulated.Seconds() / float64(seeds)
	}
	slices.Sort(speeds)
	row.Speeds = speeds
	row.SimPerCPU, row.Least, row.Most = speeds[len(speeds)/2], speeds[0], speeds[len(speeds)-1]
	row.SeedsPerCPU = float64(seeds) / total.Seconds()
	return row, nil
}

// once makes one run.
func once(ctx context.Context, w runner.World, spec runner.Spec, checked bool) (time.Duration, int, error) {
	if checked {
		r := runner.Run(ctx, w, spec)
		if r.Verdict != checker.Held {
			return 0, 0, fmt.Errorf("the run is %s, not held: %s", r.Verdict, because(r))
		}
		return r.Simulated, r.Operations, nil
	}
	r, err := w.Run(ctx, spec)
	if err != nil {
		return 0, 0, err
	}
	if len(r.Broken) > 0 {
		return 0, 0, fmt.Errorf("a node broke: %s", r.Broken[0])
	}
	return r.Simulated, len(r.Ops), nil
}

// because is why a run did not hold.
func because(r *runner.Report) string {
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Status != checker.Held {
			return f.Expect + ": " + f.Measured
		}
	}
	return r.Error
}
