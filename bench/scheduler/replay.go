package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Replay is what strategies made of one trace.
type Replay struct {
	Trace    string `json:"trace"`
	Machines int    `json:"machines"`
	Tasks    int    `json:"tasks"`
	// CPU is in cores, Memory in GiB: what the machines have.
	CPU     float64          `json:"cpu"`
	Memory  float64          `json:"memory"`
	GPUs    float64          `json:"gpus"`
	Results []StrategyResult `json:"results"`
}

// StrategyResult is what one strategy made of it.
type StrategyResult struct {
	Strategy Strategy `json:"strategy"`
	// Timed is the trace as it was: tasks come and go at their times.
	Timed Timed `json:"timed"`
	// Pressed is the cluster under rising load: tasks come in the trace's order and
	// stay; when all have come, more are drawn from among them.
	Pressed []Point `json:"pressed"`
}

// Timed is the outcome of a replay with arrivals and departures.
type Timed struct {
	// Placed is the share of what was asked for that found a place, at once or when
	// something had left, before the task's own end.
	Placed Shares `json:"placed"`
	// Waited counts tasks that found no place at once, Never those that found none.
	Waited int `json:"waited"`
	Never  int `json:"never"`
	// Split counts tasks whose GPU share was there only in pieces on several
	// devices: the scheduler counts a machine's GPUs as one sum.
	Split int `json:"split"`
	// MachinesPeak and MachinesMean are machines with tasks: most, and on average
	// over time.
	MachinesPeak int     `json:"machinesPeak"`
	MachinesMean float64 `json:"machinesMean"`
}

// Shares are of CPU, memory and GPUs, from 0 to 1.
type Shares struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
	GPU    float64 `json:"gpu"`
}

// Point is a cluster under a load.
type Point struct {
	// Load is what was asked for of GPUs (of CPU, in a cluster without), by what
	// there is.
	Load float64 `json:"load"`
	// Placed is the share of what was asked for until then that found a place, and
	// Runs the same without tasks that were split.
	Placed Shares `json:"placed"`
	Runs   Shares `json:"runs"`
	// Fragments is the share of what is free of GPUs that a typical task can't use.
	Fragments float64 `json:"fragments"`
	Machines  int     `json:"machines"`
	Tasks     int     `json:"tasks"`
	Split     int     `json:"split"`
}

// Loads are where a pressed cluster is looked at.
var Loads = []float64{0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2}

// shares divides.
func (a amounts) shares(of amounts) Shares {
	part := func(n, of int64) float64 {
		if of == 0 {
			return 1
		}
		return share(n, of)
	}
	return Shares{part(a.cpu, of.cpu), part(a.memory, of.memory), part(a.gpu, of.gpu)}
}

// ReplayTrace puts a trace through the strategies. The scheduler's placements are
// compared with those of a policy that looks at every machine.
func ReplayTrace(ctx context.Context, t *Trace, strategies []Strategy, seed uint64) (Replay, error) {
	total := newPacking(t).total
	r := Replay{
		Trace: t.Name, Machines: len(t.Machines), Tasks: len(t.Tasks),
		CPU: float64(total.cpu) / 1e3, Memory: float64(total.memory) / 1024, GPUs: float64(total.gpu) / 1e3,
	}
	for _, s := range strategies {
		one := StrategyResult{Strategy: s}
		var err error
		if one.Timed, err = timed(ctx, t, s); err == nil {
			one.Pressed, err = pressed(ctx, t, s, seed)
		}
		if err != nil {
			return r, fmt.Errorf("trace %s, %s: %w", t.Name, s, err)
		}
		r.Results = append(r.Results, one)
	}
	return r, nil
}

// desk places tasks by a strategy, and by the slow twin of the scheduler's.
type desk struct {
	p      *packing
	policy policy
	twin   policy // nil but for the scheduler's strategy
}

func newDesk(t *Trace, s Strategy) *desk {
	d := &desk{p: newPacking(t)}
	d.policy = newScan(s, d.p)
	if s == LeastLoaded {
		d.policy, d.twin = newSolved(t), d.policy
	}
	return d
}

// place puts a task where the policy wants it; ok is false if nowhere.
func (d *desk) place(t *Task) (h held, ok bool, err error) {
	node := d.policy.place(t)
	if d.twin != nil {
		if want := d.twin.place(t); want != node {
			return held{}, false, fmt.Errorf("%w: %s is on machine %d, not %d", ErrDiffers, t.Name, node, want)
		}
	}
	if node < 0 {
		return held{}, false, nil
	}
	return d.p.put(t, node), true, nil
}

