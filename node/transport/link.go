package transport

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"
)

// link is one connection that goes out.
type link struct {
	conn    net.Conn
	tcp     *net.TCPConn  // conn itself if it is bare TCP
	out     *bufio.Writer // over conn if it is not
	in      *bufio.Reader
	url     string
	life    uint64 // of the process at the other end
	release string
	since   time.Time

	once   sync.Once
	broken chan struct{} // closed when the link is of no more use
	err    error         // why; set before
	heard  chan struct{} // closed when listen has ended

	bufs     net.Buffers
	pinged   time.Time
	unpinged int // bytes since
}

// newLink makes a link of a connection whose handshake is done.
func newLink(conn net.Conn, in *bufio.Reader, url string, w welcome) *link {
	now := time.Now()
	l := &link{
		conn: conn, in: in, url: url, since: now, release: w.release, life: w.life,
		broken: make(chan struct{}), heard: make(chan struct{}), pinged: now,
	}
	if l.tcp, _ = conn.(*net.TCPConn); l.tcp == nil {
		l.out = bufio.NewWriterSize(conn, 32<<10)
	}
	return l
}

// fail has the link end with err.
func (l *link) fail(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.broken)
		_ = l.conn.SetDeadline(time.Unix(1, 0)) // what blocks returns
	})
}

// close ends the connection and waits for the listener.
func (l *link) close() {
	l.fail(net.ErrClosed)
	hangUp(l.conn)
	<-l.heard
}

// write sends a batch. Both a failure of the link and the peer's end cut it short.
func (l *link) write(ctx context.Context, b *batch, t *timing) error {
	err := l.conn.SetWriteDeadline(time.Now().Add(t.stall))
	if ctx.Err() != nil {
		err = l.conn.SetWriteDeadline(time.Now().Add(t.farewell))
	}
	// In this order: fail closes broken, and then sets a deadline in the past.
	select {
	case <-l.broken:
		return l.err
	default:
	}
	if err == nil {
		err = l.push(b)
	}
	select {
	case <-l.broken:
		if err != nil {
			return l.err
		}
	default:
	}
	return err
}

func (l *link) push(b *batch) error {
	if l.tcp != nil {
		l.bufs = b.pieces
		_, err := l.bufs.WriteTo(l.tcp)
		return err
	}
	for _, piece := range b.pieces {
		if _, err := l.out.Write(piece); err != nil {
			return err
		}
	}
	return l.out.Flush()
}
