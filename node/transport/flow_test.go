package transport

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"drydock/node/tlsconf"
	"drydock/node/wire"
)

// TestHeartbeatsOvertakeEntries: over a link of 20 MB/s with 10 MB of entries
// queued, a heartbeat doesn't wait for the half second that these take.
func TestHeartbeatsOvertakeEntries(t *testing.T) {
	const frames, size, rate = 10, 1 << 20, 20 << 20
	b := startMember(t, 2, "")
	p := newProxy(t, b.addr(), rate)
	a := startMember(t, 1, "")
	a.SetPeers([]Peer{{ID: 2, URLs: []string{p.url()}}})
	eventually(t, "a connection", func() bool { return a.Connected(2) })
	began := time.Now()
	for i := range uint64(frames) {
		a.Send(2, appendFrame(1, 2, i, size))
	}
	var worst time.Duration
	for i := range uint64(5) {
		sent := time.Now()
		a.Send(2, heartbeat(1, 2, 1000+i))
		eventually(t, "the heartbeat", func() bool { return b.has(1000 + i) })
		worst = max(worst, time.Since(sent))
	}
	heartbeats := time.Since(began)
	eventually(t, "the entries", func() bool { return b.has(frames - 1) })
	entries := time.Since(began)
	t.Logf("five heartbeats took %v, the slowest %v; %d MiB of entries took %v", heartbeats, worst, frames, entries)
	if worst > entries/3 || heartbeats >= entries {
		t.Errorf("a heartbeat took %v, the entries %v", worst, entries)
	}
	var got []uint64
	for _, index := range indexes(t, b.frames()) {
		if index < 1000 {
			got = append(got, index)
		}
	}
	for i, index := range got {
		if index != uint64(i) {
			t.Fatalf("entries came in the order %v", got)
		}
	}
}

// TestSnapshotsArePaced: a snapshot keeps to its rate, and gives way to messages.
func TestSnapshotsArePaced(t *testing.T) {
	const rate, size, chunks = 4 << 20, 64 << 10, 32
	a, b := startMember(t, 1, "", func(o *Options) { o.SnapshotRate = rate }), startMember(t, 2, "")
	meet(a, b)
	eventually(t, "a connection", func() bool { return a.Connected(2) })
	began := time.Now()
	for i := range uint64(chunks) {
		a.Send(2, chunk(1, 2, i*size, size))
	}
	eventually(t, "all chunks", func() bool { return len(b.frames()) == chunks })
	took, due := time.Since(began), time.Duration(chunks*size)*time.Second/rate
	if took < due*3/4 || took > due*4 {
		t.Errorf("%d bytes took %v at %d bytes a second", chunks*size, took, rate)
	}
}

func TestPacerGivesWay(t *testing.T) {
	messages := newQueue()
	p := newPacer(1<<30, messages)
	never := make(chan struct{})
	measure := func() time.Duration {
		began := time.Now()
		if !p.wait(never, never) {
			t.Fatal("stopped")
		}
		return time.Since(began)
	}
	if d := measure(); d >= yield {
		t.Errorf("waited %v for nothing", d)
	}
	messages.put(item{frame: make([]byte, 10)}, false)
	if d := measure(); d < yield/2 {
		t.Errorf("waited %v while messages were queued", d)
	}
	stopped := make(chan struct{})
	close(stopped)
	p.rate = 1
	p.spend(1 << 20)
	if p.wait(stopped, never) || p.wait(never, stopped) {
		t.Error("a stop was not heeded")
	}
}

func TestBackoff(t *testing.T) {
	tm := timing{backoffLeast: 50 * time.Millisecond, backoffMax: time.Second}
	var b backoff
	for i := range 2 {
		if d := b.step(&tm); d != 0 {
			t.Errorf("attempt %d comes after %v, want at once", i, d)
		}
	}
	for i, most := range []time.Duration{50, 100, 200, 400, 800, 1000, 1000, 1000} {
		most *= time.Millisecond
		if d := b.step(&tm); d < most/2 || d > most {
			t.Errorf("wait %d is %v, want %v to %v", i, d, most/2, most)
		}
	}
}

