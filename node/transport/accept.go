package transport

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"drydock/node/world"
)

// maxGuests bounds members in the book that aren't known.
const maxGuests = 16

func pathURL(host string) *url.URL { return &url.URL{Scheme: "http", Host: host, Path: Path} }

// inboundKey names what comes in: one connection each.
type inboundKey struct {
	from   world.MemberID
	stream string
}

// inbound is a connection that came in.
type inbound struct {
	t    *Transport
	key  inboundKey
	peer *peer
	conn net.Conn
	once sync.Once

	life, attempt uint64 // of the caller
}

// cut ends the connection with a word, without waiting.
func (in *inbound) cut(why string) {
	in.once.Do(func() {
		in.t.wait.Go(func() { // in's own goroutine is still counted
			_ = in.conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
			_, _ = in.conn.Write(appendBye(nil, why))
			hangUp(in.conn)
		})
	})
}

// Handler serves Path on the peer port: members' connections by upgrade, and who
// this member is to a plain GET.
func (t *Transport) Handler() http.Handler { return http.HandlerFunc(t.serve) }

func (t *Transport) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	case r.Header.Get("Upgrade") == "":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Identity{
			Cluster: hex(t.o.Cluster), ID: hex(uint64(t.o.ID)), Name: t.o.Name, Release: t.o.Release,
			Protocol: fmt.Sprintf("%d-%d", LowestProtocol, HighestProtocol),
		})
		return
	}
	h, err := parseHello(r.Header)
	refusal, stranger := t.judge(&h)
	switch {
	case !strings.EqualFold(r.Header.Get("Upgrade"), upgradeTo):
		refusal = &Refusal{WhyRequest, fmt.Sprintf("can't upgrade to %q", printable(r.Header.Get("Upgrade")))}
	case err != nil && (h.High == 0 || refusal == nil || refusal.Why != WhyVersion):
		refusal = &Refusal{WhyRequest, err.Error()}
	}
	if refusal == nil {
		refusal = t.admit(&h, stranger)
	}
	if refusal != nil {
		t.refuse(w, r, &h, refusal)
		return
	}
	defer t.leave(h.From)
	t.take(w, &h)
}

// refuse answers with the refusal and logs it once.
func (t *Transport) refuse(w http.ResponseWriter, r *http.Request, h *hello, refusal *Refusal) {
	t.refused.Add(1)
	w.Header().Set(headRefused, string(refusal.Why))
	w.Header().Set("Connection", "close")
	http.Error(w, refusal.Text, whyStatus[refusal.Why])
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if t.said.say(fmt.Sprint(host, " ", refusal.Why, " ", h.From)) {
		t.log.Warn("refused a member's connection", "from", r.RemoteAddr, "member", hex(uint64(h.From)), "name", h.Name, "reason", refusal.Text)
	}
}

// admit makes room for a caller. Whoever is admitted must leave.
func (t *Transport) admit(h *hello, stranger bool) *Refusal {
	refusal, fresh := t.count(h, stranger)
	if fresh {
		t.log.Info("a member that is not known here has called", "member", hex(uint64(h.From)), "name", h.Name, "urls", h.URLs)
	}
	return refusal
}

// count is admit under the lock, in which nothing is logged. Fresh says that a
// guest was entered.
func (t *Transport) count(h *hello, stranger bool) (refusal *Refusal, fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return &Refusal{WhyBusy, "this member stops"}, false
	}
	book := *t.book.Load()
	if stranger && book[h.From] == nil {
		guests := 0
		for _, p := range book {
			if p.guest.Load() {
				guests++
			}
		}
		if guests >= maxGuests {
			return &Refusal{WhyBusy, fmt.Sprintf("%d unknown members are connected already", guests)}, false
		}
		t.addGuest(h)
		fresh = true
	}
	t.wait.Add(1)
	return nil, fresh
}

func (t *Transport) leave(from world.MemberID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inbound[inboundKey{from, streamMessages}] == nil && t.inbound[inboundKey{from, streamSnapshots}] == nil {
		t.dropGuest(from)
	}
	t.wait.Done()
}

