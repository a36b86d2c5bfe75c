package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"drydock/vmlab/wire/fabric"
)

func TestCapture(t *testing.T) {
	s := newSwitch(t, Config{})
	addPorts(t, s, 3)
	a, b := plugIn(t, s, 1, PairStream), plugIn(t, s, 2, PairStream)
	plugIn(t, s, 3, PairStream)
	var all, some bytes.Buffer
	everything, err := s.Capture(&all)
	if err != nil {
		t.Fatal(err)
	}
	third, err := s.Capture(&some, "core-03")
	if err != nil {
		t.Fatal(err)
	}
	a.send(2, "first")
	b.want("first")
	if _, err := s.Impair(fabric.Rule{Effect: fabric.Effect{Cut: true}}); err != nil {
		t.Fatal(err)
	}
	a.send(2, "second")
	until(t, "it is dropped", func() bool { return sent(s, "core-01", "core-02").Cut == 1 })
	stats, err := everything.Stop()
	if want := (CaptureStats{Frames: 4}); err != nil || stats != want {
		t.Errorf("%+v, %v; want %+v", stats, err, want)
	}
	for _, text := range []string{"core-01", "core-02", "dropped", "core-01>core-02: cut", "second"} {
		if !bytes.Contains(all.Bytes(), []byte(text)) {
			t.Errorf("the capture lacks %q", text)
		}
	}
	if n := bytes.Count(all.Bytes(), []byte("first")); n != 2 {
		t.Errorf("a frame that came and went is there %d times, want 2", n)
	}
	// What passes core-03 by is not in its capture.
	stats, err = third.Stop()
	if err != nil || stats.Frames != 0 {
		t.Errorf("%+v, %v; want none", stats, err)
	}
	if _, err := s.Capture(io.Discard, "core-09"); !errors.Is(err, fabric.ErrPort) {
		t.Errorf("a port that there is not: %v", err)
	}
}

// stuck is a disk that is full.
type stuck struct{}

func (stuck) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestACaptureThatCannotBeWritten(t *testing.T) {
	s := newSwitch(t, Config{})
	addPorts(t, s, 2)
	a, b := plugIn(t, s, 1, PairStream), plugIn(t, s, 2, PairStream)
	c, err := s.Capture(stuck{})
	if err != nil {
		t.Fatal(err)
	}
	a.send(2, "passes all the same")
	b.want("passes all the same")
	if _, err := c.Stop(); err == nil {
		t.Error("nobody says that there is no space")
	}
}

func TestCloseEndsCaptures(t *testing.T) {
	s := New(Config{})
	if _, err := s.Capture(io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
