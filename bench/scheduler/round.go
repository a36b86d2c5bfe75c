package scheduler

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"drydock/bench/simspeed"
	"drydock/node/scheduler"
)

// Case is the work of a row.
type Case struct {
	Shape Shape `json:"shape"`
	// Machines of the cluster, and Units that it is filled with.
	Machines int `json:"machines"`
	Units    int `json:"units"`
}

func (c Case) String() string {
	return fmt.Sprintf("%s, %d machines, %d units", c.Shape, c.Machines, c.Units)
}

// Round is what one round of a case came to.
type Round struct {
	// FillCPU and FillWall are placements a second, of the process's CPU time and
	// of the clock, from an empty cluster to a full one.
	FillCPU  float64 `json:"fillCPU"`
	FillWall float64 `json:"fillWall"`
	// UnitNanos is CPU time a unit of the fill.
	UnitNanos float64 `json:"unitNanos"`
	// BytesPerUnit is memory that the scheduler holds when the cluster is full, by
	// its units.
	BytesPerUnit float64 `json:"bytesPerUnit"`
	// Change is the time, in microseconds, from telling of one more unit in the full
	// cluster until all that follows is decided.
	Change Times `json:"change"`
	// ChangeNanos is CPU time of one unit's start and another's end.
	ChangeNanos float64 `json:"changeNanos"`
	// Loss is the time, in microseconds, from telling of a machine's loss until all
	// its units have another; LossUnits is how many that were, on average.
	Loss      Times   `json:"loss"`
	LossUnits float64 `json:"lossUnits"`
	LossNanos float64 `json:"lossNanos"` // CPU time a unit that was moved
	// Rest is the share of a core, 0 to 1, that the full cluster takes at rest: asked
	// for decisions asks times a second, when there are none.
	Rest float64 `json:"rest"`
}

// Times is a distribution.
type Times struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
	N   int64   `json:"n"`
}

// recorder collects times.
type recorder struct{ h *hdrhistogram.Histogram }

func newRecorder() recorder { return recorder{hdrhistogram.New(1, int64(time.Minute), 3)} }

func (r recorder) add(d time.Duration) { _ = r.h.RecordValue(max(1, int64(d))) } // longer than a minute counts as that

func (r recorder) times() Times {
	micros := func(n int64) float64 { return float64(n) / 1e3 }
	return Times{
		P50: micros(r.h.ValueAtQuantile(50)), P99: micros(r.h.ValueAtQuantile(99)), Max: micros(r.h.Max()), N: r.h.TotalCount(),
	}
}

const (
	// batch is how many units are told of before the next decisions are asked for
	// in the fill, as a log entry's worth.
	batch = 512
	// changes and losses bound how many are measured in a round.
	changes = 2000
	losses  = 100
	// asks is how often a second a leader at rest is taken to ask for decisions: more
	// often than any does. asked is how often the benchmark does, to have a time.
	asks  = 1000
	asked = 100_000
)

// watch is a stopwatch of the process's CPU time and of the clock.
type watch struct {
	cpu  time.Duration
	wall time.Time
}

func startWatch() (watch, error) {
	cpu, err := simspeed.ProcessCPU()
	return watch{cpu, time.Now()}, err
}

func (w watch) stop() (cpu, wall time.Duration, err error) {
	now, err := simspeed.ProcessCPU()
	return max(now-w.cpu, 1), max(time.Since(w.wall), 1), err
}

// errUnplaced is of a unit that has no place though there is room.
var errUnplaced = errors.New("a unit has no place")

// errRestless is of a cluster that moves units though nothing has changed.
var errRestless = errors.New("a cluster at rest moves units")

// subject is a cluster under measurement.
type subject struct {
	c       Case
	s       *scheduler.Scheduler
	present []scheduler.Unit // that are to have a place
	extra   []scheduler.Unit // for changes
	live    uint64           // bytes in use before there was a scheduler
}

