package load

import (
	"bytes"
	"errors"
	"fmt"
)

// Bounds of an answer.
const (
	maxHead = 16 << 10
	maxBody = 16 << 20
)

var (
	// ErrShort says that the answer has not come whole yet.
	ErrShort = errors.New("load: the answer is not complete")
	// ErrMalformed says that what came is not an answer.
	ErrMalformed = errors.New("load: not an HTTP/1.1 answer")
)

// Answer is a response as it came.
type Answer struct {
	// Status is the code, 200 to 599.
	Status int
	// Body is the content, without its framing. It lies in the buffer that was
	// parsed and is valid until that is used again.
	Body []byte
	// Close says that the server closes the connection after this.
	Close bool
}

// Parse reads one answer from the front of b and returns its length. A body in
// chunks is joined in place, which changes b, but only once the answer is whole;
// until then the error is ErrShort and b is as it was. Only framing by length or
// by chunks is understood (RFC 9112, section 6); both at once, twice, or neither
// is an error.
func Parse(b []byte) (Answer, int, error) {
	var a Answer
	h := head{length: -1}
	rest, err := h.parse(b, &a)
	if err != nil {
		return Answer{}, 0, err
	}
	if h.chunked {
		return joined(a, b, len(b)-len(rest))
	}
	if len(rest) < h.length {
		return Answer{}, 0, ErrShort
	}
	a.Body = rest[:h.length:h.length]
	return a, len(b) - len(rest) + h.length, nil
}

// head is what the lines above the body say of it.
type head struct {
	length  int // -1 if not told
	chunked bool
}

// parse reads status line and header fields and returns what is after them.
func (h *head) parse(b []byte, a *Answer) ([]byte, error) {
	line, rest, err := cutLine(b, maxHead)
	if err != nil {
		return nil, err
	}
	if a.Status, err = status(line); err != nil {
		return nil, err
	}
	for {
		if line, rest, err = cutLine(rest, maxHead-(len(b)-len(rest))); err != nil {
			return nil, err
		}
		if len(line) == 0 {
			break
		}
		if err := h.field(line, a); err != nil {
			return nil, err
		}
	}
	switch {
	case h.chunked && h.length >= 0:
		return nil, fmt.Errorf("%w: a length beside chunks", ErrMalformed)
	case a.Status == 204 || a.Status == 304:
		if h.chunked || h.length > 0 {
			return nil, fmt.Errorf("%w: status %d with a body", ErrMalformed, a.Status)
		}
		h.length = 0
	case !h.chunked && h.length < 0:
		return nil, fmt.Errorf("%w: neither a length nor chunks", ErrMalformed)
	}
	return rest, nil
}

// cutLine takes a line that ends in CR LF and is at most limit bytes long, and
// holds no control character but tabs.
func cutLine(b []byte, limit int) (line, rest []byte, err error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 && len(b) <= limit {
		return nil, nil, ErrShort
	}
	if end < 0 || end > limit {
		return nil, nil, fmt.Errorf("%w: more than %d bytes above the body", ErrMalformed, maxHead)
	}
	if end == 0 || b[end-1] != '\r' {
		return nil, nil, fmt.Errorf("%w: a line without CR LF", ErrMalformed)
	}
	line = b[:end-1]
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil, nil, fmt.Errorf("%w: control character %#x above the body", ErrMalformed, c)
		}
	}
	return line, b[end+1:], nil
}

// status reads a status line. Interim answers (1xx) are refused, since no request
// here asks for any.
func status(line []byte) (int, error) {
	const proto = "HTTP/1.1 "
	if len(line) < len(proto)+3 || string(line[:len(proto)]) != proto {
		return 0, fmt.Errorf("%w: status line %.40q", ErrMalformed, line)
	}
	code, after := line[len(proto):len(proto)+3], line[len(proto)+3:]
	n, ok := number(code, 10, 599)
	if !ok || n < 200 || len(after) > 0 && after[0] != ' ' {
		return 0, fmt.Errorf("%w: status line %.40q", ErrMalformed, line)
	}
	return n, nil
}

// field reads one header field.
func (h *head) field(line []byte, a *Answer) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return fmt.Errorf("%w: header field %.40q", ErrMalformed, line)
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	for _, c := range name {
		if !tokenByte(c) {
			return fmt.Errorf("%w: header field %.40q", ErrMalformed, line)
		}
	}
	switch {
	case is(name, "content-length"):
		n, ok := number(value, 10, maxBody)
		if !ok || h.length >= 0 {
			return fmt.Errorf("%w: content-length %.40q, or not the only one", ErrMalformed, value)
		}
		h.length = n
	case is(name, "transfer-encoding"):
		if h.chunked || !is(value, "chunked") {
			return fmt.Errorf("%w: transfer-encoding %.40q, or not the only one", ErrMalformed, value)
		}
		h.chunked = true
	case is(name, "connection"):
		a.Close = a.Close || is(value, "close")
	}
	return nil
}

// is compares in ASCII without case.
func is(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func tokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}

// number reads digits, and nothing but digits, up to limit.
func number(b []byte, base, limit int) (int, bool) {
	n := 0
	for _, c := range b {
		d := 99
		switch {
		case '0' <= c && c <= '9':
			d = int(c - '0')
		case 'a' <= c && c <= 'f':
			d = int(c-'a') + 10
		case 'A' <= c && c <= 'F':
			d = int(c-'A') + 10
		}
		if d >= base {
			return 0, false
		}
		if n = n*base + d; n > limit {
			return 0, false
		}
	}
	return n, len(b) > 0
}

// joined finds the end of the chunks that begin at from and, if all are there,
// joins them. Chunk extensions and trailers are refused: no server here has any.
func joined(a Answer, b []byte, from int) (Answer, int, error) {
	end, total, err := chunks(b, from, func(_, _ int) {})
	if err != nil {
		return Answer{}, 0, err
	}
	to := from
	_, _, _ = chunks(b[:end], from, func(at, size int) { to += copy(b[to:], b[at:at+size]) })
	a.Body = b[from : from+total : from+total]
	return a, end, nil
}

// chunks visits the content of each chunk and returns where the body ends and how
// much content it has.
func chunks(b []byte, from int, visit func(at, size int)) (end, total int, err error) {
	const maxSizeLine = 16
	for at := from; ; {
		line, _, err := cutLine(b[at:], maxSizeLine)
		if err != nil {
			return 0, 0, err
		}
		size, ok := number(line, 16, maxBody-total)
		if !ok {
			return 0, 0, fmt.Errorf("%w: chunk size %q", ErrMalformed, line)
		}
		at += len(line) + 2
		if len(b)-at < size+2 {
			return 0, 0, ErrShort
		}
		if b[at+size] != '\r' || b[at+size+1] != '\n' {
			return 0, 0, fmt.Errorf("%w: a chunk is longer than its size", ErrMalformed)
		}
		if size == 0 {
			return at + 2, total, nil
		}
		// A later chunk's header is read before this content is moved below it.
		next := at + size + 2
		visit(at, size)
		total, at = total+size, next
	}
}
