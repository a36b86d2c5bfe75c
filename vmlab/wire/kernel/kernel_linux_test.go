package kernel

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"drydock/vmlab/wire/fabric"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// space is a network namespace that ends with the test.
type space struct {
	file *os.File
	h    *netlink.Handle
}

func newSpace(t *testing.T) space {
	t.Helper()
	var s space
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			s.file, err = os.Open("/proc/thread-self/ns/net")
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skipf("network namespaces need root: %v", err)
	}
	t.Cleanup(func() { s.file.Close() })
	var err error
	if s.h, err = netlink.NewHandleAt(netns.NsHandle(s.file.Fd())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.h.Close)
	return s
}

// do runs fn in the namespace.
func (s space) do(t *testing.T, fn func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, as above
		err := unix.Setns(int(s.file.Fd()), unix.CLONE_NEWNET)
		if err == nil {
			err = fn()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// lab is a bridge with machines.
type lab struct {
	bridge space
	br     *netlink.Bridge
	b      *Bridge
	socks  []*net.UDPConn // of each machine, that answers
}

func newLab(t *testing.T, machines int) *lab {
	t.Helper()
	l := &lab{bridge: newSpace(t)}
	if can, err := Probe(); err != nil || can.Bridge != nil || can.Cuts != nil {
		t.Skipf("the kernel has no bridge, or no nftables for it: %v, %v, %v", err, can.Bridge, can.Cuts)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "br0"
	l.br = &netlink.Bridge{LinkAttrs: attrs}
	check(t, l.bridge.h.LinkAdd(l.br), l.bridge.h.LinkSetUp(l.br))
	var err error
	if l.b, err = New(l.bridge.file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, l.b.Close()) })
	for i := range machines {
		l.plug(t, i+1, fmt.Sprintf("p%d", i+1))
	}
	return l
}

func check(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// plug makes a machine with an address and a socket that answers.
func (l *lab) plug(t *testing.T, number int, device string) {
	t.Helper()
	s := newSpace(t)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = device, l.br.Index
	pair := &netlink.Veth{
		LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(s.file.Fd()),
		PeerHardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, byte(number)}, // others remember it
	}
	check(t, l.bridge.h.LinkAdd(pair), l.bridge.h.LinkSetUp(pair))
	eth, err := s.h.LinkByName("eth0")
	check(t, err)
	addr, err := netlink.ParseAddr(fmt.Sprintf("10.9.0.%d/24", number))
	check(t, err, s.h.AddrAdd(eth, addr), s.h.LinkSetUp(eth))
	var conn *net.UDPConn
	s.do(t, func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: addr.IP, Port: 7000})
		return err
	})
	t.Cleanup(func() { conn.Close() })
	if number > len(l.socks) {
		l.socks = append(l.socks, nil)
	}
	l.socks[number-1] = conn
	check(t, l.b.SetPort(fmt.Sprintf("core-%02d", number), device))
}

// passes says whether a datagram gets from one machine to another within a time.
func (l *lab) passes(t *testing.T, from, to int, wait time.Duration) bool {
	t.Helper()
	text := fmt.Sprintf("%d to %d at %v", from, to, time.Now())
	if _, err := l.socks[from-1].WriteToUDP([]byte(text), &net.UDPAddr{IP: net.IPv4(10, 9, 0, byte(to)), Port: 7000}); err != nil {
		t.Fatal(err)
	}
	check(t, l.socks[to-1].SetReadDeadline(time.Now().Add(wait)))
	buf := make([]byte, 200)
	for {
		n, err := l.socks[to-1].Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		check(t, err)
		if string(buf[:n]) == text {
			return true
		}
	}
}

// reach waits until a datagram gets there: a new device takes a moment.
func (l *lab) reach(t *testing.T, from, to int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !l.passes(t, from, to, 100*time.Millisecond); {
		if time.Now().After(end) {
			t.Fatalf("core-%02d does not reach core-%02d", from, to)
		}
	}
}

