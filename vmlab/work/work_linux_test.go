package work

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node/runtime/lease"
)

func TestMain(m *testing.M) {
	if code, became := Become(); became {
		fmt.Println("ends with", code) // as its exit status would be
		return
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what is sure to come.
const patience = 20 * time.Second

// office is a directory with an observer and this test's program under the name.
type office struct {
	t            *testing.T
	dir          string
	fails, hangs atomic.Bool
	called, gone chan *Process
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, dir: t.TempDir(), called: make(chan *Process, 8), gone: make(chan *Process, 8)}
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(o.dir, Name))
	}
	if err != nil {
		t.Fatal(err)
	}
	observer, err := Observe(o.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := observer.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

func (o *office) Called(p *Process) (fails, hangs bool) {
	o.called <- p
	return o.fails.Load(), o.hangs.Load()
}

func (o *office) Gone(p *Process) { o.gone <- p }

// run starts a process; its end is returned by the answer.
func (o *office) run(words string) (*exec.Cmd, *Process) {
	o.t.Helper()
	cmd := exec.Command(filepath.Join(o.dir, Name), strings.Fields(words)...)
	cmd.Stdout, cmd.Stderr = new(strings.Builder), os.Stderr
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // it may have been waited for
	})
	p := o.one(o.called)
	o.until("it begins", func() bool { return p.Seen().Began != 0 })
	return cmd, p
}

func (o *office) one(from chan *Process) *Process {
	o.t.Helper()
	select {
	case p := <-from:
		return p
	case <-time.After(patience):
		o.t.Fatal("nobody has come")
		return nil
	}
}

func (o *office) until(what string, so func() bool) {
	o.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(end) {
			o.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// TestAKilledProcessIsKnownByItsLastBeat: what it wrote is there when it can tell no
// more, and is no later than its death.
func TestAKilledProcessIsKnownByItsLastBeat(t *testing.T) {
	o := newOffice(t)
	before := lease.Now()
	_, p := o.run("unit=a@1.service edition=2 hangs")
	first := p.Seen()
	if p.Unit != "a@1.service" || p.Edition != 2 || first.Began < before || first.Began > lease.Now() {
		t.Errorf("%s, edition %d, %+v", p.Unit, p.Edition, first)
	}
	o.until("it beats", func() bool { return p.Seen().Beat > first.Beat })
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	o.one(o.gone)
	seen := p.Seen()
	if seen.Gone == 0 || seen.Beat > seen.Gone || seen.Beat <= first.Beat || seen.Exits != 0 || seen.Told != 0 {
		t.Errorf("killed: %+v", seen)
	}
	if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("killed again: %v", err)
	}
	p.Hang(true) // of no consequence
}

// TestAProcessEndsAsItIsTold: at once, late, or not at all while it hangs.
func TestAProcessEndsAsItIsTold(t *testing.T) {
	o := newOffice(t)
	o.hangs.Store(true)
	cmd, p := o.run("unit=a.service down=60ms")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	o.until("it has heard", func() bool { return p.Seen().Told != 0 })
	told := p.Seen().Told
	o.until("its time is over", func() bool { return p.Seen().Beat > told+150*time.Millisecond })
	if p.Seen().Exits != 0 {
		t.Error("it ends, though it hangs")
	}
	p.Hang(false)
	o.one(o.gone)
	if err := cmd.Wait(); err != nil || fmt.Sprint(cmd.Stdout) != fmt.Sprintln("ends with", 0) {
		t.Errorf("its end: %v, %s", err, cmd.Stdout)
	}
	if seen := p.Seen(); seen.Told != told || seen.Exits < told+60*time.Millisecond || seen.Exits > seen.Gone {
		t.Errorf("ended as %+v", seen)
	}
}

// TestAProcessEndsByItself: after its life, and at once if it is to fail.
func TestAProcessEndsByItself(t *testing.T) {
	o := newOffice(t)
	for _, tc := range []struct {
		words string
		fails bool
		code  int
	}{{"unit=a.service life=20ms code=3", false, 3}, {"unit=a.service", true, 1}, {"unit=a.service dud=100%", false, 1}} {
		o.fails.Store(tc.fails)
		cmd, p := o.run(tc.words)
		o.one(o.gone)
		if err := cmd.Wait(); err != nil || fmt.Sprint(cmd.Stdout) != fmt.Sprintln("ends with", tc.code) {
			t.Errorf("%s: %v, %s, want code %d", tc.words, err, cmd.Stdout, tc.code)
		}
		if seen := p.Seen(); seen.Exits == 0 || seen.Told != 0 {
			t.Errorf("%s: %+v", tc.words, seen)
		}
	}
}

// TestAProcessWithoutAnObserverFails: it must not run unseen.
func TestAProcessWithoutAnObserverFails(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, Name))
	}
	if err != nil {
		t.Fatal(err)
	}
	for words, says := range map[string]string{"unit=a.service": "the observer", "unit=a.service sleeps": "no word of a program"} {
		out, err := exec.Command(filepath.Join(dir, Name), strings.Fields(words)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), says) || !strings.Contains(string(out), "ends with 1") {
			t.Errorf("%s: %v, %s", words, err, out)
		}
	}
	if _, err := Observe(filepath.Join(dir, strings.Repeat("long/", 30)), nil); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("a path that is too long: %v", err)
	}
}

func FuzzHello(f *testing.F) {
	f.Add([]byte(`{"unit":"a.service","edition":1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if h, err := parseHello(line); err == nil && (h.Unit == "" || h.Edition < 1) {
			t.Errorf("%q is taken as %+v", line, h)
		}
	})
}
