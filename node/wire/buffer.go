package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrFrame is matched by every decoding error of this package.
var ErrFrame = errors.New("wire: bad frame")

// AppendBytes appends b with its length in front.
func AppendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// AppendString is AppendBytes for a string.
func AppendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// AppendSized is AppendBytes of what body appends, which need not be made
// elsewhere first.
func AppendSized(dst []byte, body func([]byte) []byte) []byte {
	at := len(dst)
	// Most bodies are short enough for a length of two bytes.
	dst = body(append(dst, 0, 0))
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(dst)-at-2))
	if n != 2 {
		size := len(dst) - at - 2
		dst = append(dst, head[2:max(n, 2)]...)
		copy(dst[at+n:], dst[at+2:at+2+size])
		dst = dst[:at+n+size]
	}
	copy(dst[at:], head[:n])
	return dst
}

// AppendUint appends v as a varint.
func AppendUint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// Reader consumes an encoded body from the front. The first error sticks; later
// reads return zero values, so that a decoder can check once at its end.
type Reader struct {
	buf []byte
	err error
	// shared is what was left when Share was called, empty unless strings are parts of it.
	shared string
}

// NewReader reads b. Slices that it returns alias b.
func NewReader(b []byte) *Reader { return &Reader{buf: b} }

// Err returns the first error, which matches ErrFrame.
func (r *Reader) Err() error { return r.err }

// Len returns how many bytes are left.
func (r *Reader) Len() int { return len(r.buf) }

// Fail records an error about field unless there is one already.
func (r *Reader) Fail(field, why string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s: %s", ErrFrame, field, why)
	}
	r.buf = nil
}

// Uint reads a varint.
func (r *Reader) Uint(field string) uint64 {
	v, n := binary.Uvarint(r.buf)
	if n <= 0 {
		r.Fail(field, "bad varint")
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

// Byte reads one byte.
func (r *Reader) Byte(field string) byte {
	if len(r.buf) == 0 {
		r.Fail(field, "missing")
		return 0
	}
	b := r.buf[0]
	r.buf = r.buf[1:]
	return b
}

// Bytes reads a length and that many bytes, at most limit.
func (r *Reader) Bytes(field string, limit int) []byte {
	n := r.Uint(field)
	if n > uint64(len(r.buf)) || n > uint64(limit) {
		r.Fail(field, fmt.Sprintf("length %d beyond the %d bytes left or the limit %d", n, len(r.buf), limit))
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// String is Bytes as a string.
func (r *Reader) String(field string, limit int) string {
	b := r.Bytes(field, limit)
	if r.shared == "" {
		return string(b)
	}
	end := len(r.shared) - len(r.buf)
	return r.shared[end-len(b) : end]
}

// Share has String return parts of one copy of what is left, until it is called with
// false: for many short strings that nobody keeps for longer than each other.
func (r *Reader) Share(on bool) {
	r.shared = ""
	if on {
		r.shared = string(r.buf)
	}
}

// Count reads a number of items, each of which takes at least one byte.
func (r *Reader) Count(field string, limit int) int {
	n := r.Uint(field)
	if n > uint64(len(r.buf)) || n > uint64(limit) {
		r.Fail(field, fmt.Sprintf("count %d beyond the %d bytes left or the limit %d", n, len(r.buf), limit))
		return 0
	}
	return int(n)
}

// Fixed reads exactly n bytes.
func (r *Reader) Fixed(field string, n int) []byte {
	if len(r.buf) < n {
		r.Fail(field, "missing")
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	return b
}

// Uint64 reads eight bytes, big endian.
func (r *Reader) Uint64(field string) uint64 {
	b := r.Fixed(field, 8)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// Done fails unless everything was read, and returns the first error.
func (r *Reader) Done(what string) error {
	if r.err == nil && len(r.buf) != 0 {
		r.Fail(what, fmt.Sprintf("%d bytes too many", len(r.buf)))
	}
	return r.err
}
