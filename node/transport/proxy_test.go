package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy is a piece of network between two members: it can swallow what comes over
// the connections that are there, and have a rate.
type proxy struct {
	ln   net.Listener
	to   string
	rate int64 // bytes a second from caller to called; zero for no bound

	mu    sync.Mutex
	conns []net.Conn
	dead  []*atomic.Bool
	wait  sync.WaitGroup
	stop  chan struct{}
}

// newProxy starts a proxy before addr.
func newProxy(t testing.TB, addr string, rate int64) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, to: addr, rate: rate, stop: make(chan struct{})}
	p.wait.Go(p.accept)
	t.Cleanup(func() {
		close(p.stop)
		_ = ln.Close()
		p.cut()
		p.wait.Wait()
	})
	return p
}

func (p *proxy) url() string { return "http://" + p.ln.Addr().String() }

// freeze kills the connections that are there without telling either side.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.dead {
		d.Store(true)
	}
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *proxy) accept() {
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		// What the proxy holds should be little.
		_ = in.(*net.TCPConn).SetReadBuffer(32 << 10)
		_ = out.(*net.TCPConn).SetWriteBuffer(32 << 10)
		dead := new(atomic.Bool)
		p.mu.Lock()
		p.conns, p.dead = append(p.conns, in, out), append(p.dead, dead)
		p.mu.Unlock()
		p.wait.Go(func() { p.pass(in, out, p.rate, dead) })
		p.wait.Go(func() { p.pass(out, in, 0, dead) })
	}
}

// pass copies. What comes over a dead connection is swallowed, its end too.
func (p *proxy) pass(from, to net.Conn, rate int64, dead *atomic.Bool) {
	buf := make([]byte, 8<<10)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var passed int64
	began := time.Now()
	for {
		n, err := from.Read(buf)
		if dead.Load() {
			if err != nil {
				return
			}
			continue
		}
		if err == nil {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
		passed += int64(n)
		for rate > 0 && passed > int64(time.Since(began).Seconds()*float64(rate)) {
			select {
			case <-tick.C:
			case <-p.stop:
				return
			}
		}
	}
}
