package lab

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestWhatKilledProcessesLeave goes with the next scratch, and nobody else's does.
func TestWhatKilledProcessesLeave(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var reaped []string
	fails := false
	reap := func(dir string) error {
		reaped = append(reaped, dir)
		if fails {
			return errors.New("it can't")
		}
		return nil
	}
	open := func() *Scratch {
		s, err := NewScratch("some-run-", reap)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := open()
	if err := os.WriteFile(filepath.Join(first.Dir, "data"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(os.TempDir(), "some-run-of-mine")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	second := open()
	if len(reaped) > 0 {
		t.Fatalf("in use, and reaped: %v", reaped)
	}
	if err := first.owner.Close(); err != nil { // as the kernel does when a process dies
		t.Fatal(err)
	}
	fails = true
	third := open()
	if _, err := os.Stat(first.Dir); err != nil || len(reaped) != 1 {
		t.Errorf("not all of it could be removed, and the directory is gone: %v, %v", err, reaped)
	}
	fails = false
	fourth := open()
	if _, err := os.Stat(first.Dir); !errors.Is(err, os.ErrNotExist) || len(reaped) != 2 || reaped[1] != first.Dir {
		t.Errorf("what was left is there: %v; reaped: %v", err, reaped)
	}
	for _, s := range []*Scratch{second, third, fourth} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 1 || left[0].Name() != "some-run-of-mine" {
		t.Errorf("left: %v, %v", left, err)
	}
}
