package calibrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
)

// Schema names the format of comparisons as JSON.
const Schema = "drydock-calibration/1"

// Comparing says what is compared.
type Comparing struct {
	Scenario *scenario.Scenario
	Profile  *scenario.Profile
	// Sim and Lab are the two worlds; in the lab time is real.
	Sim, Lab runner.World
	// Trials is how many calm trials of the lab are asked for, Within by how much the
	// medians may differ, 0.25 for a quarter. Seed is the first run's.
	Trials int
	Within float64
	Seed   uint64
	// Tell, unless nil, is told of each run that has ended.
	Tell func(world string, run, trials, calm int)

	_ struct{}
}

// Bounds of comparisons.
const (
	// simTimes is how many times as many trials the simulator makes: they are cheap,
	// and leave the interval to the lab's.
	simTimes = 5
	// patience is for how many times the trials asked for the lab goes on while too
	// few are calm.
	patience = 3
	// maxRuns bounds the runs in a world.
	maxRuns = 500
	// Least is how many calm trials a verdict takes.
	Least = 6
)

// ErrNoTrial says that a scenario has nothing that could be compared.
var ErrNoTrial = errors.New("no trial")

// Comparison is what came of it.
type Comparison struct {
	Schema   string `json:"schema"`
	Scenario string `json:"scenario"`
	File     string `json:"file"`
	Driver   string `json:"driver"`
	Host     string `json:"host"`
	// Profile is the profile's file; Made when it was measured, Pressure the share of the
	// CPUs that others had meanwhile.
	Profile  string        `json:"profile"`
	Made     string        `json:"made,omitempty"`
	Pressure float64       `json:"pressure"`
	Began    time.Time     `json:"began"`
	Took     time.Duration `json:"took"`
	Trials   int           `json:"trials"`
	Within   float64       `json:"within"`
	SimRuns  int           `json:"simRuns"`
	LabRuns  int           `json:"labRuns"`
	Measures []Side        `json:"measures"`
}

