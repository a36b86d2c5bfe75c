package direct

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/host"
)

// shard is one goroutine with its connections.
type shard struct {
	s       *Server
	poll    *poller
	drained chan struct{} // closed when the first order to drain has been carried out

	// What others leave for the goroutine.
	mu       sync.Mutex
	mail     mail
	parked   bool // it waits, and is to be woken
	woken    bool // by a deadline of its poller that has passed
	draining bool // no more connections are taken

	// The goroutine's own.
	conns  []*conn // by slot; nil where there is none
	free   []int32
	open   int
	lives  int32 // connections that there have been, to tell those of a slot apart
	asked  []host.Asked
	served int     // of one connection, in one go
	again  []*conn // that have had their share, each once or more
	took   mail
	in     []byte // room for reading
	out    []byte // room for writing
	req    Request
	frame  api.Frame
	dated  int64 // the second that the frame's date shows
	now    time.Time
	due    time.Time // when deadlines are to be looked at; zero for never
	armed  time.Time // the poller's deadline
	quits  bool      // watches end at once
	ending bool
}

// mail is what is left for a shard.
type mail struct {
	adopted  []adopted
	answered []*conn
	news     []news
	encoded  []encoded
	orders   []order
}

func (m *mail) empty() bool {
	return len(m.adopted)+len(m.answered)+len(m.news)+len(m.encoded)+len(m.orders) == 0
}

func (m *mail) clear() {
	clear(m.adopted)
	clear(m.answered)
	clear(m.news)
	clear(m.encoded)
	m.news = m.news[:0]
	m.adopted, m.answered, m.encoded, m.orders = m.adopted[:0], m.answered[:0], m.encoded[:0], m.orders[:0]
}

// adopted is a connection that is to be served.
type adopted struct {
	fd     int
	owner  any
	remote net.Addr
}

// news is something of a watch.
type news struct {
	c *conn
	n node.WatchNews
}

// encoded is an answer that was written by a goroutine of its own.
type encoded struct {
	c     *conn
	bytes []byte
}

// order is what the server tells its shards to do.
type order uint8

const (
	quit order = iota // end the watches
	drain
	cut
)

const (
	// readBytes is how much is read at a time: more than any request of the subset has.
	readBytes = 128 << 10
	// maxKeptOut is the size of the largest answer whose room is kept for the next one.
	maxKeptOut = 256 << 10
	// coarse is how far apart two looks at the deadlines are at least.
	coarse = 20 * time.Millisecond
)

func newShard(s *Server, p *poller) *shard {
	return &shard{s: s, poll: p, drained: make(chan struct{}), in: make([]byte, readBytes)}
}

// run serves until the shard is drained and its connections are gone.
func (s *shard) run() {
	defer func() { _ = s.poll.file.Close() }()
	for {
		s.takeMail()
		s.stamp()
		s.deliver()
		if s.ending && s.open == 0 {
			return
		}
		s.post()
		if len(s.again) == 0 && s.park() {
			s.poll.wait()
			s.unpark()
		} else {
			s.poll.poll()
		}
		s.stamp()
		for i := range s.poll.ready {
			s.event(&s.poll.events[i])
		}
		s.goOn()
		s.post()
		if !s.due.IsZero() && !s.now.Before(s.due) {
			s.expire()
		}
	}
}

// goOn goes on with connections that had their share of an earlier turn.
func (s *shard) goOn() {
	list := s.again
	s.again = nil
	for _, c := range list {
		s.advance(c)
	}
}

// stamp looks at the clock. Answers to what comes in together show one time.
func (s *shard) stamp() {
	s.now = time.Now()
	if second := s.now.Unix(); second != s.dated {
		s.dated = second
		s.frame.Lines = append(s.frame.Lines[:0], s.s.o.Lines...)
		s.frame.Lines = append(s.frame.Lines, "Date: "...)
		s.frame.Lines = s.now.UTC().AppendFormat(s.frame.Lines, http.TimeFormat)
		s.frame.Lines = append(s.frame.Lines, crlf...)
	}
}

// park says whether there is nothing to do but wait, and has the wait end in time.
func (s *shard) park() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mail.empty() {
		return false
	}
	if s.woken || !s.due.Equal(s.armed) {
		s.woken, s.armed = false, s.due
		_ = s.poll.file.SetReadDeadline(s.due)
	}
	s.parked = true
	return true
}

