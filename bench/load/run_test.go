package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asking is work that asks for one path for ever.
type asking struct {
	path string
	size int // of the body it sends
	want int
}

func (w asking) Append(b []byte, _ int, _ time.Duration) []byte {
	return fmt.Appendf(b, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", w.path, w.size, strings.Repeat("v", w.size))
}

func (w asking) Judge(_ int, a *Answer) (Verdict, error) {
	if a.Status != w.want {
		return Verdict{}, fmt.Errorf("status %d", a.Status)
	}
	return Verdict{}, nil
}

// server serves h and returns its address.
func server(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestClosedLoopCountsWhatTheServerServed(t *testing.T) {
	for _, workers := range []int{1, 3} {
		var served, atBegin, atEnd atomic.Int64
		addr := server(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			served.Add(1)
			_, _ = io.WriteString(w, "done")
		})
		const conns = 8
		r, err := Run(t.Context(), Options{
			Addrs: []string{addr}, Conns: conns, Workers: workers, Work: asking{"/", 10, 200},
			Warmup: 50 * time.Millisecond, Duration: 200 * time.Millisecond,
			Begin: func() error { atBegin.Store(served.Load()); return nil },
			End:   func() error { atEnd.Store(served.Load()); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		// Each connection may be served once more or less at either edge; the
		// callbacks and the window's edges are not one instant, either.
		got, between := r.Ops, atEnd.Load()-atBegin.Load()
		if got == 0 || got > between+between/5+2*conns || got < between-between/5-2*conns {
			t.Errorf("%d workers: counted %d, served %d", workers, got, between)
		}
		if r.Latency.Count() != r.Ops || r.Unanswered != 0 || r.Elapsed < 200*time.Millisecond {
			t.Errorf("%d latencies of %d operations, %d unanswered, %v", r.Latency.Count(), r.Ops, r.Unanswered, r.Elapsed)
		}
	}
}

// stalling serves at once, but nothing during one stall.
func stalling(t *testing.T, after, stall time.Duration) string {
	begin := time.Now()
	return server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if at := time.Since(begin); at > after && at < after+stall {
			select {
			case <-time.After(after + stall - at):
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "done")
	})
}

// TestOpenLoopSeesStalls is what coordinated omission would hide: 300ms of 1s in
// which nothing is answered are 30% of what was due, though only one request, with
// its one connection, was there to see it.
func TestOpenLoopSeesStalls(t *testing.T) {
	const stall = 300 * time.Millisecond
	r, err := Run(t.Context(), Options{
		Addrs: []string{stalling(t, 400*time.Millisecond, stall)}, Conns: 1, Rate: 200,
		Work: asking{"/", 0, 200}, Warmup: 100 * time.Millisecond, Duration: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Latency.Count(); n < 190 || n > 215 {
		t.Errorf("%d latencies, want one for each of about 200 that were due", n)
	}
	if p := r.Latency.At(0.9); p < stall/4 {
		t.Errorf("90%% within %v: the stall of %v is hidden", p, stall)
	}
	if m := r.Latency.Max(); m < stall*8/10 {
		t.Errorf("longest %v, want about %v", m, stall)
	}
}

// TestClosedLoopHidesStalls shows why the open loop is there.
func TestClosedLoopHidesStalls(t *testing.T) {
	r, err := Run(t.Context(), Options{
		Addrs: []string{stalling(t, 200*time.Millisecond, 200*time.Millisecond)}, Conns: 1,
		Work: asking{"/", 0, 200}, Duration: 600 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Latency.At(0.9); p > 100*time.Millisecond || r.Latency.Max() < 150*time.Millisecond {
		t.Errorf("90%% within %v, longest %v", p, r.Latency.Max())
	}
}

func TestOpenLoopCountsTheUnanswered(t *testing.T) {
	addr := server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r, err := Run(t.Context(), Options{
		Addrs: []string{addr}, Conns: 2, Rate: 100, Work: asking{"/", 0, 200}, Duration: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Ops != 0 || r.Unanswered < 28 || r.Unanswered > 32 || r.Latency.Count() != r.Unanswered {
		t.Errorf("%d operations, %d unanswered, %d latencies; want 0, about 30, as many", r.Ops, r.Unanswered, r.Latency.Count())
	}
	if p := r.Latency.At(0.5); p < 100*time.Millisecond {
		t.Errorf("median age %v, want about 150ms", p)
	}
}

// turns is work in which connection 0 speaks only when all others have.
type turns struct {
	others, heard int
	spoken        *int
}

func (w *turns) Append(b []byte, conn int, _ time.Duration) []byte {
	if conn == 0 && w.heard < w.others {
		return b
	}
	if conn == 0 {
		w.heard = 0
	}
	return asking{path: "/"}.Append(b, conn, 0)
}

func (w *turns) Judge(conn int, _ *Answer) (Verdict, error) {
	if conn == 0 {
		*w.spoken++
		return Verdict{Silent: true}, nil
	}
	w.heard++
	return Verdict{Wake: w.heard >= w.others}, nil
}

func TestConnectionsThatWait(t *testing.T) {
	addr := server(t, func(http.ResponseWriter, *http.Request) {})
	spoken := 0
	o := Options{
		Addrs: []string{addr}, Conns: 4, Work: &turns{others: 3, spoken: &spoken}, Duration: 100 * time.Millisecond,
	}
	r, err := Run(t.Context(), o)
	if err != nil || spoken == 0 || r.Ops == 0 {
		t.Fatalf("spoken %d times, %+v, %v", spoken, r, err)
	}
	o.Rate, o.Conns = 100, 1
	if _, err := Run(t.Context(), o); err == nil {
		t.Error("an open loop let connections wait")
	}
}

func TestRunFails(t *testing.T) {
	broken := errors.New("broken")
	fine := server(t, func(http.ResponseWriter, *http.Request) {})
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		with func(*Options)
		want string
	}{
		{"status", func(o *Options) { o.Work = asking{"/", 0, 201} }, "status 200"},
		{"hangs up", func(o *Options) {
			o.Addrs[0] = server(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}, "unexpected EOF"},
		{"closes", func(o *Options) {
			o.Addrs[0] = server(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
		}, "closes the connection"},
		{"nobody there", func(o *Options) { o.Addrs[0] = nobody.Addr().String() }, "refused"},
		{"a name", func(o *Options) { o.Addrs[0] = "localhost:80" }, "localhost"},
		{"no connections", func(o *Options) { o.Conns = 0 }, "want at least one"},
		{"begin", func(o *Options) { o.Begin = func() error { return broken } }, "broken"},
		{"end", func(o *Options) { o.End = func() error { return broken } }, "broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Addrs: []string{fine}, Conns: 2, Work: asking{"/", 0, 200}, Duration: 50 * time.Millisecond}
			tt.with(&o)
			if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	addr := server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Run(ctx, Options{Addrs: []string{addr}, Conns: 2, Work: asking{"/", 0, 200}, Duration: time.Hour})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestLargeBodies(t *testing.T) {
	const size = 1 << 20
	addr := server(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b) // longer than net/http's buffer: in chunks
	})
	r, err := Run(t.Context(), Options{Addrs: []string{addr}, Conns: 2, Work: asking{"/", size, 200}, Duration: 300 * time.Millisecond})
	if err != nil || r.Ops == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestScanner is the poller of other systems, which works here too.
func TestScanner(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	fd, err := dial(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	p := &scanner{}
	if err := p.add(fd, 7); err != nil {
		t.Fatal(err)
	}
	if ready, err := p.wait(2*time.Millisecond, nil); err != nil || len(ready) != 0 {
		t.Errorf("before: %v, %v", ready, err)
	}
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if ready, err := p.wait(5*time.Second, nil); err != nil || len(ready) != 1 || ready[0] != 7 {
		t.Errorf("after: %v, %v", ready, err)
	}
}

func TestClient(t *testing.T) {
	addr := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 3*firstBuffer))
	})
	c, err := Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for range 2 {
		a, err := c.Do(asking{path: "/"}.Append(nil, 0, 0), 5*time.Second)
		if err != nil || a.Status != 200 || len(a.Body) != 3*firstBuffer {
			t.Fatalf("%d, %d bytes, %v", a.Status, len(a.Body), err)
		}
	}
	var timeout net.Error
	if _, err := c.Do(asking{path: "/hang"}.Append(nil, 0, 0), 20*time.Millisecond); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v, want a timeout", err)
	}
}

func TestLatency(t *testing.T) {
	a, b := NewLatency(), NewLatency()
	if a.At(0.5) != 0 {
		t.Error("an empty distribution has a median")
	}
	for i := 1; i <= 1000; i++ {
		(map[bool]*Latency{true: a, false: b})[i%2 == 0].Record(time.Duration(i) * time.Millisecond)
	}
	a.Add(b)
	for share, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := a.At(share); got < want || got > want+want/500 {
			t.Errorf("at %v: %v, want %v to three digits", share, got, want)
		}
	}
	a.Record(time.Hour)
	a.Record(-time.Second)
	if a.Count() != 1002 || a.Max() < time.Minute || a.Max() > 61*time.Second {
		t.Errorf("%d, longest %v", a.Count(), a.Max())
	}
}
