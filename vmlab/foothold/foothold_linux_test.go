package foothold_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/foothold"
)

func TestMain(m *testing.M) {
	if foothold.Become() {
		return
	}
	m.Run()
}

func open(t *testing.T) *foothold.Foothold {
	t.Helper()
	f, err := foothold.Open(t.Context(), foothold.Config{
		Program: "/proc/self/exe", MAC: "02:dd:00:00:00:01", Address: netip.MustParseAddr("172.17.8.1"), Bits: 24,
	})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EACCES) {
		t.Skipf("skipped: no user namespaces here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.Close() // a test may have
		if err := f.Tap().Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// TestFrames: who dials asks for the address's MAC on the device, and nowhere else.
func TestFrames(t *testing.T) {
	f := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := f.Dial(ctx, "tcp", "172.17.8.101:2379")
		ended <- err
	}()
	if err := f.Tap().SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 2000)
	for {
		n, err := f.Tap().Read(frame)
		if err != nil {
			t.Fatal(err)
		}
		// ARP: who has 172.17.8.101? (RFC 826)
		if n >= 42 && frame[12] == 0x08 && frame[13] == 0x06 && string(frame[38:42]) == "\xac\x11\x08\x65" {
			break
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the dial ended with %v", err)
	}
}

func TestRefused(t *testing.T) {
	f := open(t)
	_, err := f.Dial(t.Context(), "tcp", "172.17.8.1:9")
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("to itself: %v", err)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("it does not say that nothing was sent: %#v", err)
	}
	if _, err := f.Dial(t.Context(), "tcp", "192.0.2.1:9"); err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("to the world: %v", err)
	}
}

// TestGone: when the child has died, everybody hears of it.
func TestGone(t *testing.T) {
	f := open(t)
	waits := make(chan error)
	go func() {
		_, err := f.Dial(context.Background(), "tcp", "172.17.8.101:2379")
		waits <- err
	}()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; err == nil {
		t.Error("a dial went through a child that is gone")
	}
	if _, err := f.Dial(t.Context(), "tcp", "172.17.8.101:2379"); err == nil {
		t.Error("a dial went through a child that is gone")
	}
}
