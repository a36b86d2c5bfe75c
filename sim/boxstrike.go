package sim

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"drydock/chaos"
)

// strikeUnits injects what happens to units and machines that run them, and hands
// everything else on.
func (t target) strikeUnits(f chaos.Fault) (func(), string, error) {
	w := t.w
	switch p := f.Params.(type) {
	case *chaos.Units:
		n := 0
		if w.fleet != nil {
			n = w.fleet.users.act(p)
		}
		if n == 0 {
			return nil, "", fmt.Errorf("%w: no unit is concerned", chaos.ErrNoEffect)
		}
		return nil, fmt.Sprintf("%d units", n), nil
	case *chaos.Drain:
		return t.onBoxes(f, func(b *box) (func(), error) {
			w.fleet.users.drain(b, true)
			return func() { w.fleet.users.drain(b, false) }, nil
		})
	case *chaos.Metadata:
		return t.onBoxes(f, func(b *box) (func(), error) {
			w.fleet.users.patch(b, p.Set, false)
			return func() { w.fleet.users.patch(b, p.Set, true) }, nil
		})
	case *chaos.UnitCrash:
		return t.crashUnits(f, p)
	case *chaos.UnitHang:
		return t.onBoxes(f, func(b *box) (func(), error) {
			b.hangs = append(b.hangs, p)
			return func() { b.hangs = slices.DeleteFunc(b.hangs, func(q *chaos.UnitHang) bool { return q == p }) }, nil
		})
	case *chaos.UnitFail:
		return t.onBoxes(f, func(b *box) (func(), error) {
			b.fails = append(b.fails, p)
			return func() { b.fails = slices.DeleteFunc(b.fails, func(q *chaos.UnitFail) bool { return q == p }) }, nil
		})
	}
	return t.strikeBoxes(f)
}

// crashUnits kills units' main processes, all or so many, drawn.
func (t target) crashUnits(f chaos.Fault, p *chaos.UnitCrash) (func(), string, error) {
	type victim struct {
		b    *box
		unit string
	}
	var list []victim
	for _, name := range f.Nodes {
		b := t.w.fleet.byName[name]
		for _, unit := range b.units.Present() {
			if chaos.MatchUnit(p.Unit, unit) {
				list = append(list, victim{b, unit})
			}
		}
	}
	rng := t.w.src.Stream("unit-crash")
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var hit []string
	for _, v := range list {
		if p.Most > 0 && len(hit) == p.Most {
			break
		}
		if v.b.units.Strike(v.unit) {
			hit = append(hit, v.unit+" on "+v.b.name)
		}
	}
	if len(hit) == 0 {
		return nil, "", fmt.Errorf("%w: none runs", chaos.ErrNoEffect)
	}
	slices.Sort(hit)
	if len(hit) > 8 {
		return nil, fmt.Sprintf("%d units", len(hit)), nil
	}
	return nil, strings.Join(hit, ", "), nil
}

// onBoxes does something to each box that a fault names, and joins what undoes it.
// A box to which nothing can be done is left out, unless it is so with all.
func (t target) onBoxes(f chaos.Fault, do func(b *box) (undo func(), err error)) (func(), string, error) {
	var undo []func()
	var why error
	hit := 0
	for _, name := range f.Nodes {
		one, err := do(t.w.fleet.byName[name])
		if err != nil {
			why = err
			continue
		}
		hit++
		if one != nil {
			undo = append(undo, one)
		}
	}
	if hit == 0 {
		return nil, "", why
	}
	if len(undo) == 0 {
		return nil, "", nil
	}
	return func() {
		for _, fn := range undo {
			fn()
		}
	}, "", nil
}

