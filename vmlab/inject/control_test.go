package inject

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/chaos"
	"drydock/node/host"
	"drydock/node/labcontrol"
	"drydock/vmlab/lab"
	"drydock/vmlab/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a lab of one machine that runs, with its node's socket at path.
type box struct {
	lab.Driver
	lab.Ground
	path string
	can  lab.Capabilities

	mu       sync.Mutex
	calls    []string
	commands [][]string
}

func (b *box) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, what)
}

func (b *box) Name() string                      { return "box" }
func (b *box) Capabilities() lab.Capabilities    { return b.can }
func (b *box) Wire() *wire.Switch                { return nil }
func (b *box) Control(string) string             { return b.path }
func (b *box) Vitals(string) lab.Vitals          { return lab.Vitals{Power: lab.PowerOn, NodeUp: true} }
func (b *box) PauseNode(string) error            { b.note("pause"); return nil }
func (b *box) ResumeNode(string) error           { b.note("resume"); return nil }
func (b *box) Access(string) (lab.Access, error) { return lab.Access{}, nil }

func (b *box) Exec(_ context.Context, _ lab.Access, c lab.Command) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commands = append(b.commands, c.Args)
	return 0, nil
}

func (b *box) injector() *Injector {
	return &Injector{
		Site:   &lab.Site{Machines: []lab.Machine{{Name: "core-01", Node: "n1", Role: lab.RoleMember}}},
		Driver: b, Ground: b,
	}
}

func fault(p chaos.Params) chaos.Fault {
	return chaos.Fault{Kind: p.Kind(), Nodes: []string{"n1"}, Params: p}
}

func TestANodeThatLags(t *testing.T) {
	b := &box{can: lab.Capabilities{lab.HasPause}}
	undo, _, err := b.injector().slow([]string{"n1"}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	lags := func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.calls) > 4
	}
	for end := time.Now().Add(10 * time.Second); !lags(); {
		if time.Now().After(end) {
			t.Fatal("it never stops")
		}
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	for i, call := range b.calls {
		if want := []string{"pause", "resume"}[i%2]; call != want {
			t.Fatalf("call %d is %s: %v", i, call, b.calls)
		}
	}
	if b.calls[len(b.calls)-1] != "resume" {
		t.Error("it is left as it stopped")
	}
}

func TestCalendarsOfMachines(t *testing.T) {
	b := &box{can: lab.Capabilities{lab.HasClock, lab.HasKernel}}
	i := b.injector()
	undo, _, err := i.Inject(fault(&chaos.ClockJump{By: time.Hour, Direction: "back", Clock: chaos.ClockWall}))
	if err == nil {
		err = undo()
	}
	if err != nil || len(b.commands) != 2 {
		t.Fatalf("%v: %v", b.commands, err)
	}
	for k, by := range []time.Duration{-time.Hour, 0} {
		c := b.commands[k]
		at, err := strconv.ParseInt(strings.TrimPrefix(c[len(c)-1], "@"), 10, 64)
		off := time.Until(time.Unix(at, 0)) - by
		if err != nil || !slices.Equal(c[:3], []string{"date", "-u", "-s"}) || off < -time.Minute || off > time.Minute {
			t.Errorf("%v: %s off, %v", c, off, err)
		}
	}
	var missing *lab.MissingError
	for _, p := range []chaos.Params{&chaos.ClockJump{By: time.Hour, Clock: chaos.ClockMono}, &chaos.ClockRate{Rate: 2}} {
		if _, _, err := i.Inject(fault(p)); !errors.As(err, &missing) || missing.Needs != lab.HasControl {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// TestTraps: what lies in wait tells when it strikes, whoever of several heard of it.
func TestTraps(t *testing.T) {
	dir := t.TempDir()
	disk, err := host.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = disk.Close() }()
	b := &box{path: filepath.Join(dir, "c"), can: lab.Capabilities{lab.HasControl, lab.HasClock, lab.HasDiskFaults}}
	c, err := labcontrol.Open(b.path, func(string) string { return "core-01" }, disk)
	if err != nil {
		t.Fatal(err)
	}
	i, struck := b.injector(), make(chan string, 2)
	lay := func(on string) Undo {
		f := fault(&chaos.DiskError{On: on, Files: chaos.FilesAny, Nth: 1, Times: 1})
		f.Struck = func(node, detail string, _ bool) { struck <- on + ": " + node + " " + detail }
		undo, _, err := i.Inject(f)
		if err != nil {
			t.Fatal(err)
		}
		return undo
	}
	lay("write")
	undo := lay("sync")
	f, err := c.Disk.Create("wal-1")
	if err == nil {
		t.Error("the first write does not fail")
		_ = f.Close()
	}
	if got := <-struck; got != "write: core-01 write of wal-1 failed" {
		t.Errorf("struck: %q", got)
	}
	if f, err = c.Disk.Create("wal-1"); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err == nil {
		t.Error("the first sync does not fail")
	}
	if got := <-struck; got != "sync: core-01 sync of wal-1 failed" {
		t.Errorf("struck: %q", got)
	}
	if err := errors.Join(f.Close(), undo(), c.Close()); err != nil {
		t.Error(err)
	}
	if _, _, err := i.Inject(fault(&chaos.DiskError{On: "sync", Files: chaos.FilesLog, Nth: 1, Times: 1})); err == nil {
		t.Error("a node that has ended is struck")
	}
}
