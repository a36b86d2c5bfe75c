package labcontrol

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node/host"
	"drydock/node/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func disk(t *testing.T) *Disk {
	t.Helper()
	_, d := hostDisk(t)
	return newDisk(d)
}

// hostDisk opens a directory of the test's.
func hostDisk(t *testing.T) (dir string, d *host.Disk) {
	t.Helper()
	dir = t.TempDir()
	d, err := host.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return dir, d
}

func create(t *testing.T, d *Disk, name string) world.File {
	t.Helper()
	f, err := d.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func put(t *testing.T, f world.File, text string, at int64) {
	t.Helper()
	if n, err := f.WriteAt([]byte(text), at); n != len(text) || err != nil {
		t.Fatalf("write: %d, %v", n, err)
	}
}

func read(t *testing.T, f world.File) string {
	t.Helper()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); int64(n) != size || err != nil && size > 0 {
		t.Fatalf("read: %d of %d, %v", n, size, err)
	}
	return string(b)
}

// held is what the file itself has.
func held(t *testing.T, d *Disk, name string) string {
	t.Helper()
	f, err := d.Disk.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return read(t, f)
}

func TestWritesAreHeldBackUntilTheSync(t *testing.T) {
	d := disk(t)
	f := create(t, d, "a")
	put(t, f, "hello", 0)
	put(t, f, "LL", 2)
	put(t, f, "!", 7)
	if got := read(t, f); got != "heLLo\x00\x00!" {
		t.Errorf("the node reads %q", got)
	}
	if got := held(t, d, "a"); got != "" {
		t.Errorf("before the sync the disk has %q", got)
	}
	again, err := d.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if got := read(t, again); got != "heLLo\x00\x00!" {
		t.Errorf("by another handle the node reads %q", got)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := held(t, d, "a"); got != "heLLo\x00\x00!" {
		t.Errorf("after the sync the disk has %q", got)
	}
	put(t, f, "later", 8)
	if err := f.Truncate(10); err != nil {
		t.Fatal(err)
	}
	if got := read(t, f); got != "heLLo\x00\x00!la" {
		t.Errorf("cut short, the node reads %q", got)
	}
	if err := d.Rename("a", "b"); err != nil {
		t.Fatal(err)
	}
	moved, err := d.Open("b")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = moved.Close() }()
	if got := read(t, moved); got != "heLLo\x00\x00!la" {
		t.Errorf("by its new name, the node reads %q", got)
	}
}

func TestPowerLoss(t *testing.T) {
	big := strings.Repeat("x", 5*sector)
	outcomes := map[string]bool{}
	for seed := range uint64(40) {
		d := disk(t)
		f := create(t, d, "a")
		put(t, f, "kept", 0)
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		put(t, f, big, 512)
		kept, lost, torn := d.settle(&PowerLoss{Unsynced: true, Torn: true, Seed: seed})
		got := held(t, d, "a")
		if kept+lost+torn != 1 || !strings.HasPrefix(got, "kept") {
			t.Fatalf("seed %d: %d kept, %d lost, %d torn: %d bytes", seed, kept, lost, torn, len(got))
		}
		switch {
		case kept == 1 && len(got) == 512+len(big):
			outcomes["kept"] = true
		case lost == 1 && len(got) == 4:
			outcomes["lost"] = true
		case torn == 1 && len(got)%sector == 0 && len(got) > 512 && len(got) < 512+len(big):
			outcomes["torn"] = true
		default:
			t.Errorf("seed %d: %d kept, %d lost, %d torn: %d bytes", seed, kept, lost, torn, len(got))
		}
	}
	if len(outcomes) != 3 {
		t.Errorf("of 40 seeds, all came to %v", outcomes)
	}
}

func TestAKilledProcessOnALivingMachineLosesNothing(t *testing.T) {
	d := disk(t)
	f := create(t, d, "a")
	put(t, f, "written", 0)
	if kept, lost, torn := d.settle(&PowerLoss{}); kept != 1 || lost != 0 || torn != 0 {
		t.Errorf("%d kept, %d lost, %d torn", kept, lost, torn)
	}
	if got := held(t, d, "a"); got != "written" {
		t.Errorf("the disk has %q", got)
	}
}

