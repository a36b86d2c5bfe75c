package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"drydock/vmlab/wire/fabric"
)

// Sizes of streams.
const (
	// lengthBytes is the length of what is before each frame: its length, big
	// endian.
	lengthBytes = 4
	// maxFramed is the longest frame that a stream may announce, as QEMU has it
	// (NET_BUFSIZE); the fabric drops those beyond its own bound.
	maxFramed = 4096 + 65536
	// chunkBytes is how much is read at once.
	chunkBytes = 64 << 10
	// spareBytes is the room below which a new chunk is begun.
	spareBytes = 2 << 10
)

// ErrFraming is matched by the error that ends a stream which announces a frame
// that is too long: it is not of frames, or out of step.
var ErrFraming = errors.New("wire: no frame")

// Stream is a connection on which each frame comes behind its length.
func Stream(conn net.Conn) Cable { return &streamCable{conn: conn} }

type streamCable struct {
	conn net.Conn
	in   splitter
	out  []byte
}

// Read implements Cable.
func (c *streamCable) Read(frames [][]byte) ([][]byte, error) {
	for {
		if err := c.in.fill(c.conn); err != nil {
			return frames, err
		}
		var err error
		if frames, err = c.in.split(frames); err != nil || len(frames) > 0 {
			return frames, err
		}
	}
}

// Write implements Cable.
func (c *streamCable) Write(frames [][]byte) error {
	buf := c.out[:0]
	for _, frame := range frames {
		if len(buf) > 0 && len(buf)+lengthBytes+len(frame) > chunkBytes {
			if _, err := c.conn.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
		buf = appendFramed(buf, frame)
	}
	c.out = buf[:0]
	_, err := c.conn.Write(buf)
	return err
}

func appendFramed(buf, frame []byte) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(frame)))
	return append(buf, frame...)
}

// Close implements Cable.
func (c *streamCable) Close() error { return c.conn.Close() }

// String implements Cable.
func (c *streamCable) String() string { return "stream" }

// splitter finds the frames in a stream. The frames that it returns are parts of
// chunks that it writes no more to.
type splitter struct {
	chunk []byte // what was read and is not yet part of a frame, at its capacity's end
	need  int    // bytes of the frame that has begun, its length included
}

// fill reads once.
func (s *splitter) fill(r io.Reader) error {
	if room := cap(s.chunk) - len(s.chunk); room < max(spareBytes, s.need-len(s.chunk)) {
		chunk := make([]byte, len(s.chunk), max(chunkBytes, s.need+chunkBytes/2))
		copy(chunk, s.chunk)
		s.chunk = chunk
	}
	n, err := r.Read(s.chunk[len(s.chunk):cap(s.chunk)])
	s.chunk = s.chunk[:len(s.chunk)+n]
	switch {
	case n > 0:
		return nil // an error comes again
	case err == nil:
		return io.ErrNoProgress
	case errors.Is(err, io.EOF) && len(s.chunk) > 0:
		return io.ErrUnexpectedEOF
	}
	return err
}

// split appends the frames that are there. Frames of no bytes are passed over.
func (s *splitter) split(frames [][]byte) ([][]byte, error) {
	for {
		s.need = lengthBytes
		if len(s.chunk) < s.need {
			return frames, nil
		}
		size := binary.BigEndian.Uint32(s.chunk)
		if size > maxFramed {
			return frames, fmt.Errorf("%w: of %d bytes, at most %d", ErrFraming, size, maxFramed)
		}
		s.need += int(size)
		if len(s.chunk) < s.need {
			return frames, nil
		}
		if size > 0 {
			frames = append(frames, s.chunk[lengthBytes:s.need:s.need])
		}
		s.chunk = s.chunk[s.need:]
	}
}

// frameReader reads one frame at a time, into chunks that it writes no more to
// once a frame is in them.
type frameReader struct {
	chunk   []byte
	scratch []byte
}

// next reads a frame with one call.
func (f *frameReader) next(read func([]byte) (int, error)) ([]byte, error) {
	if f.scratch == nil {
		// One byte more than the longest, so that a longer one shows.
		f.scratch = make([]byte, fabric.MaxFrame+1)
	}
	n, err := read(f.scratch)
	if err != nil {
		return nil, err
	}
	if n > len(f.chunk) {
		f.chunk = make([]byte, max(chunkBytes, n))
	}
	frame := f.chunk[:n:n]
	f.chunk = f.chunk[n:]
	copy(frame, f.scratch[:n])
	return frame, nil
}
