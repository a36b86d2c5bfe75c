package scheduler

import (
	"fmt"
	"strings"

	"drydock/node/scheduler"
	"drydock/node/unit"
)

// Strategy is who chooses a task's machine.
type Strategy string

// The strategies.
const (
	// LeastLoaded is the scheduler's own: fewest units, then lowest id.
	LeastLoaded Strategy = "least-loaded"
	// BestFit leaves the least free on the machine, in the sum over resources of
	// what is left by the largest machine's.
	BestFit Strategy = "best-fit"
	// SpreadOut leaves the most free of what is scarcest on the machine.
	SpreadOut Strategy = "spread"
)

// Strategies are all there are.
var Strategies = []Strategy{LeastLoaded, BestFit, SpreadOut}

// policy finds machines for tasks.
type policy interface {
	// place returns the number of the machine that a task is to be on, -1 for none;
	// one that has none is forgotten.
	place(t *Task) int
	// gone tells that a task is no longer where it was placed.
	gone(t *Task)
}

// scan is a policy that looks at every machine: slow, and plain.
type scan struct {
	p *packing
	// score is the lower the better; ties go to the lower number.
	score   func(l *loaded, t *Task, most amounts) float64
	largest amounts
}

func newScan(s Strategy, p *packing) *scan {
	c := &scan{p: p}
	for i := range p.nodes {
		n := p.nodes[i].free
		c.largest = amounts{max(c.largest.cpu, n.cpu), max(c.largest.memory, n.memory), max(c.largest.gpu, n.gpu)}
	}
	switch s {
	case BestFit:
		c.score = leftOver
	case SpreadOut:
		c.score = fullest
	default:
		c.score = func(l *loaded, _ *Task, _ amounts) float64 { return float64(l.tasks) }
	}
	return c
}

func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// leftOver is what a machine would have left.
func leftOver(l *loaded, t *Task, largest amounts) float64 {
	return share(l.free.cpu-t.CPU, largest.cpu) + share(l.free.memory-t.Memory, largest.memory) + share(l.free.gpu-t.gpu(), largest.gpu)
}

// fullest is how full a machine would be of what it would be fullest of.
func fullest(l *loaded, t *Task, _ amounts) float64 {
	return max(1-share(l.free.cpu-t.CPU, l.CPU), 1-share(l.free.memory-t.Memory, l.Memory), used(l.free.gpu-t.gpu(), int64(l.GPUs)*1000))
}

func used(free, total int64) float64 {
	if total == 0 {
		return 0
	}
	return 1 - share(free, total)
}

func (c *scan) place(t *Task) int {
	best, least := -1, 0.0
	for i := range c.p.nodes {
		l := &c.p.nodes[i]
		if !l.allows(t) {
			continue
		}
		if score := c.score(l, t, c.largest); best < 0 || score < least {
			best, least = i, score
		}
	}
	return best
}

func (c *scan) gone(*Task) {}

// solved is the scheduler as a policy.
type solved struct {
	s     *scheduler.Scheduler
	node  map[string]int
	needs map[string]*unit.Requirements
}

func newSolved(t *Trace) *solved {
	c := &solved{s: scheduler.New(), node: make(map[string]int), needs: make(map[string]*unit.Requirements)}
	for i, n := range t.Machines {
		m := scheduler.Machine{ID: n.Name, Metadata: make(map[string]string), Resources: map[string]int64{
			unit.CPU: n.CPU, unit.Memory: n.Memory << 20, "gpu": 1000 * int64(n.GPUs),
		}}
		if n.Model != "" {
			m.Metadata["model"] = n.Model
		}
		c.s.SetMachine(m)
		c.node[n.Name] = i
	}
	c.s.Solve(0)
	return c
}

// kindOf is what tasks of one kind have in common.
func kindOf(t *Task) string {
	return fmt.Sprint(t.CPU, t.Memory, t.GPUs, t.Share, strings.Join(t.Models, "|"))
}

func (c *solved) needsOf(t *Task) *unit.Requirements {
	key := kindOf(t)
	if c.needs[key] == nil {
		r := &unit.Requirements{}
		for _, one := range []unit.Resource{
			{Name: unit.CPU, Amount: t.CPU},
			{Name: "gpu", Amount: t.gpu()},
			{Name: unit.Memory, Amount: t.Memory << 20},
		} {
			if one.Amount > 0 {
				r.Resources = append(r.Resources, one)
			}
		}
		if len(t.Models) > 0 {
			r.Metadata = []unit.Condition{{Key: "model", Op: unit.Is, Values: t.Models}}
		}
		c.needs[key] = r
	}
	return c.needs[key]
}

func (c *solved) place(t *Task) int {
	name := t.Name + ".service"
	c.s.SetUnit(scheduler.Unit{Name: name, Active: true, Needs: c.needsOf(t)})
	c.s.Solve(0)
	if at := c.s.Where(name); at != "" {
		return c.node[at]
	}
	c.s.RemoveUnit(name)
	return -1
}

func (c *solved) gone(t *Task) {
	c.s.RemoveUnit(t.Name + ".service")
	c.s.Solve(0)
}
