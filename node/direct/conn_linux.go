package direct

import (
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/host"
)

// state is whether a connection's request is open.
type state uint8

const (
	idle state = iota
	asked
	watching // the head of a watch's answer is written, or will be
	encoding // another goroutine has the exchange
)

// conn is a connection. Its shard's goroutine alone touches it.
type conn struct {
	shard      *shard
	fd         int
	slot, life int32
	owner      any
	x          Exchange
	token      uint64
	state      state
	part       form // what in is the beginning of: short or headed, or whole if it isn't known
	readable   bool // there may be something to read
	hung       bool // the other side has ended its direction
	used       bool // a request has come
	posted     bool // the last one was a POST
	last       bool // it ends when its answer is out
	closed     bool
	gone       bool   // nobody waits for the answer; guarded by the shard's mutex
	in         []byte // what was read and not used
	out        []byte // what was not taken yet of an answer
	deadline   time.Time
}

// Answer implements host.Asker: the shard gets a copy, and is told of all together.
func (c *conn) Answer(a *node.Answer) host.Flusher {
	s := c.shard
	s.mu.Lock()
	if !c.gone {
		c.x.Answer = *a
		s.mail.answered = append(s.mail.answered, c)
	}
	s.mu.Unlock()
	return s
}

// News implements host.Watcher.
func (c *conn) News(n *node.WatchNews) host.Flusher {
	s := c.shard
	s.mu.Lock()
	if !c.gone {
		s.mail.news = append(s.mail.news, news{c, *n})
	}
	s.mu.Unlock()
	return s
}

// maxServed is how many requests of a connection are answered at once, and how often it
// is read, before it is the others' turn.
const maxServed = 64

// advance serves what is there, until there is nothing more to read, a request has to
// wait for its answer, or the connection has had its share of the turn.
func (s *shard) advance(c *conn) {
	s.served = 0
	for !c.closed && c.state == idle && len(c.out) == 0 {
		more := len(c.in) > 0 && c.part == whole
		if !more && !c.readable {
			return
		}
		if s.served++; s.served > maxServed {
			s.again = append(s.again, c)
			return
		}
		if more {
			data := c.in
			c.in = nil
			s.consume(c, data, true)
			continue
		}
		have := copy(s.in, c.in)
		n, err := read(c.fd, s.in[have:])
		switch {
		case errors.Is(err, unix.EAGAIN):
			c.readable = false
			continue
		case err != nil:
			s.endOfInput(c, err)
			return
		}
		// Less than there was room for is all; but an end may be behind it.
		c.readable = c.hung || have+n == len(s.in)
		s.consume(c, s.in[:have+n], false)
	}
}

// endOfInput ends a connection from which nothing more comes. An unfinished request
// is for net/http to answer, which does so unless it is shorter than four bytes and
// not the first.
func (s *shard) endOfInput(c *conn, err error) {
	if !errors.Is(err, io.EOF) || len(c.in) == 0 || (c.used && len(c.in) < skippable) {
		s.close(c)
		return
	}
	s.handOver(c, c.in)
}

// skippable is how many bytes net/http looks at before a head: it skips empty lines
// there after a POST.
const skippable = 4

// consume serves the requests in data, and keeps what must wait. The data is the
// connection's own or the shard's.
func (s *shard) consume(c *conn, data []byte, own bool) {
	for len(data) > 0 && c.state == idle && len(c.out) == 0 && s.served <= maxServed {
		if c.posted {
			if len(data) < skippable && len(skip(data)) == 0 {
				s.keep(c, data, own, short)
				return
			}
			data, c.posted = skip(data), false
			continue
		}
		n, f := parse(data, s.s.most, &s.req)
		switch f {
		case short, headed:
			s.keep(c, data, own, f)
			return
		case foreign:
			s.handOver(c, data)
			return
		}
		if !s.begin(c) {
			s.handOver(c, data)
			return
		}
		if c.closed {
			return
		}
		c.in, c.part, data = nil, whole, data[n:]
		s.served++
	}
	s.keep(c, data, own, whole)
}

