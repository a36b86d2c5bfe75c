package qmp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const greeting = `{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}`

// fake is a QEMU: it greets and answers each command with what answer says, "" is
// nothing.
func fake(t *testing.T, answer func(name string, id uint64) string) *Client {
	t.Helper()
	near, far := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		fmt.Fprintln(far, greeting)
		lines := bufio.NewScanner(far)
		for lines.Scan() {
			var c struct {
				Execute string
				ID      uint64
			}
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Errorf("a command: %v: %s", err, lines.Bytes())
			}
			text := fmt.Sprintf(`{"return": {}, "id": %d}`, c.ID)
			if c.Execute != "qmp_capabilities" {
				text = answer(c.Execute, c.ID)
			}
			if text != "" {
				fmt.Fprintln(far, text)
			}
		}
	}()
	c := New(near)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		_ = far.Close() // the other end is closed
		<-ended
		goleak.VerifyNone(t)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRun(t *testing.T) {
	c := fake(t, func(name string, id uint64) string {
		switch name {
		case "query-status":
			// Events and answers that nobody waits for come in between.
			return fmt.Sprintf(`{"event": "STOP", "timestamp": {}}%s{"return": {}, "id": 99}%s{"return": {"status": "paused"}, "id": %d}`, "\n", "\n", id)
		case "cont":
			return fmt.Sprintf(`{"error": {"class": "GenericError", "desc": "no"}, "id": %d}`, id)
		}
		return fmt.Sprintf(`{"return": [], "id": %d}`, id)
	})
	var s struct{ Status string }
	if err := c.Run(t.Context(), "query-status", nil, &s); err != nil || s.Status != "paused" {
		t.Errorf("got %+v, %v", s, err)
	}
	if err := c.Run(t.Context(), "cont", nil, nil); !errors.Is(err, ErrRefused) || err.Error() != "cont: QEMU has refused: no" {
		t.Errorf("refused: %v", err)
	}
	if err := c.Run(t.Context(), "other", nil, &s); !errors.Is(err, ErrMessage) {
		t.Errorf("a list for a structure: %v", err)
	}
	if err := c.Run(t.Context(), "other", make(chan int), nil); err == nil {
		t.Error("arguments that are no JSON")
	}
}

// TestMany: answers find those who wait for them.
func TestMany(t *testing.T) {
	c := fake(t, func(name string, id uint64) string { return fmt.Sprintf(`{"return": %q, "id": %d}`, name, id) })
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			name, got := fmt.Sprint("command-", i), ""
			if err := c.Run(t.Context(), name, nil, &got); err != nil || got != name {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		})
	}
	wait.Wait()
}

func TestJob(t *testing.T) {
	looks := 0
	fails := ""
	c := fake(t, func(name string, id uint64) string {
		text := "{}"
		if name == "query-jobs" {
			status := "running"
			if looks++; looks%3 == 0 {
				status = "concluded"
			}
			text = fmt.Sprintf(`[{"id": "other", "status": "concluded"}, {"id": "one", "status": %q, "error": %q}]`, status, fails)
		}
		return fmt.Sprintf(`{"return": %s, "id": %d}`, text, id)
	})
	if err := c.Job(t.Context(), "snapshot-save", map[string]any{"job-id": "one"}); err != nil || looks != 3 {
		t.Errorf("got %v after %d looks", err, looks)
	}
	fails = "no room"
	if err := c.Job(t.Context(), "snapshot-save", map[string]any{"job-id": "one"}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a job that fails: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Job(ctx, "snapshot-save", map[string]any{"job-id": "never"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a job that doesn't end: %v", err)
	}
}

// TestGone: whoever waits hears of the end, and so does everybody after.
func TestGone(t *testing.T) {
	heard := make(chan struct{})
	c := fake(t, func(name string, _ uint64) string {
		if name == "quit" {
			return `{"what": "is this"}`
		}
		close(heard)
		return ""
	})
	waits := make(chan error)
	go func() { waits <- c.Run(context.Background(), "silence", nil, nil) }()
	<-heard
	if err := c.Run(context.Background(), "quit", nil, nil); !errors.Is(err, ErrMessage) {
		t.Errorf("no message: %v", err)
	}
	if err := <-waits; !errors.Is(err, ErrMessage) {
		t.Errorf("who waited: %v", err)
	}
	if err := c.Run(context.Background(), "stop", nil, nil); !errors.Is(err, ErrMessage) {
		t.Errorf("after the end: %v", err)
	}
}

func TestBeginNever(t *testing.T) {
	near, far := net.Pipe()
	c := New(near)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silence: %v", err)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("the end: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{greeting, `{"event": "STOP"}`, `{"return": {}, "id": 1}`, `{"error": {"class": "a", "desc": "b"}, "id": 1}`, `{"return": null, "id": "x"}`, `{}`, ``} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := parse(line)
		if err == nil && m.Greeting == nil && m.Event == "" && m.Return == nil && m.Error == nil {
			t.Errorf("%q is no message, and was read as one", line)
		}
		if err != nil && !errors.Is(err, ErrMessage) {
			t.Errorf("%q: %v", line, err)
		}
	})
}