// newSubject makes the cluster and the units. If it is to be weighed, memory is
// cleaned up first; small clusters would look cheaper than they are if each had that.
func newSubject(c Case, weigh bool) *subject {
	b := &subject{c: c, present: c.Shape.units(0, c.Units)}
	n := min(changes/2, max(1, c.Units/10))
	// New templates, so that what a change costs holds what a new one costs.
	b.extra = c.Shape.units((c.Units/spreadSize+1)*spreadSize, n)
	machines := make([]scheduler.Machine, c.Machines)
	for i := range machines {
		machines[i] = machine(i)
	}
	if weigh {
		b.live = heapInUse()
	}
	b.s = scheduler.New()
	for _, m := range machines {
		b.s.SetMachine(m)
	}
	b.s.Solve(0)
	return b
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// measure takes one round of a case. The fill is repeated, in new clusters, until
// there were enough placements. All is done on one core: what a second one does for
// the garbage collector while it is idle is no cost of the scheduler's.
func measure(c Case, enough int) (r Round, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var b *subject
	var cpu, wall time.Duration
	repeats := max(1, enough/c.Units)
	for i := range repeats {
		b = newSubject(c, i == repeats-1)
		oneCPU, oneWall, err := b.fill()
		if err != nil {
			return r, err
		}
		cpu, wall = cpu+oneCPU, wall+oneWall
	}
	n := float64(c.Units * repeats)
	r.FillCPU, r.FillWall, r.UnitNanos = n/cpu.Seconds(), n/wall.Seconds(), float64(cpu)/n
	r.BytesPerUnit = float64(int64(heapInUse())-int64(b.live)) / float64(c.Units)
	if err = b.change(&r); err == nil {
		err = b.lose(&r)
	}
	if err == nil {
		err = b.rest(&r)
	}
	return r, err
}

// rest asks for decisions when there are none.
func (b *subject) rest(r *Round) error {
	w, err := startWatch()
	if err != nil {
		return err
	}
	for range asked {
		if moves, more := b.s.Solve(0); len(moves) > 0 || more {
			return fmt.Errorf("%w: %s", errRestless, b.c)
		}
	}
	cpu, _, err := w.stop()
	r.Rest = cpu.Seconds() / asked * asks
	return err
}

// fill places all units in the empty cluster.
func (b *subject) fill() (cpu, wall time.Duration, err error) {
	w, err := startWatch()
	if err != nil {
		return 0, 0, err
	}
	var moves []scheduler.Move
	for i, u := range b.present {
		b.s.SetUnit(u)
		if i%batch == batch-1 {
			moves, _ = b.s.Append(moves[:0], 0)
		}
	}
	b.s.Append(moves[:0], 0)
	if cpu, wall, err = w.stop(); err == nil {
		err = b.complete()
	}
	return cpu, wall, err
}

// complete makes sure that every unit has a place.
func (b *subject) complete() error {
	for _, u := range b.present {
		if b.s.Where(u.Name) == "" {
			return fmt.Errorf("%w: %s, %s: %s", errUnplaced, b.c, u.Name, b.s.Why(u.Name))
		}
	}
	return nil
}

// stride steps through units and machines so that all kinds of them are met: a
// prime, which no number of them that anybody asks for is a multiple of.
const stride = 7919

// change starts units and ends as many of those that there were, in turns.
func (b *subject) change(r *Round) error {
	rec := newRecorder()
	w, err := startWatch()
	if err != nil {
		return err
	}
	for i, u := range b.extra {
		at := time.Now()
		b.s.SetUnit(u)
		b.s.Solve(0)
		rec.add(time.Since(at))
		gone := &b.present[i*stride%len(b.present)]
		b.s.RemoveUnit(gone.Name)
		b.s.Solve(0)
		*gone = u
	}
	cpu, _, err := w.stop()
	r.Change, r.ChangeNanos = rec.times(), float64(cpu)/float64(len(b.extra))
	return errors.Join(err, b.complete())
}

// lose takes machines away, one at a time, and brings each back before the next.
func (b *subject) lose(r *Round) error {
	rec := newRecorder()
	n := min(losses, b.c.Machines)
	units := 0
	var cpuTotal time.Duration
	for i := range n {
		m := machine(i * stride % b.c.Machines)
		units += b.s.Load(m.ID)
		w, err := startWatch()
		if err != nil {
			return err
		}
		b.s.RemoveMachine(m.ID)
		b.s.Solve(0)
		cpu, wall, err := w.stop()
		if err != nil {
			return err
		}
		rec.add(wall)
		cpuTotal += cpu
		b.s.SetMachine(m)
		b.s.Solve(0)
	}
	r.Loss, r.LossUnits = rec.times(), float64(units)/float64(n)
	r.LossNanos = float64(cpuTotal) / float64(max(units, 1))
	return b.complete()
}
