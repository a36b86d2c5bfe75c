package front_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"drydock/node/front"
)

// server serves a new member.
type server func(testing.TB, front.Options) *served

// eachWay runs a test with servers that serve plain requests directly, and with
// servers that leave all to net/http.
func eachWay(t *testing.T, test func(*testing.T, server)) {
	t.Helper()
	for name, only := range map[string]bool{"direct": false, "net-http": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(t testing.TB, o front.Options) *served {
				o.OnlyNetHTTP = only
				return serve(t, o)
			})
		})
	}
}

// ways are two members that were asked the same, one directly and one by net/http
// alone.
type ways struct{ direct, plain *served }

// bothWays starts two members. Their limits are such that requests that will never be
// complete are ended soon.
func bothWays(t testing.TB) *ways {
	l := front.Limits{
		HeaderTime: 300 * time.Millisecond, BodyTime: 300 * time.Millisecond, IdleTime: 300 * time.Millisecond,
		TargetBytes: 300, HeaderBytes: 600, FormBytes: 500,
	}
	return &ways{serve(t, front.Options{Limits: l}), serve(t, front.Options{Limits: l, OnlyNetHTTP: true})}
}

// last ends a conversation: whoever reads it as a request closes the connection.
const last = "GET /version HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

// compare holds a conversation of both ways: text, sent in pieces, and the last
// request.
func (w *ways) compare(text string, pieces []int) error {
	direct, err := converse(w.direct.addr, text, pieces)
	if err != nil {
		return fmt.Errorf("directly: %w", err)
	}
	plain, err := converse(w.plain.addr, text, pieces)
	if err != nil {
		return fmt.Errorf("by net/http: %w", err)
	}
	if !slices.Equal(direct, plain) {
		return fmt.Errorf("%q in pieces %v\ndirectly:\n%s\nby net/http:\n%s", text, pieces, strings.Join(direct, ""), strings.Join(plain, ""))
	}
	return nil
}

// converse sends text and returns the answers.
func converse(addr, text string, pieces []int) ([]string, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		rest := text + last
		for _, n := range pieces {
			n = min(n, len(rest))
			if _, err := io.WriteString(c, rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
		_, _ = io.WriteString(c, rest) // the server may have closed by now
	}()
	all, err := io.ReadAll(c)
	if err != nil && len(all) == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil // closed with bytes unread: a reset
	}
	<-sent
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("%w after %q", err, all)
	}
	return answers(all), nil
}

// changing is what two members never say alike. Headers are among it: who asked with
// HEAD gets no body, and what comes next is read as one here.
var changing = regexp.MustCompile(`"expiration":"[^"]*"|"ttl":\d+|\r\n(Date|Content-Length|X-Raft-Index|X-Raft-Term|X-Drydock-Revision): [^\r\n]*`)

// answers returns the answers in b, each in one form: headers sorted, without what
// depends on the time or on how the body is framed.
func answers(b []byte) (list []string) {
	r := bufio.NewReader(bytes.NewReader(b))
	for {
		if _, err := r.Peek(1); err != nil {
			return list
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return append(list, err.Error())
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return append(list, err.Error())
		}
		resp.Header.Del("Content-Length") // long answers are in chunks there
		for _, name := range []string{"Date", "X-Raft-Index", "X-Raft-Term", "X-Drydock-Revision"} {
			if resp.Header.Get(name) != "" {
				resp.Header.Set(name, "is there")
			}
		}
		var head strings.Builder
		_ = resp.Header.Write(&head)
		text := changing.ReplaceAllString(string(body), "...")
		list = append(list, fmt.Sprintf("%s, close %v\n%s\n%s", resp.Status, resp.Close, &head, text))
	}
}

