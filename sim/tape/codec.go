package tape

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// ErrFormat is what Decode's errors match: the input is no tape.
var ErrFormat = errors.New("not a tape")

const magic = "drydock tape 1\n"

// Bounds on what is read.
const (
	maxBytes  = 256 << 20
	hashBytes = 32
	maxKinds  = 256
)

// Encode writes a tape, compressed.
func Encode(w io.Writer, t *Tape) error {
	sum, err := hex.DecodeString(t.Trace)
	if err != nil || len(sum) != hashBytes {
		return fmt.Errorf("tape: trace hash %q is not %d bytes in hex", t.Trace, hashBytes)
	}
	z := gzip.NewWriter(w)
	b := append([]byte(magic), sum...)
	b = binary.AppendUvarint(b, t.Events)
	b = binary.AppendUvarint(b, uint64(len(t.Kinds)))
	for _, kind := range t.Kinds {
		b = binary.AppendUvarint(b, uint64(len(kind)))
		b = append(b, kind...)
	}
	b = binary.AppendUvarint(b, uint64(len(t.Points)))
	var last Point
	for _, p := range t.Points {
		b = binary.AppendUvarint(b, p.Event-last.Event)
		b = binary.AppendUvarint(b, uint64(p.At-last.At))
		b = append(b, p.Hash[:]...)
		last = p
	}
	b = binary.AppendUvarint(b, uint64(len(t.Marks)))
	for _, m := range t.Marks {
		b = append(b, m.Kind, m.Who, m.Sum)
	}
	if _, err := z.Write(b); err != nil {
		return fmt.Errorf("tape: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("tape: %w", err)
	}
	return nil
}

// Decode reads a tape. Errors match ErrFormat, but for those of reading.
func Decode(r io.Reader) (*Tape, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	b, err := io.ReadAll(io.LimitReader(z, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(b) > maxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrFormat, maxBytes)
	}
	b, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok || len(b) < hashBytes {
		return nil, fmt.Errorf("%w: no head", ErrFormat)
	}
	t := &Tape{Trace: hex.EncodeToString(b[:hashBytes])}
	d := &decoder{rest: b[hashBytes:]}
	t.Events = d.number(math.MaxUint64)
	d.kinds(t)
	d.points(t)
	d.marks(t)
	if d.bad || len(d.rest) > 0 {
		return nil, fmt.Errorf("%w: damaged", ErrFormat)
	}
	return t, nil
}

// decoder takes numbers off its input; bad stays set after the first mistake.
type decoder struct {
	rest []byte
	bad  bool
}

// number reads an integer of at most limit.
func (d *decoder) number(limit uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.bad || n <= 0 || v > limit {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) kinds(t *Tape) {
	for range d.number(min(maxKinds, uint64(len(d.rest)))) {
		n := d.number(uint64(len(d.rest)))
		if d.bad || n > uint64(len(d.rest)) {
			d.bad = true
			return
		}
		t.Kinds = append(t.Kinds, string(d.rest[:n]))
		d.rest = d.rest[n:]
	}
}

func (d *decoder) points(t *Tape) {
	const least = 2 + 8 // bytes that a point takes
	var last Point
	for range d.number(uint64(len(d.rest) / least)) {
		p := Point{Event: last.Event + d.number(t.Events-last.Event)}
		p.At = last.At + time.Duration(d.number(uint64(math.MaxInt64-last.At)))
		if d.bad || len(d.rest) < len(p.Hash) || p.Event == last.Event {
			d.bad = true
			return
		}
		d.rest = d.rest[copy(p.Hash[:], d.rest):]
		t.Points = append(t.Points, p)
		last = p
	}
}

func (d *decoder) marks(t *Tape) {
	n := d.number(min(t.Events, uint64(len(d.rest)/3)))
	for range n {
		t.Marks = append(t.Marks, Mark{d.rest[0], d.rest[1], d.rest[2]})
		d.rest = d.rest[3:]
	}
}
