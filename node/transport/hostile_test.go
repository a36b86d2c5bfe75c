package transport

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"drydock/node/tlsconf"
	"drydock/node/wire"
)

// call connects to m as member 1 would, in the given attempt, and leaves the rest
// to the test.
func call(t testing.TB, m *member, attempt uint64) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", m.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(8 * time.Second))
	h := hello{Low: 1, High: 1, Cluster: testCluster, From: 1, To: m.o.ID, Life: 5, Attempt: attempt, Stream: streamMessages, URLs: []string{"http://127.0.0.1:1"}}
	_, in, err := shake(conn, "m", &h)
	if err != nil {
		return conn, nil
	}
	return conn, in
}

// record wraps a frame.
func record(frame []byte) []byte {
	return append(appendRecordHead(nil, recordFrame, len(frame)), frame...)
}

func spoilt(frame []byte) []byte {
	frame[len(frame)-1] ^= 1
	return frame
}

// TestHostileCaller: what breaks the stream ends it, with the reason in the log;
// what is not for here is dropped; nothing of either is delivered.
func TestHostileCaller(t *testing.T) {
	other := wire.Frame{Kind: wire.KindRefuse, Cluster: 0xdead, From: 1, To: 2, Refuse: &wire.Refuse{}}
	for _, tc := range []struct {
		name    string
		send    []byte
		log     string // why the stream ends; empty if it goes on
		foreign uint64
	}{
		{"good", record(heartbeat(1, 2, 0)), "", 0},
		{"garbage", []byte(strings.Repeat("\x00garbage", 100)), "broken stream: record of", 0},
		{"tls", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "broken stream", 0},
		{"huge record", appendRecordHead(nil, recordFrame, 1<<30), "record of 1073741824 bytes, at most", 0},
		{"huge frame", binary.BigEndian.AppendUint32(appendRecordHead(nil, recordBegin, 5), 1<<31), "frame of 2147483648 bytes", 0},
		{"pong", appendPing(nil, recordPong, 1), "record of kind 5 from a caller", 0},
		{"checksum", record(spoilt(heartbeat(1, 2, 0))), "a frame's checksum differs", 0},
		{"tiny frame", record([]byte("x")), "frame of 1 bytes", 0},
		{"empty frame", record(nil), "frame of 0 bytes", 0},
		{"in another's name", record(heartbeat(3, 2, 0)), "", 1},
		{"for another member", record(heartbeat(1, 3, 0)), "", 1},
		{"for another cluster", record(other.Encode()), "", 1},
	} {
		m := startMember(t, 2, "")
		m.SetPeers([]Peer{{ID: 1, URLs: []string{"http://127.0.0.1:1"}}})
		conn, in := call(t, m, 1)
		if _, err := conn.Write(append(bytes.Clone(tc.send), record(heartbeat(1, 2, 9))...)); err != nil {
			t.Fatal(err)
		}
		if tc.log != "" {
			// Unread bytes make the end a reset.
			if _, err := io.Copy(io.Discard, in); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("%s: not ended: %v", tc.name, err)
			}
			eventually(t, tc.name+" in the log", func() bool { return m.log.count("a member's stream is broken", tc.log) == 1 })
			if n := len(m.frames()); n != 0 {
				t.Errorf("%s: %d frames were delivered", tc.name, n)
			}
		} else {
			eventually(t, tc.name+": the next frame", func() bool {
				got := indexes(t, m.frames())
				return len(got) > 0 && got[len(got)-1] == 9
			})
			s, _ := m.Stats(1)
			if s.Lost.Foreign != tc.foreign || m.Totals().Lost.Foreign != tc.foreign {
				t.Errorf("%s: %d foreign frames", tc.name, s.Lost.Foreign)
			}
		}
		m.stop()
	}
}

// TestSilentCaller: a stream on which nothing comes is cut, also in the middle of
// a frame.
func TestSilentCaller(t *testing.T) {
	for _, begun := range [][]byte{nil, appendRecordHead(nil, recordFrame, 1000)} {
		m := startMember(t, 2, "", func(o *Options) { o.Stall = 60 * time.Millisecond })
		m.SetPeers([]Peer{{ID: 1, URLs: []string{"http://127.0.0.1:1"}}})
		conn, in := call(t, m, 1)
		if _, err := conn.Write(begun); err != nil {
			t.Fatal(err)
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("not cut: %v", err)
		}
		eventually(t, "no connection", func() bool { return m.Totals().Inbound == 0 })
	}
}

// TestCallerThatTakesNoAnswers: one that pings and never reads is cut too.
func TestCallerThatTakesNoAnswers(t *testing.T) {
	m := startMember(t, 2, "", func(o *Options) { o.Stall = 100 * time.Millisecond })
	m.SetPeers([]Peer{{ID: 1, URLs: []string{"http://127.0.0.1:1"}}})
	conn, _ := call(t, m, 1)
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	pings := bytes.Repeat(appendPing(nil, recordPing, 1), 10000)
	for {
		if _, err := conn.Write(pings); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatal("not cut")
			}
			return
		}
	}
}