func (d *desk) lift(t *Task, h held) {
	d.p.lift(t, h)
	d.policy.gone(t)
}

// event is a task's coming or going.
type event struct {
	at     float64
	task   int
	leaves bool
}

func events(t *Trace) []event {
	list := make([]event, 0, 2*len(t.Tasks))
	for i := range t.Tasks {
		list = append(list, event{t.Tasks[i].Created, i, false}, event{t.Tasks[i].Deleted, i, true})
	}
	slices.SortStableFunc(list, func(a, b event) int {
		if d := cmp.Compare(a.at, b.at); d != 0 {
			return d
		}
		return cmp.Compare(a.task, b.task) // a task of no duration comes before it goes
	})
	return list
}

// timed replays arrivals and departures.
func timed(ctx context.Context, t *Trace, s Strategy) (out Timed, err error) {
	d := newDesk(t, s)
	at := make(map[int]held)
	var waiting []int
	var asked, placed amounts
	var since, area, machines float64
	list := events(t)
	span := 0.0
	try := func(i int) (bool, error) {
		h, ok, err := d.place(&t.Tasks[i])
		if ok {
			at[i] = h
			placed.add(&t.Tasks[i], 1)
			if h.split {
				out.Split++
			}
		}
		return ok, err
	}
	for k, e := range list {
		if k%256 == 0 && ctx.Err() != nil {
			return out, ctx.Err()
		}
		if e.at > since && e.at <= mostTime {
			area += machines * (e.at - since)
			span += e.at - since
			since = e.at
		}
		task := &t.Tasks[e.task]
		if !e.leaves {
			asked.add(task, 1)
			ok, err := try(e.task)
			if err != nil {
				return out, err
			}
			if !ok {
				waiting = append(waiting, e.task)
				out.Waited++
			}
		} else if waiting, err = d.leave(t, e.task, at, waiting, try); err != nil {
			return out, err
		}
		n := d.p.used()
		machines = float64(n)
		out.MachinesPeak = max(out.MachinesPeak, n)
	}
	out.Never = len(t.Tasks) - len(at)
	out.Placed = placed.shares(asked)
	if span > 0 {
		out.MachinesMean = area / span
	}
	return out, nil
}

// leave takes a task away, and tries those that wait, in order. It returns those
// that wait on.
func (d *desk) leave(t *Trace, i int, at map[int]held, waiting []int, try func(int) (bool, error)) ([]int, error) {
	h, there := at[i]
	if !there {
		return slices.DeleteFunc(waiting, func(w int) bool { return w == i }), nil
	}
	d.lift(&t.Tasks[i], h)
	var rest []int
	for _, w := range waiting {
		ok, err := try(w)
		if err != nil {
			return nil, err
		}
		if !ok {
			rest = append(rest, w)
		}
	}
	return rest, nil
}

// pressed fills the cluster beyond what it has.
func pressed(ctx context.Context, t *Trace, s Strategy, seed uint64) (points []Point, err error) {
	d := newDesk(t, s)
	kinds := typicals(t)
	random := rand.New(rand.NewPCG(seed, 0x7072_6573))
	var asked, placed, runs amounts
	load := func() float64 {
		if d.p.total.gpu > 0 {
			return share(asked.gpu, d.p.total.gpu)
		}
		return share(asked.cpu, d.p.total.cpu)
	}
	tasks, split := 0, 0
	// A trace that asks for nothing would never fill anything.
	for n := 0; len(points) < len(Loads) && n < 100*(len(t.Tasks)+1) && len(t.Tasks) > 0; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return points, ctx.Err()
		}
		task := t.Tasks[min(n, len(t.Tasks)-1)]
		if n >= len(t.Tasks) {
			task = t.Tasks[random.IntN(len(t.Tasks))]
			task.Name = fmt.Sprintf("%s-%d", task.Name, n)
		}
		asked.add(&task, 1)
		h, ok, err := d.place(&task)
		if err != nil {
			return points, err
		}
		if ok {
			tasks++
			placed.add(&task, 1)
			if h.split {
				split++
			} else {
				runs.add(&task, 1)
			}
		}
		if load() >= Loads[len(points)] {
			points = append(points, Point{
				Load: Loads[len(points)], Placed: placed.shares(asked), Runs: runs.shares(asked), Fragments: d.p.fragments(kinds),
				Machines: d.p.used(), Tasks: tasks, Split: split,
			})
		}
	}
	return points, nil
}
