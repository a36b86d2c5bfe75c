// Package impair decides what becomes of a message on one direction of a link:
// lost, late, overtaken, twice. The simulator's network and the wire of the labs
// both ask it, so that the same numbers mean the same in both worlds.
//
// Invariants:
//
//   - Faults add up: delays are summed, and each fault's chance is drawn on its own.
//   - A fault whose chance is zero takes no draw, so that one fault more or less
//     moves the others' draws no further than it must.
//   - Messages arrive in the order in which they were sent, as on the streams of
//     production, but for those that a fault holds back.
package impair

import (
	"math/rand/v2"
	"slices"
	"time"

	"drydock/sim/dist"
)

// Chance is how often something happens: what a 32-bit draw must be below. It
// compares integers, which is exact and the same on every processor.
type Chance uint64

// ChanceOf turns a probability of 0 to 1 into a chance.
func ChanceOf(probability float64) Chance {
	switch {
	case probability <= 0:
		return 0
	case probability >= 1:
		return 1 << 32
	}
	return Chance(float64(probability * (1 << 32)))
}

// Hit draws only where there is a chance at all.
func (c Chance) Hit(r *rand.Rand) bool {
	return c > 0 && uint64(r.Uint32()) < uint64(c)
}

// Delays describe how long something takes: at least Least, an exponentially
// distributed time with mean Jitter on top, and with the chance TailChance up
// to TailMost more.
type Delays struct {
	Least, Jitter time.Duration
	TailChance    float64
	TailMost      time.Duration
}

// Sampler draws delays. The zero value is no delay, without a draw.
type Sampler struct {
	least, tailMost time.Duration
	jitter, more    dist.Dist
	tail            Chance
}

// NewSampler checks delays; its errors match dist.ErrSpec.
func NewSampler(d Delays) (Sampler, error) {
	s := Sampler{least: d.Least, tailMost: d.TailMost, tail: ChanceOf(d.TailChance)}
	if d.Jitter > 0 {
		var err error
		s.jitter, err = dist.New(dist.Spec{Kind: dist.Exponential, Mean: d.Jitter, Max: 20 * d.Jitter})
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

// SamplerOf draws from any distribution, with least added to each draw.
func SamplerOf(least time.Duration, d dist.Dist) Sampler { return Sampler{least: least, jitter: d} }

// And adds a draw from a distribution to each of the sampler's own.
func (s Sampler) And(d dist.Dist) Sampler {
	s.more = d
	return s
}

// Least is the delay that every sample has at least, what a distribution has of
// its own aside.
func (s *Sampler) Least() time.Duration { return s.least }

// Sample draws a delay.
func (s *Sampler) Sample(r *rand.Rand) time.Duration {
	d := s.least + s.jitter.Sample(r) + s.more.Sample(r)
	if s.tail.Hit(r) && s.tailMost > 0 {
		d += time.Duration(r.Int64N(int64(s.tailMost)))
	}
	return d
}

// Fault is one fault on links, or what is usual on all of them. Lines share it:
// a change shows on all that it impairs.
type Fault struct {
	// Cut: nothing passes, and what is on its way does not arrive.
	Cut   bool
	Delay Sampler
	// Loss, Duplicate and Reorder are chances of each message; one that is
	// reordered is held back by up to Window.
	Loss, Duplicate, Reorder Chance
	Window                   time.Duration
	// Hits counts what the fault has done, on all lines together.
	Hits Hits
}

// Hits counts messages by what a fault did to them.
type Hits struct {
	Cut        uint64 `json:"cut,omitempty"`
	Lost       uint64 `json:"lost,omitempty"`
	Duplicated uint64 `json:"duplicated,omitempty"`
	Held       uint64 `json:"held,omitempty"`
}

// Line is one direction of a link. The zero value with an Rng has no faults.
type Line struct {
	Rng    *rand.Rand
	faults []*Fault
	// last is when the latest message arrives that nothing holds back.
	last time.Duration
}

// Impair adds a fault.
func (l *Line) Impair(f *Fault) { l.faults = append(l.faults, f) }

// Repair takes a fault away.
func (l *Line) Repair(f *Fault) {
	l.faults = slices.DeleteFunc(l.faults, func(g *Fault) bool { return g == f })
}

// Clear says that no fault impairs the line and that all that was sent before
// now has arrived: where nothing is usual either, a message would pass at once.
func (l *Line) Clear(now time.Duration) bool {
	return len(l.faults) == 0 && (l.last == 0 || l.last < now)
}

// Cut says whether a fault cuts the line; the first that does counts it.
func (l *Line) Cut() bool {
	for _, f := range l.faults {
		if f.Cut {
			f.Hits.Cut++
			return true
		}
	}
	return false
}

// Lost says whether a message that is sent now is lost, to a cut or by chance.
func (l *Line) Lost(usual *Fault) bool {
	if l.Cut() {
		return true
	}
	lost := usual.Loss.Hit(l.Rng)
	for _, f := range l.faults {
		if f.Loss.Hit(l.Rng) {
			f.Hits.Lost++
			lost = true
		}
	}
	return lost
}

// Duplicated says whether a message that was sent goes on its way twice.
func (l *Line) Duplicated(usual *Fault) bool {
	twice := usual.Duplicate.Hit(l.Rng)
	for _, f := range l.faults {
		if f.Duplicate.Hit(l.Rng) {
			f.Hits.Duplicated++
			twice = true
		}
	}
	return twice
}

// Arrival decides when what is sent at the time now arrives, and says whether it
// is held back, so that later messages overtake it.
func (l *Line) Arrival(now time.Duration, usual *Fault) (at time.Duration, held bool) {
	d := usual.Delay.Sample(l.Rng)
	for _, f := range l.faults {
		d += f.Delay.Sample(l.Rng)
	}
	at = now + d
	window := usual.Window
	held = usual.Reorder.Hit(l.Rng)
	for _, f := range l.faults {
		if f.Reorder.Hit(l.Rng) {
			f.Hits.Held++
			held, window = true, max(window, f.Window)
		}
	}
	if held && window > 0 {
		return at + time.Duration(l.Rng.Int64N(int64(window))), true
	}
	at = max(at, l.last+1)
	l.last = at
	return at, false
}
