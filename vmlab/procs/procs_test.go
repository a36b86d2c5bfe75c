package procs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// built is the program under test, made once.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// binary builds the program.
func binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		built.dir, built.err = os.MkdirTemp("", "procs-bin")
		if built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "drydock")
		out, err := exec.Command("go", "build", "-o", built.path, "drydock").CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

func TestMain(m *testing.M) {
	m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	if err := goleak.Find(); err != nil {
		panic(err)
	}
}

// keptDir is a directory that stays when the test fails.
func keptDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "procs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("data, logs and history are kept in %s", dir)
			return
		}
		removeAll(t, dir)
	})
	return dir
}

// removeAll removes a directory in which guards may still write that have outlived
// their nodes: they end by themselves soon.
func removeAll(t testing.TB, dir string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		err := os.RemoveAll(dir)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Error(err)
			return
		}
	}
}

// seed is that of the environment's SEED, or one that every run draws anew: it
// is printed.
func seed(t testing.TB) uint64 {
	text := os.Getenv("SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("SEED: %v", err)
	}
	return n
}

// TestKilledProcesses strikes three processes under load. SOAK, a duration, makes
// it longer.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	o := RunOptions{For: 6 * time.Second, Seed: seed(t)}
	o.Dir = keptDir(t)
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		if o.For, err = time.ParseDuration(text); err != nil {
			t.Fatalf("SOAK: %v", err)
		}
	} else if testing.Short() {
		t.Skip("runs real processes for some time")
	}
	o.Binary = binary(t)
	ctx, cancel := context.WithTimeout(t.Context(), o.For+2*time.Minute)
	defer cancel()
	r, err := Run(ctx, o)
	if err != nil {
		t.Fatalf("seed %d: %v", o.Seed, err)
	}
	var text bytes.Buffer
	if err := r.Text(&text); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s\n%s", text.String(), strings.Join(r.Strikes, "\n"))
	if !r.Held() {
		t.Errorf("violated; the same load and kills again: SEED=%d SOAK=%v go test -run TestKilledProcesses ./vmlab/procs", o.Seed, o.For)
	}
	if r.Answered < 200 {
		t.Errorf("only %d operations were answered", r.Answered)
	}
	if len(r.Strikes) < 3 { // the healing is one
		t.Errorf("only %d faults took effect", len(r.Strikes))
	}
}

func TestSignalsToNobody(t *testing.T) {
	c, err := New(Options{Binary: "no-such-program", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Pause(0); !errors.Is(err, errNotRunning) {
		t.Errorf("pause: %v", err)
	}
	c.Kill(0)
	if err := c.Stop(0); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := c.Start(0); err == nil {
		t.Error("a program that is not there was started")
	}
	if c.Size() != 3 || c.Pid(1) != 0 || c.Leader(t.Context()) != -1 {
		t.Errorf("%d members, pid %d", c.Size(), c.Pid(1))
	}
}
