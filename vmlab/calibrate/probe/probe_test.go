package probe

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestWaysThereAndBack: as many of each as were asked for.
func TestWaysThereAndBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { answered <- Answer(t.Context(), l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w, err := Ask(t.Context(), conn, 20, 256, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.There) != 20 || len(w.Back) != 20 {
		t.Errorf("%d there, %d back", len(w.There), len(w.Back))
	}
	for i := range w.There {
		if w.There[i] <= 0 || w.Back[i] <= 0 || w.There[i] > time.Minute {
			t.Errorf("message %d took %v there and %v back", i, w.There[i], w.Back[i])
		}
	}
	_ = conn.Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	_ = l.Close()
}

// TestAnAnswererEndsWithItsContext, asked or not.
func TestAnAnswererEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() { answered <- Answer(ctx, l) }()
	cancel()
	if err := <-answered; err == nil {
		t.Error("it has answered somebody")
	}
}

// TestAnAnswererRefusesWhatIsNoMessage, and what is too long.
func TestAnAnswererRefusesWhatIsNoMessage(t *testing.T) {
	for _, bytes := range [][]byte{{1, 0, 0, 0}, {0, 0, 0, 0xff}, {30, 0, 0, 0, 1}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		answered := make(chan error, 1)
		go func() { answered <- Answer(t.Context(), l) }()
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(bytes)
		_ = conn.(*net.TCPConn).CloseWrite()
		if err := <-answered; err == nil {
			t.Errorf("%v is a message", bytes)
		}
		_ = conn.Close()
		_ = l.Close()
	}
}

func TestSyncsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	times, err := Syncs(t.Context(), dir, 5, 0)
	if err != nil || len(times) != 5 {
		t.Fatal(times, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
	if _, err := Syncs(t.Context(), dir+"/none", 5, 0); err == nil {
		t.Error("there is no such directory")
	}
}

func TestBounds(t *testing.T) {
	for _, count := range []int{0, -1, MaxCount + 1} {
		if _, err := Syncs(t.Context(), t.TempDir(), count, 0); !errors.Is(err, ErrBounds) {
			t.Errorf("%d syncs: %v", count, err)
		}
		if _, err := Ask(t.Context(), nil, count, 256, 0); !errors.Is(err, ErrBounds) {
			t.Errorf("%d messages: %v", count, err)
		}
	}
	for _, size := range []int{0, headBytes - 1, MaxBytes + 1} {
		if _, err := Ask(t.Context(), nil, 1, size, 0); !errors.Is(err, ErrBounds) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
