package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

const plain = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Etcd-Index: 7\r\nContent-Length: 5\r\n\r\nhello"

const chunked = "HTTP/1.1 201 Created\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n00C\r\n, wide world\r\n0\r\n\r\n"

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		status     int
		body       string
		rest       int // bytes after the answer
		closes     bool
	}{
		{"length", plain, 200, "hello", 0, false},
		{"chunks", chunked, 201, "hello, wide world", 0, false},
		{"rest", plain + "HTTP", 200, "hello", 4, false},
		{"no reason", "HTTP/1.1 404\r\ncontent-length:0\r\n\r\n", 404, "", 0, false},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", 0, false},
		{"close", "HTTP/1.1 500 X\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", 500, "no", 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, n, err := Parse([]byte(tt.text))
			if err != nil || a.Status != tt.status || string(a.Body) != tt.body || n != len(tt.text)-tt.rest || a.Close != tt.closes {
				t.Errorf("%d %q, %d of %d bytes, close %v, %v", a.Status, a.Body, n, len(tt.text), a.Close, err)
			}
		})
	}
}

func TestParseShort(t *testing.T) {
	for _, text := range []string{plain, chunked} {
		for n := range len(text) {
			part := []byte(text[:n])
			if _, _, err := Parse(part); !errors.Is(err, ErrShort) {
				t.Fatalf("%q: %v, want ErrShort", part, err)
			}
			if string(part) != text[:n] {
				t.Fatalf("%q was changed though it was short", text[:n])
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\n"
	for name, text := range map[string]string{
		"another protocol":   "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"not HTTP":           "SSH-2.0-OpenSSH\r\n",
		"interim":            "HTTP/1.1 100 Continue\r\n\r\n",
		"status":             "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
		"status too large":   "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
		"status glued":       "HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n",
		"bare line feed":     "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
		"control":            head + "X: \x01\r\nContent-Length: 0\r\n\r\n",
		"carriage return":    head + "X: a\rb\r\nContent-Length: 0\r\n\r\n",
		"folded":             head + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
		"no name":            head + ": a\r\nContent-Length: 0\r\n\r\n",
		"space before colon": head + "Content-Length : 0\r\n\r\n",
		"no colon":           head + "what\r\nContent-Length: 0\r\n\r\n",
		"two lengths":        head + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
		"signed length":      head + "Content-Length: +1\r\n\r\nx",
		"no digits":          head + "Content-Length:\r\n\r\n",
		"huge length":        head + "Content-Length: 99999999999999999999\r\n\r\n",
		"length and chunks":  head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"another encoding":   head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"neither":            head + "\r\n",
		"204 with a body":    "HTTP/1.1 204 X\r\nContent-Length: 1\r\n\r\nx",
		"chunk size":         head + "Transfer-Encoding: chunked\r\n\r\nx\r\n",
		"chunk extension":    head + "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n",
		"chunk too long":     head + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
		"trailer":            head + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n",
		"huge chunk":         head + "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n",
		"long head":          head + "X: " + strings.Repeat("x", maxHead),
		"many fields":        head + strings.Repeat("X: x\r\n", maxHead/6) + "Content-Length: 0\r\n\r\n",
	} {
		if a, _, err := Parse([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %+v, %v; want ErrMalformed", name, a, err)
		}
	}
}

// FuzzParse holds the parser to net/http's: what it takes, that takes as well, with
// the same status and body; and it neither reads beyond its input nor takes a
// part of an answer for the whole.
func FuzzParse(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(chunked))
	f.Add([]byte("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, n, err := Parse(bytes.Clone(b))
		if err != nil {
			if !errors.Is(err, ErrShort) && !errors.Is(err, ErrMalformed) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if n > len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b[:n])), nil)
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", b[:n], err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != a.Status || !bytes.Equal(body, a.Body) {
			t.Fatalf("%d %q; net/http has %d %q, %v", a.Status, a.Body, resp.StatusCode, body, err)
		}
		if _, _, err := Parse(bytes.Clone(b[:n-1])); !errors.Is(err, ErrShort) {
			t.Fatalf("one byte less: %v, want ErrShort", err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(plain)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
