package front

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/direct"
	"drydock/node/host"
)

// directly serves the plain requests of the keyspace through package direct. It does
// what ServeHTTP and keys do with the same requests.
type directly struct{ f *Front }

// formType is the type of nearly every body.
const formType = "application/x-www-form-urlencoded"

// Begin implements direct.Handler.
func (d *directly) Begin(x *direct.Exchange, r *direct.Request) (v direct.Verdict) {
	f := d.f
	defer func() {
		if bug := recover(); bug != nil {
			f.bug(x.Method, x.Target, bug)
			x.Refusal, v = internalError(), direct.Reply
		}
	}()
	x.Target, x.BodyBytes, x.Counted, x.Told = string(r.Target), int64(len(r.Body)), true, false
	requests, bodies := f.inFlight.Add(1), f.bodies.Add(x.BodyBytes) // leave takes them back
	switch {
	case !f.open(), len(r.Body) > 0 && !mayBeForm(string(r.ContentType)):
		return d.handOver(x)
	case requests > int64(f.limits.Requests):
		f.meter.refuse(limitRequests)
		resp := f.tooMany(&api.Call{})
		x.Refusal = &resp
		return direct.Reply
	case bodies > f.limits.BodyBytes:
		return d.handOver(x)
	}
	ask := api.Request{Method: x.Method, Target: x.Target, Body: r.Body, ClusterID: f.cluster}
	switch {
	case string(r.ContentType) == formType:
		ask.ContentType = formType
	case len(r.ContentType) > 0:
		ask.ContentType = string(r.ContentType)
	}
	if len(r.Token) > 0 {
		ask.Token = string(r.Token)
	}
	x.Call, x.Refusal = api.Decode(&ask)
	switch {
	case x.Refusal == nil && x.Call.Kind != api.Watch:
		return direct.Ask
	case x.Refusal == nil && !x.Call.Stream && f.closing.Err() == nil:
		d.leave(x)
		return direct.Ask
	case x.Refusal == nil, x.Refusal.Status == http.StatusMovedPermanently:
		return d.handOver(x) // no single event, or no path of the keyspace
	case x.Refusal.Status == http.StatusBadRequest && tooLongKey(pathOf(x.Target)):
		f.meter.refuse(limitPath)
	}
	return direct.Reply
}

// handOver counts a request out that will be counted in again.
func (d *directly) handOver(x *direct.Exchange) direct.Verdict {
	d.leave(x)
	return direct.HandOver
}

// leave counts a request out, once.
func (d *directly) leave(x *direct.Exchange) {
	if x.Counted {
		x.Counted = false
		d.f.inFlight.Add(-1)
		d.f.bodies.Add(-x.BodyBytes)
	}
}

// pathOf is the path of a target.
func pathOf(target string) string {
	p, _, _ := strings.Cut(target, "?")
	return p
}

// Finish implements direct.Handler.
func (d *directly) Finish(x *direct.Exchange, b []byte, frame *api.Frame, now time.Time) (out []byte) {
	f, before, status := d.f, len(b), http.StatusInternalServerError
	defer func() {
		if bug := recover(); bug != nil {
			f.bug(x.Method, x.Target, bug)
			out = internalError().Append(b[:before], frame)
		}
		d.leave(x)
		f.finishDirect(x, status, now)
		x.Call, x.Answer = api.Call{}, node.Answer{} // which may hold large values
	}()
	if x.Call.Kind == api.Watch && x.Refusal == nil && x.Answer.Status != consensus.Done {
		resp := f.watchRefusal(&x.Call, &host.Refusal{Answer: x.Answer})
		x.Refusal = &resp
	}
	if x.Refusal != nil {
		out, status = x.Refusal.Append(b, frame), x.Refusal.Status
		return out
	}
	f.conclude(&x.Call, &x.Answer, x.Began)
	reply := x.Answer.Reply(&x.Call)
	out, status = reply.Append(b, frame)
	return out
}

// finishDirect does what comes after every answer.
func (f *Front) finishDirect(x *direct.Exchange, status int, now time.Time) {
	took := now.Sub(x.Began)
	f.meter.servedKeys(x.Method, status, took.Seconds(), x.Call.Kind == api.Watch)
	if f.log.Enabled(context.Background(), slog.LevelDebug) {
		f.log.Debug("answered", "method", x.Method, "path", pathOf(x.Target), "status", status,
			"took", took, "from", x.Remote.String())
	}
}

// Tell implements direct.Handler.
func (d *directly) Tell(x *direct.Exchange, n *node.WatchNews, b []byte, frame *api.Frame) (out []byte, over bool) {
	f, over := d.f, n == nil || n.Last
	defer func() {
		if bug := recover(); bug != nil {
			f.bug(x.Method, x.Target, bug)
			out, over = b, true
		}
		if over && x.Told {
			f.meter.watches.Dec()
			f.finishDirect(x, http.StatusOK, time.Now())
			x.Call, x.Told = api.Call{}, false
		}
	}()
	switch {
	case n == nil, n.Err != nil:
		// A body without an event means "ask again".
	case n.Head:
		x.Told = true
		f.meter.watches.Inc()
		return api.AppendWatchHead(b, frame, n.Meta), over
	default:
		b = api.AppendWatchEvent(b, frame, n.Event)
		f.meter.events.Inc()
	}
	if over {
		b = api.AppendWatchEnd(b)
	}
	return b, over
}

