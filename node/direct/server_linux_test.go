package direct

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a node, a handler and what takes what is handed over, all in one. Keys named
// "ask..." are asked of the node, which answers when it is told to; keys named
// "large..." are answered at once, at length; others are handed over.
type fake struct {
	*Server
	t         *testing.T
	addr      string
	asked     chan host.Asked
	cancelled chan uint64
	other     chan net.Conn
	finished  chan string
	gone      chan any // owners of connections that were closed

	mu    sync.Mutex
	late  []bool
	heavy bool
	small bool // keys named "small" are answered at once, and nothing is said of it
}

const largeBytes = 8 << 20

func (f *fake) Post(list []host.Asked) {
	for i := range list {
		list[i].Token = 7
		f.asked <- list[i]
	}
}

func (f *fake) Cancel(token uint64) { f.cancelled <- token }

func (f *fake) Begin(x *Exchange, r *Request) Verdict {
	x.Target = strings.TrimPrefix(string(r.Target), "/v2/keys/")
	switch {
	case strings.HasPrefix(x.Target, "ask"):
		x.Call.Path = x.Target
		return Ask
	case f.small && x.Target == "small":
		x.Refusal = &api.Response{Status: 200}
		return Reply
	case strings.HasPrefix(x.Target, "large"):
		x.Refusal = &api.Response{Status: 200, Body: make([]byte, largeBytes)}
		return Reply
	}
	return HandOver
}

func (f *fake) Finish(x *Exchange, b []byte, frame *api.Frame, _ time.Time) []byte {
	x.Call = api.Call{} // as a handler may
	if f.small && x.Target == "small" {
		return x.Refusal.Append(b, frame)
	}
	f.finished <- x.Target + " " + x.Answer.Reason
	if x.Refusal != nil {
		return x.Refusal.Append(b, frame)
	}
	resp := api.Response{Status: 200, Body: []byte(x.Target + " " + x.Answer.Reason)}
	return resp.Append(b, frame)
}

func (f *fake) Tell(x *Exchange, n *node.WatchNews, b []byte, frame *api.Frame) ([]byte, bool) {
	switch {
	case n == nil:
		x.Call = api.Call{}
		f.finished <- x.Target + " is over"
		return api.AppendWatchEnd(b), true
	case n.Head:
		x.Told = true
		return api.AppendWatchHead(b, frame, n.Meta), false
	case !n.Last:
		return b, true // it has failed
	}
	f.finished <- x.Target + " is told"
	return api.AppendWatchEnd(append(append(b, "4\r\n"...), "news\r\n"...)), true
}

func (f *fake) Heavy(*Exchange) bool { return f.heavy }

func (f *fake) TooSlow(reader bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late = append(f.late, reader)
}

// start starts a server that adopts every connection to its address.
func start(t *testing.T, change func(*fake, *Options)) *fake {
	t.Helper()
	f := &fake{
		t: t, asked: make(chan host.Asked, 100), cancelled: make(chan uint64, 100), other: make(chan net.Conn, 100),
		finished: make(chan string, 100), gone: make(chan any, 100),
	}
	o := Options{
		Host: f, Handler: f, HeaderTime: 5 * time.Second, IdleTime: 5 * time.Second, WriteTime: 5 * time.Second, MinRate: 1 << 30,
		HandOver: func(_ any, c net.Conn) { f.other <- c }, Closed: func(owner any) { f.gone <- owner },
	}
	if change != nil {
		change(f, &o)
	}
	var err error
	if f.Server, err = New(o); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if err := f.Adopt(c.(*net.TCPConn), c.RemoteAddr().String()); err != nil {
				c.Close()
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = f.Close(ctx)
	})
	return f
}

// client is a connection to the server.
type client struct {
	*net.TCPConn
	f *fake
	r *bufio.Reader
}

func (f *fake) dial(text string) *client {
	f.t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	x := &client{c.(*net.TCPConn), f, bufio.NewReader(c)}
	x.say(text)
	return x
}

func (c *client) say(text string) {
	c.f.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.f.t.Fatal(err)
	}
}

// hears says whether the next answer is this.
func (c *client) hears(want string) {
	c.f.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.f.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil || string(b) != want {
		c.f.t.Fatalf("%.100q, %v, want %q", b, err, want)
	}
}

