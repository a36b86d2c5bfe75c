package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"drydock/sim/dist"
)

// delaySampler draws delays from a stream.
type delaySampler struct {
	least, tailMost time.Duration
	jitter          dist.Dist
	tail            uint64 // threshold of a 32-bit draw
}

func newSampler(d Delays) (delaySampler, error) {
	s := delaySampler{least: d.Least, tailMost: d.TailMost, tail: threshold(d.TailChance)}
	if d.Jitter > 0 {
		var err error
		s.jitter, err = dist.New(dist.Spec{Kind: dist.Exponential, Mean: d.Jitter, Max: 20 * d.Jitter})
		if err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *delaySampler) sample(r *rand.Rand) time.Duration {
	d := s.least + s.jitter.Sample(r)
	if hit(r, s.tail) && s.tailMost > 0 {
		d += time.Duration(r.Int64N(int64(s.tailMost)))
	}
	return d
}

// threshold turns a chance into what a 32-bit draw must be below: an exact
// comparison of integers, the same on every processor.
func threshold(chance float64) uint64 {
	switch {
	case chance <= 0:
		return 0
	case chance >= 1:
		return 1 << 32
	}
	return uint64(float64(chance * (1 << 32)))
}

// hit draws only where there is a chance at all.
func hit(r *rand.Rand, threshold uint64) bool {
	return threshold > 0 && uint64(r.Uint32()) < threshold
}

// impairment is one fault on a link.
type impairment struct {
	cut             bool
	delay           delaySampler
	loss, dup, held uint64
	window          time.Duration
}

// link is one direction between two machines.
type link struct {
	from, to *machine
	a, z     uint64 // the ends' numbers in the trace
	rng      *rand.Rand
	faults   []*impairment
	// last is when the latest message arrives: links keep order, as the
	// streams of production do, but where a fault holds a message back.
	last time.Duration
}

// network carries frames between machines.
type network struct {
	w                *World
	links            [][]*link
	boxes            map[boxLink]*link // made when first used
	usual            delaySampler
	loss, dup, held  uint64
	window           time.Duration
	sent, lost, cuts uint64
}

func newNetwork(w *World) (*network, error) {
	usual, err := newSampler(w.cfg.Net)
	if err != nil {
		return nil, fmt.Errorf("sim: network: %w", err)
	}
	n := &network{
		w: w, boxes: make(map[boxLink]*link), usual: usual, window: w.cfg.Net.TailMost,
		loss: threshold(w.cfg.Loss), dup: threshold(w.cfg.Duplicate), held: threshold(w.cfg.Reorder),
	}
	for _, from := range w.machines {
		row := make([]*link, 0, len(w.machines))
		for _, to := range w.machines {
			row = append(row, &link{from: from, to: to, a: uint64(from.index), z: uint64(to.index), rng: w.src.Stream("net/" + from.name + "-" + to.name)})
		}
		n.links = append(n.links, row)
	}
	return n, nil
}

// send puts a frame on a link.
func (n *network) send(from, to *machine, frame []byte) {
	l := n.links[from.index][to.index]
	n.sent++
	n.w.trace.add(n.w.now(), traceSend, uint64(from.index), uint64(to.index), frame)
	if l.dropped(n.loss) {
		n.lost++
		n.w.trace.add(n.w.now(), traceLost, uint64(from.index), uint64(to.index), nil)
		ended(n.w.recorder.message(from, to, frame), false)
		return
	}
	l.schedule(n, frame)
	if l.drawn(n.dup, func(f *impairment) uint64 { return f.dup }) {
		l.schedule(n, slices.Clone(frame))
	}
}

// schedule has a frame arrive.
func (l *link) schedule(n *network, frame []byte) {
	at := l.arrival(n)
	record := n.w.recorder.message(l.from, l.to, frame)
	n.w.queue.At(at, func() { l.arrive(n, frame, record) })
}

// arrival decides when what is sent now arrives.
func (l *link) arrival(n *network) time.Duration {
	d := n.usual.sample(l.rng)
	for _, f := range l.faults {
		d += f.delay.sample(l.rng)
	}
	at := n.w.now() + d
	window := n.window
	held := hit(l.rng, n.held)
	for _, f := range l.faults {
		if hit(l.rng, f.held) {
			held, window = true, max(window, f.window)
		}
	}
	if held && window > 0 {
		at += time.Duration(l.rng.Int64N(int64(window)))
	} else {
		at = max(at, l.last+1)
		l.last = at
	}
	return at
}

// arrive hands a frame over; record is for the recorder, and may be nil.
func (l *link) arrive(n *network, frame []byte, record func(arrived bool)) {
	ended(record, !l.isCut())
	if l.isCut() {
		n.cuts++
		return
	}
	if t := n.w.trace.told; t != nil {
		t.frame = frame
	}
	n.w.trace.add(n.w.now(), traceDeliver, uint64(l.from.index), uint64(l.to.index), nil)
	l.to.receive(frame)
}

func (l *link) isCut() bool {
	return slices.ContainsFunc(l.faults, func(f *impairment) bool { return f.cut })
}

func (l *link) dropped(usual uint64) bool {
	return l.isCut() || l.drawn(usual, func(f *impairment) uint64 { return f.loss })
}

// drawn draws once for the usual chance and once for each fault's.
func (l *link) drawn(usual uint64, chance func(*impairment) uint64) bool {
	yes := hit(l.rng, usual)
	for _, f := range l.faults {
		if hit(l.rng, chance(f)) {
			yes = true
		}
	}
	return yes
}

func (l *link) impair(f *impairment) { l.faults = append(l.faults, f) }

func (l *link) repair(f *impairment) {
	l.faults = slices.DeleteFunc(l.faults, func(g *impairment) bool { return g == f })
}