// heavyNodes is how many children an answer shows that takes long to be written.
const heavyNodes = 200

// Heavy implements direct.Handler.
func (d *directly) Heavy(x *direct.Exchange) bool {
	e := x.Answer.Event
	return x.Refusal == nil && e != nil && e.Node.Dir && (x.Call.Recursive || len(e.Node.Nodes) > heavyNodes)
}

// TooSlow implements direct.Handler.
func (d *directly) TooSlow(reader bool) {
	if reader {
		d.f.meter.refuse(limitSlowReader)
	} else {
		d.f.meter.refuse(limitHeaderTime)
	}
}

// bug logs the panic of a request's handler.
func (f *Front) bug(method, path string, bug any) {
	f.log.Error("a request's handler panicked",
		"method", method, "path", path, "panic", bug, "stack", string(debug.Stack()))
}

const internalErrorText = "internal error; the server's log has more\n"

func internalError() *api.Response {
	return &api.Response{
		Status: http.StatusInternalServerError, Body: []byte(internalErrorText),
		Headers: []api.Header{
			{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "X-Content-Type-Options", Value: "nosniff"},
		},
	}
}

// tooMany is the answer to a request of the keyspace that is one too many.
func (f *Front) tooMany(call *api.Call) api.Response {
	return api.EncodeFailure(call, api.Refused, consensus.ReasonBusy, api.Meta{ClusterID: f.cluster})
}

// serveDirectly starts the direct way; nil if there is none. What it can't serve goes
// to other.
func (f *Front) serveDirectly(other *handoff) *direct.Server {
	if !f.direct {
		return nil
	}
	var lines strings.Builder
	h := make(http.Header)
	f.cors(h, &http.Request{}, false)
	if err := h.Write(&lines); err != nil {
		return nil
	}
	l := &f.limits
	s, err := direct.New(direct.Options{
		Host: f.host, Handler: &directly{f}, Lines: []byte(lines.String()),
		HandOver: func(owner any, c net.Conn) {
			g := owner.(*gatedConn)
			g.Conn = c
			other.put(g)
		},
		Closed:    func(owner any) { owner.(*gatedConn).count() },
		HeadBytes: min(l.TargetBytes, l.HeaderBytes), BodyBytes: int(min(l.FormBytes, 1<<20)),
		HeaderTime: l.HeaderTime, IdleTime: l.IdleTime, WriteTime: l.WriteTime, MinRate: l.MinRate,
		BodyTime: min(l.BodyTime/2, maxBodyPatience),
	})
	if err != nil {
		if !errors.Is(err, direct.ErrUnsupported) {
			f.log.Warn("all requests are served by net/http", "because", err)
		}
		return nil
	}
	context.AfterFunc(f.closing, s.EndWatches)
	return s
}

// maxBodyPatience is how long the direct way waits for a body at most.
const maxBodyPatience = 100 * time.Millisecond

// directListener keeps the connections that the direct way takes.
type directListener struct {
	net.Listener
	direct *direct.Server
}

// Accept implements net.Listener: it returns the connections that are left.
func (l *directListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g, ok := c.(*gatedConn)
		if !ok {
			return c, nil
		}
		if t, ok := g.Conn.(*net.TCPConn); !ok || l.direct.Adopt(t, g) != nil {
			return c, nil
		}
	}
}

// handoff is a listener of the connections that the direct way hands over.
type handoff struct {
	mu      sync.Mutex
	changed *sync.Cond
	queue   []net.Conn
	waits   bool // Accept waits: what it has returned is in the server's hands
	closed  bool
}

func newHandoff() *handoff {
	h := &handoff{}
	h.changed = sync.NewCond(&h.mu)
	return h
}

// put leaves a connection; when the listener is closed, it closes it.
func (h *handoff) put(c net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		_ = c.Close()
		return
	}
	h.queue = append(h.queue, c)
	h.changed.Broadcast()
}

// Accept implements net.Listener.
func (h *handoff) Accept() (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.queue) == 0 && !h.closed {
		h.waits = true
		h.changed.Broadcast()
		h.changed.Wait()
	}
	h.waits = false
	if h.closed {
		return nil, net.ErrClosed
	}
	c := h.queue[0]
	h.queue = slices.Delete(h.queue, 0, 1)
	return c, nil
}

// settle waits until all that was left has been accepted.
func (h *handoff) settle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.closed && (len(h.queue) > 0 || !h.waits) {
		h.changed.Wait()
	}
}

// Close implements net.Listener.
func (h *handoff) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, c := range h.queue {
		_ = c.Close()
	}
	h.queue = nil
	h.changed.Broadcast()
	return nil
}

// Addr implements net.Listener.
func (h *handoff) Addr() net.Addr { return handoffAddr{} }

type handoffAddr struct{}

// Network implements net.Addr.
func (handoffAddr) Network() string { return "direct" }

// String implements net.Addr.
func (handoffAddr) String() string { return "handed over" }