// closed says whether the connection ends with nothing more.
func (c *client) closed() {
	c.f.t.Helper()
	if b, err := io.ReadAll(c.r); len(b) > 0 || err != nil {
		c.f.t.Fatalf("%.100q, %v", b, err)
	}
}

// next is what comes by a channel soon.
func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// reply answers a call as the reactor's goroutine does.
func reply(a host.Asked, reason string) {
	a.Asker.Answer(&node.Answer{Status: consensus.Done, Reason: reason}).Flush()
}

func ask(key string) string { return "GET /v2/keys/" + key + " HTTP/1.1\r\nHost: h\r\n\r\n" }

func TestRequestsOfAConnectionWaitInLine(t *testing.T) {
	f := start(t, nil)
	c := f.dial(ask("ask1") + ask("ask2")[:10])
	first := next(t, f.asked)
	c.say(ask("ask2")[10:] + ask("ask3"))
	other := f.dial(ask("ask4"))
	reply(next(t, f.asked), "d")
	other.hears("ask4 d")
	if len(f.asked) > 0 {
		t.Fatal("a second request was begun before the first was answered")
	}
	reply(first, "a")
	c.hears("ask1 a")
	reply(next(t, f.asked), "b")
	c.hears("ask2 b")
	reply(next(t, f.asked), "c")
	c.hears("ask3 c")
}

func TestAnswersOfAGoroutineOfTheirOwn(t *testing.T) {
	f := start(t, func(f *fake, _ *Options) { f.heavy = true })
	c := f.dial(ask("ask1") + ask("ask2"))
	reply(next(t, f.asked), "a")
	c.hears("ask1 a")
	reply(next(t, f.asked), "b")
	c.hears("ask2 b")
}

func TestWhatIsNotPlainIsHandedOver(t *testing.T) {
	f := start(t, func(_ *fake, o *Options) { o.BodyTime = 30 * time.Millisecond })
	const body = "PUT /v2/keys/ask HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab"
	for _, tc := range []struct{ text, want string }{
		{"GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n"},
		{ask("other") + ask("ask2"), ask("other") + ask("ask2")},
		{ask("ask") + "HEAD / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n"},
		{body, body},
	} {
		c := f.dial(tc.text)
		if strings.HasPrefix(tc.text, ask("ask")) {
			reply(next(t, f.asked), "")
			c.hears("ask ")
		}
		got := next(t, f.other)
		c.say("more")
		b := make([]byte, len(tc.want)+len("more"))
		_ = got.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadFull(got, b); err != nil || string(b) != tc.want+"more" {
			t.Errorf("%q was handed over as %q, %v", tc.text, b, err)
		}
		if _, err := io.WriteString(got, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			t.Fatal(err)
		}
		c.hears("ok")
		got.Close()
	}
	if len(f.gone) > 0 {
		t.Error("a connection that was handed over counts as closed")
	}
}

func TestClientsThatGo(t *testing.T) {
	f := start(t, nil)
	c := f.dial(ask("ask1"))
	a := next(t, f.asked)
	name := c.LocalAddr().String()
	c.Close()
	if got := next(t, f.cancelled); got != 7 {
		t.Errorf("%d was cancelled", got)
	}
	if got := next(t, f.finished); got != "ask1 no answer: context canceled" {
		t.Errorf("finished as %q", got)
	}
	if got := next(t, f.gone); got != name {
		t.Errorf("%v is closed, not %s", got, name)
	}
	if a.Call.Path != "ask1" {
		t.Error("the call changed, which the node may still read: it has not seen the cancel")
	}
	reply(a, "too late")
	// One that ends its direction behind its requests gets the answers before that is
	// seen, and then the end.
	c = f.dial(ask("ask2") + ask("ask3"))
	a = next(t, f.asked)
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	reply(a, "")
	c.hears("ask2 ")
	reply(next(t, f.asked), "")
	if b, err := io.ReadAll(c.r); err != nil || !strings.Contains(string(b), "ask3 ") {
		t.Errorf("%q, %v", b, err)
	}
}

// TestClientsThatGoWhileTheirAnswersCome is for the race detector: every request is
// finished once, whoever is first.
func TestClientsThatGoWhileTheirAnswersCome(t *testing.T) {
	const times = 300
	f := start(t, func(f *fake, _ *Options) {
		f.finished, f.cancelled, f.gone = make(chan string, times), make(chan uint64, times), make(chan any, times)
	})
	for range times {
		c := f.dial(ask("ask1"))
		a := next(t, f.asked)
		go reply(a, "")
		c.Close()
		next(t, f.gone)
	}
	if n := len(f.finished); n != times {
		t.Errorf("%d requests were finished, of %d", n, times)
	}
}

