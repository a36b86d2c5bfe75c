package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Client sends one request at a time over one connection. It is for what
// surrounds a measurement; it costs more than a run's connections.
type Client struct {
	conn net.Conn
	buf  []byte
}

// Dial connects a client. The context bounds the dialling alone.
func Dial(ctx context.Context, addr string) (*Client, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Client{conn: c, buf: make([]byte, firstBuffer)}, nil
}

// Close closes the connection; it may be called while Do waits, which then fails.
func (c *Client) Close() error { return c.conn.Close() }

// Do sends a request, which is whole and asks to keep the connection, and returns
// its answer, whose body is valid until the next call.
func (c *Client) Do(request []byte, patience time.Duration) (Answer, error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return Answer{}, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return Answer{}, err
	}
	for have := 0; ; {
		n, err := c.conn.Read(c.buf[have:])
		if err != nil {
			return Answer{}, err
		}
		have += n
		a, size, err := Parse(c.buf[:have])
		switch {
		case err == nil && size != have:
			return Answer{}, fmt.Errorf("%w: %d bytes after the answer", ErrMalformed, have-size)
		case !errors.Is(err, ErrShort):
			return a, err
		case have == len(c.buf):
			c.buf = append(c.buf, make([]byte, have)...)
		}
	}
}
