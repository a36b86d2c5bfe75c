package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"drydock/vmlab/wire/fabric"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSwitch returns a switch that ends with the test.
func newSwitch(t testing.TB, cfg Config) *Switch {
	t.Helper()
	s := New(cfg)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// until waits for a condition.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// sent returns what is counted of a link.
func sent(s *Switch, from, to string) fabric.Counts {
	for _, l := range s.Report().Links {
		if l.From == from && l.To == to {
			return l.Counts
		}
	}
	return fabric.Counts{}
}

func macOf(number int) fabric.MAC { return fabric.MAC{2, 0, 0, 0, 0, byte(number)} }

// frameOf makes a frame from one machine to another; 255 is all.
func frameOf(from, to int, text string) []byte {
	a, b := macOf(from), macOf(to)
	if to == 255 {
		b = fabric.MAC{255, 255, 255, 255, 255, 255}
	}
	return append(append(append(b[:], a[:]...), 0x88, 0xb5), text...)
}

func textOf(frame []byte) string { return string(frame[14:]) }

// addPorts adds ports core-01, core-02, … with addresses of their own.
func addPorts(t testing.TB, s *Switch, count int) {
	t.Helper()
	for i := range count {
		if err := s.AddPort(fabric.Port{Name: fmt.Sprintf("core-%02d", i+1), MAC: macOf(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
}

// streamPair returns both ends of a stream over a pair of sockets.
func streamPair(t testing.TB) (a, b Cable) {
	t.Helper()
	return cablePair(t, PairStream)
}

func cablePair(t testing.TB, kind PairKind) (a, b Cable) {
	t.Helper()
	first, second, err := socketPair("test", kind)
	if err != nil {
		t.Fatal(err)
	}
	a, err = cableOf(first, kind)
	if err != nil {
		t.Fatal(err)
	}
	b, err = cableOf(second, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// plugIn attaches one end of a cable and returns the machine's.
func plugIn(t testing.TB, s *Switch, number int, kind PairKind) *guest {
	t.Helper()
	child, err := s.Pair(fmt.Sprintf("core-%02d", number), kind)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cableOf(child, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return newGuest(t, number, c)
}

// guest is a machine's end of a cable, with what it received.
type guest struct {
	t      testing.TB
	number int
	cable  Cable
	frames chan []byte
	ended  chan error
}

func newGuest(t testing.TB, number int, c Cable) *guest {
	g := &guest{t: t, number: number, cable: c, frames: make(chan []byte, 10000), ended: make(chan error, 1)}
	go func() {
		for {
			frames, err := c.Read(nil)
			for _, frame := range frames {
				g.frames <- frame
			}
			if err != nil {
				g.ended <- err
				return
			}
		}
	}()
	return g
}

func (g *guest) send(to int, text string) {
	g.t.Helper()
	if err := g.cable.Write([][]byte{frameOf(g.number, to, text)}); err != nil {
		g.t.Fatal(err)
	}
}

// want takes the next frame.
func (g *guest) want(text string) {
	g.t.Helper()
	select {
	case frame := <-g.frames:
		if got := textOf(frame); got != text {
			g.t.Fatalf("core-%02d received %q, want %q", g.number, got, text)
		}
	case <-time.After(10 * time.Second):
		g.t.Fatalf("core-%02d waits for %q", g.number, text)
	}
}

func TestCablesOfAllKinds(t *testing.T) {
	s := newSwitch(t, Config{})
	addPorts(t, s, 3)
	a, b := plugIn(t, s, 1, PairStream), plugIn(t, s, 2, PairDatagram)
	inner, outer := net.Pipe()
	if err := s.Attach("core-03", Stream(inner)); err != nil {
		t.Fatal(err)
	}
	c := newGuest(t, 3, Stream(outer))
	a.send(2, "stream to datagram")
	b.want("stream to datagram")
	b.send(1, "datagram to stream")
	a.want("datagram to stream")
	a.send(255, "to all")
	b.want("to all")
	c.want("to all")
	long := strings.Repeat("x", fabric.MaxFrame-14)
	b.send(3, long)
	c.want(long)
	b.send(3, long+"y") // is dropped
	b.send(3, "last")
	c.want("last")
	report := s.Report()
	if n := report.Ports[1].Counts.Malformed; n != 1 {
		t.Errorf("%d frames were too long, want 1:\n%v", n, report)
	}
	if got := report.Sockets[0].Cable + " " + report.Sockets[1].Cable; got != "stream datagrams" {
		t.Errorf("cables: %s", got)
	}
	want := "SOCKET   CABLE      QUEUED  OVERFLOW\ncore-01  stream     0       0\ncore-02  datagrams  0       0\n"
	if text := report.String(); !strings.Contains(text, want) {
		t.Errorf("report:\n%s\nlacks:\n%s", text, want)
	}
	if text, err := json.Marshal(report); err != nil || !bytes.Contains(text, []byte(`"sockets"`)) {
		t.Errorf("as JSON: %s, %v", text, err)
	}
}

func TestAMachineComesBackToItsPort(t *testing.T) {
	s := newSwitch(t, Config{})
	addPorts(t, s, 2)
	a, b := plugIn(t, s, 1, PairStream), plugIn(t, s, 2, PairStream)
	id, err := s.Impair(fabric.Rule{Pairs: []fabric.Pair{{From: "core-02", To: "core-01"}}, Effect: fabric.Effect{Cut: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cable.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "core-02 is unplugged", func() bool { return !s.Report().Ports[1].Up })
	a.send(2, "to nobody")
	until(t, "the frame is dropped", func() bool { return sent(s, "core-01", "core-02").Down == 1 })

	b = plugIn(t, s, 2, PairStream)
	a.send(2, "welcome")
	b.want("welcome")
	b.send(1, "is cut")
	until(t, "the rule holds again", func() bool { return s.Report().Rules[0].Hits.Cut == 1 })
	if s.Heal(id, id) != 1 {
		t.Error("healed otherwise than once")
	}
	b.send(1, "thanks")
	a.want("thanks")

	// The newest cable is the port's.
	other := plugIn(t, s, 2, PairStream)
	if err := <-b.ended; !errors.Is(err, io.EOF) {
		t.Errorf("the old cable ended with %v", err)
	}
	a.send(2, "to the new one")
	other.want("to the new one")

	if err := s.Detach("core-02"); err != nil {
		t.Fatal(err)
	}
	<-other.ended
	if err := s.RemovePort("core-01"); err != nil {
		t.Fatal(err)
	}
	<-a.ended
	if report := s.Report(); len(report.Ports) != 1 || report.Ports[0].Up {
		t.Errorf("left:\n%v", report)
	}
}

func TestListen(t *testing.T) {
	s := newSwitch(t, Config{})
	addPorts(t, s, 2)
	path := filepath.Join(t.TempDir(), "p.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	if err := s.Listen("core-01", path); err != nil {
		t.Fatal(err)
	}
	b := plugIn(t, s, 2, PairDatagram)
	for _, text := range []string{"first boot", "second boot"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		a := newGuest(t, 1, Stream(conn))
		a.send(2, text)
		b.want(text)
		b.send(1, "hello")
		a.want("hello")
		conn.Close()
	}
	// Not of frames: the connection ends.
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes from a port that was sent nonsense", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestDatagramPaths(t *testing.T) {
	s := newSwitch(t, Config{})
	addPorts(t, s, 2)
	dir := t.TempDir()
	cable, err := DatagramPath(filepath.Join(dir, "switch"), filepath.Join(dir, "machine"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Attach("core-01", cable); err != nil {
		t.Fatal(err)
	}
	b := plugIn(t, s, 2, PairDatagram)
	b.send(1, "to nobody") // is lost, and the cable stays
	until(t, "it went", func() bool { return s.Report().Ports[0].Counts.Delivered == 1 && s.Report().Sockets[0].Queued == 0 })
	own, err := DatagramPath(filepath.Join(dir, "machine"), filepath.Join(dir, "switch"))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	a := newGuest(t, 1, own)
	a.send(2, "hello")
	b.want("hello")
	b.send(1, "welcome")
	a.want("welcome")
}

func TestNobodyWaitsForAMachineThatDoesNotRead(t *testing.T) {
	s := newSwitch(t, Config{QueueFrames: 16})
	addPorts(t, s, 3)
	inner, outer := net.Pipe() // which has no buffer
	defer outer.Close()
	if err := s.Attach("core-03", Stream(inner)); err != nil {
		t.Fatal(err)
	}
	a, b := plugIn(t, s, 1, PairStream), plugIn(t, s, 2, PairStream)
	for range 100 {
		a.send(3, "is not read")
	}
	a.send(2, "is read")
	b.want("is read")
	report := s.Report()
	// One or two batches may be on their way to the pipe.
	if k := report.Sockets[2]; k.Queued > 16 || k.Overflow < 100-2*16-1 {
		t.Errorf("%d frames wait, %d were dropped", k.Queued, k.Overflow)
	}
}

// TestDelaysAreKept runs in a bubble, whose clock is exact.
func TestDelaysAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSwitch(t, Config{})
		addPorts(t, s, 2)
		var guests []*guest
		for i := range 2 {
			inner, outer := net.Pipe()
			if err := s.Attach(fmt.Sprintf("core-%02d", i+1), Stream(inner)); err != nil {
				t.Fatal(err)
			}
			guests = append(guests, newGuest(t, i+1, Stream(outer)))
		}
		a, b := guests[0], guests[1]
		began := time.Now()
		took := func(want time.Duration) {
			t.Helper()
			if got := time.Since(began); got != want {
				t.Errorf("it took %v, want %v", got, want)
			}
			began = time.Now()
		}
		a.send(2, "at once")
		b.want("at once")
		took(0)
		slow, err := s.Impair(fabric.Rule{Effect: fabric.Effect{Delay: time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		a.send(2, "late")
		synctest.Wait()
		// A shorter delay in the other direction wakes the clock earlier.
		faster, err := s.ImpairAll([]fabric.Rule{{Pairs: []fabric.Pair{{From: "core-02"}}, Effect: fabric.Effect{Delay: time.Millisecond}}})
		if err != nil || s.Heal(slow) != 1 {
			t.Fatal(err)
		}
		b.send(1, "soon")
		a.want("soon")
		took(time.Millisecond)
		b.want("late")
		took(time.Second - time.Millisecond)
		s.Heal(faster...)
		b.send(1, "at once again")
		a.want("at once again")
		took(0)
		for _, g := range guests {
			g.cable.Close()
		}
	})
}

func TestRefusals(t *testing.T) {
	s := newSwitch(t, Config{})
	addPorts(t, s, 1)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.AddPort(fabric.Port{Name: "core-01"}); !errors.Is(err, fabric.ErrPort) {
		t.Errorf("a second port of a name: %v", err)
	}
	if err := s.Attach("core-09", &streamCable{conn: new(net.TCPConn)}); !errors.Is(err, fabric.ErrPort) {
		t.Errorf("a cable without a port: %v", err)
	}
	for what, err := range map[string]error{
		"detach": s.Detach("core-09"), "remove": s.RemovePort("core-09"), "listen": s.Listen("core-09", filepath.Join(dir, "s")),
	} {
		if !errors.Is(err, fabric.ErrPort) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Listen("core-01", file); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file in the way: %v", err)
	}
	if err := s.Listen("core-01", filepath.Join(dir, strings.Repeat("x", 104))); err == nil || !strings.Contains(err.Error(), "103") {
		t.Errorf("a long path: %v", err)
	}
	if _, err := s.ImpairAll([]fabric.Rule{{Effect: fabric.Effect{Cut: true}}, {}}); !errors.Is(err, fabric.ErrRule) {
		t.Errorf("an empty rule: %v", err)
	}
	if rules := s.Report().Rules; len(rules) != 0 {
		t.Errorf("a refused list left %v", rules)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Datagram(f); err == nil {
		t.Error("a file is taken for a socket")
	}
	own, child, err := socketPair("test", PairStream)
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	if _, err := Datagram(own); err == nil || !strings.Contains(err.Error(), "datagrams") {
		t.Errorf("a stream is taken for datagrams: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.AddPort(fabric.Port{Name: "core-02"}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := s.Pair("core-01", PairDatagram); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := s.Capture(io.Discard); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
