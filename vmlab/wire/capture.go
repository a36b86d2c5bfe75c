package wire

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"drydock/vmlab/wire/fabric"
	"drydock/vmlab/wire/pcapng"
)

// maxPending bounds what a capture holds that is not yet written.
const maxPending = 8 << 20

// droppedInterface is where a capture has the frames that went no further.
const droppedInterface = "dropped"

// Capture writes frames to a file. Each port is an interface: what its machine
// sent is inbound, what it was sent is outbound. The frames that were dropped
// are on the interface "dropped" once more, with the reason as comment.
type Capture struct {
	s       *Switch
	w       io.Writer
	ports   []string // empty: all
	encoder pcapng.Encoder
	names   []string // interfaces, by number

	mu      sync.Mutex
	ready   sync.Cond
	pending []byte
	stopped bool
	stats   CaptureStats
	err     error
	done    chan struct{}
}

// CaptureStats says what a capture holds. Missed frames came faster than they
// could be written.
type CaptureStats struct {
	Frames uint64 `json:"frames"`
	Missed uint64 `json:"missed"`
}

// Capture begins to write the frames of the named ports, or of all. A name may be
// a machine's, which is all its ports.
func (s *Switch) Capture(w io.Writer, ports ...string) (*Capture, error) {
	c := &Capture{s: s, w: w, ports: slices.Clone(ports), done: make(chan struct{})}
	c.ready.L = &c.mu
	c.pending = c.encoder.Section(nil, "drydock lab")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	for _, name := range ports {
		if !slices.ContainsFunc(s.sockets, func(k *socket) bool { return k != nil && fabric.Named(k.name, name) }) {
			return nil, fmt.Errorf("%w: there is no port %q", fabric.ErrPort, name)
		}
	}
	s.captures = append(s.captures, c)
	s.watch()
	go c.write()
	return c, nil
}

// watch has the fabric show frames if anybody captures. The lock is held.
func (s *Switch) watch() {
	if len(s.captures) == 0 {
		s.fabric.Watch(nil)
		return
	}
	s.fabric.Watch(func(e fabric.Event) {
		now := time.Now()
		for _, c := range s.captures {
			c.add(now, e, s.sockets[e.From].name, s.sockets[e.To].name)
		}
	})
}

// Stop ends the capture when all that it holds is written.
func (c *Capture) Stop() (CaptureStats, error) {
	c.s.mu.Lock()
	c.s.captures = slices.DeleteFunc(c.s.captures, func(d *Capture) bool { return d == c })
	c.s.watch()
	c.s.mu.Unlock()
	c.mu.Lock()
	c.stopped = true
	c.ready.Signal()
	c.mu.Unlock()
	<-c.done
	return c.stats, c.err
}

// add takes what happened to a frame. The switch's lock is held.
func (c *Capture) add(now time.Time, e fabric.Event, from, to string) {
	p := pcapng.Packet{Time: now, Data: e.Frame}
	where := from
	switch e.Kind {
	case fabric.Received:
		p.Direction = pcapng.Inbound
	case fabric.Delivered:
		where, p.Direction = to, pcapng.Outbound
	case fabric.Dropped:
		p.Comment = from + ">" + to + ": " + string(e.Why)
		if from == to {
			p.Comment = from + ": " + string(e.Why)
		}
	}
	if !c.wants(where) && (e.Kind != fabric.Dropped || !c.wants(to)) {
		return
	}
	if e.Kind == fabric.Dropped {
		where = droppedInterface
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || len(c.pending)+len(e.Frame) > maxPending {
		c.stats.Missed++
		return
	}
	p.Interface = c.number(where)
	pending, err := c.encoder.Packet(c.pending, p)
	if err != nil {
		c.err = err // it would be a mistake of number
		return
	}
	c.pending = pending
	c.stats.Frames++
	c.ready.Signal()
}

func (c *Capture) wants(port string) bool {
	return len(c.ports) == 0 || slices.ContainsFunc(c.ports, func(name string) bool { return fabric.Named(port, name) })
}

// number returns an interface's number; it is added if it is new.
func (c *Capture) number(name string) int {
	if i := slices.Index(c.names, name); i >= 0 {
		return i
	}
	c.names = append(c.names, name)
	var n int
	c.pending, n = c.encoder.Interface(c.pending, name)
	return n
}

// write writes what is pending until the capture is stopped.
func (c *Capture) write() {
	defer close(c.done)
	var buf []byte
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.pending) == 0 && !c.stopped {
			c.ready.Wait()
		}
		if len(c.pending) == 0 {
			return
		}
		buf, c.pending = c.pending, buf[:0]
		c.mu.Unlock()
		_, err := c.w.Write(buf)
		c.mu.Lock()
		if err != nil && c.err == nil {
			c.err = fmt.Errorf("wire: capture: %w", err)
		}
	}
}
