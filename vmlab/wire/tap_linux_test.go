package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/wire/fabric"
)

// newNamespace makes a network namespace that ends with the test. Without the
// rights for that, or without tap devices, the test is skipped.
func newNamespace(t testing.TB) *os.File {
	t.Helper()
	var f *os.File
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		var err error
		f, err = os.Open("/proc/thread-self/ns/net")
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skipf("network namespaces need root: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("no tap devices here: %v", err)
	}
	return f
}

// machine is a namespace with a tap device that is plugged into a switch.
type machine struct {
	name string
	ns   *os.File
	addr netip.Addr
}

func plugTap(t testing.TB, s *Switch, number, mtu int) machine {
	t.Helper()
	m := machine{
		name: fmt.Sprintf("core-%02d", number), ns: newNamespace(t),
		addr: netip.AddrFrom4([4]byte{10, 9, 0, byte(number)}),
	}
	mac := fabric.MAC{2, 0, 0, 0, 0, byte(number)}
	f, err := OpenTap(TapConfig{Namespace: m.ns, Name: "eth0", MAC: mac, MTU: mtu})
	if err != nil {
		t.Fatal(err)
	}
	m.do(t, func() error { return setAddress("eth0", m.addr) })
	cable, err := Tap(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddPort(fabric.Port{Name: m.name, MAC: mac}); err != nil {
		t.Fatal(err)
	}
	if err := s.Attach(m.name, cable); err != nil {
		t.Fatal(err)
	}
	return m
}

// setAddress gives a device an address of a network of 256.
func setAddress(device string, addr netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	if err := ifr.SetInet4Addr(addr.AsSlice()); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, ifr); err != nil {
		return err
	}
	if err := ifr.SetInet4Addr([]byte{255, 255, 255, 0}); err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, unix.SIOCSIFNETMASK, ifr)
}

// do runs fn in the machine's namespace.
func (m machine) do(t testing.TB, fn func() error) {
	t.Helper()
	if err := within(m.ns, fn); err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
}

// echo answers every datagram until the test ends.
func (m machine) echo(t testing.TB) *net.UDPAddr {
	t.Helper()
	var conn *net.UDPConn
	m.do(t, func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: m.addr.AsSlice()})
		return err
	})
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			// What does not arrive is asked for again.
			_, _ = conn.WriteToUDP(buf[:n], from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr)
}

// dial returns a socket of the machine's for datagrams to an address.
func (m machine) dial(t testing.TB, to *net.UDPAddr) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	m.do(t, func() (err error) {
		conn, err = net.DialUDP("udp4", nil, to)
		return err
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a datagram and says whether its echo came within a time.
func ask(t testing.TB, conn *net.UDPConn, text string, wait time.Duration) bool {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	for {
		n, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		if string(buf[:n]) == text {
			return true
		}
	}
}

func TestTapsInNamespaces(t *testing.T) {
	s := newSwitch(t, Config{})
	a, b, c := plugTap(t, s, 1, 0), plugTap(t, s, 2, 0), plugTap(t, s, 3, 0)
	toB, toC := a.dial(t, b.echo(t)), a.dial(t, c.echo(t))
	until(t, "core-02 answers", func() bool { return ask(t, toB, "one", 200*time.Millisecond) })
	until(t, "core-03 answers", func() bool { return ask(t, toC, "two", 200*time.Millisecond) })

	id, err := s.Impair(fabric.Rule{Pairs: []fabric.Pair{{From: b.name, To: a.name}}, Effect: fabric.Effect{Cut: true}})
	if err != nil {
		t.Fatal(err)
	}
	if ask(t, toB, "three", 50*time.Millisecond) {
		t.Error("the echo came through a cut")
	}
	until(t, "core-03 still answers", func() bool { return ask(t, toC, "four", 200*time.Millisecond) })
	report := s.Report()
	if report.Rules[0].Hits.Cut == 0 {
		t.Errorf("the cut counts nothing:\n%v", report)
	}
	if s.Heal(id) != 1 {
		t.Error("the rule did not hold")
	}
	until(t, "core-02 answers again", func() bool { return ask(t, toB, "five", 200*time.Millisecond) })
}

func TestADelayedTap(t *testing.T) {
	s := newSwitch(t, Config{})
	a, b := plugTap(t, s, 1, 0), plugTap(t, s, 2, 0)
	conn := a.dial(t, b.echo(t))
	until(t, "core-02 answers", func() bool { return ask(t, conn, "one", 200*time.Millisecond) })
	const delay = 30 * time.Millisecond
	if _, err := s.Impair(fabric.Rule{Effect: fabric.Effect{Delay: delay}}); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	until(t, "core-02 answers", func() bool { return ask(t, conn, "two", 5*time.Second) })
	if took := time.Since(begin); took < 2*delay {
		t.Errorf("the echo took %v, with a delay of %v each way", took, delay)
	}
}

func TestOpenTapRefuses(t *testing.T) {
	for _, cfg := range []TapConfig{{}, {Name: "a-name-of-more-than-15"}, {Name: "x", MTU: 1 << 20, Namespace: newNamespace(t)}} {
		if f, err := OpenTap(cfg); err == nil {
			t.Errorf("%+v: made %v", cfg, errors.Join(f.Close(), io.EOF))
		}
	}
}

// BenchmarkTaps sends a stream of TCP between two namespaces, and datagrams there
// and back, through the kernel's stacks, two tap devices and the switch.
func BenchmarkTaps(b *testing.B) {
	for _, mtu := range []int{1500, 9000, 65000} {
		b.Run(fmt.Sprintf("tcp/mtu=%d", mtu), func(b *testing.B) {
			s := newSwitch(b, Config{})
			from, to := plugTap(b, s, 1, mtu), plugTap(b, s, 2, mtu)
			in, out := tcpBetween(b, from, to)
			data := make([]byte, 128<<10)
			go func() {
				for {
					if _, err := out.Write(data); err != nil {
						return
					}
				}
			}()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := io.ReadFull(in, data); err != nil {
					b.Fatal(err)
				}
			}
			r := s.Report()
			b.ReportMetric(float64(r.Sockets[1].Overflow), "overflow")
		})
	}
	b.Run("ping", func(b *testing.B) {
		s := newSwitch(b, Config{})
		from, to := plugTap(b, s, 1, 0), plugTap(b, s, 2, 0)
		conn := from.dial(b, to.echo(b))
		until(b, "it answers", func() bool { return ask(b, conn, "one", 200*time.Millisecond) })
		for b.Loop() {
			if !ask(b, conn, "ping", time.Second) {
				b.Fatal("no answer")
			}
		}
	})
}

// tcpBetween returns both ends of a connection that one machine made to another.
func tcpBetween(t testing.TB, from, to machine) (in, out net.Conn) {
	t.Helper()
	var l net.Listener
	to.do(t, func() (err error) {
		l, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: to.addr.AsSlice()})
		return err
	})
	defer l.Close()
	from.do(t, func() (err error) {
		out, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
		return err
	})
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	return in, out
}