func TestCuts(t *testing.T) {
	l := newLab(t, 3)
	l.reach(t, 1, 2)
	l.reach(t, 2, 1)
	l.reach(t, 1, 3)
	ids, err := l.b.ImpairAll([]fabric.Rule{
		{Name: "deaf", Pairs: []fabric.Pair{{From: "core-01", To: "core-02"}}, Effect: fabric.Effect{Cut: true}},
		{Name: "mute", Pairs: []fabric.Pair{{From: "core-03"}}, Effect: fabric.Effect{Loss: 1}, Base: true},
	})
	check(t, err)
	if l.passes(t, 1, 2, 50*time.Millisecond) || l.passes(t, 3, 1, 50*time.Millisecond) {
		t.Error("a datagram came through a cut")
	}
	l.reach(t, 2, 1)
	l.reach(t, 1, 3)
	reports, err := l.b.Report()
	check(t, err)
	if len(reports) != 2 || reports[0].Hits.Cut == 0 || reports[1].Hits.Lost == 0 {
		t.Fatalf("the drops are not counted: %+v", reports)
	}
	// A machine that starts again is plugged in by another device: the rule goes
	// with it, and the counter on.
	counted := reports[0].Hits.Cut
	check(t, l.b.SetPort("core-02", ""))
	old, err := l.bridge.h.LinkByName("p2")
	check(t, err, l.bridge.h.LinkDel(old))
	l.plug(t, 2, "p9")
	for end := time.Now().Add(10 * time.Second); reports[0].Hits.Cut <= counted; {
		if l.passes(t, 1, 2, 10*time.Millisecond) || time.Now().After(end) {
			t.Fatal("the rule did not go with the machine")
		}
		reports, err = l.b.Report()
		check(t, err)
	}
	if n, err := l.b.HealAll(); n != 1 || err != nil {
		t.Errorf("healed %d, %v; want 1", n, err)
	}
	l.reach(t, 1, 2)
	if n, err := l.b.Heal(ids...); n != 1 || err != nil {
		t.Errorf("healed %d, %v; want 1", n, err)
	}
	l.reach(t, 3, 1)
}

func TestLosses(t *testing.T) {
	l := newLab(t, 2)
	l.reach(t, 1, 2)
	_, err := l.b.Impair(fabric.Rule{Pairs: []fabric.Pair{{From: "core-01", To: "core-02"}}, Effect: fabric.Effect{Loss: 0.3}})
	check(t, err)
	const sent = 2000
	to := &net.UDPAddr{IP: net.IPv4(10, 9, 0, 2), Port: 7000}
	for range sent {
		_, err := l.socks[0].WriteToUDP([]byte("x"), to)
		check(t, err)
	}
	reports, err := l.b.Report()
	check(t, err)
	if lost := reports[0].Hits.Lost; lost < sent/5 || lost > sent*2/5 {
		t.Errorf("%d of %d are lost, want about 30%%", lost, sent)
	}
}

func TestRefusals(t *testing.T) {
	l := newLab(t, 1)
	for _, c := range []struct {
		rule fabric.Rule
		want error
		text string
	}{
		{fabric.Rule{Effect: fabric.Effect{Delay: time.Second, Cut: true}}, ErrUnsupported, "delay 1s"},
		{fabric.Rule{Effect: fabric.Effect{Up: 1, Down: 1}}, ErrUnsupported, "in turns"},
		{fabric.Rule{}, fabric.ErrRule, "no effect"},
		{fabric.Rule{Pairs: []fabric.Pair{{From: "core-09"}}, Effect: fabric.Effect{Cut: true}}, fabric.ErrRule, "core-09"},
	} {
		if _, err := l.b.Impair(c.rule); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v: %v, want %v with %q", c.rule.Effect, err, c.want, c.text)
		}
	}
	if err := l.b.SetPort("core-01", strings.Repeat("x", 16)); !errors.Is(err, fabric.ErrPort) {
		t.Errorf("a long name of a device: %v", err)
	}
	if reports, err := l.b.Report(); err != nil || len(reports) != 0 {
		t.Errorf("left: %v, %v", reports, err)
	}
}

func TestProbe(t *testing.T) {
	can, err := Probe()
	if err != nil {
		t.Skipf("network namespaces need root: %v", err)
	}
	t.Logf("bridge: %v; cuts: %v; netem: %v", can.Bridge, can.Cuts, can.Netem)
	// Twice the same, and nothing is left to stumble over.
	again, err := Probe()
	check(t, err)
	if fmt.Sprint(can) != fmt.Sprint(again) {
		t.Errorf("%v, and then %v", can, again)
	}
}