// TestSlowHandshake: who doesn't say what it wants is cut, and there is room for so
// many who don't.
func TestSlowHandshake(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(http.NotFoundHandler(), nil, nil)
	s.ReadHeaderTimeout = 700 * time.Millisecond
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(ln)
	}()
	defer func() {
		_ = s.Close()
		<-done
	}()
	open := func() net.Conn {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(8 * time.Second))
		_, _ = conn.Write([]byte("GET /drydock/peer HTTP/1.1\r\nHost:"))
		return conn
	}
	first := open()
	for range maxRequests - 1 {
		open()
	}
	began := time.Now()
	// There is no room for one more: it is cut at once.
	if _, err := io.Copy(io.Discard, open()); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("one too many: %v", err)
	}
	atOnce := time.Since(began)
	if _, err := io.Copy(io.Discard, first); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the slow one: %v", err)
	}
	if slow := time.Since(began); atOnce > slow/2 {
		t.Errorf("one too many was cut after %v, a slow one after %v", atOnce, slow)
	}
	eventually(t, "room again", func() bool {
		resp, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		return resp.StatusCode == http.StatusNotFound
	})
}

// deafPort is a peer port that welcomes everybody as member 2 and then does
// nothing. It returns the connections that came.
func deafPort(t *testing.T, config *tls.Config) (url string, conns chan net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "http://" + ln.Addr().String()
	if config != nil {
		url = "https://" + ln.Addr().String()
		ln = tls.NewListener(ln, config)
	}
	conns = make(chan net.Conn, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: drydock-peer\r\n" +
				"Drydock-Protocol: 1\r\nDrydock-Cluster: c1\r\nDrydock-From: 2\r\nDrydock-Life: 4\r\n\r\n"))
			conns <- conn
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
		close(conns)
		for c := range conns {
			_ = c.Close()
		}
	})
	return url, conns
}

// TestCloseDoesNotWait for a member that reads nothing, with TLS or without.
func TestCloseDoesNotWait(t *testing.T) {
	for _, secured := range []bool{false, true} {
		a := startMember(t, 1, "", func(o *Options) { o.Stall = time.Minute })
		var config *tls.Config
		if secured {
			own, err := tlsconf.NewAuthority("own")
			if err != nil {
				t.Fatal(err)
			}
			config = secure(t, a, own, own, tlsconf.Order{CommonName: "peer", Hosts: []string{"127.0.0.1"}, Serves: true, Calls: true})
		}
		url, _ := deafPort(t, config)
		a.SetPeers([]Peer{{ID: 2, URLs: []string{url}}})
		eventually(t, "a connection", func() bool { return a.Connected(2) })
		frame := appendFrame(1, 2, 1, 1<<20)
		for range 30 {
			a.Send(2, frame)
		}
		began := time.Now()
		a.Close()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("TLS %t: closing took %v", secured, took)
		}
	}
}

// TestDeafMember: a member whose process takes connections and then does nothing is
// given up in Stall, dialled anew, and costs bounded memory meanwhile.
func TestDeafMember(t *testing.T) {
	url, conns := deafPort(t, nil)
	a := startMember(t, 1, "", func(o *Options) { o.Stall = 100 * time.Millisecond })
	a.SetPeers([]Peer{{ID: 2, URLs: []string{url}}})
	eventually(t, "a connection", func() bool { return a.Connected(2) })
	frame := appendFrame(1, 2, 1, 1<<20)
	began := time.Now()
	for range 100 {
		a.Send(2, frame)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("sending took %v", took)
	}
	eventually(t, "the second connection", func() bool { return len(conns) > 1 })
	s, _ := a.Stats(2)
	if s.Lost.Full+s.Lost.Broken+s.Lost.Unreachable == 0 || s.QueuedBytes > maxBulkBytes {
		t.Errorf("%+v", s)
	}
	if a.log.count("lost connection to member", "nothing was heard in time") == 0 {
		t.Errorf("log:\n%s", a.log)
	}
}

// TestHastyCaller: frames may come in one piece with the handshake.
func TestHastyCaller(t *testing.T) {
	m := startMember(t, 2, "")
	m.SetPeers([]Peer{{ID: 1, URLs: []string{"http://127.0.0.1:1"}}})
	h := goodHello()
	var b bytes.Buffer
	req := &http.Request{Method: http.MethodGet, URL: pathURL("m"), Host: "m", Header: h.header(), ProtoMajor: 1, ProtoMinor: 1}
	if err := req.Write(&b); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(100) {
		b.Write(record(appendFrame(1, 2, i, 1000)))
	}
	conn, err := net.Dial("tcp", m.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all frames", func() bool { return len(m.frames()) == 100 })
}

// TestNoHijack: a server that can't give its connection away, as with HTTP/2, says
// so.
func TestNoHijack(t *testing.T) {
	m := startMember(t, 2, "")
	m.SetPeers([]Peer{{ID: 1, URLs: []string{"http://127.0.0.1:1"}}})
	h := goodHello()
	req := httptest.NewRequest(http.MethodGet, Path, nil)
	req.Header = h.header()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusHTTPVersionNotSupported || !strings.Contains(w.Body.String(), "HTTP/1.1") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestComplaintsAreSaidOnce(t *testing.T) {
	var log logged
	s := NewServer(http.NotFoundHandler(), nil, slog.New(slog.NewTextHandler(&log, nil)))
	for _, line := range []string{
		"http: TLS handshake error from 10.0.0.1:5000: EOF", "http: TLS handshake error from 10.0.0.1:5001: EOF",
		"http: TLS handshake error from 10.0.0.2:5001: EOF", "http: TLS handshake error from 10.0.0.1:5002: bad",
	} {
		s.ErrorLog.Print(line)
	}
	if log.count("10.0.0.1", "EOF") != 1 || log.count("10.0.0.2", "EOF") != 1 || log.count("bad") != 1 {
		t.Errorf("log:\n%s", &log)
	}
	var o once
	for i := range 2 * maxSaid {
		o.say(strings.Repeat("x", i))
	}
	if len(o.said) > maxSaid {
		t.Errorf("remembers %d things", len(o.said))
	}
}
