package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestOneLabByAllWays: what a lab leaves is named after its directory, which is the same
// one whether links lead there or not.
func TestOneLabByAllWays(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(top, filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(top, Root, "dev")
	for _, way := range []string{top, filepath.Join(top, "link"), filepath.Join(top, "link", "link")} {
		s, err := OpenStore(filepath.Join(way, Root), "dev")
		if err != nil || s.Dir != want {
			t.Errorf("by %s: %s, %v; want %s", way, s.Dir, err, want)
		}
	}
}

// TestRemoveWhatIsNoLab: a directory without a state goes only if nothing is in it that
// no lab has.
func TestRemoveWhatIsNoLab(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "labs", "dev")}
	if err := os.MkdirAll(filepath.Join(s.Dir, "machines", "core-01"), 0o755); err != nil {
		t.Fatal(err)
	}
	letters := filepath.Join(s.Dir, "letters")
	if err := os.WriteFile(letters, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(); err == nil || !strings.Contains(err.Error(), "letters") {
		t.Errorf("somebody's own directory: %v", err)
	}
	if _, err := os.Stat(letters); err != nil {
		t.Error(err)
	}
	if err := os.Remove(letters); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(); err != nil {
		t.Errorf("half a lab: %v", err)
	}
	if _, err := os.Stat(s.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a lab is there still: %v", err)
	}
}

// TestLocksOfLabsThatGo has many make and remove a lab at once: only one at a time has
// it, whoever opened the lock of one that was removed meanwhile.
func TestLocksOfLabsThatGo(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "labs", "dev")}
	var group sync.WaitGroup
	var mu sync.Mutex
	rounds := 0
	end := time.Now().Add(300 * time.Millisecond)
	for range 4 {
		group.Go(func() {
			for time.Now().Before(end) {
				f, err := s.Lock()
				if errors.Is(err, ErrBusy) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				rounds++
				mu.Unlock()
				mine := filepath.Join(s.Dir, "bin")
				if err := os.Mkdir(mine, 0o755); err != nil {
					t.Errorf("somebody else has it, too: %v", err)
				}
				if err := s.Remove(); err != nil {
					t.Error(err)
				}
				_ = f.Close()
			}
		})
	}
	group.Wait()
	if rounds == 0 {
		t.Error("nobody has had it")
	}
}

// TestLooksAreNoKeepers: those who look whether a keeper lives see none in each other,
// and keep none away.
func TestLooksAreNoKeepers(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "labs", "dev")}
	first, err := s.LockKeeper()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			for range 300 {
				if s.KeeperLives() {
					t.Error("there is no keeper, and one lives")
					return
				}
			}
		})
	}
	group.Wait()
	for range 20 {
		group.Go(func() { s.KeeperLives() })
		f, err := s.LockKeeper()
		if err != nil {
			t.Fatalf("a look keeps a keeper away: %v", err)
		}
		_ = f.Close()
	}
	group.Wait()
}

func TestStatesOfOtherDirectories(t *testing.T) {
	const form = `{"version": 1, "lab": "dev", "spec": {}, "machines": [{"name": "core-01"}, {"name": %q}]}`
	for _, name := range []string{"../../../etc", "..", ".", "", "a/b"} {
		_, err := parseState("state.json", fmt.Appendf(nil, form, name))
		if err == nil || !strings.Contains(err.Error(), "machines[1].name") {
			t.Errorf("a machine %q: %v", name, err)
		}
	}
	if _, err := parseState("state.json", fmt.Appendf(nil, form, "core-02")); err != nil {
		t.Error(err)
	}
}