// conversations are what clients, and others, send.
var conversations = []string{
	get("a", ""),
	putForm("a", "value=1"),
	putForm("a", "value=1") + get("a", "") + putForm("a", "value=2&prevExist=true") + get("?recursive=true", ""),
	putForm("d/a", "value="+strings.Repeat("long+%41&", 30)) + get("d?sorted=true&quorum=true", ""),
	"DELETE /v2/keys/a?dir=true HTTP/1.1\r\nHost: h\r\n\r\n" + get("a", ""),
	"POST /v2/keys/q HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nvalue=1\r\n" + get("q", ""),
	"POST /v2/keys/q HTTP/1.1\r\nHost: h\r\n\r\n\r\n\r\n\r\n" + get("q", ""),
	putForm("a", "value=1") + "\r\n" + get("a", ""),
	putForm("t", "value=1&ttl=100") + get("t", "X-Drydock-Request: me\r\n"),
	putForm("t", "ttl=x") + putForm("t", "value=%zz") + putForm("t", "a;b") + putForm("t", "value=1&prevIndex=x"),
	get("a?recursive=x", "") + get("a?quorum=true&wait=true", "") + get("a?wait=true&waitIndex=1", "") + get("a", ""),
	get("a//b", "") + get("a/../b?x=1", "") + get("%61", "") + get("_hidden", "") + get("", ""),
	get("a", "Connection: close\r\n") + get("a", ""),
	get("a", "Connection: keep-alive\r\n") + get("a", "Connection: x\r\n"),
	get("a", "Origin: http://h\r\n") + get("a", "Authorization: Basic eDp5\r\n"),
	get("a", "Content-Length: 3\r\n") + "abc" + get("a", ""),
	get("a", "X-Drydock-Request: "+strings.Repeat("x", 65)+"\r\n"),
	get(strings.Repeat("a", 300), "") + get("a", ""),
	get("a", "X: "+strings.Repeat("a", 600)+"\r\n") + get("a", ""),
	get("a?"+strings.Repeat("x", 250), ""),
	putForm("a", "value="+strings.Repeat("x", 494)) + putForm("a", "value="+strings.Repeat("x", 495)) + get("a", ""),
	"HEAD /v2/keys/a HTTP/1.1\r\nHost: h\r\n\r\n" + get("a", ""),
	"OPTIONS /v2/keys/a HTTP/1.1\r\nHost: h\r\n\r\n" + get("a", ""),
	"PATCH /v2/keys/a HTTP/1.1\r\nHost: h\r\n\r\n" + get("a", ""),
	"GET /v2/keys/a HTTP/1.0\r\n\r\n" + get("a", ""),
	get("a", "") + "GET /health HTTP/1.1\r\nHost: h\r\n\r\n" + get("a", ""),
	"PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nvalue=1" + get("a", ""),
	"PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\nvalue=1" + get("a", ""),
	"PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\nvalue=1",

	// What is meant to be read in two ways.
	smuggle("Content-Length: 7\r\nContent-Length: 0"),
	smuggle("Content-Length: 7\r\nContent-Length: 7"),
	smuggle("Content-Length: 7, 7"),
	smuggle("Content-Length: +7"),
	smuggle("Content-Length: 0x7"),
	smuggle("Content-Length: 7\r\nTransfer-Encoding: chunked"),
	smuggle("Transfer-Encoding: chunked"),
	smuggle("Transfer-Encoding : chunked"),
	smuggle("Transfer-Encoding: xchunked"),
	smuggle("Content-Length : 7"),
	smuggle("X: a\r\n Content-Length: 7"),
	smuggle("X: a\nContent-Length: 7"),
	smuggle("X: a\rContent-Length: 7"),
	smuggle("Content-Length: 7\x00"),
	smuggle("\x00: 7"),
	smuggle("Host: other"),
	"GET /v2/keys/a HTTP/1.1\r\n\r\n" + get("a", ""),
	"GET /v2/keys/a HTTP/1.1\nHost: h\n\n" + get("a", ""),
	"GET  /v2/keys/a HTTP/1.1\r\nHost: h\r\n\r\n" + get("a", ""),
	"get /v2/keys/a HTTP/1.1\r\nHost: h\r\n\r\n" + get("a", ""),
	"GET /v2/keys/a\x7f HTTP/1.1\r\nHost: h\r\n\r\n" + get("a", ""),
	"GET /v2/keys/\u00e4?\u00e4 HTTP/1.1\r\nHost: h\r\n\r\n" + get("a", ""),
	"GET http://h/v2/keys/a HTTP/1.1\r\nHost: other\r\n\r\n" + get("a", ""),
	"\r\n" + get("a", ""),
	"garbage\r\n\r\n" + get("a", ""),
}

func get(path, fields string) string {
	return "GET /v2/keys/" + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n"
}

func putForm(key, form string) string {
	return fmt.Sprintf("PUT /v2/keys/%s HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		key, len(form), form)
}

// smuggle is a request whose body is of 7 bytes, or is the next request.
func smuggle(fields string) string {
	return "POST /v2/keys/s HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n" + fields + "\r\n\r\nvalue=1" + get("a", "")
}

// TestBothWaysAnswerAlike sends each conversation in one piece, byte by byte, and cut
// in the middle.
func TestBothWaysAnswerAlike(t *testing.T) {
	t.Parallel()
	w := bothWays(t)
	for _, text := range conversations {
		single := slices.Repeat([]int{1}, len(text))
		for _, pieces := range [][]int{nil, single, {len(text) / 2}} {
			if err := w.compare(text, pieces); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestAnswersOfDifferentTimes: what depends on the time is no difference, also where one
// answer is read as another's body.
func TestAnswersOfDifferentTimes(t *testing.T) {
	head := "HTTP/1.1 404 Not Found\r\n\r\n"
	at := func(date, ttl string) []string {
		body := `{"node":{"key":"/t","ttl":` + ttl + `}}`
		return answers([]byte(head + "HTTP/1.1 200 OK\r\nX-Raft-Index: " + ttl + "\r\nDate: " + date + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body))
	}
	a, b := at("Sun, 22 Nov 2015 21:40:45 GMT", "100"), at("Sun, 22 Nov 2015 21:40:46 GMT", "99")
	if !slices.Equal(a, b) {
		t.Errorf("%q and %q", a, b)
	}
	if c := at("Sun, 22 Nov 2015 21:40:46 GMT", `99,"value":"1"`); slices.Equal(b, c) {
		t.Errorf("%q is the same as %q", c, b)
	}
}

// TestBothWaysProperty strings conversations together, with a byte changed here and
// there.
func TestBothWaysProperty(t *testing.T) {
	t.Parallel()
	w := bothWays(t)
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.SampledFrom(conversations), 1, 3).Draw(t, "conversations")
		text := []byte(strings.ReplaceAll(strings.Join(list, ""), "wait=", "w=")) // no watch, which may never end
		for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			text[at] = rapid.SampledFrom([]byte("\r\n\t :;,%?/0aA\x00\x80")).Draw(t, "byte")
		}
		if err := w.compare(string(text), rapid.SliceOfN(rapid.IntRange(1, 100), 0, 4).Draw(t, "pieces")); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzBothWays has both ways judge any bytes.
func FuzzBothWays(f *testing.F) {
	for _, text := range conversations {
		f.Add([]byte(text), uint16(0))
	}
	w := bothWays(f)
	f.Fuzz(func(t *testing.T, text []byte, cut uint16) {
		if bytes.Contains(text, []byte("wait")) || bytes.ContainsRune(text, '%') {
			t.Skip() // a watch may never end
		}
		if err := w.compare(string(text), []int{int(cut)}); err != nil {
			t.Fatal(err)
		}
	})
}
