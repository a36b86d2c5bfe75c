package transport

import (
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"drydock/node/wire"
	"drydock/node/world"
)

// addr is where a member listens.
func (m *member) addr() string { return m.http.Listener.Addr().String() }

// has says whether m was given the append with index.
func (m *member) has(index uint64) bool {
	for _, frame := range m.frames() {
		found := false
		_ = wire.Heads(frame, func(h wire.Head) { found = found || h.Index == index })
		if found {
			return true
		}
	}
	return false
}

// reaches sends until a frame with index arrives.
func reaches(t *testing.T, a, b *member, index uint64) {
	t.Helper()
	eventually(t, "a frame to arrive", func() bool {
		a.Send(b.o.ID, appendFrame(a.o.ID, b.o.ID, index, 10))
		return b.has(index)
	})
}

// TestBothDialAtOnce: two members that meet at the same moment have one connection
// each way, and both work.
func TestBothDialAtOnce(t *testing.T) {
	for range 10 {
		a, b := startMember(t, 1, ""), startMember(t, 2, "")
		var both sync.WaitGroup
		book := []Peer{a.entry(), b.entry()}
		both.Go(func() { a.SetPeers(book) })
		both.Go(func() { b.SetPeers(book) })
		both.Wait()
		reaches(t, a, b, 1)
		reaches(t, b, a, 2)
		if n, m := a.Totals().Inbound, b.Totals().Inbound; n != 1 || m != 1 {
			t.Fatalf("%d and %d connections came in", n, m)
		}
		if n := a.log.count("lost connection") + b.log.count("lost connection"); n != 0 {
			t.Fatalf("a connection was lost:\n%s%s", a.log, b.log)
		}
		a.stop()
		b.stop()
	}
}

// TestRestart: a member that comes back at its address is found again, and its
// going and coming are said once each.
func TestRestart(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	meet(a, b)
	reaches(t, a, b, 1)
	reaches(t, b, a, 2)
	addr := b.addr()
	b.stop()
	eventually(t, "the loss", func() bool { return !a.Connected(2) })
	if s, _ := a.Stats(2); s.Reason == "" {
		t.Error("no reason")
	}
	eventually(t, "dropping", func() bool {
		a.Send(2, heartbeat(1, 2, 1))
		s, _ := a.Stats(2)
		return s.Lost.Unreachable > 0
	})
	b = startMember(t, 2, addr)
	b.SetPeers([]Peer{a.entry()})
	reaches(t, a, b, 3)
	reaches(t, b, a, 4)
	for line, want := range map[string]int{"connected to member": 2, "lost connection to member": 1, "can't connect": 0} {
		if n := a.log.count(line); n != want {
			t.Errorf("%q is said %d times:\n%s", line, n, a.log)
		}
	}
}

// TestRestartUnnoticed: the network swallowed the end of the connection, but the
// member calls from a new life: the old connection is given up at once.
func TestRestartUnnoticed(t *testing.T) {
	b := startMember(t, 2, "")
	p := newProxy(t, b.addr(), 0)
	a := startMember(t, 1, "", func(o *Options) { o.Stall = time.Minute })
	a.SetPeers([]Peer{{ID: 2, URLs: []string{p.url()}}})
	b.SetPeers([]Peer{a.entry()})
	reaches(t, a, b, 1)
	p.freeze()
	addr := b.addr()
	b.stop()
	b = startMember(t, 2, addr)
	b.SetPeers([]Peer{a.entry()})
	reaches(t, a, b, 2)
	// Once, or twice where the answer of the new one overtakes the end of the old link.
	if n := a.log.count("lost connection", "the member has restarted"); n != 1 && n != 2 {
		t.Errorf("log:\n%s", a.log)
	}
}

// TestNewMemberAtAnOldAddress: a wiped member comes back under another id.
func TestNewMemberAtAnOldAddress(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	meet(a, b)
	reaches(t, a, b, 1)
	addr := b.addr()
	b.stop()
	c := startMember(t, 3, addr)
	c.SetPeers([]Peer{a.entry()})
	eventually(t, "the refusal", func() bool {
		s, _ := a.Stats(2)
		return strings.Contains(s.Reason, "this is member 3, not 2")
	})
	if s, _ := a.Stats(2); s.Connected {
		t.Fatal("connected with whom it isn't")
	}
	a.SetPeers([]Peer{c.entry()})
	reaches(t, a, c, 2)
	reaches(t, c, a, 3)
}

// TestAddressChangeUnderLoad: frames go on while a member moves; the old address
// can go at once.
func TestAddressChangeUnderLoad(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	meet(a, b)
	reaches(t, a, b, 1<<20)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	second := &httptest.Server{Listener: ln, Config: NewServer(b.Handler(), nil, nil)}
	second.Start()
	defer second.Close()

	stop, sent := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(100 * time.Microsecond)
		defer tick.Stop()
		for i := uint64(0); ; i++ {
			select {
			case <-tick.C:
				a.Send(2, appendFrame(1, 2, i, 10<<10))
			case <-stop:
				sent <- i
				return
			}
		}
	}()
	eventually(t, "load", func() bool { return len(b.frames()) > 50 })
	a.SetPeers([]Peer{{ID: 2, URLs: []string{second.URL}}})
	b.http.Listener.Close()
	eventually(t, "the new address", func() bool {
		s, _ := a.Stats(2)
		return s.Connected && s.URL == second.URL
	})
	before := len(b.frames())
	eventually(t, "load there", func() bool { return len(b.frames()) > before+50 })
	close(stop)
	n := <-sent
	reaches(t, a, b, n)
	got := indexes(t, b.frames())
	s, _ := a.Stats(2)
	// What went astray was on its way when the connection was cut.
	if lost := int(n) - len(got); lost > int(n)/2 || s.Lost.Full+s.Lost.Unreachable > 0 {
		t.Errorf("%d of %d frames lost, %+v", lost, n, s.Lost)
	}
}