func TestSlowReaders(t *testing.T) {
	f := start(t, nil)
	// One that reads gets all, and may ask on.
	c := f.dial(ask("large") + ask("ask1"))
	c.hears(string(make([]byte, largeBytes)))
	reply(next(t, f.asked), "")
	c.hears("ask1 ")
	c.Close()
	next(t, f.gone)
	// One that doesn't read is closed.
	f = start(t, func(_ *fake, o *Options) { o.WriteTime = 50 * time.Millisecond })
	f.dial(ask("large"))
	next(t, f.gone)
	f.mu.Lock()
	defer f.mu.Unlock()
	if fmt.Sprint(f.late) != "[true]" {
		t.Errorf("too slow: %v", f.late)
	}
}

func TestTimes(t *testing.T) {
	f := start(t, func(_ *fake, o *Options) { o.HeaderTime, o.IdleTime = 50*time.Millisecond, 100*time.Millisecond })
	f.dial("").closed()
	f.dial("GET /v2").closed()
	f.mu.Lock()
	if fmt.Sprint(f.late) != "[false false]" {
		t.Errorf("too slow: %v", f.late)
	}
	f.mu.Unlock()
	for _, rest := range []string{"", "GET /v2"} {
		c := f.dial(ask("ask1") + rest)
		reply(next(t, f.asked), "")
		c.hears("ask1 ")
		c.closed()
	}
	// A request that is open has the time that the node takes.
	c := f.dial(ask("ask1"))
	f.dial("").closed()
	reply(next(t, f.asked), "")
	c.hears("ask1 ")
	f.mu.Lock()
	defer f.mu.Unlock()
	if fmt.Sprint(f.late) != "[false false false]" {
		t.Errorf("too slow, of those that had asked: %v", f.late)
	}
}

func TestDrain(t *testing.T) {
	f := start(t, func(_ *fake, o *Options) { o.Shards, o.BodyTime = 2, time.Minute })
	const body = "PUT /v2/keys/ask HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab"
	open, silent, begun, headed := f.dial(ask("ask1")), f.dial(""), f.dial("GET"), f.dial(body)
	a := next(t, f.asked)
	for range 2 * 3 { // until the others are known to have been read
		c := f.dial(ask("ask2"))
		reply(next(t, f.asked), "")
		c.hears("ask2 ")
	}
	f.Drain()
	silent.closed()
	begun.closed()
	b := make([]byte, len(body))
	if _, err := io.ReadFull(next(t, f.other), b); err != nil || string(b) != body {
		t.Errorf("%q was handed over, %v", b, err)
	}
	headed.Close()
	if err := f.Adopt(open.TCPConn, nil); !errors.Is(err, errDraining) {
		t.Errorf("adopted while draining: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Close(context.Background()) }()
	reply(a, "")
	open.hears("ask1 ")
	open.closed()
	if err := next(t, ended); err != nil {
		t.Error(err)
	}
}

func TestCloseCutsOff(t *testing.T) {
	f := start(t, nil)
	c := f.dial(ask("ask1"))
	next(t, f.asked)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	next(t, f.cancelled)
	c.hears("ask1 no answer: the server stops")
	c.closed()
}

// TestABusyConnectionLetsOthersIn: one whose requests never end, and are answered at
// once, takes its turns as others do.
func TestABusyConnectionLetsOthersIn(t *testing.T) {
	f := start(t, func(f *fake, o *Options) {
		f.small, o.Shards = true, 1
		f.finished = make(chan string, 10)
	})
	busy, other := f.dial(""), f.dial("")
	many := []byte(strings.Repeat(ask("small"), 20000))
	var both sync.WaitGroup
	both.Go(func() {
		for {
			if _, err := busy.Write(many); err != nil {
				return
			}
		}
	})
	both.Go(func() { _, _ = io.Copy(io.Discard, busy.r) })
	for range 20 {
		other.say(ask("ask1"))
		reply(next(t, f.asked), "")
		next(t, f.finished)
		other.hears("ask1 ")
	}
	busy.Close()
	both.Wait()
}
