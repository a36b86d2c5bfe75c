package front

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// gate bounds the connections of a server.
type gate struct {
	f    *Front
	open atomic.Int64
	// turned away are connections that are being told so.
	away chan struct{}
	wait sync.WaitGroup
}

const (
	// maxAway bounds the connections that are told why they are closed; others
	// are closed without a word.
	maxAway = 64
	// awayTime is how long telling may take.
	awayTime = time.Second
)

func newGate(f *Front) *gate { return &gate{f: f, away: make(chan struct{}, maxAway)} }

// gatedListener is a listener with the gate before it.
type gatedListener struct {
	net.Listener
	gate   *gate
	secure bool
}

// guard puts the gate before a listener, and its TLS behind the gate.
func (g *gate) guard(l Listener) net.Listener {
	gated := &gatedListener{Listener: l.Listener, gate: g, secure: l.TLS != nil}
	if l.TLS == nil {
		return gated
	}
	c := l.TLS.Clone()
	c.NextProtos = []string{"http/1.1"}
	return tls.NewListener(gated, c)
}

// Accept implements net.Listener.
func (l *gatedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g := l.gate; g.open.Add(1) > int64(g.f.limits.Connections) {
			g.open.Add(-1)
			g.f.meter.refuse(limitConnections)
			g.turnAway(c, l.secure)
			continue
		}
		l.gate.f.meter.conns.Inc()
		return &gatedConn{Conn: c, gate: l.gate}, nil
	}
}

// busy is the answer to a connection that is one too many.
const busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"Content-Length: 45\r\nRetry-After: 1\r\nConnection: close\r\n\r\ntoo many connections; close some or try again"

// turnAway closes a connection and, if it can be done quickly, says why.
// Behind a TLS handshake it can't.
func (g *gate) turnAway(c net.Conn, secure bool) {
	if secure {
		_ = c.Close()
		return
	}
	select {
	case g.away <- struct{}{}:
	default:
		_ = c.Close()
		return
	}
	g.wait.Go(func() {
		defer func() { <-g.away }()
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(awayTime))
		if _, err := c.Write([]byte(busy)); err != nil {
			return
		}
		// Closing while the request is unread would take the answer back.
		if half, ok := c.(halfCloser); ok && half.CloseWrite() == nil {
			buf := make([]byte, 4096)
			for {
				if _, err := c.Read(buf); err != nil {
					return
				}
			}
		}
	})
}

// connKey is where a request's context has its *gatedConn.
type connKey struct{}

// own returns the connection that came through the gate.
func own(c net.Conn) *gatedConn {
	if t, secure := c.(*tls.Conn); secure {
		c = t.NetConn()
	}
	g, _ := c.(*gatedConn)
	return g
}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, own(c))
}

// state counts the connections that end before a whole head has come in time.
func (g *gate) state(c net.Conn, s http.ConnState) {
	if x := own(c); s == http.StateClosed && x != nil && !x.used.Load() && x.timedOut.Load() {
		g.f.meter.refuse(limitHeaderTime)
	}
}

// gatedConn is a connection that counts.
type gatedConn struct {
	net.Conn
	gate   *gate
	closed sync.Once
	// used says that a request has come by it, timedOut that one came too late.
	used, timedOut atomic.Bool
}

// Read implements net.Conn.
func (c *gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		c.timedOut.Store(true)
	}
	return n, err
}

// halfCloser is a connection that can end its own direction alone.
type halfCloser interface{ CloseWrite() error }

// CloseWrite lets net/http say why it closes a connection before it does.
func (c *gatedConn) CloseWrite() error {
	if half, ok := c.Conn.(halfCloser); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *gatedConn) Close() error {
	c.count()
	return c.Conn.Close()
}

// count counts the connection out, once.
func (c *gatedConn) count() {
	c.closed.Do(func() {
		c.gate.open.Add(-1)
		c.gate.f.meter.conns.Dec()
	})
}
