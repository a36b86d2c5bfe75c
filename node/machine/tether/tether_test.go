package tether

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"drydock/node/link"
	"drydock/node/tlsconf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 10 * time.Second
	cluster  = 0xc1
)

func machine(i int) string { return fmt.Sprintf("%032x", i+1) }

// heard is a frame and whose it is.
type heard struct{ machine, frame string }

// member is a server on a port of its own, and what it has heard.
type member struct {
	*Server
	http  *httptest.Server
	heard chan heard
}

func newMember(t *testing.T, o ServerOptions, secure *tls.Config) *member {
	t.Helper()
	m := &member{heard: make(chan heard, 1024)}
	o.Cluster, o.Member = cluster, 7
	o.Deliver = func(machine string, frame []byte) { m.heard <- heard{machine, string(frame)} }
	m.Server = NewServer(o)
	m.http = httptest.NewUnstartedServer(m.Server)
	if m.http.TLS = secure; secure != nil {
		m.http.StartTLS()
	} else {
		m.http.Start()
	}
	t.Cleanup(func() {
		m.Close()
		m.http.Close()
	})
	return m
}

func (m *member) options(i int) DialOptions {
	return DialOptions{URL: m.http.URL, Cluster: cluster, Machine: machine(i), Release: "1"}
}

func (m *member) next(t *testing.T) heard {
	t.Helper()
	select {
	case h := <-m.heard:
		return h
	case <-time.After(patience):
		t.Fatal("nothing was heard")
		return heard{}
	}
}

func dial(t *testing.T, o DialOptions) *Stream {
	t.Helper()
	s, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

func TestFramesBothWays(t *testing.T) {
	m := newMember(t, ServerOptions{}, nil)
	a, b := dial(t, m.options(0)), dial(t, m.options(1))
	large := strings.Repeat("x", link.MaxFrameBytes)
	for _, text := range []string{"one", large, "two"} {
		a.Send([]byte(text))
		if h := m.next(t); h != (heard{machine(0), text}) {
			t.Errorf("heard %d bytes of %s", len(h.frame), h.machine)
		}
		m.Send(machine(1), []byte(text))
		if frame, err := b.Receive(); err != nil || string(frame) != text {
			t.Errorf("received %d bytes, %v", len(frame), err)
		}
	}
	if diff := cmp.Diff([]string{machine(0), machine(1)}, m.Machines()); diff != "" {
		t.Error(diff)
	}
	a.Send(nil)
	a.Send(make([]byte, link.MaxFrameBytes+1))
	m.Send(machine(5), []byte("nobody"))
	if a.Lost() != 2 || m.Lost() != 1 {
		t.Errorf("lost %d and %d", a.Lost(), m.Lost())
	}
	a.Close()
	eventually(t, "its end", func() bool { return len(m.Machines()) == 1 })
	m.Close()
	if _, err := b.Receive(); err == nil {
		t.Error("the member's end isn't seen")
	}
	if _, err := Dial(t.Context(), m.options(0)); !refusedFor(err, WhyBusy) {
		t.Errorf("one that stops: %v", err)
	}
}

func TestANewerConnectionTakesOver(t *testing.T) {
	m := newMember(t, ServerOptions{}, nil)
	old, fresh := dial(t, m.options(0)), dial(t, m.options(0))
	if _, err := old.Receive(); err == nil {
		t.Error("the older one goes on")
	}
	m.Send(machine(0), []byte("x"))
	if _, err := fresh.Receive(); err != nil {
		t.Error(err)
	}
	if len(m.Machines()) != 1 {
		t.Errorf("machines %v", m.Machines())
	}
}

func TestNobodyWaitsForOneWhoDoesNotRead(t *testing.T) {
	m := newMember(t, ServerOptions{}, nil)
	slow, quick := dial(t, m.options(0)), dial(t, m.options(1))
	for range 10 {
		m.Send(machine(0), make([]byte, link.MaxFrameBytes))
	}
	m.Send(machine(1), []byte("quick"))
	if _, err := quick.Receive(); err != nil {
		t.Error(err)
	}
	slow.Close()
	eventually(t, "frames that don't fit are dropped", func() bool { return m.Lost() > 0 })
}

func refusedFor(err error, why Why) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r.Why == why && r.Text != ""
}