func TestLatency(t *testing.T) {
	var l latency
	for range 1000 {
		l.add(2 * time.Millisecond)
		l.add(4 * time.Millisecond)
	}
	got := l.read()
	near := func(d, want time.Duration) bool { return d > want*98/100 && d < want*102/100 }
	if !near(got.Average, 3*time.Millisecond) || !near(got.StdDev, time.Millisecond) ||
		got.Min != 2*time.Millisecond || got.Max != 4*time.Millisecond || got.Current != 4*time.Millisecond || got.Samples != 2000 {
		t.Errorf("%+v", got)
	}
	// The past fades.
	for range 3000 {
		l.add(time.Millisecond)
	}
	if got := l.read(); !near(got.Average, time.Millisecond) || got.Max != 4*time.Millisecond {
		t.Errorf("%+v", got)
	}
}

func TestFlowRates(t *testing.T) {
	var f flow
	f.add(3, 2, 1000)
	f.add(1, 1, 500)
	got := f.read()
	if got.Frames != 4 || got.Appends != 3 || got.Bytes != 1500 || got.AppendRate != 0.3 || got.ByteRate != 150 {
		t.Errorf("%+v", got)
	}
	for i := range f.seconds {
		f.seconds[i].at -= window
	}
	if got := f.read(); got.Appends != 3 || got.AppendRate != 0 {
		t.Errorf("%+v", got)
	}
}

// secure gives a member a certificate of its own by one authority, and has it trust
// another. It returns the configuration that m serves with.
func secure(t *testing.T, m *member, by, trust *tlsconf.Authority, o tlsconf.Order) *tls.Config {
	t.Helper()
	dir := t.TempDir()
	c := tlsconf.Config{Prefix: tlsconf.ForPeers, TrustedCAFile: dir + "/ca.crt"}
	write(t, c.TrustedCAFile, trust.CertPEM())
	if o.CommonName != "" {
		cert, key, err := by.Issue(o)
		if err != nil {
			t.Fatal(err)
		}
		c.CertFile, c.KeyFile = dir+"/peer.crt", dir+"/peer.key"
		write(t, c.CertFile, cert)
		write(t, c.KeyFile, key)
	}
	pair, err := tlsconf.Load(c)
	if err != nil {
		t.Fatal(err)
	}
	m.o.TLSClient = pair.Client()
	m.http.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if pair.Serves() {
		ln = tls.NewListener(ln, pair.Server())
	}
	m.http = &httptest.Server{Listener: ln, Config: NewServer(m.Handler(), nil, slog.New(slog.NewTextHandler(m.log, nil)))}
	m.http.Start()
	m.url = "https://" + m.addr()
	m.o.URLs = []string{m.url}
	return pair.Server()
}

func TestMutualTLS(t *testing.T) {
	own, err := tlsconf.NewAuthority("own")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := tlsconf.NewAuthority("foreign")
	if err != nil {
		t.Fatal(err)
	}
	good := tlsconf.Order{CommonName: "peer", Hosts: []string{"127.0.0.1"}, Serves: true, Calls: true}
	past := good
	past.From, past.Until = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	for _, tc := range []struct {
		name      string
		by, trust *tlsconf.Authority
		order     tlsconf.Order
		want      string // in the caller's reason; empty if it gets in
	}{
		{"right", own, own, good, ""},
		{"none", own, own, tlsconf.Order{}, "the other side refuses this member's certificate"},
		{"foreign", foreign, own, good, "the other side refuses this member's certificate"},
		{"past", own, own, past, "the other side refuses this member's certificate"},
		{"distrusts", own, foreign, good, "unknown authority"},
	} {
		a, b := startMember(t, 1, ""), startMember(t, 2, "")
		secure(t, b, own, own, good)
		secure(t, a, tc.by, tc.trust, tc.order)
		a.SetPeers([]Peer{b.entry()})
		if tc.want == "" {
			for i := range uint64(20) {
				a.Send(2, appendFrame(1, 2, i, 400<<10))
			}
			a.Send(2, chunk(1, 2, 0, 64<<10))
			eventually(t, "frames over TLS", func() bool { return len(b.frames()) == 21 })
			b.SetPeers([]Peer{a.entry()})
			reaches(t, b, a, 1)
		} else {
			eventually(t, tc.name+": the refusal", func() bool {
				s, _ := a.Stats(2)
				return strings.Contains(s.Reason, tc.want)
			})
			eventually(t, tc.name+": the other log", func() bool { return b.log.count("peer port", "TLS handshake error") == 1 })
			if n := a.log.count("can't connect"); n != 1 || len(b.frames()) > 0 {
				t.Errorf("%s: said %d times, %d frames:\n%s", tc.name, n, len(b.frames()), a.log)
			}
		}
		a.stop()
		b.stop()
	}
	// A member that speaks no TLS gets nowhere either, and is told why.
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	secure(t, b, own, own, good)
	a.SetPeers([]Peer{{ID: 2, URLs: []string{"http://" + b.addr()}}})
	eventually(t, "the answer to plain HTTP", func() bool {
		s, _ := a.Stats(2)
		return strings.Contains(s.Reason, "Client sent an HTTP request to an HTTPS server")
	})
}

