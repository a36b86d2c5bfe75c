package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Bounds of what a probe may be asked for.
const (
	// MaxCount is how many messages or syncs one probe may take.
	MaxCount = 100_000
	// MaxBytes is the largest message.
	MaxBytes = 1 << 20
	// headBytes are a message's own: its length, the answerer's two times.
	headBytes = 4 + 8 + 8
	// idleTime is how long an answerer waits for the next message.
	idleTime = 20 * time.Second
)

// ErrBounds says that a probe was asked for more than it does.
var ErrBounds = errors.New("probe: out of bounds")

// Ways are how long messages took, in order of sending.
type Ways struct {
	// There is from the asker to the answerer, Back the other way.
	There []time.Duration `json:"there"`
	Back  []time.Duration `json:"back"`
	// Halves says that the two machines have clocks of their own, so that both ways
	// are half of the time for both.
	Halves bool `json:"halves,omitempty"`
}

// Answer takes one connection from a listener and answers what comes over it until
// it ends. What is sent back has the size of what came, and the times of both.
func Answer(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	if t, ok := l.(*net.TCPListener); ok {
		if err := t.SetDeadline(time.Now().Add(idleTime)); err != nil {
			return err
		}
	}
	conn, err := l.Accept()
	if err != nil {
		return fmt.Errorf("probe: nobody asks: %w", err)
	}
	defer func() { _ = conn.Close() }()
	end := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer end()
	if _, err := conn.Write([]byte(clockName())); err != nil {
		return err
	}
	buf := make([]byte, MaxBytes)
	for {
		if err := conn.SetDeadline(time.Now().Add(idleTime)); err != nil {
			return err
		}
		frame, err := readFrame(conn, buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint64(frame[4:], uint64(now()))
		binary.LittleEndian.PutUint64(frame[12:], uint64(now()))
		if _, err := conn.Write(frame); err != nil {
			return err
		}
	}
}

// readFrame reads a message into a buffer, whole.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, buf[:4]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(buf)
	if n < headBytes || int(n) > len(buf) {
		return nil, fmt.Errorf("%w: a message of %d bytes", ErrBounds, n)
	}
	_, err := io.ReadFull(r, buf[4:n])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return buf[:n], err
}

// Ask sends so many messages of a size over a connection to an answerer, one every
// so often, and says how long they took.
func Ask(ctx context.Context, conn net.Conn, count, size int, every time.Duration) (*Ways, error) {
	if count < 1 || count > MaxCount || size < headBytes || size > MaxBytes || every < 0 {
		return nil, fmt.Errorf("%w: %d messages of %d bytes: 1 to %d of %d to %d", ErrBounds, count, size, MaxCount, headBytes, MaxBytes)
	}
	end := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer end()
	theirs := make([]byte, len(clockName()))
	if _, err := io.ReadFull(conn, theirs); err != nil {
		return nil, fmt.Errorf("probe: no answer: %w", err)
	}
	w := &Ways{Halves: string(theirs) != clockName() || noClock == clockName()}
	buf := make([]byte, size)
	tick := time.NewTicker(max(every, time.Microsecond))
	defer tick.Stop()
	for range count {
		<-tick.C
		binary.LittleEndian.PutUint32(buf, uint32(size))
		if err := conn.SetDeadline(time.Now().Add(idleTime)); err != nil {
			return nil, err
		}
		sent := now()
		if _, err := conn.Write(buf); err != nil {
			return nil, err
		}
		if _, err := readFrame(conn, buf); err != nil {
			return nil, fmt.Errorf("probe: no answer: %w", err)
		}
		back := now()
		came, left := int64(binary.LittleEndian.Uint64(buf[4:])), int64(binary.LittleEndian.Uint64(buf[12:]))
		there, again := came-sent, back-left
		if w.Halves {
			there = (back - sent - (left - came)) / 2
			again = there
		}
		w.There, w.Back = append(w.There, time.Duration(max(0, there))), append(w.Back, time.Duration(max(0, again)))
	}
	return w, nil
}
