package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

// Cable connects a machine with a port. Read and Write are called from one
// goroutine each; Close may be called from any, ends both, and may be called
// more than once.
type Cable interface {
	// Read appends at least one frame to the list, or returns an error: then
	// nothing more will come. It must not touch the frames again.
	Read(frames [][]byte) ([][]byte, error)
	// Write sends frames, and keeps none of them.
	Write(frames [][]byte) error
	io.Closer
	// String says what the cable is, for people.
	fmt.Stringer
}

// plug is a cable in its port.
type plug struct {
	cable  Cable
	number int
	socket *socket
	out    *outbox
	once   sync.Once
	failed error // of Close
}

// Attach plugs a cable into a port, whose old one, if there is one, is closed.
// The switch closes the cable when it ends, also if it can't be plugged in.
func (s *Switch) Attach(name string, c Cable) error {
	s.mu.Lock()
	n, k, err := s.find(name)
	if err != nil {
		s.mu.Unlock()
		return errors.Join(err, c.Close())
	}
	old := k.plug
	p := &plug{cable: c, number: n, socket: k, out: newOutbox(s.cfg.QueueFrames, s.cfg.QueueBytes)}
	k.plug = p
	s.fabric.SetUp(s.now(), n, false) // forgets what was learned of the old one
	s.fabric.SetUp(s.now(), n, true)
	s.wg.Go(func() { s.unplug(p, p.read(s)) })
	s.wg.Go(func() { s.unplug(p, p.write()) })
	s.mu.Unlock()
	if old != nil {
		s.ended(old, old.Close())
	}
	s.log.Info("plugged in", "port", name, "cable", c.String())
	return nil
}

// Detach closes the cable in a port. It does nothing if there is none.
func (s *Switch) Detach(name string) error {
	s.mu.Lock()
	_, k, err := s.find(name)
	if err != nil || k.plug == nil {
		s.mu.Unlock()
		return err
	}
	p := k.plug
	s.mu.Unlock()
	err = p.Close()
	s.unplug(p, nil)
	return err
}

// unplug ends a cable, because of an error if there is one.
func (s *Switch) unplug(p *plug, why error) {
	s.mu.Lock()
	current := p.socket.plug == p
	if current {
		p.socket.plug = nil
		if s.sockets[p.number] == p.socket { // the port was not removed meanwhile
			s.fabric.SetUp(s.now(), p.number, false)
		}
	}
	s.mu.Unlock()
	if err := p.Close(); err != nil {
		s.ended(p, err)
	}
	if current {
		s.ended(p, why)
	}
}

// ended logs how a cable came to its end.
func (s *Switch) ended(p *plug, err error) {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		s.log.Info("unplugged", "port", p.socket.name, "cable", p.cable.String())
		return
	}
	s.log.Warn("unplugged", "port", p.socket.name, "cable", p.cable.String(), "err", err)
}

// Close closes the cable; both of its goroutines end then.
func (p *plug) Close() error {
	p.once.Do(func() {
		p.out.close()
		p.failed = p.cable.Close()
	})
	return p.failed
}

// read takes frames from the cable until it ends.
func (p *plug) read(s *Switch) error {
	var frames [][]byte
	for {
		var err error
		frames, err = p.cable.Read(frames[:0])
		if len(frames) > 0 {
			s.receive(p, frames)
		}
		if err != nil {
			return err
		}
		clear(frames)
	}
}

// write sends what leaves the port until the cable ends.
func (p *plug) write() error {
	var frames [][]byte
	for {
		clear(frames)
		var ok bool
		if frames, ok = p.out.take(frames[:0]); !ok {
			return nil
		}
		if err := p.cable.Write(frames); err != nil {
			return err
		}
	}
}

// outbox is a bounded queue of frames that are to be written.
type outbox struct {
	mostFrames, mostBytes int

	mu     sync.Mutex
	ready  sync.Cond
	frames [][]byte
	bytes  int
	closed bool
}

func newOutbox(frames, bytes int) *outbox {
	o := &outbox{mostFrames: frames, mostBytes: bytes}
	o.ready.L = &o.mu
	return o
}

// put adds a frame, and returns false if there is no room.
func (o *outbox) put(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.frames) >= o.mostFrames || len(o.frames) > 0 && o.bytes+len(frame) > o.mostBytes {
		return false
	}
	o.frames = append(o.frames, frame)
	o.bytes += len(frame)
	if len(o.frames) == 1 {
		o.ready.Signal()
	}
	return true
}

// take waits for frames and returns all there are; it keeps the given slice for
// those to come. It returns false once the outbox is closed.
func (o *outbox) take(free [][]byte) ([][]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.frames) == 0 && !o.closed {
		o.ready.Wait()
	}
	frames := o.frames
	o.frames, o.bytes = free, 0
	return frames, !o.closed
}

func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.frames)
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.ready.Broadcast()
}
