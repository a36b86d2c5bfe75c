package transport

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/goleak"

	"drydock/node/wire"
	"drydock/node/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testCluster = 0xc1

// member is a transport with a peer port of its own, and what it was given.
type member struct {
	*Transport
	url  string
	http *httptest.Server
	log  *logged

	mu   sync.Mutex
	got  [][]byte
	news chan struct{}
}

// logged collects a log.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// count returns how many lines of the log have all the words.
func (l *logged) count(words ...string) (n int) {
	for line := range strings.Lines(l.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

// startMember starts a member on addr, or on any port if it is empty. Durations
// are short: tests wait for them.
func startMember(t testing.TB, id world.MemberID, addr string, change ...func(*Options)) *member {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	var ln net.Listener
	eventually(t, "listening on "+addr, func() (ok bool) {
		var err error
		ln, err = net.Listen("tcp", addr)
		return err == nil
	})
	m := &member{url: "http://" + ln.Addr().String(), log: &logged{}, news: make(chan struct{}, 1)}
	o := Options{
		Cluster: testCluster, ID: id, Name: fmt.Sprintf("m%d", id), Release: "1.2.3", URLs: []string{m.url},
		Deliver: m.deliver, Logger: slog.New(slog.NewTextHandler(m.log, nil)), Stall: time.Second,
	}
	for _, c := range change {
		c(&o)
	}
	m.Transport = New(o)
	m.t.backoffLeast, m.t.backoffMax, m.t.steady = 5*time.Millisecond, 50*time.Millisecond, 20*time.Millisecond
	m.http = &httptest.Server{Listener: ln, Config: NewServer(m.Handler(), nil, nil)}
	m.http.Start()
	t.Cleanup(m.stop)
	return m
}

func (m *member) stop() {
	m.Close()
	m.http.Close()
}

func (m *member) deliver(frame []byte) {
	m.mu.Lock()
	m.got = append(m.got, frame)
	m.mu.Unlock()
	select {
	case m.news <- struct{}{}:
	default:
	}
}

func (m *member) frames() [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got[:len(m.got):len(m.got)]
}

func (m *member) entry() Peer { return Peer{ID: m.o.ID, Name: m.o.Name, URLs: []string{m.url}} }

// meet makes all members known to each other.
func meet(members ...*member) {
	var book []Peer
	for _, m := range members {
		book = append(book, m.entry())
	}
	for _, m := range members {
		m.SetPeers(book)
	}
}

// eventually polls until ok, or fails after a while.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// heartbeat, appendFrame and chunk are frames of a kind; the index tells them
// apart.
func heartbeat(from, to world.MemberID, index uint64) []byte {
	return raftFrame(from, to, raftpb.MsgHeartbeat, index, 0)
}

func appendFrame(from, to world.MemberID, index uint64, size int) []byte {
	return raftFrame(from, to, raftpb.MsgApp, index, size)
}

func raftFrame(from, to world.MemberID, typ raftpb.MessageType, index uint64, size int) []byte {
	term, sender, receiver := uint64(3), uint64(from), uint64(to)
	m := &raftpb.Message{Type: &typ, To: &receiver, From: &sender, Term: &term, Index: &index}
	if size > 0 {
		next := index + 1
		m.Entries = []*raftpb.Entry{{Term: &term, Index: &next, Data: bytes.Repeat([]byte{byte(index)}, size)}}
	}
	f := wire.Frame{Kind: wire.KindRaft, Cluster: testCluster, From: from, To: to, Raft: []*raftpb.Message{m}}
	return f.Encode()
}

func chunk(from, to world.MemberID, offset uint64, size int) []byte {
	f := wire.Frame{Kind: wire.KindSnapChunk, Cluster: testCluster, From: from, To: to, Chunk: &wire.SnapChunk{
		Stream: 9, Term: 3, Offset: offset, Total: 1 << 30, Data: make([]byte, size),
	}}
	return f.Encode()
}

// indexes returns the index of each received raft frame with entries or without.
func indexes(t testing.TB, frames [][]byte) (list []uint64) {
	t.Helper()
	for _, frame := range frames {
		if err := wire.Heads(frame, func(h wire.Head) { list = append(list, h.Index) }); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func TestFramesArriveInOrder(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	meet(a, b)
	var want []uint64
	for i := range uint64(200) {
		size := 100
		if i%50 == 7 {
			size = 1 << 20 // travels in parts
		}
		a.Send(2, appendFrame(1, 2, i, size))
		want = append(want, i)
		if i%4 == 0 {
			b.Send(1, heartbeat(2, 1, i))
		}
	}
	eventually(t, "all frames", func() bool { return len(b.frames()) == 200 && len(a.frames()) == 50 })
	if got := indexes(t, b.frames()); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %v", got)
	}
	for i, f := range b.frames() {
		if _, err := wire.Decode(f); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	s, ok := a.Stats(2)
	if !ok || !s.Connected || s.Success != 200 || s.Fail != 0 || s.Sent.Frames != 200 || s.Received.Frames != 50 || s.Release != "1.2.3" || !s.Calls {
		t.Fatalf("stats %+v", s)
	}
	if b.Totals().Received.Appends != 200 || !a.Connected(2) || a.Connected(3) {
		t.Fatalf("totals %+v", b.Totals())
	}
	eventually(t, "a measured round trip", func() bool {
		s, _ := a.Stats(2)
		l := s.Latency
		return l.Samples > 1 && l.Current > 0 && l.Min <= l.Average && l.Average <= l.Max
	})
}

func TestSnapshotsHaveTheirOwnStream(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	a.t.idle, a.t.ping = 300*time.Millisecond, 20*time.Millisecond
	meet(a, b)
	eventually(t, "a connection", func() bool { return a.Connected(2) && b.Connected(1) })
	if n := b.Totals().Inbound; n != 1 {
		t.Fatalf("%d connections before there is a snapshot", n)
	}
	for i := range uint64(10) {
		a.Send(2, chunk(1, 2, i<<16, 1<<16))
	}
	eventually(t, "all chunks", func() bool { return len(b.frames()) == 10 })
	if n := b.Totals().Inbound; n != 2 {
		t.Fatalf("%d connections", n)
	}
	// The connection goes when it is idle, and comes again.
	eventually(t, "an end of the idle connection", func() bool { return b.Totals().Inbound == 1 })
	if n := a.log.count("lost connection"); n != 0 {
		t.Errorf("that was said:\n%s", a.log)
	}
	a.Send(2, chunk(1, 2, 10<<16, 1<<16))
	eventually(t, "the last chunk", func() bool { return len(b.frames()) == 11 })
	for i, f := range b.frames() {
		c, err := wire.Decode(f)
		if err != nil || c.Chunk.Offset != uint64(i)<<16 {
			t.Fatalf("chunk %d: %v %v", i, c, err)
		}
	}
}

func TestAllIsSorted(t *testing.T) {
	a := startMember(t, 5, "")
	a.SetPeers([]Peer{{ID: 9}, {ID: 1}, {ID: 5}, {ID: 0}, {ID: 3, Name: "three"}})
	var ids []world.MemberID
	for _, s := range a.All() {
		ids = append(ids, s.ID)
	}
	if fmt.Sprint(ids) != "[1 3 9]" || a.All()[1].Name != "three" {
		t.Errorf("%v", ids)
	}
}

func TestBadOptions(t *testing.T) {
	deliver := func([]byte) {}
	for _, o := range []Options{{ID: 1, Deliver: deliver}, {Cluster: 1, Deliver: deliver}, {Cluster: 1, ID: 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", o)
				}
			}()
			New(o).Close()
		}()
	}
	m := New(Options{Cluster: 1, ID: 1, Deliver: deliver})
	defer m.Close()
	if m.t.stall != 3*time.Second || m.o.SnapshotRate != 32<<20 {
		t.Errorf("defaults %+v", m.o)
	}
}

func TestIdentity(t *testing.T) {
	a, b := startMember(t, 1, ""), startMember(t, 2, "")
	id, err := a.Probe(t.Context(), b.url)
	if err != nil || id != (Identity{Cluster: "c1", ID: "2", Name: "m2", Release: "1.2.3", Protocol: "1-1"}) {
		t.Fatalf("%+v, %v", id, err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if _, err := a.Probe(t.Context(), other.URL); err == nil || !strings.Contains(err.Error(), "is it a peer port?") {
		t.Fatal(err)
	}
}

func write(t testing.TB, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
