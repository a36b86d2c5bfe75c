package fabric

import (
	"slices"
	"time"

	"drydock/sim/impair"
)

// line is one direction between two ports.
type line struct {
	impair.Line
	from, to *port
	rules    []*rule // those that hold for it, in the order of their ids
	counts   Counts
}

// none is what is usual on a lab's links: rules alone impair them.
var none impair.Fault

// between returns the line from p to q.
func (f *Fabric) between(p, q *port) *line {
	if q.number < len(p.to) && p.to[q.number] != nil {
		return p.to[q.number]
	}
	for len(p.to) <= q.number {
		p.to = append(p.to, nil)
	}
	l := &line{from: p, to: q}
	l.Rng = f.source.Stream("net/" + p.Name + "-" + q.Name)
	for _, r := range f.rules {
		if r.about(p, q) {
			l.attach(r)
		}
	}
	p.to[q.number] = l
	return l
}

// attach has a rule hold for the line.
func (l *line) attach(r *rule) {
	l.rules = append(l.rules, r)
	l.Impair(&r.fault)
}

// detach ends that.
func (l *line) detach(r *rule) {
	l.rules = slices.DeleteFunc(l.rules, func(s *rule) bool { return s == r })
	l.Repair(&r.fault)
}

// send puts a frame on the line.
func (l *line) send(f *Fabric, frame []byte) {
	now := f.queue.Now()
	l.counts.Frames++
	l.counts.Bytes += uint64(len(frame))
	if !l.to.up {
		l.counts.Down++
		f.dropped(l.from, l.to, frame, WhyDown)
		return
	}
	if l.Clear(now) {
		l.arrive(f, frame)
		return
	}
	if l.Cut() {
		l.counts.Cut++
		f.dropped(l.from, l.to, frame, WhyCut)
		return
	}
	if l.Lost(&none) {
		l.counts.Lost++
		f.dropped(l.from, l.to, frame, WhyLost)
		return
	}
	leaves, ok := l.throttle(now, len(frame))
	if !ok {
		l.counts.Throttled++
		f.dropped(l.from, l.to, frame, WhyRate)
		return
	}
	l.schedule(f, leaves, frame)
	if l.Duplicated(&none) {
		l.counts.Duplicated++
		l.schedule(f, leaves, frame)
	}
}

// throttle says when a frame has passed all rates, and false if one of them has
// it wait for too long.
func (l *line) throttle(now time.Duration, size int) (time.Duration, bool) {
	at, ok := now, true
	for _, r := range l.rules {
		if at, ok = r.pass(at, size); !ok {
			return 0, false
		}
	}
	return at, true
}

// schedule has a frame arrive that leaves at a time.
func (l *line) schedule(f *Fabric, leaves time.Duration, frame []byte) {
	at, held := l.Arrival(leaves, &none)
	if held {
		l.counts.Held++
	}
	now := f.queue.Now()
	if at <= now {
		l.arrive(f, l.corrupt(frame, false))
		return
	}
	q := l.to
	if q.waiting >= f.cfg.QueueFrames || q.waitingBytes+len(frame) > f.cfg.QueueBytes {
		l.counts.Overload++
		f.dropped(l.from, q, frame, WhyOverload)
		return
	}
	if at-now >= time.Microsecond {
		l.counts.Delayed++
	}
	q.waiting++
	q.waitingBytes += len(frame)
	frame = l.corrupt(slices.Clone(frame), true)
	f.queue.At(at, func() {
		q.waiting--
		q.waitingBytes -= len(frame)
		l.land(f, frame)
	})
}

// land ends a frame's way, if there still is an end.
func (l *line) land(f *Fabric, frame []byte) {
	switch {
	case l.from.gone || l.to.gone:
		return
	case !l.to.up:
		l.counts.Down++
		f.dropped(l.from, l.to, frame, WhyDown)
	case l.Cut():
		l.counts.Cut++
		f.dropped(l.from, l.to, frame, WhyCut)
	default:
		l.arrive(f, frame)
	}
}

// arrive hands a frame over.
func (l *line) arrive(f *Fabric, frame []byte) {
	l.counts.Delivered++
	l.counts.DeliveredBytes += uint64(len(frame))
	l.to.counts.Delivered++
	l.to.counts.DeliveredBytes += uint64(len(frame))
	if f.watch != nil {
		f.watch(Event{Kind: Delivered, From: l.from.number, To: l.to.number, Frame: frame})
	}
	f.deliver(l.to.number, frame)
}

// corrupt turns a bit behind the header for each rule that says so now. The
// frame is copied first unless it is the line's own.
func (l *line) corrupt(frame []byte, own bool) []byte {
	for _, r := range l.rules {
		if len(frame) == headerBytes || !r.corrupt.Hit(l.Rng) {
			continue
		}
		r.corrupted++
		l.counts.Corrupted++
		if !own {
			frame, own = slices.Clone(frame), true
		}
		bit := l.Rng.IntN(8 * (len(frame) - headerBytes))
		frame[headerBytes+bit/8] ^= 1 << (bit % 8)
	}
	return frame
}
