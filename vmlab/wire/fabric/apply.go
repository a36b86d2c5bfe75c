package fabric

import (
	"fmt"
	"slices"
	"time"

	"drydock/sim/dist"
	"drydock/sim/impair"
)

// rule is a Rule at work.
type rule struct {
	Rule
	id    RuleID
	since time.Duration
	over  bool
	fault impair.Fault
	// corrupt is drawn for each frame, and corrupted counts.
	corrupt   impair.Chance
	corrupted uint64
	// free is when the last frame that the rate let pass has left.
	free      time.Duration
	throttled uint64
}

// Impair has a rule hold from now on and returns its id. A rule that names a
// machine or port that there is not is refused.
func (f *Fabric) Impair(now time.Duration, said Rule) (RuleID, error) {
	f.Advance(now)
	if err := said.Effect.Check(); err != nil {
		return 0, err
	}
	for _, pair := range said.Pairs {
		for _, end := range []string{pair.From, pair.To} {
			if end != "" && !slices.ContainsFunc(f.ports, func(p *port) bool { return p != nil && p.is(end) }) {
				return 0, fmt.Errorf("%w: %v: there is no machine or port %q", ErrRule, pair, end)
			}
		}
		if pair.From != "" && pair.From == pair.To {
			return 0, fmt.Errorf("%w: %v: a link has two ends", ErrRule, pair)
		}
	}
	said.Pairs = slices.Clone(said.Pairs)
	f.newest++
	r := &rule{Rule: said, id: f.newest, since: f.queue.Now()}
	if err := r.prepare(); err != nil {
		return 0, err
	}
	f.rules = append(f.rules, r)
	f.eachLine(func(l *line) {
		if r.about(l.from, l.to) {
			l.attach(r)
		}
	})
	if r.Effect.Up > 0 {
		f.flap(r)
	}
	return r.id, nil
}

// prepare turns numbers into chances and samplers.
func (r *rule) prepare() error {
	e := &r.Effect
	if e.Reorder > 0 {
		e.Window = orDefault(e.Window, DefaultWindow)
	}
	if e.Rate > 0 {
		e.Backlog = orDefault(e.Backlog, DefaultBacklog)
	}
	r.corrupt = impair.ChanceOf(float64(e.Corrupt))
	r.fault = impair.Fault{
		Cut: e.Cut, Loss: impair.ChanceOf(float64(e.Loss)), Duplicate: impair.ChanceOf(float64(e.Duplicate)),
		Reorder: impair.ChanceOf(float64(e.Reorder)), Window: e.Window,
	}
	if e.Spread == "" {
		var err error
		r.fault.Delay, err = impair.NewSampler(impair.Delays{Least: e.Delay, Jitter: e.Jitter})
		return err
	}
	spec, err := dist.Parse(e.Spread)
	if err != nil {
		return err
	}
	spread, err := dist.New(spec)
	r.fault.Delay = impair.SamplerOf(e.Delay, spread)
	return err
}

// Heal ends a rule, and says whether it still held.
func (f *Fabric) Heal(now time.Duration, id RuleID) bool {
	f.Advance(now)
	i := slices.IndexFunc(f.rules, func(r *rule) bool { return r.id == id })
	if i < 0 {
		return false
	}
	r := f.rules[i]
	r.over = true
	f.rules = slices.Delete(f.rules, i, i+1)
	f.eachLine(func(l *line) { l.detach(r) })
	return true
}

// HealAll ends all rules but those that are the lab's own, and returns their
// number.
func (f *Fabric) HealAll(now time.Duration) int {
	healed := 0
	for _, r := range slices.Clone(f.rules) {
		if !r.Base && f.Heal(now, r.id) {
			healed++
		}
	}
	return healed
}

// is says whether a name of a rule means the port.
func (p *port) is(name string) bool { return Named(p.Name, name) }

// about says whether the rule holds for what p sends to q.
func (r *rule) about(p, q *port) bool {
	return len(r.Pairs) == 0 || slices.ContainsFunc(r.Pairs, func(pair Pair) bool { return p.is(pair.From) && q.is(pair.To) })
}

// eachLine calls fn for all lines, in the order of their ports.
func (f *Fabric) eachLine(fn func(*line)) {
	for _, p := range f.ports {
		if p == nil {
			continue
		}
		for _, l := range p.to {
			if l != nil {
				fn(l)
			}
		}
	}
}

// flap cuts a rule's links if they are mended and mends them if they are cut,
// again and again until the rule is over.
func (f *Fabric) flap(r *rule) {
	if r.over {
		return
	}
	r.fault.Cut = !r.fault.Cut
	mean := r.Effect.Up
	if r.fault.Cut {
		mean = r.Effect.Down
	}
	draw := f.source.Stream("flap/" + r.flapper()).Int64N(int64(mean))
	f.queue.After(mean/2+time.Duration(draw), func() { f.flap(r) })
}

// flapper names whose links a rule flaps, as the simulator's streams do.
func (r *rule) flapper() string {
	if len(r.Pairs) == 0 {
		return ""
	}
	if first := r.Pairs[0]; first.From != "" {
		return first.From
	}
	return r.Pairs[0].To
}

// pass says when a frame that comes at a time has passed the rule's rate, and
// false if it would have to wait for too long.
func (r *rule) pass(at time.Duration, size int) (time.Duration, bool) {
	if r.Effect.Rate == 0 {
		return at, true
	}
	begin := max(at, r.free)
	if begin-at > r.Effect.Backlog {
		r.throttled++
		return 0, false
	}
	// A frame of MaxFrame takes less than 2^53 nanoseconds at the least rate.
	r.free = begin + time.Duration(int64(size)*8*int64(time.Second)/r.Effect.Rate)
	return r.free, true
}
