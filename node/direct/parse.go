package direct

import "bytes"

// Request is a request of the subset, whole. Its bytes lie in the connection's
// buffer, and are valid until the handler returns.
type Request struct {
	// Method is GET, PUT, POST or DELETE.
	Method string
	// Target is path and query, and begins with /v2/keys. Its path has no escapes.
	Target []byte
	// ContentType and Token (of the header X-Drydock-Request) are headers' values,
	// without space around them.
	ContentType, Token []byte
	// Body is what a PUT or POST carries.
	Body []byte
}

// form says what parse has found.
type form uint8

const (
	// whole is a request of the subset.
	whole form = iota
	// short is the beginning of what may become one: its head isn't complete.
	short
	// headed is one whose head is complete and whose body isn't.
	headed
	// foreign is everything else.
	foreign
)

// bounds are the sizes above which a request is foreign.
type bounds struct {
	head int // of all lines, with the empty one at the end
	body int
}

const crlf = "\r\n"

// keyspace is how the path of every request begins.
const keyspace = "/v2/keys"

// parse reads one request from the front of b and returns its length, if it is
// whole or headed. (RFC 9112, sections 2 to 6)
//
// Of the subset are requests
//
//   - with lines that end in CR LF, and neither CR, LF nor another control
//     character but a tab elsewhere,
//   - "METHOD target HTTP/1.1" with single spaces, one of four methods and a path
//     of the keyspace without escapes,
//   - with one Host, of characters that are allowed there,
//   - with at most one Content-Length, of digits alone, which only PUT and POST may
//     have other than 0, and at most one Content-Type and X-Drydock-Request,
//   - without headers by which the end of a body, the course of the connection or
//     who may ask is told otherwise: see parser.field.
func parse(b []byte, most bounds, r *Request) (int, form) {
	p := parser{rest: b, length: -1}
	line, state := p.line()
	if state == whole {
		*r = Request{}
		state = p.request(line, r)
	}
	for state == whole {
		if line, state = p.line(); state != whole || len(line) == 0 {
			break
		}
		state = p.field(line, r)
	}
	head := len(b) - len(p.rest)
	switch {
	case state == short && len(b) >= most.head, head > most.head:
		return 0, foreign
	case state != whole:
		return 0, state
	case !p.host:
		return 0, foreign
	case p.length <= 0:
		return head, whole
	case p.length > most.body || (r.Method != "PUT" && r.Method != "POST"):
		return 0, foreign
	case p.length > len(p.rest):
		return head + p.length, headed
	}
	r.Body = p.rest[:p.length:p.length]
	return head + p.length, whole
}

// parser is what is known of a request so far.
type parser struct {
	rest   []byte
	length int // of the body; -1 if not told
	host   bool
}

// line takes one line, without its end.
func (p *parser) line() ([]byte, form) {
	i := bytes.IndexByte(p.rest, '\n')
	switch {
	case i < 0:
		return nil, short
	case i == 0 || p.rest[i-1] != '\r':
		return nil, foreign
	}
	line := p.rest[:i-1]
	p.rest = p.rest[i+1:]
	return line, whole
}

// request reads the first line.
func (p *parser) request(line []byte, r *Request) form {
	for _, m := range [...]string{"GET", "PUT", "POST", "DELETE"} {
		if len(line) > len(m) && string(line[:len(m)]) == m && line[len(m)] == ' ' {
			r.Method, line = m, line[len(m)+1:]
			break
		}
	}
	const version = " HTTP/1.1"
	if r.Method == "" || len(line) < len(keyspace)+len(version) || string(line[len(line)-len(version):]) != version {
		return foreign
	}
	r.Target = line[:len(line)-len(version)]
	if string(r.Target[:len(keyspace)]) != keyspace {
		return foreign
	}
	path := r.Target[len(keyspace):]
	if i := bytes.IndexByte(path, '?'); i >= 0 {
		for _, c := range path[i:] {
			if c <= ' ' || c >= 0x7f {
				return foreign
			}
		}
		path = path[:i]
	}
	if len(path) > 0 && path[0] != '/' {
		return foreign
	}
	for _, c := range path {
		if !inPath[c] {
			return foreign
		}
	}
	return whole
}

// field reads one header line.
func (p *parser) field(line []byte, r *Request) form {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return foreign
	}
	name, value := line[:i], line[i+1:]
	for _, c := range name {
		if !inToken[c] {
			return foreign // also space before the colon, and a line that goes on
		}
	}
	for _, c := range value {
		if c != '\t' && (c < ' ' || c >= 0x7f) {
			return foreign
		}
	}
	value = trim(value)
	ok := true
	switch len(name) {
	case 4:
		if isName(name, "host") {
			ok = !p.host && isHost(value)
			p.host = true
		}
	case 10:
		if isName(name, "connection") {
			ok = isName(value, "keep-alive")
		}
	case 12:
		if isName(name, "content-type") {
			ok = r.ContentType == nil
			r.ContentType = value
		}
	case 14:
		if isName(name, "content-length") {
			ok = p.length < 0
			p.length = number(value)
			ok = ok && p.length >= 0
		}
	case 17:
		if isName(name, "x-drydock-request") {
			ok = r.Token == nil
			r.Token = value
		} else {
			ok = !isName(name, "transfer-encoding")
		}
	default:
		for _, other := range elsewhere {
			if isName(name, other) {
				ok = false
			}
		}
	}
	if !ok {
		return foreign
	}
	return whole
}

// elsewhere are the headers, beside Transfer-Encoding, of requests that net/http and
// package front judge.
var elsewhere = [...]string{"te", "expect", "origin", "trailer", "upgrade", "authorization"}

// isName compares with a name in lower case.
func isName(b []byte, lower string) bool {
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

// trim takes white space off both ends. What is left is not nil.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// maxDigits is the length of the longest number that is read.
const maxDigits = 9

// number reads digits; -1 is anything else.
func number(b []byte) int {
	if len(b) == 0 || len(b) > maxDigits {
		return -1
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

func isHost(b []byte) bool {
	for _, c := range b {
		if !inHost[c] {
			return false
		}
	}
	return len(b) > 0
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// The characters of a header's name (RFC 9110, 5.6.2), of a path without escapes
// (RFC 3986, 3.3) and of a host with its port.
var (
	inToken = set("!#$%&'*+-.^_`|~" + letters)
	inPath  = set("/-._~!$&'()*+,;=:@" + letters)
	inHost  = set("-._~:[]" + letters)
)

func set(chars string) (in [256]bool) {
	for i := range len(chars) {
		in[chars[i]] = true
	}
	return in
}