// Side is one measure in both worlds, side by side.
type Side struct {
	Name string `json:"name"`
	Says string `json:"says"`
	// Predicted is the simulator's, Measured the lab's calm trials, Pressed those that
	// others disturbed.
	Predicted Spread `json:"predicted"`
	Measured  Spread `json:"measured"`
	Pressed   Spread `json:"pressed"`
	// Ratio is measured by predicted; nil without calm trials.
	Ratio   *Ratio  `json:"ratio,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Sim and Lab are all readings, in order of run and time.
	Sim []Reading `json:"sim"`
	Lab []Reading `json:"lab"`
}

// Verdict is what a measure comes to.
type Verdict string

// The verdicts.
const (
	Agrees    Verdict = "agrees"
	Differs   Verdict = "differs"
	Undecided Verdict = "undecided"
)

// Compare runs the scenario in both worlds until there are enough trials. When ctx ends
// while it does so in labs, it returns what was found so far beside the error.
func Compare(ctx context.Context, o Comparing) (*Comparison, error) {
	if o.Tell == nil {
		o.Tell = func(string, int, int, int) {}
	}
	began := time.Now()
	under := *o.Scenario
	under.Profile = o.Profile
	sim, simRuns, err := o.trials(ctx, o.Sim, &under, o.Trials*simTimes, o.Trials*simTimes, nil)
	if err != nil {
		return nil, err
	}
	bare := *o.Scenario
	bare.Profile = nil
	watch := WatchPressure()
	defer watch.Stop()
	lab, labRuns, early := o.trials(ctx, o.Lab, &bare, o.Trials, o.Trials*patience, watch)
	if early != nil && (ctx.Err() == nil || len(lab) == 0) {
		return nil, early
	}
	c := &Comparison{
		Schema: Schema, Scenario: o.Scenario.Name, File: o.Scenario.File, Driver: o.Profile.Driver, Host: Host(),
		Profile: o.Profile.File, Made: o.Profile.Made, Pressure: float64(o.Profile.Pressure), Began: began.UTC(), Took: time.Since(began),
		Trials: o.Trials, Within: o.Within, SimRuns: simRuns, LabRuns: labRuns,
	}
	for _, m := range measures {
		one := measure(m.name, sim, lab, o.Within)
		if one.Says = m.says; len(one.Sim)+len(one.Lab) > 0 {
			c.Measures = append(c.Measures, one)
		}
	}
	return c, early
}

// trials runs a scenario seed after seed until a world has given enough trials, calm
// ones if it can, and in any case no more than most.
func (o *Comparing) trials(ctx context.Context, w runner.World, s *scenario.Scenario, enough, most int, watch *PressureWatch) (list []Reading, runs int, err error) {
	for all, calm := 0, 0; calm < enough && all < most && runs < maxRuns; runs++ {
		seed := o.Seed + uint64(runs)
		res, err := w.Run(ctx, runner.Spec{Scenario: s, Seed: seed, Quiet: true})
		if err == nil && res.Remains != nil {
			err = res.Remains.Remove() // the evidence is in the result
		}
		if err != nil {
			return list, runs, fmt.Errorf("%s with seed %d: %w", s.Name, seed, err)
		}
		if len(res.Broken) > 0 {
			return nil, runs, fmt.Errorf("%s with seed %d: a node broke: %s", s.Name, seed, res.Broken[0])
		}
		found := readings(seed, res)
		if len(found) == 0 {
			return nil, runs, fmt.Errorf("%s in the world %s: %w: no fault took a leader, or a machine with units, and left the cluster time to recover", s.Name, w.Name(), ErrNoTrial)
		}
		if watch != nil {
			judge(found, res.Began, watch)
		}
		list = append(list, found...)
		all, calm = count(list)
		o.Tell(w.Name(), runs+1, all, calm)
	}
	return list, runs, nil
}

// judge writes down the pressure under which each reading was taken.
func judge(list []Reading, began time.Time, watch *PressureWatch) {
	const margin = 200 * time.Millisecond
	for i := range list {
		r := &list[i]
		from, to := began.Add(r.At-margin), began.Add(r.At+r.Value+margin)
		if r.Measure == Write {
			from, to = began.Add(r.At-time.Second), began.Add(r.At)
		}
		p := watch.Between(from, to)
		r.Pressure = &p
	}
}

// count is how many trials readings are of, and how many of them are calm: by the
// measure that comes first among theirs.
func count(list []Reading) (all, calm int) {
	for _, m := range measures {
		for i := range list {
			if list[i].Measure == m.name {
				all++
				if list[i].Calm() {
					calm++
				}
			}
		}
		if all > 0 {
			break
		}
	}
	return all, calm
}

// measure sets two worlds' readings of one measure side by side.
func measure(name string, sim, lab []Reading, within float64) Side {
	m := Side{Name: name, Verdict: Undecided}
	of := func(list []Reading) []Reading {
		return slices.DeleteFunc(slices.Clone(list), func(r Reading) bool { return r.Measure != name })
	}
	m.Sim, m.Lab = of(sim), of(lab)
	var predicted, measured, pressed []time.Duration
	for i := range m.Sim {
		predicted = append(predicted, m.Sim[i].Value)
	}
	for i := range m.Lab {
		if m.Lab[i].Calm() {
			measured = append(measured, m.Lab[i].Value)
		} else {
			pressed = append(pressed, m.Lab[i].Value)
		}
	}
	m.Predicted, m.Measured, m.Pressed = spreadOf(predicted), spreadOf(measured), spreadOf(pressed)
	if len(measured) == 0 || m.Predicted.P50 <= 0 {
		return m
	}
	r := ratioOf(measured, predicted)
	m.Ratio = &r
	switch {
	case min(len(measured), len(predicted)) < Least:
	case r.Median >= 1-within && r.Median <= 1+within:
		m.Verdict = Agrees
	default:
		m.Verdict = Differs
	}
	return m
}

// Verdict is that of the measures that users feel: what a write waits for, and how
// long units are nowhere.
func (c *Comparison) Verdict() Verdict {
	verdict, judged := Agrees, false
	for i := range c.Measures {
		m := &c.Measures[i]
		if m.Name != Outage && m.Name != Failover {
			continue
		}
		judged = true
		switch {
		case m.Verdict == Differs:
			return Differs
		case m.Verdict == Undecided:
			verdict = Undecided
		}
	}
	if !judged {
		return Undecided
	}
	return verdict
}
