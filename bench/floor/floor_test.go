package floor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	f, err := Measure(t.Context(), dir, 30*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for name, times := range map[string]Times{"sync": f.Sync, "grow": f.SyncGrow, "loopback": f.Loopback} {
		if times.P50 < 1 || times.P99 < times.P50 || times.Rate <= 0 || times.Rate > 1e6 {
			t.Errorf("%s: %+v", name, times)
		}
	}
	if f.CopyGB < 0.05 || f.CopyGB > 1000 {
		t.Errorf("%v GB/s", f.CopyGB)
	}
	if a := f.Answers; runtime.GOOS == "linux" && (a == nil || a.Rate < 100 || a.ServerCPU < 0.1 || a.ServerCPU > 1000 || a.ClientCPU < 0.1) {
		t.Errorf("answers: %+v", a)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestMeasureFails(t *testing.T) {
	if _, err := Measure(t.Context(), filepath.Join(t.TempDir(), "none"), time.Millisecond); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(ctx, t.TempDir(), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
