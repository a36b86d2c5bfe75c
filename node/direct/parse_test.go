package direct

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const put = "PUT /v2/keys/a?prevExist=false HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nvalue=1"

var sample = bounds{head: 400, body: 100}

func TestParse(t *testing.T) {
	get := func(fields string) string { return "GET /v2/keys/a HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" }
	line := func(first string) string { return first + "\r\nHost: h\r\n\r\n" }
	for _, tc := range []struct {
		text string
		want form
	}{
		{get(""), whole},
		{put, whole},
		{get("") + "GARBAGE", whole},
		{line("DELETE /v2/keys/a_b-c.d~e!f$g&h'i(j)k*l+m,n;o=p:q@r/?recursive=true&x=%zz;\"<>#{|} HTTP/1.1"), whole},
		{line("POST /v2/keys HTTP/1.1"), whole},
		{line("GET /v2/keys?recursive=true HTTP/1.1"), whole},
		{line("GET /v2/keys/a//b/../c/. HTTP/1.1"), whole},
		{get("hOsT2: x\r\ncOnNeCtIoN: Keep-Alive\r\nAccept-Encoding: gzip, deflate\r\nX:\t\r\n"), whole},
		{get("Content-Length: 0\r\n"), whole},
		{line("PUT /v2/keys/a HTTP/1.1"), whole},
		{strings.Replace(put, ": 7", ":\t007 ", 1), whole},

		{"", short},
		{"G", short},
		{get("")[:len(get(""))-1], short},
		{"GET /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Length: 9", short},
		{put[:len(put)-1], headed},
		{put[:strings.Index(put, "value=")], headed},

		// The first line.
		{"\r\n" + get(""), foreign},
		{line("get /v2/keys/a HTTP/1.1"), foreign},
		{line("HEAD /v2/keys/a HTTP/1.1"), foreign},
		{line("OPTIONS /v2/keys/a HTTP/1.1"), foreign},
		{line("PATCH /v2/keys/a HTTP/1.1"), foreign},
		{line("GETS /v2/keys/a HTTP/1.1"), foreign},
		{line("GET  /v2/keys/a HTTP/1.1"), foreign},
		{line("GET /v2/keys/a  HTTP/1.1"), foreign},
		{line("GET /v2/keys/a HTTP/1.1 "), foreign},
		{line("GET /v2/keys/a\tHTTP/1.1"), foreign},
		{line("GET /v2/keys/a HTTP/1.0"), foreign},
		{line("GET /v2/keys/a HTTP/2.0"), foreign},
		{line("GET /v2/keys/a http/1.1"), foreign},
		{line("GET /v2/keys/a"), foreign},
		{line("GET"), foreign},
		{line("GET http://h/v2/keys/a HTTP/1.1"), foreign},
		{line("GET /v2/keysa HTTP/1.1"), foreign},
		{line("GET /v2/members HTTP/1.1"), foreign},
		{line("GET //v2/keys/a HTTP/1.1"), foreign},
		{line("GET /v2/keys/%61 HTTP/1.1"), foreign},
		{line("GET /v2/keys/a\x00 HTTP/1.1"), foreign},
		{line("GET /v2/keys/a\x7f HTTP/1.1"), foreign},
		{line("GET /v2/keys/\u00e4 HTTP/1.1"), foreign},
		{line("GET /v2/keys/a#b HTTP/1.1"), foreign},
		{line("GET /v2/keys/a?b\u00e4 HTTP/1.1"), foreign},
		{line("GET /v2/keys/a?b c HTTP/1.1"), foreign},
		{"GET /v2/keys/a HTTP/1.1\nHost: h\r\n\r\n", foreign},
		{"\n", foreign},

		// Lines and names.
		{"GET /v2/keys/a HTTP/1.1\r\nHost: h\n\r\n", foreign},
		{"GET /v2/keys/a HTTP/1.1\r\nHost: h\r\n\n", foreign},
		{get("X: a\rb\r\n"), foreign},
		{get("X: a\r\r\n"), foreign},
		{get("X: a\x00b\r\n"), foreign},
		{get("X: a\u00e4b\r\n"), foreign},
		{get("X: a\r\n b\r\n"), foreign},
		{get("X : a\r\n"), foreign},
		{get(" X: a\r\n"), foreign},
		{get("X\r\n"), foreign},
		{get(": a\r\n"), foreign},
		{get("X(: a\r\n"), foreign},

		// Hosts.
		{"GET /v2/keys/a HTTP/1.1\r\n\r\n", foreign},
		{"GET /v2/keys/a HTTP/1.1\r\nHost:\r\n\r\n", foreign},
		{"GET /v2/keys/a HTTP/1.1\r\nHost: a b\r\n\r\n", foreign},
		{"GET /v2/keys/a HTTP/1.1\r\nHost: a/b\r\n\r\n", foreign},
		{get("Host: h\r\n"), foreign},
		{get("host: other\r\n"), foreign},

		// Lengths.
		{get("Content-Length: 1\r\n") + "x", foreign},
		{strings.Replace(put, ": 7", ": +7", 1), foreign},
		{strings.Replace(put, ": 7", ": -7", 1), foreign},
		{strings.Replace(put, ": 7", ": 7, 7", 1), foreign},
		{strings.Replace(put, ": 7", ": 0x7", 1), foreign},
		{strings.Replace(put, ": 7", ": 7 7", 1), foreign},
		{strings.Replace(put, ": 7", ":", 1), foreign},
		{strings.Replace(put, ": 7", ": 18446744073709551623", 1), foreign},
		{strings.Replace(put, ": 7", ": 101", 1), foreign},
		{strings.Replace(put, "Content-Length: 7", "Content-Length: 7\r\nContent-Length: 7", 1), foreign},
		{strings.Replace(put, "Content-Length: 7", "Content-Length: 7\r\ncontent-length: 8", 1), foreign},
		{strings.Replace(put, "PUT", "DELETE", 1), foreign},
		{get("X: " + strings.Repeat("a", sample.head) + "\r\n"), foreign},
		{strings.Repeat("a", sample.head), foreign},

		// What says otherwise how it goes on, or who asks.
		{get("Transfer-Encoding: chunked\r\n"), foreign},
		{get("transfer-encoding: identity\r\n"), foreign},
		{get("TE: trailers\r\n"), foreign},
		{get("Trailer: X\r\n"), foreign},
		{get("Expect: 100-continue\r\n"), foreign},
		{get("Upgrade: h2c\r\n"), foreign},
		{get("Connection: close\r\n"), foreign},
		{get("Connection: keep-alive, upgrade\r\n"), foreign},
		{get("Authorization: Basic x\r\n"), foreign},
		{get("Origin: http://h\r\n"), foreign},
		{get("Content-Type: a/b\r\nContent-Type: a/b\r\n"), foreign},
		{get("X-Drydock-Request: 1\r\nx-drydock-request: 1\r\n"), foreign},
	} {
		var r Request
		if n, got := parse([]byte(tc.text), sample, &r); got != tc.want {
			t.Errorf("%q: %d, %d bytes, want %d", tc.text, got, n, tc.want)
		}
	}
}