// skip takes the line ends off that net/http would.
func skip(data []byte) []byte {
	for range skippable {
		if len(data) == 0 || (data[0] != '\r' && data[0] != '\n') {
			break
		}
		data = data[1:]
	}
	return data
}

// keep keeps what can't be served now. The time that the rest of a request has does
// not begin anew with each piece of it.
func (s *shard) keep(c *conn, data []byte, own bool, part form) {
	before := c.part
	if len(c.in) == 0 {
		before = whole
	}
	c.part = part
	switch {
	case len(data) == 0:
		c.in = nil
		return
	case own:
		c.in = data
	default:
		c.in = append(c.in[:0], data...)
	}
	switch {
	case part == headed && before != headed:
		s.bound(c, s.s.o.BodyTime)
	case part == short && before == whole && c.used:
		s.bound(c, s.s.o.HeaderTime)
	}
}

// begin has the handler judge a request. It returns false if net/http is to serve it.
func (s *shard) begin(c *conn) bool {
	x := &c.x
	x.Method, x.Began, x.Refusal = s.req.Method, s.now, nil
	verdict := s.s.o.Handler.Begin(x, &s.req)
	if verdict == HandOver {
		return false
	}
	c.used, c.posted, c.deadline = true, s.req.Method == "POST", time.Time{}
	if verdict == Reply {
		s.finish(c, x)
		return true
	}
	c.state = asked
	s.asked = append(s.asked, host.Asked{Call: &x.Call, Asker: c})
	return true
}

// answered is told that the node has answered.
func (s *shard) answered(c *conn) {
	if c.closed {
		return // its client was gone before
	}
	if c.state == watching {
		s.unwatch(c) // the node has stopped
		return
	}
	if h := s.s.o.Handler; h.Heavy(&c.x) {
		c.state = encoding
		// Not a copy of the shard's frame: that has room of its own, which it goes on using.
		frame, now := api.Frame{Lines: append([]byte(nil), s.frame.Lines...), Close: s.frame.Close}, s.now
		s.s.wait.Go(func() {
			b := h.Finish(&c.x, nil, &frame, now)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.mail.encoded = append(s.mail.encoded, encoded{c, b})
			s.wakeLocked()
		})
		return
	}
	s.finish(c, &c.x)
	s.advance(c)
}

// told is told what a connection's watch has to tell.
func (s *shard) told(c *conn, list []news) {
	if c.closed || (c.state != asked && c.state != watching) {
		return // it was ended before
	}
	out, over := s.out[:0], false
	for i := range list {
		if n := &list[i].n; n.Err != nil && !c.x.Told {
			c.x.Answer = node.Answer{Status: consensus.Done, Err: n.Err, Meta: n.Meta, Now: n.Now}
			s.finish(c, &c.x)
			s.advance(c)
			return
		}
		if out, over = s.s.o.Handler.Tell(&c.x, &list[i].n, out, &s.frame); over {
			if !list[i].n.Last {
				// The handler has failed. The node doesn't know, and may have more to tell.
				s.disown(c)
				c.last = true
			}
			break
		}
	}
	s.out = out
	if c.state = watching; over {
		c.state = idle
	}
	s.send(c, out)
	switch {
	case c.closed:
	case over:
		s.advance(c)
	case s.quits:
		s.unwatch(c)
	}
}

// unwatch ends a watch, and the connection with it, since more may be on its way from
// the node: clients ask again, elsewhere.
func (s *shard) unwatch(c *conn) {
	s.out, _ = s.s.o.Handler.Tell(s.disown(c), nil, s.out[:0], &s.frame)
	c.state, c.last = idle, true
	s.send(c, s.out)
}

