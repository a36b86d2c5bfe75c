package transport

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"drydock/node/wire"
)

// recordKind says what a record's payload is.
type recordKind uint8

const (
	recordFrame recordKind = 1 + iota // a whole frame
	recordBegin                       // total u32, and the first part of a frame of that length
	recordMore                        // the next part; parts end when the total is reached
	recordPing                        // 8 bytes, to be sent back
	recordPong                        // 8 bytes, sent back
	recordBye                         // why the connection ends
)

// Sizes of records.
const (
	recordHead = 1 + 4
	// partBytes is the largest payload of a frame that is sent, maxPayload what is
	// taken.
	partBytes  = 128 << 10
	maxPayload = 256 << 10
	pingBytes  = 8
	maxBye     = 256
)

// errStream is matched by errors of what came over a connection.
var errStream = errors.New("broken stream")

// errBye is matched when the other side ended the connection with a word.
var errBye = errors.New("ended by the other side")

// appendRecordHead appends the head of a record with n bytes of payload.
func appendRecordHead(b []byte, kind recordKind, n int) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(kind)), uint32(n))
}

// appendPing appends a ping or pong.
func appendPing(b []byte, kind recordKind, stamp uint64) []byte {
	return binary.BigEndian.AppendUint64(appendRecordHead(b, kind, pingBytes), stamp)
}

// appendBye appends the record that ends a connection.
func appendBye(b []byte, why string) []byte {
	why = why[:min(len(why), maxBye)]
	return append(appendRecordHead(b, recordBye, len(why)), why...)
}

// recordReader reads records and puts frames together.
type recordReader struct {
	r     *bufio.Reader
	head  [recordHead]byte
	parts []byte // of a frame that is not whole
	total int    // its length; zero if there is none
}

// event is what a recordReader found: a whole frame, or a ping or pong.
type event struct {
	frame []byte // the receiver's own
	kind  recordKind
	stamp uint64
}

// next returns the next frame, ping or pong. A bye ends with errBye.
func (r *recordReader) next() (event, error) {
	for {
		if _, err := io.ReadFull(r.r, r.head[:]); err != nil {
			return event{}, err
		}
		kind, n := recordKind(r.head[0]), int(binary.BigEndian.Uint32(r.head[1:]))
		if n > maxPayload {
			return event{}, fmt.Errorf("%w: record of %d bytes, at most %d", errStream, n, maxPayload)
		}
		switch kind {
		case recordFrame:
			frame := make([]byte, n)
			_, err := io.ReadFull(r.r, frame)
			return event{frame: frame, kind: kind}, err
		case recordBegin, recordMore:
			frame, err := r.part(kind, n)
			if frame != nil || err != nil {
				return event{frame: frame, kind: recordFrame}, err
			}
		case recordPing, recordPong:
			if n != pingBytes {
				return event{}, fmt.Errorf("%w: ping of %d bytes", errStream, n)
			}
			var b [pingBytes]byte
			_, err := io.ReadFull(r.r, b[:])
			return event{kind: kind, stamp: binary.BigEndian.Uint64(b[:])}, err
		case recordBye:
			why := make([]byte, min(n, maxBye))
			if _, err := io.ReadFull(r.r, why); err != nil {
				return event{}, err
			}
			return event{}, fmt.Errorf("%w: %s", errBye, printable(string(why)))
		default:
			return event{}, fmt.Errorf("%w: record of unknown kind %d", errStream, kind)
		}
	}
}

// part reads a part of n bytes and returns the frame if it was the last.
func (r *recordReader) part(kind recordKind, n int) ([]byte, error) {
	if (kind == recordBegin) != (r.total == 0) {
		return nil, fmt.Errorf("%w: a part out of place", errStream)
	}
	if kind == recordBegin {
		var b [4]byte
		if n < len(b) {
			return nil, fmt.Errorf("%w: first part of %d bytes", errStream, n)
		}
		if _, err := io.ReadFull(r.r, b[:]); err != nil {
			return nil, err
		}
		n -= len(b)
		total := binary.BigEndian.Uint32(b[:])
		if total > wire.MaxFrameBytes {
			return nil, fmt.Errorf("%w: frame of %d bytes, at most %d", errStream, total, wire.MaxFrameBytes)
		}
		// Room is made as parts come: a number alone must not cost memory.
		r.total, r.parts = int(total), make([]byte, 0, min(int(total), 2<<20))
	}
	if n == 0 || n > r.total-len(r.parts) {
		return nil, fmt.Errorf("%w: part of %d bytes where %d are left", errStream, n, r.total-len(r.parts))
	}
	at := len(r.parts)
	r.parts = slices.Grow(r.parts, n)[:at+n]
	if _, err := io.ReadFull(r.r, r.parts[at:]); err != nil {
		return nil, err
	}
	if len(r.parts) < r.total {
		return nil, nil
	}
	frame := r.parts
	r.parts, r.total = nil, 0
	return frame, nil
}

// printable makes a text from elsewhere fit for a log: one line of plain
// characters, of bounded length.
func printable(s string) string {
	const most = 512
	s = s[:min(len(s), most)]
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\ufffd' || (r >= 0x80 && r < 0xa0) {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}
