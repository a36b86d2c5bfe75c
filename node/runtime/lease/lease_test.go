package lease

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func create(t *testing.T, path string) *File {
	t.Helper()
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestTwoWhoMapAFileSeeOneWord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease")
	node, guard := create(t, path), create(t, path)
	if node.Read() != None || !errors.Is(guard.Check(), ErrOver) {
		t.Errorf("a new lease says %v", node.Read())
	}
	if !node.Renew(At(Now() + time.Minute)) {
		t.Error("a lease can't begin")
	}
	if at, ok := guard.Read().Time(); !ok || at <= Now() {
		t.Errorf("the guard reads %v", guard.Read())
	}
	if err := guard.Check(); err != nil {
		t.Error(err)
	}
	if !guard.Swap(guard.Read(), Over) || node.Renew(Always) {
		t.Error("a lease that is over was renewed")
	}
	node.Begin(None)
	if guard.Read() != None || !node.Renew(Always) || guard.Check() != nil {
		t.Errorf("it doesn't begin anew: %v", guard.Read())
	}
}

func TestALeaseWhoseTimeHasPassedIsNotRenewed(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "lease"))
	f.Renew(At(Now()))
	if f.Renew(At(Now()+time.Hour)) || f.Read() != Over {
		t.Errorf("it was: %v", f.Read())
	}
}

func TestOfARenewalAndAnEndOneWins(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "lease"))
	for range 200 {
		f.Begin(At(Now() + time.Hour))
		was := f.Read()
		var renewed, ended atomic.Bool
		var both sync.WaitGroup
		both.Go(func() { renewed.Store(f.Renew(At(Now() + 2*time.Hour))) })
		both.Go(func() { ended.Store(f.Swap(was, Over)) })
		both.Wait()
		if renewed.Load() == ended.Load() || ended.Load() != (f.Read() == Over) {
			t.Fatalf("renewed %v, ended %v, %v", renewed.Load(), ended.Load(), f.Read())
		}
	}
}

func TestFilesThatAreNoLease(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{write("short", magic), write("other", strings.Repeat("x", fileSize)), dir} {
		f, err := Create(path)
		if err == nil || f != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	// One of an earlier boot says nothing about this one.
	old := write("old", magic+strings.Repeat("0", bootSize)+strings.Repeat("\x01", fileSize-len(magic)-bootSize))
	if _, err := Open(old); !errors.Is(err, errBoot) {
		t.Errorf("a lease of another boot: %v", err)
	}
	if f := create(t, old); f.Read() != None {
		t.Errorf("it says %v", f.Read())
	}
}

func TestWords(t *testing.T) {
	for word, text := range map[Until]string{None: "none", Over: "over", Always: "always", At(time.Second): "1s", At(-1): "2ns"} {
		if word.String() != text {
			t.Errorf("%v, want %s", word, text)
		}
		if want := word == Always || word == At(time.Second); word.Allows(time.Second-1) != want {
			t.Errorf("%v allows: %v", word, !want)
		}
	}
	if At(time.Second).Allows(time.Second) {
		t.Error("a lease is good at its end")
	}
}

func TestTimer(t *testing.T) {
	timer, err := NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	defer timer.Stop()
	began := Now()
	timer.Reset(began + time.Hour)
	timer.Reset(began + 20*time.Millisecond)
	select {
	case <-timer.C:
	case <-time.After(10 * time.Second):
		t.Fatal("it doesn't fire")
	}
	if d := Now() - began; d < 20*time.Millisecond {
		t.Errorf("it fired after %v", d)
	}
	timer.Reset(began)
	select {
	case <-timer.C:
	case <-time.After(10 * time.Second):
		t.Fatal("a time that has passed")
	}
}

// TestWhoOnlyLooks reads a lease without mapping it, and takes nothing else for one.
func TestWhoOnlyLooks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lease")
	f := create(t, path)
	for _, word := range []Until{None, Over, Always, At(time.Minute)} {
		f.Begin(word)
		if got, err := Peek(path); err != nil || got != word {
			t.Errorf("%v is read as %v, %v", word, got, err)
		}
	}
	for name, text := range map[string]string{"empty": "", "another": strings.Repeat("x", fileSize), "short": magic} {
		other := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(other, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Peek(other); !errors.Is(err, ErrLease) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Peek(path + "-none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
