package worker

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fake is a member with a behaviour.
type fake struct {
	*httptest.Server
	asked atomic.Int64
}

func newFake(t *testing.T, serve http.HandlerFunc) *fake {
	t.Helper()
	f := new(fake)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		serve(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// says answers with its name, what it was asked and the body that it got.
func says(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s %d", name, r.Method, r.RequestURI, bytes.TrimRight(body, "x"), len(body))
	}
}

// dies takes a request and breaks the connection.
func dies(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

// nowhere is a URL where nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// serveProxy serves a proxy to endpoints, in that order.
func serveProxy(t *testing.T, endpoints ...string) (*proxy, *httptest.Server) {
	t.Helper()
	via := newTransport(&Options{})
	b := &balance{now: time.Now}
	b.set(endpoints)
	p := newProxy(b, via, slog.New(slog.DiscardHandler))
	s := httptest.NewServer(p)
	t.Cleanup(func() {
		p.endWatches()
		s.Close()
		via.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
	})
	return p, s
}

type answer struct {
	status int
	head   http.Header
	body   string
}

func do(t *testing.T, method, url, body string) answer {
	t.Helper()
	a, err := try(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func try(ctx context.Context, method, url, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

func TestPassingOn(t *testing.T) {
	well := newFake(t, says("well"))
	hangs := newFake(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	broken := newFake(t, dies)
	large := strings.Repeat("x", maxKept+1)
	for _, tt := range []struct {
		name         string
		endpoints    []string
		method, path string
		body         string
		status       int
		want         string
		outcome      string
	}{
		{"the first that is there", []string{well.URL}, "GET", "/v2/keys/a?b=%zz;c", "", 200, "well GET /v2/keys/a?b=%zz;c  0", ""},
		{"paths as they are", []string{well.URL}, "PUT", "/v2/keys//a/%2F/../b+c", "value=1", 200, "well PUT /v2/keys//a/%2F/../b+c value=1 7", ""},
		{"nobody listens: a write goes on", []string{nowhere(t), well.URL}, "PUT", "/v2/keys/a", "value=1", 200, "well PUT /v2/keys/a value=1 7", ""},
		{"nobody listens: a large one too", []string{nowhere(t), well.URL}, "PUT", "/v2/keys/a", large, 200, fmt.Sprintf("well PUT /v2/keys/a  %d", len(large)), ""},
		{"it dies: a read goes on", []string{broken.URL, well.URL}, "GET", "/v2/keys/a", "", 200, "well GET /v2/keys/a  0", ""},
		{"it dies: a write does not", []string{broken.URL, well.URL}, "PUT", "/v2/keys/a", "value=1", 502, errUnknown.Error(), "unknown"},
		{"nor a large one", []string{broken.URL, well.URL}, "PUT", "/v2/keys/a", large, 502, errUnknown.Error(), "unknown"},
		{"nor a removal", []string{broken.URL, well.URL}, "DELETE", "/v2/keys/a", "", 502, errUnknown.Error(), "unknown"},
		{"it hangs: a read goes on", []string{hangs.URL, well.URL}, "GET", "/v2/keys/a", "", 200, "well GET /v2/keys/a  0", ""},
		{"it hangs: a write does not", []string{hangs.URL, well.URL}, "POST", "/v2/keys/a", "value=1", 502, errSlow.Error(), "unknown"},
		{"nobody at all", []string{nowhere(t), nowhere(t)}, "PUT", "/v2/keys/a", "value=1", 503, errNobody.Error(), "refused"},
		{"all die", []string{broken.URL, broken.URL}, "GET", "/v2/keys/a", "", 503, errNobody.Error(), "refused"},
		{"no members", nil, "GET", "/v2/keys/a", "", 503, errNobody.Error(), "refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, s := serveProxy(t, tt.endpoints...)
			if strings.HasPrefix(tt.name, "it hangs") {
				p.readPatience, p.writePatience = 300*time.Millisecond, 300*time.Millisecond
			}
			before := well.asked.Load()
			a := do(t, tt.method, s.URL+tt.path, tt.body)
			if a.status != tt.status || !strings.Contains(a.body, tt.want) || a.head.Get("X-Drydock-Outcome") != tt.outcome {
				t.Errorf("%d %q %q; want %d %q %q", a.status, a.body, a.head.Get("X-Drydock-Outcome"), tt.status, tt.want, tt.outcome)
			}
			if asked := well.asked.Load() - before; asked != 0 && a.status != 200 || asked > 1 {
				t.Errorf("the other member was asked %d times", asked)
			}
		})
	}
}

func TestStaysWithOneMember(t *testing.T) {
	var sick atomic.Bool
	one := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		says("one")(w, r)
	})
	two := newFake(t, says("two"))
	_, s := serveProxy(t, one.URL, two.URL)
	want := func(status int, name, path string) {
		t.Helper()
		if a := do(t, "GET", s.URL+path, ""); a.status != status || !strings.HasPrefix(a.body, name) {
			t.Errorf("%d %s; want %d from %s", a.status, a.body, status, name)
		}
	}
	for range 3 {
		want(200, "one", "/v2/keys/a")
	}
	sick.Store(true)
	want(500, "one", "/mod/v2/lock/a") // a lock that is taken is no fault of the member
	want(500, "one", "/v2/keys/a")     // told as it is
	for range 3 {
		want(200, "two", "/v2/keys/a")
	}
	sick.Store(false)
	want(200, "two", "/v2/keys/a")
}

// TestWatchThroughAProxy sees events as they come, and ends as watches do when the
// member goes, unless that is within an event.
func TestWatchThroughAProxy(t *testing.T) {
	events := make(chan string)
	member := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Etcd-Index", "7")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		for {
			select {
			case ev := <-events:
				if ev == "" {
					panic(http.ErrAbortHandler)
				}
				fmt.Fprint(w, ev)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	p, s := serveProxy(t, member.URL)
	p.readPatience = 500 * time.Millisecond // for the head, not for events
	for _, tt := range []struct {
		path, last string
		clean      bool
		pause      time.Duration
	}{
		{"/v2/keys/a?wait=true&stream=true", "{}\n", true, 250 * time.Millisecond},
		{"/v2/keys/a?wait=true", "{", false, 0},
		{"/v2/keys/a", "{}\n", false, 0}, // no watch
	} {
		resp, err := http.DefaultClient.Get(s.URL + tt.path)
		if err != nil || resp.Header.Get("X-Etcd-Index") != "7" {
			t.Fatalf("%s: %v", tt.path, err)
		}
		r := bufio.NewReader(resp.Body)
		for range 3 {
			events <- "{\"event\":1}\n"
			if line, err := r.ReadString('\n'); err != nil || line != "{\"event\":1}\n" {
				t.Fatalf("%s: %q, %v", tt.path, line, err)
			}
			<-time.After(tt.pause)
		}
		events <- tt.last
		events <- ""
		rest, err := io.ReadAll(r)
		if (err == nil) != tt.clean || (tt.clean && string(rest) != tt.last) {
			t.Errorf("%s: the end is %q, %v", tt.path, rest, err)
		}
		resp.Body.Close()
	}
	resp, err := http.DefaultClient.Get(s.URL + "/v2/keys/a?wait=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	p.endWatches()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("when the worker stops: %q, %v", rest, err)
	}
}

// TestBodyThatDoesNotCome sends the head of a write and half of its body.
func TestBodyThatDoesNotCome(t *testing.T) {
	member := newFake(t, says("well"))
	p, s := serveProxy(t, member.URL)
	p.bodyTime = 100 * time.Millisecond
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nvalue")
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 503") {
		t.Errorf("%q, %v", text, err)
	}
	if n := member.asked.Load(); n != 0 {
		t.Errorf("the member was asked %d times", n)
	}
	// Whoever sends it in time may take longer for the answer.
	slow := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		<-time.After(300 * time.Millisecond)
		says("slow")(w, r)
	})
	p.balance.set([]string{slow.URL})
	if a := do(t, "PUT", s.URL+"/v2/keys/a", "value=1"); a.status != 200 {
		t.Errorf("%+v", a)
	}
}