// TestURLsInTurn: the first address that answers is used.
func TestURLsInTurn(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	foreign := startMember(t, 9, "")
	a.SetPeers([]Peer{{ID: 2, URLs: []string{"http://127.0.0.1:1", foreign.url, b.url}}})
	reaches(t, a, b, 1)
	if s, _ := a.Stats(2); s.URL != b.url {
		t.Errorf("%+v", s)
	}
	a.SetPeers([]Peer{{ID: 2}})
	eventually(t, "no address", func() bool {
		s, _ := a.Stats(2)
		return s.Reason == "no peer URL is known"
	})
}

// TestGuest: a member that b doesn't know calls it and is answered; when it is gone
// it is forgotten.
func TestGuest(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	a.SetPeers([]Peer{b.entry()})
	reaches(t, a, b, 1)
	reaches(t, b, a, 2)
	if s, known := b.Stats(1); !known || !s.Guest || s.Name != "m1" {
		t.Errorf("%+v", s)
	}
	// A book that doesn't have it yet leaves it be; one that has makes it a member.
	b.SetPeers(nil)
	reaches(t, b, a, 3)
	b.SetPeers([]Peer{a.entry()})
	if s, _ := b.Stats(1); s.Guest {
		t.Error("still a guest")
	}
	if n := b.log.count("not known here has called"); n != 1 {
		t.Errorf("said %d times", n)
	}
	b.SetPeers(nil)
	if _, known := b.Stats(1); known {
		t.Error("still known")
	}
	b.Send(1, heartbeat(2, 1, 1))
	if b.Totals().Lost.Stranger == 0 {
		t.Error("a frame for nobody was not counted")
	}
	reaches(t, b, a, 4) // it calls again, as a guest
	a.stop()
	eventually(t, "it to be forgotten", func() bool { _, known := b.Stats(1); return !known })
}

// TestCloseSendsWhatIsQueued: a leader's last words arrive.
func TestCloseSendsWhatIsQueued(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	meet(a, b)
	reaches(t, a, b, 1<<20)
	for i := range uint64(500) {
		a.Send(2, appendFrame(1, 2, i, 1000))
	}
	a.Send(2, heartbeat(1, 2, 1<<21))
	a.Close()
	eventually(t, "all of it", func() bool {
		seen := make(map[uint64]bool)
		for _, index := range indexes(t, b.frames()) {
			seen[index] = true
		}
		return len(seen) == 502
	})
	eventually(t, "its last word", func() bool { return b.log.count("lost connection", "this member stops") == 1 })
	a.Close()
	a.Send(2, heartbeat(1, 2, 0))
	a.SetPeers([]Peer{b.entry()})
	if _, known := a.Stats(2); known {
		t.Error("a closed transport has peers")
	}
}

// TestOneConnectionEach: a newer connection takes the older one's place, and there
// is room for so many unknown members.
func TestOneConnectionEach(t *testing.T) {
	m := startMember(t, 2, "")
	m.SetPeers([]Peer{{ID: 1, URLs: []string{"http://127.0.0.1:1"}}})
	_, first := call(t, m, 1)
	rr := recordReader{r: first}
	_, second := call(t, m, 3)
	if _, err := rr.next(); !errors.Is(err, errBye) || !strings.Contains(err.Error(), "a newer connection has come") {
		t.Errorf("the older connection ended with %v", err)
	}
	if _, late := call(t, m, 2); late != nil {
		t.Error("an attempt that is older than the connection was let in")
	}
	if n := m.Totals().Inbound; n != 1 {
		t.Errorf("%d connections", n)
	}
	m.SetPeers(nil)
	rr.r = second
	if _, err := rr.next(); !errors.Is(err, errBye) || !strings.Contains(err.Error(), "no longer a member") {
		t.Errorf("a former member's connection ended with %v", err)
	}
	for i := range maxGuests + 1 {
		h := goodHello()
		h.From, h.URLs = world.MemberID(100+i), []string{"http://127.0.0.1:1"}
		conn, err := net.Dial("tcp", m.addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _, err = shake(conn, "m", &h)
		var refusal *Refusal
		if i < maxGuests && err != nil || i == maxGuests && (!errors.As(err, &refusal) || refusal.Why != WhyBusy) {
			t.Errorf("guest %d: %v", i, err)
		}
	}
}

// TestWaitsEndEarly: who waits long before the next attempt dials at once when the
// member calls, or has another address.
func TestWaitsEndEarly(t *testing.T) {
	for name, end := range map[string]func(a, b *member){
		"call":    func(a, b *member) { b.SetPeers([]Peer{a.entry()}) },
		"address": func(a, b *member) { a.SetPeers([]Peer{{ID: 2, URLs: []string{"http://127.0.0.1:1", b.url}}}) },
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		a := startMember(t, 1, "")
		a.t.backoffLeast, a.t.backoffMax = time.Hour, time.Hour
		a.SetPeers([]Peer{{ID: 2, URLs: []string{"http://" + ln.Addr().String()}}})
		for range 2 { // the second attempt comes at once, the third in an hour
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
		}
		_ = ln.Close()
		b := startMember(t, 2, ln.Addr().String())
		end(a, b)
		eventually(t, "a connection after a new "+name, func() bool { return a.Connected(2) })
		a.stop()
		b.stop()
	}
}
