package sim

import (
	"math"
	"slices"
	"time"

	"drydock/chaos"
	"drydock/node/world"
)

// ppm is the rate of a clock that runs right, in parts per million.
const ppm = 1_000_000

// rated is a clock that may run at a rate of its own: a line from a point in
// world time. It is computed in integers, so that all machines agree on it.
type rated struct {
	at, reading time.Duration
	rate        int64 // parts per million
	faults      []*int64
}

// now reads the clock at world time t, which is not before the last change.
func (c *rated) now(t time.Duration) time.Duration {
	d := int64(t - c.at)
	return c.reading + time.Duration(d/ppm*c.rate+d%ppm*c.rate/ppm)
}

// when is the first world time at which the clock reads at least reading.
func (c *rated) when(reading time.Duration) time.Duration {
	d := int64(reading - c.reading)
	if d <= 0 {
		return c.at
	}
	return c.at + time.Duration(d/c.rate*ppm+(d%c.rate*ppm+c.rate-1)/c.rate)
}

// jump moves the clock.
func (c *rated) jump(t, by time.Duration) {
	c.reading, c.at = c.now(t)+by, t
}

// run makes the clock go at the rate of the latest fault that lasts.
func (c *rated) run(t time.Duration) {
	c.jump(t, 0)
	c.rate = ppm
	if n := len(c.faults); n > 0 {
		c.rate = *c.faults[n-1]
	}
}

// clocks are a machine's two clocks. They are apart: a fault may strike one.
type clocks struct {
	mono, wall rated
	boot       time.Duration // what mono read when the process began
}

// set starts both clocks right.
func (c *clocks) set(epoch int64) {
	c.mono.rate, c.wall.rate = ppm, ppm
	c.wall.reading = time.Duration(epoch)
}

// named lists the clocks that a fault strikes.
func (c *clocks) named(name string) []*rated {
	switch name {
	case chaos.ClockMono:
		return []*rated{&c.mono}
	case chaos.ClockWall:
		return []*rated{&c.wall}
	}
	return []*rated{&c.mono, &c.wall}
}

// instant reads the machine's clocks: its monotonic one starts at each boot.
func (m *machine) instant() world.Instant {
	now := m.w.now()
	return world.Instant{Mono: m.clocks.mono.now(now) - m.clocks.boot, Wall: int64(m.clocks.wall.now(now))}
}

// clockChanged sets the timer anew: the time at which it is due has moved.
func (m *machine) clockChanged() {
	if m.w.queue.Cancel(m.timer) {
		due := m.due
		m.setTimer(m.wanted, true)
		m.due = due
	}
	if m.box != nil {
		m.box.clockChanged()
	}
}

// allClocks are the clocks of a machine that a fault strikes: of the member, and of
// what of it runs units, which reads the same ones.
func (m *machine) allClocks(name string) []*rated {
	list := m.clocks.named(name)
	if m.box != nil {
		list = append(list, m.box.clocks.named(name)...)
	}
	return list
}

// clockRate lets clocks run fast or slow.
func (t target) clockRate(nodes []string, p *chaos.ClockRate) (func(), string, error) {
	rate := int64(math.Round(p.Rate * ppm))
	change := func(with func([]*int64) []*int64) {
		for _, name := range nodes {
			m := t.w.byName[name]
			for _, c := range m.allClocks(p.Clock) {
				c.faults = with(c.faults)
				c.run(t.w.now())
			}
			m.clockChanged()
		}
	}
	change(func(list []*int64) []*int64 { return append(list, &rate) })
	return func() {
		change(func(list []*int64) []*int64 {
			return slices.DeleteFunc(list, func(r *int64) bool { return r == &rate })
		})
	}, "", nil
}

// clockJump moves clocks. Whoever sets the calendar right moves it back; a
// monotonic clock keeps its lead.
func (t target) clockJump(nodes []string, p *chaos.ClockJump) (func(), string, error) {
	by := p.By
	if p.Direction == "back" {
		by = -by
	}
	for _, name := range nodes {
		m := t.w.byName[name]
		for _, c := range m.allClocks(p.Clock) {
			c.jump(t.w.now(), by)
		}
		m.clockChanged()
	}
	if p.Clock == chaos.ClockMono {
		return nil, "", nil
	}
	return func() {
		for _, name := range nodes {
			t.w.byName[name].clocks.wall.jump(t.w.now(), -by)
		}
	}, "", nil
}