func TestDiskFaults(t *testing.T) {
	d := disk(t)
	f := create(t, d, "wal-x")
	put(t, f, "1", 0)
	room := int64(3)
	d.faults.set(&DiskFault{Free: &room})
	put(t, f, "12", 0)
	if _, err := f.WriteAt([]byte("12"), 0); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	room = -1
	d.faults.set(&DiskFault{Free: &room, Trap: &Trap{ID: 7, On: opSync, Files: "log", Nth: 2, Times: 1}})
	if err := f.Sync(); err != nil {
		t.Errorf("the first sync: %v", err)
	}
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("the second sync: %v", err)
	}
	if err := f.Sync(); err != nil {
		t.Errorf("the third sync: %v", err)
	}
	if s := <-d.faults.struck; s.ID != 7 || !strings.Contains(s.Detail, "wal-x") {
		t.Errorf("struck: %+v", s)
	}
	d.faults.set(&DiskFault{Stall: 1})
	synced := make(chan error)
	go func() { synced <- f.Sync() }()
	select {
	case err := <-synced:
		t.Errorf("a sync ends on a disk that hangs: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	d.faults.set(&DiskFault{Stall: -1})
	if err := <-synced; err != nil {
		t.Error(err)
	}
}

func TestClocks(t *testing.T) {
	c := newClock()
	start := time.Now()
	right := func(what string, mono, wall time.Duration) {
		t.Helper()
		now := c.Now(start)
		if off := now.Mono - time.Since(start) - mono; off < -time.Second || off > time.Second {
			t.Errorf("%s: the monotonic clock is %s off", what, off)
		}
		if off := time.Duration(now.Wall-time.Now().UnixNano()) - wall; off < -time.Second || off > time.Second {
			t.Errorf("%s: the calendar is %s off", what, off)
		}
	}
	right("at first", 0, 0)
	c.move(&Move{Wall: -time.Hour})
	right("set back", 0, -time.Hour)
	c.move(&Move{Mono: time.Minute, Wall: time.Minute})
	right("forward", time.Minute, -time.Hour+time.Minute)
	c.move(&Move{Mono: -time.Hour, Right: true})
	right("set right", time.Minute, 0)
	c.move(&Move{MonoRate: 2})
	if got := c.Real(time.Second); got != time.Second/2 {
		t.Errorf("a second of a clock twice as fast takes %s", got)
	}
	last := c.Now(start).Mono
	for range 1000 {
		now := c.Now(start).Mono
		if now < last {
			t.Fatalf("the monotonic clock goes back from %s to %s", last, now)
		}
		last = now
	}
}

func TestCallsOnTheSocket(t *testing.T) {
	dir, hd := hostDisk(t)
	path := filepath.Join(dir, "c.sock")
	if _, err := Open(path, func(string) string { return "" }, hd); !errors.Is(err, ErrNoLab) {
		t.Errorf("outside of a lab: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused control has made its socket")
	}
	c, err := Open(path, func(string) string { return "core-01" }, hd)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []Call{{}, {Clock: &Move{Mono: -1}}, {Disk: &DiskFault{Trap: &Trap{On: "read", Nth: 1, Times: 1}}}, {Disk: &DiskFault{Trap: &Trap{On: "sync"}}}} {
		if a, err := Ask(path, bad); err == nil {
			t.Errorf("%+v is answered by %+v", bad, a)
		}
	}
	if _, err := Ask(path, Call{Clock: &Move{Wall: time.Hour}}); err != nil {
		t.Error(err)
	}
	if off := c.Clock.Now(time.Now()).Wall - time.Now().UnixNano(); off < int64(59*time.Minute) {
		t.Errorf("the calendar is %s ahead", time.Duration(off))
	}
	f := create(t, c.Disk, "wal-1")
	if _, err := Ask(path, Call{Disk: &DiskFault{Trap: &Trap{ID: 3, On: "sync", Files: "any", Nth: 1, Times: 1}}}); err != nil {
		t.Error(err)
	}
	if err := f.Sync(); err == nil {
		t.Error("the trap does not strike")
	}
	if a, err := Ask(path, Call{Struck: true}); err != nil || a.Struck == nil || a.Struck.ID != 3 {
		t.Errorf("struck: %+v, %v", a, err)
	}
	var b bytes.Buffer
	put(t, f, "x", 0)
	if b.WriteString(read(t, f)); b.String() != "x" {
		t.Errorf("read %q", b.String())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Ask(path, Call{Clock: &Move{}}); err == nil {
		t.Error("a closed control answers")
	}
}

// fakeNode answers for a node.
type fakeNode struct{ asked string }

func (f *fakeNode) Transfer(_ context.Context, name string) error {
	if f.asked = name; name == "nobody" {
		return errors.New("no such member")
	}
	return nil
}

func (*fakeNode) Look() (Held, error) {
	return Held{Calls: 3, Entries: 9, Members: []Seat{{ID: 1 << 63, Name: "n1", Peer: "http://a:1", Voter: true}}}, nil
}

func TestTheNodeIsAsked(t *testing.T) {
	dir, hd := hostDisk(t)
	path := filepath.Join(dir, "c.sock")
	c, err := Open(path, func(string) string { return "n1" }, hd)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := Ask(path, Call{Look: true}); err == nil || !strings.Contains(err.Error(), "not started") {
		t.Errorf("before it has started: %v", err)
	}
	n := new(fakeNode)
	c.Attach(n)
	if runtime.GOOS == "linux" {
		long := filepath.Join(dir, strings.Repeat("d", pathMost))
		if err := os.Mkdir(long, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(path, filepath.Join(long, "c.sock")); err != nil {
			t.Fatal(err)
		}
		if _, err := Ask(filepath.Join(long, "c.sock"), Call{Look: true}); err != nil {
			t.Errorf("by a long path: %v", err)
		}
	}
	a, err := Ask(path, Call{Look: true})
	if err != nil || a.Held == nil || a.Held.Calls != 3 || a.Held.Entries != 9 || len(a.Held.Members) != 1 || a.Held.Members[0].ID != 1<<63 {
		t.Errorf("what it holds: %+v, %v", a, err)
	}
	if _, err := Ask(path, Call{Transfer: "n2"}); err != nil || n.asked != "n2" {
		t.Errorf("asked to hand over to %q: %v", n.asked, err)
	}
	if _, err := Ask(path, Call{Transfer: "nobody"}); err == nil {
		t.Error("it hands over to nobody")
	}
}

func TestUsualTimesOfADisk(t *testing.T) {
	dir, hd := hostDisk(t)
	path := filepath.Join(dir, "c.sock")
	for _, bad := range []string{"{", `{"least":-1}`, `{"tail":2}`} {
		if err := os.WriteFile(path+UsualSuffix, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, func(string) string { return "n1" }, hd); !errors.Is(err, errUsual) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := os.WriteFile(path+UsualSuffix, []byte(`{"least":1000000,"jitter":1000,"tail":1,"tailMost":1000}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path, func(string) string { return "n1" }, hd)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for range 100 {
		if d := c.Disk.faults.usual.draw(); d < time.Millisecond || d > time.Millisecond+21*time.Microsecond+time.Microsecond {
			t.Fatalf("a sync takes %s more", d)
		}
	}
}