func (s *shard) unpark() {
	s.mu.Lock()
	s.parked = false
	s.mu.Unlock()
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// wakeLocked ends the goroutine's waiting, by a deadline, which costs no system call.
func (s *shard) wakeLocked() {
	if s.parked {
		s.parked, s.woken = false, true
		_ = s.poll.file.SetReadDeadline(longAgo)
	}
}

// Flush implements host.Flusher.
func (s *shard) Flush() {
	s.mu.Lock()
	s.wakeLocked()
	s.mu.Unlock()
}

func (s *shard) order(o order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = s.draining || o != quit
	s.mail.orders = append(s.mail.orders, o)
	s.wakeLocked()
}

func (s *shard) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// leave leaves a connection for the shard, unless it takes no more.
func (s *shard) leave(a adopted) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.mail.adopted = append(s.mail.adopted, a)
	s.wakeLocked()
	return true
}

func (s *shard) takeMail() {
	s.took.clear()
	s.mu.Lock()
	s.took, s.mail = s.mail, s.took
	s.mu.Unlock()
}

// deliver acts on what was left.
func (s *shard) deliver() {
	for i := range s.took.adopted {
		s.adopt(&s.took.adopted[i])
	}
	for _, c := range s.took.answered {
		s.answered(c)
	}
	for list := s.took.news; len(list) > 0; {
		n := 1
		for n < len(list) && list[n].c == list[0].c {
			n++
		}
		s.told(list[0].c, list[:n])
		list = list[n:]
	}
	for _, e := range s.took.encoded {
		s.encoded(e)
	}
	for _, o := range s.took.orders {
		s.obey(o)
	}
}

func (s *shard) obey(o order) {
	s.quits = true
	for _, c := range s.conns {
		switch {
		case c == nil:
		case o == cut:
			s.abandon(c, "the server stops")
		case c.state == watching:
			s.unwatch(c)
		case o == quit:
		case c.state != idle || len(c.out) > 0:
			// It is closed when its answer is out.
		case c.part == headed:
			s.handOver(c, c.in)
		default:
			s.close(c)
		}
	}
	if !s.ending && o != quit {
		s.ending, s.frame.Close = true, true
		close(s.drained)
	}
}

// adopt begins to serve a connection.
func (s *shard) adopt(a *adopted) {
	c := &conn{shard: s, fd: a.fd, owner: a.owner}
	c.x.Remote = a.remote
	if n := len(s.free); n > 0 {
		c.slot, s.free = s.free[n-1], s.free[:n-1]
	} else {
		c.slot = int32(len(s.conns))
		s.conns = append(s.conns, nil)
	}
	s.lives++
	c.life = s.lives
	s.conns[c.slot] = c
	s.open++
	if err := s.poll.add(c.fd, c.slot, c.life); err != nil {
		s.close(c)
		return
	}
	s.bound(c, s.s.o.HeaderTime)
}

// post hands over what this turn has brought.
func (s *shard) post() {
	if len(s.asked) == 0 {
		return
	}
	s.s.o.Host.Post(s.asked)
	for i := range s.asked {
		s.asked[i].Asker.(*conn).token = s.asked[i].Token
	}
	clear(s.asked)
	s.asked = s.asked[:0]
}

// bound gives a connection so much time from now.
func (s *shard) bound(c *conn, d time.Duration) {
	c.deadline = s.now.Add(d)
	if s.due.IsZero() || c.deadline.Before(s.due) {
		s.due = c.deadline
	}
}

// expire looks for connections whose time is up, and when to look again.
func (s *shard) expire() {
	s.due = time.Time{}
	for _, c := range s.conns {
		if c == nil || c.deadline.IsZero() {
			continue
		}
		if !c.deadline.After(s.now) {
			s.late(c)
			continue
		}
		if s.due.IsZero() || c.deadline.Before(s.due) {
			s.due = c.deadline
		}
	}
	if soon := s.now.Add(coarse); !s.due.IsZero() && s.due.Before(soon) {
		s.due = soon
	}
}

// late ends a connection whose time is up.
func (s *shard) late(c *conn) {
	h := s.s.o.Handler
	switch {
	case len(c.out) > 0:
		h.TooSlow(true)
		s.close(c)
	case c.part == headed:
		s.handOver(c, c.in)
	default:
		if !c.used {
			h.TooSlow(false)
		}
		s.close(c)
	}
}

// event is told what has changed about a connection.
func (s *shard) event(e *unix.EpollEvent) {
	c := s.conns[e.Fd]
	if c == nil || c.life != e.Pad {
		return // it was closed in this turn
	}
	if e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.readable = true
	}
	if e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.hung = true
	}
	if len(c.out) > 0 && !s.flush(c) {
		return
	}
	switch {
	case c.state == idle:
		s.advance(c)
	case c.hung && len(c.in) == 0 && ended(c.fd):
		s.abandon(c, "context canceled")
	}
}