func TestParseReads(t *testing.T) {
	var r Request
	n, _ := parse([]byte(strings.Replace(put, "\r\n\r\n", "\r\nx-Drydock-Request:\t id \r\n\r\n", 1)+"GET"), sample, &r)
	got := fmt.Sprintf("%s %s %q %q %q, %d bytes", r.Method, r.Target, r.ContentType, r.Token, r.Body, n)
	want := fmt.Sprintf(`PUT /v2/keys/a?prevExist=false "application/x-www-form-urlencoded" "id" "value=1", %d bytes`, len(put)+len("x-Drydock-Request:\t id \r\n"))
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// FuzzParse holds the subset to what net/http makes of the same bytes, and to what it
// said of every beginning of them.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		put, put + put, strings.Replace(put, ": 7", ": 3", 1),
		"GET /v2/keys/a HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
		"POST /v2/keys?x HTTP/1.1\r\nhost: [::1]:2379\r\nX-Drydock-Request: 7\r\nContent-Length: 0\r\n\r\n",
		"GET /v2/keys/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		n, got := parse(b, sample, &r)
		if got == foreign {
			return
		}
		var beginning Request
		for i := range b {
			if m, early := parse(b[:i], sample, &beginning); early == foreign || (early == whole && (got != whole || m != n)) {
				t.Fatalf("%d bytes are %d, all are %d", i, early, got)
			}
		}
		if got != whole {
			return
		}
		in := bytes.NewReader(b[:n])
		buffered := bufio.NewReader(in)
		want, err := http.ReadRequest(buffered)
		if err != nil {
			t.Fatalf("net/http takes no such request: %v", err)
		}
		body, err := io.ReadAll(want.Body)
		if err != nil || in.Len()+buffered.Buffered() > 0 {
			t.Fatalf("%d bytes are left, %v", in.Len()+buffered.Buffered(), err)
		}
		h := want.Header
		for _, p := range [][2]string{
			{r.Method, want.Method},
			{string(r.Target), want.RequestURI},
			{string(r.ContentType), h.Get("Content-Type")},
			{string(r.Token), h.Get("X-Drydock-Request")},
			{string(r.Body), string(body)},
			{"HTTP/1.1", want.Proto},
			{"", fmt.Sprint(want.TransferEncoding) + h.Get("Expect") + h.Get("Upgrade") + h.Get("Authorization") + h.Get("Origin")},
		} {
			if p[0] != strings.TrimPrefix(p[1], "[]") {
				t.Errorf("%q, net/http has %q", p[0], p[1])
			}
		}
		if want.Close || want.Host == "" || want.URL.Path != strings.SplitN(want.RequestURI, "?", 2)[0] {
			t.Errorf("close %v, host %q, path %q", want.Close, want.Host, want.URL.Path)
		}
	})
}

// BenchmarkParse reads the request that clients send most.
func BenchmarkParse(b *testing.B) {
	get := []byte("GET /v2/keys/bench/k123 HTTP/1.1\r\nHost: 127.0.0.1:2379\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n")
	b.ReportAllocs()
	var r Request
	for b.Loop() {
		if _, f := parse(get, sample, &r); f != whole {
			b.Fatal(f)
		}
	}
}
