package tether

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"drydock/node/link"
)

// Bounds of a stream's queue. The largest answer to a machine is its orders and the
// texts of its units, in frames of link.MaxFrameBytes.
const (
	maxFrames = 1024
	maxBytes  = 4 * link.MaxFrameBytes
)

// Times of a stream.
const (
	// Silence is how long a member waits for a machine's next frame.
	Silence = 15 * time.Second
	// writeTime is how long a frame may take to be taken by the network.
	writeTime = 5 * time.Second
)

// readerBytes is little: a member has a reader for each machine.
const readerBytes = 2 << 10

// ErrStream is matched by errors of what came over a connection.
var ErrStream = errors.New("broken stream")

// Stream is a connection between a machine and a member, seen from either end. Send
// and Close may be called by any goroutine, Receive by one.
type Stream struct {
	conn    net.Conn
	in      *bufio.Reader
	silence time.Duration // zero for no bound
	lost    atomic.Uint64

	mu      sync.Mutex
	queue   [][]byte
	bytes   int
	writing bool
	closed  bool
}

func newStream(conn net.Conn, in *bufio.Reader, silence time.Duration) *Stream {
	return &Stream{conn: conn, in: in, silence: silence}
}

// Receive returns the next frame, which is the caller's own.
func (s *Stream) Receive() ([]byte, error) {
	if s.silence > 0 {
		if err := s.conn.SetReadDeadline(time.Now().Add(s.silence)); err != nil {
			return nil, err
		}
	}
	var head [4]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > link.MaxFrameBytes {
		return nil, fmt.Errorf("%w: frame of %d bytes, want 1 to %d", ErrStream, n, link.MaxFrameBytes)
	}
	return readFrame(s.in, int(n))
}

// readFrame makes room as bytes come: a number alone must not cost memory.
func readFrame(in io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	frame := make([]byte, min(n, step))
	for at := 0; ; {
		if _, err := io.ReadFull(in, frame[at:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if at = len(frame); at == n {
			return frame, nil
		}
		more := make([]byte, min(n, 2*at))
		copy(more, frame)
		frame = more
	}
}

// Send queues a frame, which it owns from here on, or drops it.
func (s *Stream) Send(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(frame) == 0 || len(frame) > link.MaxFrameBytes || len(s.queue) >= maxFrames || s.bytes+len(frame) > maxBytes {
		s.lost.Add(1)
		return
	}
	s.queue = append(s.queue, frame)
	s.bytes += len(frame)
	if !s.writing {
		s.writing = true
		go s.write()
	}
}

// Lost counts frames that were dropped.
func (s *Stream) Lost() uint64 { return s.lost.Load() }

// write sends what is queued, and ends with it.
func (s *Stream) write() {
	for {
		s.mu.Lock()
		frames := s.queue
		s.queue, s.bytes = nil, 0
		if len(frames) == 0 || s.closed {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if err := s.writeAll(frames); err != nil {
			s.Close()
		}
	}
}

// writeAll sends small frames together.
func (s *Stream) writeAll(frames [][]byte) error {
	const batch = 64 << 10
	var buf []byte
	for i, frame := range frames {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(frame)))
		buf = append(buf, frame...)
		if i+1 < len(frames) && len(buf)+len(frames[i+1]) < batch {
			continue
		}
		if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
			return err
		}
		if _, err := s.conn.Write(buf); err != nil {
			return err
		}
		buf = buf[:0]
	}
	return nil
}

// Close ends the connection: Receive returns an error, and what is queued is dropped.
func (s *Stream) Close() {
	s.mu.Lock()
	s.closed, s.queue, s.bytes = true, nil, 0
	s.mu.Unlock()
	conn := s.conn
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn() // TLS would say goodbye first, and wait for it to be taken
	}
	_ = conn.Close()
}

// tune sets a connection's options.
func tune(conn net.Conn) {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3})
	}
}