// disown lets go of a connection's request: nobody waits for the answer, which may be
// on its way. It returns the exchange for the handler to end: a copy, since the node
// may read the call until it has seen the cancel.
func (s *shard) disown(c *conn) *Exchange {
	s.post() // it may be among those that were not handed over yet
	s.mu.Lock()
	c.gone = true
	s.mu.Unlock()
	s.s.o.Host.Cancel(c.token)
	x := c.x
	return &x
}

func (s *shard) encoded(e encoded) {
	if e.c.closed {
		return
	}
	e.c.state = idle
	s.send(e.c, e.bytes)
	s.advance(e.c)
}

// finish writes the answer to a connection's request, x.
func (s *shard) finish(c *conn, x *Exchange) {
	s.out = s.s.o.Handler.Finish(x, s.out[:0], &s.frame, s.now)
	c.state = idle
	s.send(c, s.out)
	if cap(s.out) > maxKeptOut {
		s.out = nil
	}
}

// send writes an answer, and keeps what the socket doesn't take.
func (s *shard) send(c *conn, b []byte) {
	n := 0
	if len(c.out) == 0 {
		var err error
		if n, err = write(c.fd, b); err != nil {
			s.close(c)
			return
		}
	}
	switch {
	case n < len(b):
		c.out = append(c.out, b[n:]...)
		s.bound(c, s.s.o.WriteTime+time.Duration(len(b)/s.s.o.MinRate)*time.Second)
	default:
		s.sent(c)
	}
}

// flush writes more of an answer. It returns false unless all of it is out and the
// connection goes on.
func (s *shard) flush(c *conn) bool {
	n, err := write(c.fd, c.out)
	if err != nil {
		s.close(c)
		return false
	}
	if c.out = c.out[n:]; len(c.out) > 0 {
		return false
	}
	c.out = nil
	s.sent(c)
	return !c.closed
}

// sent is told that an answer is out.
func (s *shard) sent(c *conn) {
	if c.state == watching {
		c.deadline = time.Time{}
		return
	}
	if s.ending || c.last {
		s.close(c)
		return
	}
	s.bound(c, s.s.o.IdleTime)
}

// abandon ends a connection; if its request is open, nobody waits for it any more.
func (s *shard) abandon(c *conn, why string) {
	if c.state == asked {
		x := s.disown(c)
		x.Answer = node.Answer{Token: c.token, Status: consensus.Unknown, Reason: "no answer: " + why}
		s.finish(c, x)
		if c.closed {
			return
		}
	}
	s.close(c)
}

// close closes a connection.
func (s *shard) close(c *conn) {
	if c.state == watching {
		_, _ = s.s.o.Handler.Tell(s.disown(c), nil, nil, &s.frame)
	}
	s.forget(c)
	_ = unix.Close(c.fd)
	s.s.o.Closed(c.owner)
}

// forget takes a connection out of the shard.
func (s *shard) forget(c *conn) {
	c.closed, c.in, c.out = true, nil, nil
	s.conns[c.slot] = nil
	s.free = append(s.free, c.slot)
	s.open--
}

// handOver gives a connection to net/http, with the bytes that are not answered.
func (s *shard) handOver(c *conn, data []byte) {
	data = append([]byte(nil), data...)
	s.forget(c)
	_ = s.poll.remove(c.fd)
	t, err := give(c.fd)
	if err != nil {
		s.s.o.Closed(c.owner)
		return
	}
	s.s.o.HandOver(c.owner, &prefixed{TCPConn: t, prefix: data})
}

// prefixed is a connection of which a part was read before.
type prefixed struct {
	*net.TCPConn
	prefix []byte
}

// Read implements net.Conn.
func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.prefix) == 0 {
		return p.TCPConn.Read(b)
	}
	n := copy(b, p.prefix)
	if p.prefix = p.prefix[n:]; len(p.prefix) == 0 {
		p.prefix = nil
	}
	return n, nil
}
