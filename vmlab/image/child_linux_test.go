package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestToolsAreKilledWhole: what a tool has started ends with it, and what it has mounted
// was never seen.
func TestToolsAreKilledWhole(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: mounting takes root: sudo")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	b := &builder{Options: &Options{Log: w}}
	ended := make(chan error, 1)
	go func() {
		ended <- b.run(ctx, dir, "sh", "-c", "mount -t tmpfs tmpfs "+dir+" ; setsid sleep 1000 & echo up; sleep 1000")
	}()
	if _, err := r.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(mounts, []byte(dir)) {
		t.Error("what the tool has mounted is the host's, too")
		_ = exec.Command("umount", dir).Run()
	}
	cancel()
	go func() { _, _ = io.Copy(io.Discard, r) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a tool that was killed has ended well")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("what the tool has started goes on") // it has the log open
	}
}

// TestLeftByKilledBuilds: the next build removes it, and no other one's meanwhile.
func TestLeftByKilledBuilds(t *testing.T) {
	s := Store{Dir: t.TempDir()}
	left := filepath.Join(s.Dir, building+"123", "root", "etc")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	alone, err := s.clean()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(filepath.Dir(left))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there still: %v", err)
	}
	if _, err := s.clean(); !errors.Is(err, ErrBuilding) || !strings.Contains(err.Error(), s.Dir) {
		t.Errorf("a second build: %v", err)
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("images: %v, %v", list, err)
	}
}
