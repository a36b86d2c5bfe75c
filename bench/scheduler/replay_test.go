package scheduler

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestStrategies: each on a case that tells it from the others.
func TestStrategies(t *testing.T) {
	trace := &Trace{Machines: []Node{
		{Name: "a", CPU: 8000, Memory: 100}, {Name: "b", CPU: 4000, Memory: 100}, {Name: "c", CPU: 16_000, Memory: 100},
	}}
	first, task := Task{Name: "0", CPU: 2000, Memory: 1}, Task{Name: "1", CPU: 2000, Memory: 1}
	for s, want := range map[Strategy][2]int{
		LeastLoaded: {0, 1}, // no units there, then the lower id
		BestFit:     {1, 1}, // the least left
		SpreadOut:   {2, 0}, // the least used: 1/8 of c, then 1/4 of a as of c
	} {
		d := newDesk(trace, s)
		var got [2]int
		for i, one := range []*Task{&first, &task} {
			h, ok, err := d.place(one)
			if !ok || err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			got[i] = h.node
		}
		if got != want {
			t.Errorf("%s: %v, want %v", s, got, want)
		}
	}
}

func TestDevices(t *testing.T) {
	trace := &Trace{Machines: []Node{{Name: "a", CPU: 10_000, Memory: 100, GPUs: 2, Model: "T4"}}}
	p := newPacking(trace)
	six, four, whole := Task{GPUs: 1, Share: 600}, Task{GPUs: 1, Share: 400}, Task{GPUs: 1, Share: 1000}
	p.put(&six, 0)
	h := p.put(&four, 0) // to the device with the least that will do
	if d := cmp.Diff([]int{0, 1000}, p.nodes[0].devices); d != "" {
		t.Error(d)
	}
	p.lift(&four, h)
	p.put(&six, 0)
	if d := cmp.Diff([]int{400, 400}, p.nodes[0].devices); d != "" {
		t.Error(d)
	}
	if p.nodes[0].allows(&whole) || !p.nodes[0].allows(&Task{GPUs: 1, Share: 800}) || p.nodes[0].hosts(&Task{GPUs: 1, Share: 800}) {
		t.Error("what fits in the sum and what on a device are mixed up")
	}
	h = p.put(&Task{GPUs: 1, Share: 800}, 0)
	if d := cmp.Diff([]int{0, 0}, p.nodes[0].devices); d != "" || !h.split {
		t.Errorf("split %v\n%s", h.split, d)
	}
	if p.nodes[0].suits(&Task{Models: []string{"P100", "V100"}}) || !p.nodes[0].suits(&Task{Models: []string{"P100", "T4"}}) {
		t.Error("models are mixed up")
	}
}

func TestFragments(t *testing.T) {
	trace := &Trace{
		Machines: []Node{{Name: "a", CPU: 10_000, Memory: 100, GPUs: 2}, {Name: "b", CPU: 100, Memory: 100, GPUs: 2}},
		Tasks:    []Task{{CPU: 1000, GPUs: 1, Share: 500}, {CPU: 1000}, {CPU: 1000, GPUs: 1, Share: 1000}},
	}
	p := newPacking(trace)
	kinds := typicals(trace)
	if len(kinds) != 2 || kinds[0].often != 0.5 {
		t.Fatalf("%+v", kinds)
	}
	// b has too little CPU for either: half of what is free.
	if got := p.fragments(kinds); got != 0.5 {
		t.Errorf("an empty cluster: %v", got)
	}
	p.put(&trace.Tasks[0], 0)
	// 3,500 are free: b's 2,000 are lost to both, 500 on a to the second.
	if got, want := p.fragments(kinds), (2000+250.0)/3500; math.Abs(got-want) > 1e-9 {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestTimed: one waits until another has left, and one never comes to run.
func TestTimed(t *testing.T) {
	trace := &Trace{
		Machines: []Node{{Name: "a", CPU: 1000, Memory: 100}},
		Tasks: []Task{
			{Name: "first", CPU: 1000, Created: 0, Deleted: 10},
			{Name: "waits", CPU: 1000, Created: 4, Deleted: 30},
			{Name: "never", CPU: 2000, Created: 5, Deleted: 8},
		},
	}
	for _, s := range Strategies {
		got, err := timed(t.Context(), trace, s)
		want := Timed{Placed: Shares{CPU: 0.5, Memory: 1, GPU: 1}, Waited: 2, Never: 1, MachinesPeak: 1, MachinesMean: 1}
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", s, err, d)
		}
	}
}

// TestReplayAddsUp: whatever the trace, nothing is given twice, the scheduler agrees
// with its slow twin, and a cluster that had room for all is empty at the end.
func TestReplayAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := Invent(rapid.IntRange(1, 12).Draw(t, "machines"), rapid.IntRange(1, 60).Draw(t, "tasks"), rapid.Uint64().Draw(t, "seed"))
		r, err := ReplayTrace(context.Background(), &trace, Strategies, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range r.Results {
			last := 0.0
			for _, p := range one.Pressed {
				over := p.Placed.CPU > 1 || p.Placed.GPU > 1 || p.Runs.GPU > p.Placed.GPU || p.Placed.GPU*p.Load > 1.2
				if over || p.Load < last || p.Fragments < 0 || p.Fragments > 1+1e-9 || p.Machines > len(trace.Machines) {
					t.Errorf("%s: %+v", one.Strategy, p)
				}
				last = p.Load
			}
			if d := one.Timed; d.Never > d.Waited || d.MachinesMean > float64(d.MachinesPeak) {
				t.Errorf("%s: %+v", one.Strategy, d)
			}
		}
	})
}

// wrong is a policy that is never of the same mind.
type wrong struct{}

func (wrong) place(*Task) int { return -1 }
func (wrong) gone(*Task)      {}

func TestTwinIsHeeded(t *testing.T) {
	trace := Invent(2, 1, 1)
	d := newDesk(&trace, LeastLoaded)
	d.twin = wrong{}
	if _, _, err := d.place(&trace.Tasks[0]); !errors.Is(err, ErrDiffers) {
		t.Errorf("error: %v", err)
	}
}

func TestReplayInterrupted(t *testing.T) {
	trace := Invent(10, 10, 1)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := ReplayTrace(ctx, &trace, Strategies, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	empty := &Trace{Name: "empty"}
	if r, err := ReplayTrace(t.Context(), empty, Strategies, 1); err != nil || len(r.Results) != 3 {
		t.Errorf("an empty trace: %+v, %v", r, err)
	}
}