// take makes a stream of an admitted request and reads it to its end.
func (t *Transport) take(w http.ResponseWriter, h *hello) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "members connect by HTTP/1.1: "+err.Error(), http.StatusHTTPVersionNotSupported)
		return
	}
	in := &inbound{t: t, key: inboundKey{h.From, h.Stream}, conn: conn, life: h.Life, attempt: h.Attempt}
	if !t.enter(in) {
		_ = conn.Close()
		return
	}
	tune(conn)
	in.peer.called(h.Life)
	err = t.welcome(in, h)
	if err == nil {
		// The server's reader may hold what came with the request.
		err = in.receive(bufio.NewReaderSize(&timed{conn: in.conn, limit: t.t.stall, first: rw.Reader}, 64<<10))
	}
	t.mu.Lock()
	current := t.inbound[in.key] == in
	if current {
		delete(t.inbound, in.key)
	}
	t.mu.Unlock()
	in.once.Do(func() { hangUp(conn) })
	if errors.Is(err, errStream) {
		t.log.Warn("a member's stream is broken", in.peer.who("stream", h.Stream, "reason", err.Error())...)
	} else {
		t.log.Debug("a member's stream has ended", in.peer.who("stream", h.Stream, "reason", plain(err))...)
	}
}

// enter registers a connection. An older one of the same kind goes. Which is older
// is by the caller's count: a member that stood still for a while finds attempts
// before its door that were given up long ago.
func (t *Transport) enter(in *inbound) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	in.peer = (*t.book.Load())[in.key.from]
	if t.closed || in.peer == nil {
		return false
	}
	if old := t.inbound[in.key]; old != nil {
		if old.life == in.life && old.attempt > in.attempt {
			return false
		}
		old.cut("a newer connection has come")
	}
	t.inbound[in.key] = in
	return true
}

func (t *Transport) welcome(in *inbound, h *hello) error {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n", upgradeTo)
	fmt.Fprintf(&b, "%s: %d\r\n%s: %x\r\n%s: %x\r\n%s: %x\r\n%s: %s\r\n\r\n", headProtocol, min(h.High, HighestProtocol),
		headCluster, t.o.Cluster, headFrom, uint64(t.o.ID), headLife, t.life, headRelease, url.QueryEscape(t.o.Release))
	if err := in.conn.SetDeadline(time.Now().Add(t.t.stall)); err != nil {
		return err
	}
	_, err := in.conn.Write([]byte(b.String()))
	return err
}

// receive reads a stream to its end.
func (in *inbound) receive(r *bufio.Reader) error {
	t, p := in.t, in.peer
	rr := recordReader{r: r}
	for {
		ev, err := rr.next()
		if err != nil {
			return err
		}
		switch ev.kind {
		case recordFrame:
			e, err := openEnvelope(ev.frame)
			if err != nil {
				return err
			}
			if e.cluster != t.o.Cluster || e.from != in.key.from || e.to != t.o.ID {
				p.lost.foreign.Add(1)
				continue
			}
			_, appends := sortFrame(ev.frame)
			p.received.add(1, appends, len(ev.frame))
			t.received.add(1, appends, len(ev.frame))
			t.o.Deliver(ev.frame)
		case recordPing:
			if err := in.conn.SetWriteDeadline(time.Now().Add(t.t.stall)); err != nil {
				return err
			}
			if _, err := in.conn.Write(appendPing(nil, recordPong, ev.stamp)); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: record of kind %d from a caller", errStream, ev.kind)
		}
	}
}

// timed reads what first has buffered and then conn, each time within limit.
type timed struct {
	conn  net.Conn
	limit time.Duration
	first *bufio.Reader
}

func (t *timed) Read(b []byte) (int, error) {
	if t.first != nil {
		if n := t.first.Buffered(); n > 0 {
			return t.first.Read(b[:min(len(b), n)])
		}
		t.first = nil
	}
	if err := t.conn.SetReadDeadline(time.Now().Add(t.limit)); err != nil {
		return 0, err
	}
	return t.conn.Read(b)
}
