package transport

import (
	"bufio"
	"context"
	"net"
	"sync"
	"syscall"
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

	raw syscall.RawConn // of tcp

	// turn is held by who writes: the stream's goroutine, or who sends.
	turn     sync.Mutex
	bufs     net.Buffers
	pinged   time.Time
	unpinged int       // bytes since
	deadline time.Time // of writes
	short    *batch    // of who sends, and its bytes
	joined   []byte
	rest     []byte // of joined, what the connection didn't take at once
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
		return l
	}
	if raw, err := l.tcp.SyscallConn(); err == nil {
		l.raw, l.short = raw, newBatch(directBytes)
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
// The caller has the link's turn.
func (l *link) write(ctx context.Context, b *batch, t *timing) error {
	limit := t.stall
	if ctx.Err() != nil {
		limit = t.farewell
	}
	l.deadline = time.Now().Add(limit)
	err := l.conn.SetWriteDeadline(l.deadline)
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
		if len(l.rest) > 0 {
			if _, err := l.tcp.Write(l.rest); err != nil {
				return err
			}
			l.rest = nil
		}
		if len(b.pieces) == 0 {
			return nil
		}
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
