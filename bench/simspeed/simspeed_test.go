package simspeed_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"drydock/bench/simspeed"
	"drydock/chaos"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
)

// world gives what it is told to give.
type world struct {
	broken []string
	err    error
	seen   []runner.Spec
}

func (*world) Name() string              { return "sim" }
func (*world) Supports(chaos.Kind) error { return nil }

func (w *world) Run(_ context.Context, spec runner.Spec) (*runner.Result, error) {
	w.seen = append(w.seen, spec)
	return &runner.Result{Simulated: 10 * time.Second, Ops: make([]history.Op, 600), Broken: w.broken}, w.err
}

func TestMeasure(t *testing.T) {
	now := time.Duration(0)
	cpu := func() (time.Duration, error) { now += 25 * time.Millisecond; return now, nil }
	w := &world{}
	row, err := simspeed.Measure(context.Background(), w, &scenario.Scenario{}, simspeed.Case{Members: 5, Rate: 60}, 4, cpu)
	if err != nil {
		t.Fatal(err)
	}
	if row.SimPerCPU != 400 || row.Least != 400 || row.Most != 400 || len(row.Speeds) != 4 || row.SeedsPerCPU != 40 || row.Operations != 60 {
		t.Errorf("row %+v", row)
	}
	if len(w.seen) != 4 || w.seen[3].Seed != 4 || w.seen[0].Scenario.Cluster.Members != 5 || w.seen[0].Scenario.Load.KV.Rate != 6 {
		t.Errorf("ran %+v", w.seen)
	}
}

func TestMeasureRefusesRunsThatProveNothing(t *testing.T) {
	cpu := func() (time.Duration, error) { return 0, nil }
	failed := errors.New("no memory")
	for name, tc := range map[string]struct {
		w    *world
		c    simspeed.Case
		want error
	}{
		"broken": {w: &world{broken: []string{"n1 panicked"}}},
		"failed": {w: &world{err: failed}, want: failed},
		"unheld": {w: &world{}, c: simspeed.Case{Checked: true}},
	} {
		_, err := simspeed.Measure(context.Background(), tc.w, &scenario.Scenario{}, tc.c, 1, cpu)
		if err == nil || (tc.want != nil && !errors.Is(err, tc.want)) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}
