package tether

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxMachines bounds the machines that are connected with one member.
const maxMachines = 20000

// Wrong tokens are answered at most so often; then all wait.
const (
	maxWrong    = 10
	wrongWindow = time.Second
)

// ServerOptions are what a member needs to take machines' connections.
type ServerOptions struct {
	// Cluster and Member are the cluster's and this member's ids.
	Cluster, Member uint64
	// Token is the cluster's join token, empty if there is none.
	Token string
	// Certified says that whoever reaches the peer port by TLS has shown a
	// certificate that lets in members, and needs no token.
	Certified bool
	// Deliver takes a frame from a machine, which it owns. It is called by one
	// goroutine for each machine; while it blocks that machine isn't heard.
	Deliver func(machine string, frame []byte)
	// Logger takes comings, goings and refusals; nil for none.
	Logger *slog.Logger

	_ struct{}
}

// Server is the member's side. Its methods may be called by any goroutine.
type Server struct {
	o      ServerOptions
	log    *slog.Logger
	secret secret
	lost   atomic.Uint64
	wait   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	machines map[string]*Stream
	wrong    int // tokens in this window
	began    time.Time
	said     map[string]time.Time // refusals that were logged
}

// NewServer returns a server with no connections.
func NewServer(o ServerOptions) *Server {
	if o.Cluster == 0 || o.Deliver == nil {
		panic(fmt.Sprintf("tether: cluster %d, or nobody to deliver to", o.Cluster))
	}
	s := &Server{o: o, log: o.Logger, secret: newSecret(o.Token), machines: make(map[string]*Stream), said: make(map[string]time.Time)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// ServeHTTP takes the connection of a machine, or refuses it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	h, refusal := parseHello(r.Header)
	if refusal == nil {
		refusal = s.judge(r, &h)
	}
	if refusal != nil {
		s.refuse(w, r, &h, refusal)
		return
	}
	if err := s.take(w, &h); err != nil {
		http.Error(w, err.Error(), http.StatusHTTPVersionNotSupported)
	}
}

// judge says why a machine is refused, if it is.
func (s *Server) judge(r *http.Request, h *hello) *Refusal {
	if h.Cluster != s.o.Cluster {
		return refuse(WhyCluster, "this member is of cluster %x, the machine of cluster %x", s.o.Cluster, h.Cluster)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return refuse(WhyBusy, "this member stops")
	}
	if len(s.machines) >= maxMachines && s.machines[h.Machine] == nil {
		return refuse(WhyBusy, "%d machines are connected with this member already", len(s.machines))
	}
	if s.o.Certified && r.TLS != nil || !s.secret.set {
		return nil
	}
	if time.Since(s.began) > wrongWindow {
		s.began, s.wrong = time.Now(), 0
	}
	if s.wrong >= maxWrong {
		return refuse(WhyBusy, "too many wrong tokens; try again")
	}
	if !s.secret.knows(h.Token) {
		s.wrong++
		return refuse(WhyToken, "the join token is wrong: give the node the --join-token of this member")
	}
	return nil
}

// refuse answers with the refusal and logs it, not too often.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, h *hello, refusal *Refusal) {
	w.Header().Set(headRefused, string(refusal.Why))
	w.Header().Set("Connection", "close")
	http.Error(w, refusal.Text, refusal.Why.status())
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if s.news(fmt.Sprint(host, " ", refusal.Why, " ", h.Machine)) {
		s.log.Warn("refused a machine's connection", "from", r.RemoteAddr, "machine", printable(h.Machine), "reason", refusal.Text)
	}
}

// news says whether something wasn't said lately.
func (s *Server) news(what string) bool {
	const most, lately = 256, 10 * time.Minute
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.said[what]; ok && time.Since(last) < lately {
		return false
	}
	if len(s.said) >= most {
		clear(s.said)
	}
	s.said[what] = time.Now()
	return true
}

// take upgrades an admitted connection and has it read.
func (s *Server) take(w http.ResponseWriter, h *hello) error {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("machines connect by HTTP/1.1: %w", err)
	}
	tune(conn)
	in := rw.Reader
	if in.Buffered() == 0 {
		in = bufio.NewReaderSize(conn, readerBytes) // the server's is larger
	}
	st := newStream(conn, in, Silence)
	st.writing = true // frames wait until the answer is written
	if !s.enter(h.Machine, st) {
		st.Close()
		return nil
	}
	_ = conn.SetDeadline(time.Now().Add(writeTime))
	head := fmt.Sprintf("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s: %d\r\n%s: %x\r\n%s: %x\r\n\r\n",
		upgradeTo, headProtocol, min(h.High, HighestProtocol), headCluster, s.o.Cluster, headFrom, s.o.Member)
	if _, err := io.WriteString(conn, head); err != nil {
		st.Close() // and read sees it
	}
	s.log.Debug("a machine has connected", "machine", h.Machine, "release", h.Release)
	// Goroutines of its own: the HTTP server's holds more.
	go st.write()
	go s.read(h.Machine, st)
	return nil
}

// enter makes a stream the machine's, in place of an older one.
func (s *Server) enter(machine string, st *Stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if old := s.machines[machine]; old != nil {
		old.Close()
	}
	s.machines[machine] = st
	s.wait.Add(1)
	return true
}

// read delivers what a machine sends until its connection ends.
func (s *Server) read(machine string, st *Stream) {
	defer s.wait.Done()
	for {
		frame, err := st.Receive()
		if err != nil {
			s.leave(machine, st, err)
			return
		}
		s.o.Deliver(machine, frame)
	}
}

func (s *Server) leave(machine string, st *Stream, err error) {
	st.Close()
	s.mu.Lock()
	last := s.machines[machine] == st
	if last {
		delete(s.machines, machine)
	}
	s.mu.Unlock()
	s.lost.Add(st.Lost())
	if last {
		s.log.Debug("a machine has disconnected", "machine", machine, "reason", plain(err))
	}
}

// Send queues a frame for a machine, or drops it. It owns the frame.
func (s *Server) Send(machine string, frame []byte) {
	s.mu.Lock()
	st := s.machines[machine]
	s.mu.Unlock()
	if st == nil {
		s.lost.Add(1)
		return
	}
	st.Send(frame)
}

// Machines returns the ids of those that are connected, sorted.
func (s *Server) Machines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.machines))
}

// Lost counts frames that were dropped, on connections that have ended or for
// machines that weren't connected.
func (s *Server) Lost() uint64 { return s.lost.Load() }

// Close ends all connections and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, st := range s.machines {
		st.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// plain makes the usual ends of a connection readable.
func plain(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the other side hung up"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing was heard in time"
	case errors.Is(err, net.ErrClosed):
		return "it was closed"
	}
	return printable(err.Error())
}
