package labworld

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drydock/vmlab/lab"
)

func TestWhatIsKeptAfterAFailure(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	scratch, err := lab.NewScratch("run-", func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	at, dir := scratch.Dir, t.TempDir()
	left := remains{dir: at, scratch: scratch, name: "power-loss-3"}
	if _, err := left.Keep(dir); err == nil {
		t.Error("a lab without machines is kept")
	}
	data := filepath.Join(at, "machines", "n1", guestData, "wal")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	log := append(append([]byte("begin"), make([]byte, 3*hole)...), []byte("end")...)
	for name, text := range map[string][]byte{
		filepath.Join(data, "1.seg"):                             log,
		filepath.Join(at, "machines", "n1", "console.log"):       []byte("a line\n"),
		filepath.Join(at, "machines", "n1", "root", "elsewhere"): []byte("not kept"),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(data, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept, err := left.Keep(dir)
	if err != nil || !strings.HasSuffix(kept, "-power-loss-3") {
		t.Fatalf("%q, %v", kept, err)
	}
	if text, err := os.ReadFile(filepath.Join(kept, "n1", "data", "wal", "1.seg")); err != nil || !bytes.Equal(text, log) {
		t.Errorf("%d bytes of %d are kept: %v", len(text), len(log), err)
	}
	if text, err := os.ReadFile(filepath.Join(kept, "n1", "console.log")); string(text) != "a line\n" {
		t.Errorf("the console: %q, %v", text, err)
	}
	if files, err := filepath.Glob(filepath.Join(kept, "n1", "*")); len(files) != 2 {
		t.Errorf("kept: %v, %v", files, err)
	}
	if err := left.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lab is still there: %v", err)
	}
}
