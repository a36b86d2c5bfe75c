package front_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/front"
)

func (s *served) put(t testing.TB, key, value string) {
	t.Helper()
	w := record(s.handler.Load(), "PUT", "/v2/keys/"+key, "value="+value)
	if w.Code != 200 && w.Code != 201 {
		t.Fatalf("put: %d %s", w.Code, w.Body)
	}
}

// watchers is how many watches the node has.
func (s *served) watchers(t *testing.T) int {
	t.Helper()
	n := 0
	if err := s.host.Look(func(x *node.Node) { n = x.View().Watches }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWatchAnswersAtOnceAndEndsWithItsClient(t *testing.T) {
	t.Parallel()
	eachWay(t, testWatchAnswersAtOnceAndEndsWithItsClient)
}

func testWatchAnswersAtOnceAndEndsWithItsClient(t *testing.T, serve server) {
	s := serve(t, front.Options{})
	for name, request := range map[string]string{
		"long poll":       "GET /v2/keys/w?wait=true HTTP/1.1\r\nHost: h\r\n\r\n",
		"stream":          "GET /v2/keys/w?wait=true&stream=true HTTP/1.1\r\nHost: h\r\n\r\n",
		"with a body":     "GET /v2/keys/w?wait=true HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		"in the future":   "GET /v2/keys/w?wait=true&waitIndex=1000 HTTP/1.1\r\nHost: h\r\n\r\n",
		"of another kind": "GET /v2/keys/w?wait=true&recursive=true HTTP/1.0\r\n\r\n",
	} {
		c, r := s.dial(t, request)
		line, err := r.ReadString('\n') // the head, and nothing has happened yet
		if err != nil || !strings.Contains(line, " 200 ") {
			t.Fatalf("%s: %q, %v", name, line, err)
		}
		if n := s.watchers(t); n != 1 {
			t.Fatalf("%s: %d watches", name, n)
		}
		began := time.Now()
		c.Close()
		await(t, name+": the watch ends", func() bool { return s.watchers(t) == 0 })
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: ended after %v", name, took)
		}
	}
	s.awaitFigure(t, "drydock_http_watches", "0")
}

func TestStreamDeliversOneByOne(t *testing.T) {
	t.Parallel()
	eachWay(t, testStreamDeliversOneByOne)
}

func testStreamDeliversOneByOne(t *testing.T, serve server) {
	s := serve(t, front.Options{})
	_, r := s.dial(t, "GET /v2/keys/w?wait=true&stream=true HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for i := range 20 {
		s.put(t, "w", strconv.Itoa(i))
		line, err := lines.ReadBytes('\n')
		var ev struct{ Node struct{ Value string } }
		if err == nil {
			err = json.Unmarshal(line, &ev)
		}
		if err != nil || ev.Node.Value != strconv.Itoa(i) {
			t.Fatalf("event %d: %s, %v", i, line, err)
		}
	}
	// The server stops: the stream ends as if it were whole.
	done := make(chan error, 1)
	go func() { done <- s.srv.Shutdown(context.Background()) }()
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	w := record(s.handler.Load(), "GET", "/v2/keys/w?wait=true", "")
	if w.Code != 500 || !strings.Contains(w.Body.String(), "server stopped") {
		t.Errorf("a watch of a stopped server: %d %s", w.Code, w.Body)
	}
}

// block begins a stream whose client does not read, and fills what is on the way.
func (s *served) block(t *testing.T) *bufio.Reader {
	t.Helper()
	_, r := s.dial(t, "GET /v2/keys/w?wait=true&stream=true HTTP/1.1\r\nHost: h\r\n\r\n")
	if _, err := r.Peek(1); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		s.put(t, "w", strings.Repeat("x", 1<<20))
	}
	return r
}

func TestSlowReaderIsCutOff(t *testing.T) {
	t.Parallel()
	s := serve(t, front.Options{Limits: front.Limits{WriteTime: 20 * time.Millisecond, MinRate: 1 << 30}})
	s.block(t)
	s.awaitFigure(t, refusals("slow_reader"), "1")
	await(t, "the watch ends", func() bool { return s.watchers(t) == 0 })
}

func TestLaggingStreamEnds(t *testing.T) {
	t.Parallel()
	s := serve(t, front.Options{})
	r := s.block(t)
	for i := range 120 {
		s.put(t, "w", strconv.Itoa(i))
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || n < 1<<20 {
		t.Errorf("%d bytes, then %v", n, err)
	}
	s.awaitFigure(t, refusals("watch_lag"), "1")
}

func TestWatchesAreBounded(t *testing.T) {
	t.Parallel()
	for _, only := range []bool{false, true} {
		s := cluster(t, 1, func(x *member) { x.cfg.MaxWatches, x.options.OnlyNetHTTP = 1, only })[0].serve(t)
		const poll = "GET /v2/keys/w?wait=true HTTP/1.1\r\nHost: h\r\n\r\n"
		_, r := s.dial(t, poll)
		if _, err := r.Peek(1); err != nil {
			t.Fatal(err)
		}
		_, r = s.dial(t, poll)
		if resp, body := answer(t, r, "GET"); resp.StatusCode != 500 || !strings.Contains(body, "too many watches") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		if got := s.figure(t, refusals("watches")); got != "1" {
			t.Errorf("counted %s", got)
		}
		if got := s.figure(t, `drydock_operations_not_done_total{kind="watch",outcome="refused"}`); got != "1" {
			t.Errorf("counted %s as refused", got)
		}
	}
}

// TestLongPoll is told of one event, in the past or to come, and asks on.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	eachWay(t, testLongPoll)
}

func testLongPoll(t *testing.T, serve server) {
	s := serve(t, front.Options{})
	const poll = "GET /v2/keys/w?wait=true HTTP/1.1\r\nHost: h\r\n\r\n"
	c, r := s.dial(t, poll)
	if _, err := r.Peek(1); err != nil { // the head is there before anything happens
		t.Fatal(err)
	}
	s.awaitFigure(t, "drydock_http_watches", "1")
	s.put(t, "w", "1")
	for _, next := range []string{strings.Replace(poll, "=true", "=true&waitIndex=1", 1), poll} {
		resp, body := answer(t, r, "GET")
		if want := `{"action":"set","node":{"key":"/w","value":"1","modifiedIndex":1,"createdIndex":1}}` + "\n"; body != want {
			t.Fatalf("%s, want %s", body, want)
		}
		if h := resp.Header; resp.StatusCode != 200 || h.Get("X-Etcd-Index") == "" || h.Get("X-Raft-Term") == "" || h.Get("Content-Type") != "application/json" {
			t.Errorf("%d %v", resp.StatusCode, h)
		}
		if _, err := io.WriteString(c, next); err != nil {
			t.Fatal(err)
		}
	}
	s.awaitFigure(t, "drydock_http_watches", "1")
	if got := s.figure(t, "drydock_http_watch_events_total"); got != "2" {
		t.Errorf("%s events", got)
	}
	if got := s.figure(t, "etcd_server_proposals_pending"); got != "0" {
		t.Errorf("%s requests are carried out", got)
	}
	// The server stops: the poll ends with nothing, which means "ask again".
	done := make(chan error, 1)
	go func() { done <- s.srv.Shutdown(context.Background()) }()
	if resp, body := answer(t, r, "GET"); resp.StatusCode != 200 || body != "" {
		t.Errorf("at the end: %d %q", resp.StatusCode, body)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := s.figure(t, `drydock_http_requests_total{code="200",endpoint="keys",method="GET"}`); got != "3" {
		t.Errorf("%s requests were counted", got)
	}
}