// BenchmarkThroughput measures frames against bare TCP writes of the same size to
// a reader that takes as much.
func BenchmarkThroughput(b *testing.B) {
	for _, bc := range []struct {
		name string
		size int
	}{{"128B", 128}, {"4KiB", 4 << 10}, {"1MiB", 1 << 20}} {
		frame := appendFrame(1, 2, 1, bc.size)
		var bare float64
		b.Run("tcp/"+bc.name, func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			benchBare(b, frame)
			bare = float64(b.N) / b.Elapsed().Seconds()
		})
		b.Run("frames/"+bc.name, func(b *testing.B) {
			b.SetBytes(int64(len(frame)))
			benchFrames(b, frame)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/bare, "of-tcp")
		})
	}
}

func benchBare(b *testing.B, frame []byte) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			// As here: a buffer of its own for each frame, which the receiver keeps.
			r := bufio.NewReaderSize(conn, 64<<10)
			for err == nil {
				_, err = io.ReadFull(r, make([]byte, len(frame)))
			}
			_ = conn.Close()
		}
		done <- err
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		if _, err := conn.Write(frame); err != nil {
			b.Fatal(err)
		}
	}
	_ = conn.Close()
	if err := <-done; err != io.EOF {
		b.Fatal(err)
	}
}

func benchFrames(b *testing.B, frame []byte) {
	got := make(chan struct{}, 1<<16)
	receiver := startMember(b, 2, "", func(o *Options) { o.Deliver = func([]byte) { got <- struct{}{} } })
	sender := startMember(b, 1, "")
	meet(sender, receiver)
	eventually(b, "a connection", func() bool { return sender.Connected(2) })
	b.ResetTimer()
	// As many frames are under way as fit the queue with room to spare.
	under, most := 0, min(maxFrames/2, maxBulkBytes/2/len(frame))
	for range b.N {
		if under == most {
			<-got
			under--
		}
		sender.Send(2, frame)
		under++
	}
	for ; under > 0; under-- {
		<-got
	}
}

// BenchmarkRoundTrip measures a small frame there and back.
func BenchmarkRoundTrip(b *testing.B) {
	back := make(chan struct{}, 1)
	sender := startMember(b, 1, "", func(o *Options) { o.Deliver = func([]byte) { back <- struct{}{} } })
	var receiver *member
	receiver = startMember(b, 2, "", func(o *Options) {
		o.Deliver = func(f []byte) {
			answer := wire.Frame{Kind: wire.KindSnapAck, Cluster: testCluster, From: 2, To: 1, Ack: &wire.SnapAck{Stream: uint64(len(f))}}
			receiver.Send(1, answer.Encode())
		}
	})
	meet(sender, receiver)
	eventually(b, "both connections", func() bool { return sender.Connected(2) && receiver.Connected(1) })
	for b.Loop() {
		sender.Send(2, heartbeat(1, 2, 1))
		<-back
	}
}

// TestPartsOfBigFrames checks the largest frame that may be sent, and one that is
// larger.
func TestPartsOfBigFrames(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	meet(a, b)
	eventually(t, "a connection", func() bool { return a.Connected(2) })
	overhead := len(appendFrame(1, 2, 1, 1<<24)) - 1<<24
	largest := appendFrame(1, 2, 1, wire.MaxFrameBytes-overhead)
	a.Send(2, appendFrame(1, 2, 2, wire.MaxFrameBytes))
	a.Send(2, bytes.Clone(largest))
	eventually(t, "the largest frame", func() bool { return len(b.frames()) == 1 })
	if s, _ := a.Stats(2); !bytes.Equal(b.frames()[0], largest) || s.Lost.Large != 1 || s.Fail != 1 {
		t.Errorf("%d bytes, begins with %x, %+v", len(b.frames()[0]), binary.BigEndian.Uint32(b.frames()[0]), s.Lost)
	}
}
