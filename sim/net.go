package sim

import (
	"fmt"
	"slices"

	"drydock/sim/impair"
)

// link is one direction between two machines.
type link struct {
	impair.Line
	from, to *machine
	a, z     uint64 // the ends' numbers in the trace
}

// network carries frames between machines.
type network struct {
	w                *World
	links            [][]*link
	boxes            map[boxLink]*link // made when first used
	usual            impair.Fault
	sent, lost, cuts uint64
}

func newNetwork(w *World) (*network, error) {
	delay, err := w.cfg.linkTimes()
	if err != nil {
		return nil, fmt.Errorf("sim: network: %w", err)
	}
	n := &network{
		w: w, boxes: make(map[boxLink]*link),
		usual: impair.Fault{
			Delay: delay, Loss: impair.ChanceOf(w.cfg.Loss), Duplicate: impair.ChanceOf(w.cfg.Duplicate),
			Reorder: impair.ChanceOf(w.cfg.Reorder), Window: w.cfg.Net.TailMost,
		},
	}
	for _, from := range w.machines {
		row := make([]*link, 0, len(w.machines))
		for _, to := range w.machines {
			rng := w.src.Stream("net/" + from.name + "-" + to.name)
			row = append(row, &link{Line: impair.Line{Rng: rng}, from: from, to: to, a: uint64(from.index), z: uint64(to.index)})
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
	if l.Lost(&n.usual) {
		n.lost++
		n.w.trace.add(n.w.now(), traceLost, uint64(from.index), uint64(to.index), nil)
		ended(n.w.recorder.message(from, to, frame), false)
		return
	}
	l.schedule(n, frame)
	if l.Duplicated(&n.usual) {
		l.schedule(n, slices.Clone(frame))
	}
}

// schedule has a frame arrive.
func (l *link) schedule(n *network, frame []byte) {
	at, _ := l.Arrival(n.w.now(), &n.usual)
	record := n.w.recorder.message(l.from, l.to, frame)
	n.w.queue.At(at, func() { l.arrive(n, frame, record) })
}

// arrive hands a frame over; record is for the recorder, and may be nil.
func (l *link) arrive(n *network, frame []byte, record func(arrived bool)) {
	cut := l.Cut()
	ended(record, !cut)
	if cut {
		n.cuts++
		return
	}
	if t := n.w.trace.told; t != nil {
		t.frame = frame
	}
	n.w.trace.add(n.w.now(), traceDeliver, uint64(l.from.index), uint64(l.to.index), nil)
	l.to.receive(frame)
}