func TestRefused(t *testing.T) {
	m := newMember(t, ServerOptions{Token: "secret"}, nil)
	for _, tt := range []struct {
		name   string
		change func(*DialOptions)
		why    Why
		text   string
	}{
		{"no token", func(o *DialOptions) { o.Token = "" }, WhyToken, "--join-token"},
		{"wrong token", func(o *DialOptions) { o.Token = "secre" }, WhyToken, "--join-token"},
		{"another cluster", func(o *DialOptions) { o.Cluster = 2 }, WhyCluster, "of cluster c1, the machine of cluster 2"},
		{"no machine", func(o *DialOptions) { o.Machine = "n1" }, WhyRequest, `"n1", want 32`},
		{"nobody", func(o *DialOptions) { o.Machine = strings.Repeat("0", 32) }, WhyRequest, "32"},
		{"long release", func(o *DialOptions) { o.Release = strings.Repeat("x", 300) }, WhyRequest, "256 bytes"},
		{"no cluster", func(o *DialOptions) { o.Cluster = 0 }, WhyRequest, "above zero"},
	} {
		o := m.options(0)
		o.Token = "secret"
		tt.change(&o)
		if _, err := Dial(t.Context(), o); !refusedFor(err, tt.why) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	o := m.options(0)
	for range maxWrong {
		if _, err := Dial(t.Context(), o); err == nil {
			t.Fatal("let in")
		}
	}
	o.Token = "secret"
	if _, err := Dial(t.Context(), o); !refusedFor(err, WhyBusy) {
		t.Errorf("after many wrong tokens: %v", err)
	}
	for _, url := range []string{"http://127.0.0.1", "ftp://127.0.0.1:1", "http://127.0.0.1:1/x", "https://127.0.0.1:1", "http://127.0.0.1:1", "://"} {
		if _, err := Dial(t.Context(), DialOptions{URL: url, Cluster: 1, Machine: machine(0)}); err == nil {
			t.Errorf("%s was dialled", url)
		}
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	o.URL = other.URL
	if _, err := Dial(t.Context(), o); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("no peer port: %v", err)
	}
}

func TestRequestsThatAreNoHandshake(t *testing.T) {
	m := newMember(t, ServerOptions{}, nil)
	for _, tt := range []struct {
		method, field, value string
		status               int
	}{
		{"POST", "Accept", "*/*", 405},
		{"GET", "Upgrade", "websocket", 400},
		{"GET", headProtocol, "x", 400},
		{"GET", headProtocol, "7-9", 426},
		{"GET", headRelease, "%zz", 400},
	} {
		h := hello{Low: 1, High: 1, Cluster: cluster, Machine: machine(0)}
		req, err := http.NewRequestWithContext(t.Context(), tt.method, m.http.URL+Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = h.header()
		req.Header.Set(tt.field, tt.value)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status || len(text) < 5 {
			t.Errorf("%s %s=%s: %d %q", tt.method, tt.field, tt.value, resp.StatusCode, text)
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestCertificates(t *testing.T) {
	pair, err := tlsconf.Load(tlsconf.Config{Prefix: tlsconf.ForPeers, Auto: true, AutoDir: t.TempDir(), AutoHosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	m := newMember(t, ServerOptions{Token: "secret", Certified: true}, pair.Server())
	o := m.options(0)
	o.TLS = pair.Client()
	s := dial(t, o)
	s.Send([]byte("x"))
	m.next(t)
	o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if _, err := Dial(t.Context(), o); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("a stranger's certificate: %v", err)
	}
	// Without TLS there is no certificate.
	bare := newMember(t, ServerOptions{Token: "secret", Certified: true}, nil)
	if _, err := Dial(t.Context(), bare.options(0)); !refusedFor(err, WhyToken) {
		t.Error(err)
	}
}

func TestWhatBreaksAStreamEndsIt(t *testing.T) {
	for name, text := range map[string]string{
		"a length of nothing": "\x00\x00\x00\x00", "a length too large": "\xff\xff\xff\xff", "the middle of a frame": "\x00\x00\x00\x09abc", "": "",
	} {
		st := newStream(nil, bufio.NewReader(strings.NewReader(text)), 0)
		if frame, err := st.Receive(); err == nil || frame != nil {
			t.Errorf("%q: %q, %v", name, frame, err)
		}
	}
	// And at a member, whoever sends it.
	m := newMember(t, ServerOptions{}, nil)
	s := dial(t, m.options(0))
	if _, err := s.conn.Write([]byte("\xff\xff\xff\xff")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Receive(); err == nil {
		t.Error("it goes on")
	}
}

func TestDialGivesUpWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, DialOptions{URL: "http://" + l.Addr().String(), Cluster: 1, Machine: machine(0)}); err == nil {
		t.Error("it was answered")
	}
}

// TestManyMachinesAtRest counts what a connection costs a member.
func TestManyMachinesAtRest(t *testing.T) {
	const many = 200
	m := newMember(t, ServerOptions{}, nil)
	before := runtime.NumGoroutine()
	var dials sync.WaitGroup
	for i := range many {
		dials.Go(func() {
			s, err := Dial(t.Context(), m.options(i))
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(s.Close)
			s.Send([]byte("x"))
			m.Send(machine(i), []byte("y"))
			if _, err := s.Receive(); err != nil {
				t.Error(err)
			}
		})
	}
	dials.Wait()
	eventually(t, "one goroutine each", func() bool { return runtime.NumGoroutine() <= before+many+5 })
	if n := len(m.Machines()); n != many {
		t.Errorf("%d machines", n)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(append(binary.BigEndian.AppendUint32(nil, 3), "abc"...), uint16(3))
	f.Fuzz(func(t *testing.T, stream []byte, size uint16) {
		st := newStream(nil, bufio.NewReaderSize(bytes.NewReader(stream), 16+int(size)), 0)
		for rest := stream; ; {
			frame, err := st.Receive()
			if err != nil {
				return
			}
			if len(frame) == 0 || !bytes.Equal(frame, rest[4:4+len(frame)]) {
				t.Fatalf("%d bytes that weren't sent", len(frame))
			}
			rest = rest[4+len(frame):]
		}
	})
}

func FuzzHello(f *testing.F) {
	f.Add("1-1", "c1", machine(0), "1", "Bearer x")
	f.Fuzz(func(t *testing.T, protocol, cluster, id, release, token string) {
		head := http.Header{"Upgrade": {upgradeTo}, headProtocol: {protocol}, headCluster: {cluster}, headMachine: {id}, headRelease: {release}, headToken: {token}}
		h, refusal := parseHello(head)
		if refusal != nil {
			if refusal.Text == "" {
				t.Error("refused without a word")
			}
			return
		}
		again, refusal := parseHello(h.header())
		if refusal != nil || again.Machine != h.Machine || again.Cluster != h.Cluster || !IsID(h.Machine) {
			t.Errorf("%+v is read as %+v, %v", h, again, refusal)
		}
	})
}