// strikeBoxes strikes the workers among the nodes of a fault, and the members as
// it would without them.
func (t target) strikeBoxes(f chaos.Fault) (func(), string, error) {
	isBox := func(name string) bool {
		return t.w.fleet != nil && t.w.fleet.byName[name] != nil && t.w.byName[name] == nil
	}
	if !slices.ContainsFunc(f.Nodes, isBox) || len(f.Links) > 0 {
		return t.strike(f)
	}
	boxes, rest := f, f
	boxes.Nodes = slices.DeleteFunc(slices.Clone(f.Nodes), func(name string) bool { return !isBox(name) })
	rest.Nodes = slices.DeleteFunc(slices.Clone(f.Nodes), isBox)
	undo, detail, err := t.onBoxes(boxes, func(b *box) (func(), error) { return t.strikeBox(b, f) })
	if len(rest.Nodes) == 0 {
		return undo, detail, err
	}
	undoRest, detail, errRest := t.strike(rest)
	if err != nil && errRest != nil {
		return nil, "", errRest
	}
	return func() {
		for _, fn := range []func(){undo, undoRest} {
			if fn != nil {
				fn()
			}
		}
	}, detail, nil
}

// strikeBox does to one worker what a fault does to a node.
func (t target) strikeBox(b *box, f chaos.Fault) (func(), error) {
	switch p := f.Params.(type) {
	case *chaos.Crash:
		switch {
		case p.LoseUnsynced && !b.off:
			b.cutPower()
		case b.status == up || b.status == paused || b.status == booting:
			b.killAgent()
		default:
			return nil, fmt.Errorf("%w: already down", chaos.ErrNoEffect)
		}
		return nil, nil
	case *chaos.Restart:
		switch {
		case b.off:
			b.powerOn(boxBoot)
		case b.status == down:
			b.start(agentBoot)
		default:
			return nil, fmt.Errorf("%w: not down", chaos.ErrNoEffect)
		}
		return nil, nil
	case *chaos.Pause:
		if b.status != up {
			return nil, fmt.Errorf("%w: not running", chaos.ErrNoEffect)
		}
		b.pause()
		life := b.life
		return func() {
			if b.life == life && b.status == paused {
				b.resume()
			}
		}, nil
	case *chaos.SlowNode:
		b.slow += p.Latency
		return func() {
			b.slow -= p.Latency
			b.heard.awake = t.w.now()
		}, nil
	case *chaos.ClockRate:
		return t.boxRate(b, p), nil
	case *chaos.Flap:
		return t.w.net.flapBox(b, p), nil
	}
	return nil, fmt.Errorf("%w: %s is no fault of workers", chaos.ErrNoEffect, f.Kind)
}

// boxRate lets a machine's clocks run fast or slow.
func (t target) boxRate(b *box, p *chaos.ClockRate) (undo func()) {
	rate := int64(math.Round(p.Rate * ppm))
	change := func(with func([]*int64) []*int64) {
		for _, c := range b.clocks.named(p.Clock) {
			c.faults = with(c.faults)
			c.run(t.w.now())
		}
		b.clockChanged()
	}
	change(func(list []*int64) []*int64 { return append(list, &rate) })
	return func() {
		change(func(list []*int64) []*int64 {
			return slices.DeleteFunc(list, func(r *int64) bool { return r == &rate })
		})
	}
}

// flapBox cuts a worker's links and mends them, again and again.
func (n *network) flapBox(b *box, p *chaos.Flap) (stop func()) {
	var links []*link
	for _, m := range n.w.machines {
		if p.Direction != "out" {
			links = append(links, n.between(b, m, false))
		}
		if p.Direction != "in" {
			links = append(links, n.between(b, m, true))
		}
	}
	return n.flapLinks(links, "flap/"+b.name, p)
}

// boxMembers lists the workers as package chaos knows nodes.
func (t target) boxMembers(list []chaos.Member) []chaos.Member {
	if t.w.fleet == nil {
		return list
	}
	for _, b := range t.w.fleet.boxes {
		if b.host != nil {
			list[b.host.index].Units = true
			continue
		}
		list = append(list, chaos.Member{
			Name: b.name, Worker: true, Units: true, Up: b.status != down, Paused: b.status == paused,
			Busy: len(b.units.Present()) > 0,
		})
	}
	return list
}

// linkBetween is the link from one node to another, members or workers.
func (t target) linkBetween(l chaos.Link) *link {
	from, to := t.w.byName[l.From], t.w.byName[l.To]
	switch {
	case from != nil && to != nil:
		return t.w.net.links[from.index][to.index]
	case from != nil:
		return t.w.net.between(t.w.fleet.byName[l.To], from, false)
	default:
		return t.w.net.between(t.w.fleet.byName[l.From], to, true)
	}
}
