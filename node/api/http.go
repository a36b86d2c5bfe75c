package api

import (
	"strconv"
	"strings"

	"drydock/node/keys"
)

// Frame is what an answer as bytes has beside what it says.
type Frame struct {
	// Lines are whole header lines that every answer has: of CORS, and the date.
	Lines []byte
	// Close announces that the connection ends after this answer.
	Close bool

	lines headerLines // kept here, so that an answer allocates nothing
	body  []byte
}

// headerLines writes headers as they are sent.
type headerLines struct{ b []byte }

func (l *headerLines) text(name, value string) {
	l.b = append(append(append(append(l.b, name...), ": "...), value...), "\r\n"...)
}

func (l *headerLines) number(name string, n uint64, base int) {
	l.b = append(append(l.b, name...), ": "...)
	l.b = append(strconv.AppendUint(l.b, n, base), "\r\n"...)
}

// maxKeptBody is the size of the largest body whose room is kept for the next one.
const maxKeptBody = 256 << 10

// Append appends the answer as HTTP/1.1 sends it, framed by its length, and returns
// its status. It is for answers with a body: not to HEAD.
func (r *Reply) Append(b []byte, f *Frame) ([]byte, int) {
	r.settle()
	status := r.status()
	f.body = r.appendBody(f.body[:0])
	f.begin(b, status)
	r.head(&f.lines)
	b = f.end(f.body)
	if cap(f.body) > maxKeptBody {
		f.body = nil
	}
	return b, status
}

// Append appends the answer as HTTP/1.1 sends it, framed by its length; headers of
// CORS are the Frame's to say.
func (r *Response) Append(b []byte, f *Frame) []byte {
	f.begin(b, r.Status)
	for _, h := range r.Headers {
		if !strings.HasPrefix(h.Name, "Access-Control-") {
			f.lines.text(h.Name, h.Value)
		}
	}
	return f.end(r.Body)
}

// AppendWatchHead appends the head of a watch's answer as HTTP/1.1 sends it, in chunks
// of which there will be one.
func AppendWatchHead(b []byte, f *Frame, m Meta) []byte {
	f.begin(b, 200)
	doneFields(&f.lines, m.EtcdIndex, &m)
	if f.Close {
		f.lines.text("Connection", "close")
	}
	f.lines.text("Transfer-Encoding", "chunked")
	b = append(f.lines.b, "\r\n"...)
	f.lines.b = nil // the caller's
	return b
}

// AppendWatchEvent appends an event as a chunk.
func AppendWatchEvent(b []byte, f *Frame, ev *keys.Event) []byte {
	f.body = appendEvent(f.body[:0], ev, ev.At)
	b = append(strconv.AppendUint(b, uint64(len(f.body)), 16), "\r\n"...)
	return append(append(b, f.body...), "\r\n"...)
}

// AppendWatchEnd appends what ends an answer in chunks.
func AppendWatchEnd(b []byte) []byte { return append(b, "0\r\n\r\n"...) }

func (f *Frame) begin(b []byte, status int) {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(append(b, ' '), reason(status)...), "\r\n"...)
	f.lines.b = append(b, f.Lines...)
}

func (f *Frame) end(body []byte) []byte {
	if f.Close {
		f.lines.text("Connection", "close")
	}
	f.lines.number("Content-Length", uint64(len(body)), 10)
	b := append(append(f.lines.b, "\r\n"...), body...)
	f.lines.b = nil // the caller's
	return b
}

// reason is the phrase that goes with a status; those that the keyspace uses have
// one. (RFC 9110, 15)
func reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 201:
		return "Created"
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 412:
		return "Precondition Failed"
	case 500:
		return "Internal Server Error"
	}
	return "status code " + strconv.Itoa(status)
}
