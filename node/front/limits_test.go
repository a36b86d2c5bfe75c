package front_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"drydock/node/front"
)

// served is a member behind the front's own server.
type served struct {
	*member
	addr string
	srv  *front.Server
}

func serve(t testing.TB, o front.Options) *served {
	t.Helper()
	return cluster(t, 1, func(x *member) { x.options = o })[0].serve(t)
}

// serve puts the front's own server before a member.
func (x *member) serve(t testing.TB) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{member: x, addr: l.Addr().String()}
	s.srv = x.handler.Load().Serve(front.Listener{Listener: l})
	x.url = "http://" + s.addr
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		if err := s.srv.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s
}

// dial opens a connection and writes to it.
func (s *served) dial(t *testing.T, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// answer reads an answer with its body.
func answer(t *testing.T, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// figure returns the value of a metric, with its labels as /metrics shows them.
func (s *served) figure(t *testing.T, name string) string {
	t.Helper()
	// Not by HTTP to the server: its limits may be what is tested.
	w := record(s.handler.Load(), "GET", "/metrics", "")
	for line := range strings.Lines(w.Body.String()) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}

func (s *served) awaitFigure(t *testing.T, name, want string) {
	t.Helper()
	await(t, name+" is "+want, func() bool { return s.figure(t, name) == want })
}

func refusals(limit string) string { return fmt.Sprintf("drydock_http_refused_total{limit=%q}", limit) }

func TestLimitsOfOneRequest(t *testing.T) {
	t.Parallel()
	eachWay(t, testLimitsOfOneRequest)
}

func testLimitsOfOneRequest(t *testing.T, serve server) {
	s := serve(t, front.Options{Limits: front.Limits{
		TargetBytes: 1000, HeaderBytes: 2000, FormBytes: 3000, BodyTime: 50 * time.Millisecond,
	}})
	put := func(path, headers, body string) string {
		return fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n%s\r\n%s", path, headers, body)
	}
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	long := func(n int) string { return "value=" + strings.Repeat("x", n-len("value=")) }
	for _, tc := range []struct {
		name, request string
		status        int
		want, limit   string
	}{
		{"as it should be", put("/v2/keys/a", length(7), "value=1"), 201, `"action":"set"`, ""},
		{"largest body", put("/v2/keys/b", length(3000), long(3000)), 201, `"action":"set"`, ""},
		{"larger body", put("/v2/keys/c", length(3001), long(3001)), 400, `"errorCode":210`, "form_bytes"},
		{"larger by claim", put("/v2/keys/c", length(1<<40), "value=1"), 400, "at most 3000 bytes", "form_bytes"},
		{
			"larger in chunks", put("/v2/keys/c", "Transfer-Encoding: chunked\r\n", "BB9\r\n"+long(3001)+"\r\n0\r\n\r\n"),
			400, `"errorCode":210`, "form_bytes",
		},
		{"body that does not come", put("/v2/keys/c", length(10), "val"), 408, "did not come within 50ms", "body_time"},
		{"body that is not read, and does not come", "GET /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", 408, "within", "body_time"},
		{"bad chunk", put("/v2/keys/c", "Transfer-Encoding: chunked\r\n", "zz\r\n"), 400, `"errorCode":210`, ""},
		{"long target", "GET /v2/keys/" + strings.Repeat("a", 1000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414, "too long", "target_bytes"},
		{"long header", "GET /v2/keys/a HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", 2000) + "\r\n\r\n", 431, "too large", "header_bytes"},
		{"longer than is read", "GET /v2/keys/a HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", 20000) + "\r\n\r\n", 431, "", ""},
		{"deep key", "GET /v2/keys" + strings.Repeat("/a", 257) + " HTTP/1.1\r\nHost: h\r\n\r\n", 400, "more than 256 components", "key"},
	} {
		before := ""
		if tc.limit != "" {
			before = s.figure(t, refusals(tc.limit))
		}
		_, r := s.dial(t, tc.request)
		resp, body := answer(t, r, "GET")
		if resp.StatusCode != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %s", tc.name, resp.StatusCode, body)
		}
		if tc.limit != "" && s.figure(t, refusals(tc.limit)) == before {
			t.Errorf("%s was not counted", tc.name)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	eachWay(t, testConnectionsAreBounded)
}

func testConnectionsAreBounded(t *testing.T, serve server) {
	s := serve(t, front.Options{Limits: front.Limits{Connections: 2, HeaderTime: 100 * time.Millisecond}})
	const get = "GET /version HTTP/1.1\r\nHost: h\r\n\r\n"
	first, r := s.dial(t, get)
	answer(t, r, "GET")
	_, r = s.dial(t, get)
	answer(t, r, "GET")
	_, r = s.dial(t, get)
	if resp, body := answer(t, r, "GET"); resp.StatusCode != 503 || !strings.Contains(body, "too many connections") {
		t.Fatalf("third connection: %d %s", resp.StatusCode, body)
	}
	if got := s.figure(t, refusals("connections")); got != "1" {
		t.Errorf("counted %s", got)
	}
	if got := s.figure(t, "drydock_http_connections"); got != "2" {
		t.Errorf("%s connections are open", got)
	}
	first.Close()
	s.awaitFigure(t, "drydock_http_connections", "1")
	// One that sends no whole head is closed, and counted.
	_, r = s.dial(t, "GET /ver")
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	s.awaitFigure(t, refusals("header_time"), "1")
}

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	eachWay(t, testRequestsAreBounded)
}

func testRequestsAreBounded(t *testing.T, serve server) {
	s := serve(t, front.Options{Limits: front.Limits{Requests: 1}})
	// A request whose body has not come yet is being carried out.
	slow, _ := s.dial(t, "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nval")
	s.awaitFigure(t, "etcd_server_proposals_pending", "1")
	_, r := s.dial(t, "PUT /v2/keys/b HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, body := answer(t, r, "PUT")
	if resp.StatusCode != 500 || !strings.Contains(body, "too many requests") || resp.Header.Get("X-Drydock-Outcome") != "refused" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	_, r = s.dial(t, "GET /v2/machines HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp, body = answer(t, r, "GET"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	slow.Close()
	s.awaitFigure(t, "etcd_server_proposals_pending", "0")
}

// TestMountsAreBounded has a handler of others read a body that does not come, and
// write to a client that does not read.
func TestMountsAreBounded(t *testing.T) {
	t.Parallel()
	wrote := make(chan error, 1)
	s := serve(t, front.Options{
		Limits: front.Limits{BodyTime: 50 * time.Millisecond, WriteTime: 50 * time.Millisecond, MinRate: 1 << 30, FormBytes: 100},
		Mounts: []front.Mount{
			{Name: "read", Path: "/read", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				fmt.Fprint(w, err)
			})},
			{Name: "write", Path: "/write", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				var err error
				for buf := make([]byte, 1<<20); err == nil; {
					_, err = w.Write(buf)
				}
				wrote <- err
			})},
			{Name: "idle", Path: "/idle", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadAll(r.Body)
				select {
				case <-r.Context().Done():
				case <-time.After(200 * time.Millisecond):
					fmt.Fprint(w, "still here")
				}
			})},
		},
	})
	post := func(path, body string, length int) string {
		_, r := s.dial(t, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", path, length, body))
		_, got := answer(t, r, "POST")
		return got
	}
	if got := post("/read", "abc", 4); !strings.Contains(got, "timeout") {
		t.Errorf("a body that does not come: %s", got)
	}
	s.awaitFigure(t, refusals("body_time"), "1")
	if got := post("/read", strings.Repeat("a", 101), 101); !strings.Contains(got, "too large") {
		t.Errorf("a body that is too large: %s", got)
	}
	if got := post("/idle", "abc", 3); got != "still here" {
		t.Errorf("a handler that takes its time: %s", got)
	}
	s.dial(t, "GET /write HTTP/1.1\r\nHost: h\r\n\r\n")
	if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a client that does not read: %v", err)
	}
	s.awaitFigure(t, refusals("slow_reader"), "1")
}

func TestBodiesTogetherAreBounded(t *testing.T) {
	t.Parallel()
	eachWay(t, testBodiesTogetherAreBounded)
}

func testBodiesTogetherAreBounded(t *testing.T, serve server) {
	s := serve(t, front.Options{Limits: front.Limits{BodyBytes: 1000}})
	form := "value=" + strings.Repeat("x", 1000)
	if code, body := ask(t, "PUT", s.url+"/v2/keys/a", form); code != 500 || !strings.Contains(body, "too many requests") {
		t.Errorf("%d %s", code, body)
	}
	s.awaitFigure(t, "drydock_http_body_bytes", "0")
	if got := s.figure(t, refusals("body_bytes")); got != "1" {
		t.Errorf("counted %s", got)
	}
	if code, body := ask(t, "PUT", s.url+"/v2/keys/a", form[:900]); code != 201 {
		t.Errorf("%d %s", code, body)
	}
}
