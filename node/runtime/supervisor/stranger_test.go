package supervisor

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drydock/node/runtime/lease"
)

// TestStrangersAreSpared has records whose numbers are another's by now: of processes
// that have ended, and of an earlier boot.
func TestStrangersAreSpared(t *testing.T) {
	boot, err := lease.BootID()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		boot string
		off  uint64 // what the record's time of the start is off by
		dies bool
	}{
		{name: "its own", boot: boot, dies: true},
		{name: "another's", boot: boot, off: 1},
		{name: "of an earlier boot", boot: strings.Repeat("0", 32)},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command("/bin/sleep", "1000")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() { defer close(ended); _ = cmd.Wait() }()
			defer func() { _ = cmd.Process.Kill(); <-ended }()
			pid := cmd.Process.Pid
			started, ok := startOf(pid)
			if !ok {
				t.Fatal("it doesn't run")
			}
			// A directory may be called so.
			dir := filepath.Join(t.TempDir(), "units[1]")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(record{Boot: c.boot, Group: groupRecord{Leaders: []int{pid}, Starts: []uint64{started + c.off}}})
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "unit-a.service"), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := KillOrphans(ctx, dir, nil); err != nil {
				t.Error(err)
			}
			if c.dies {
				<-ended
				return
			}
			if _, ok := startOf(pid); !ok {
				t.Error("a stranger was killed")
			}
			b := newBench(t, Options{Dir: dir})
			b.load("a.service", "ExecStart=/bin/true")
			if s, err := b.State("a.service"); err != nil || s.Active != "inactive" {
				t.Errorf("a stranger was taken over: %+v, %v", s, err)
			}
		})
	}
}

// TestWhatHasNoRecordIsNotRun has a unit whose record can't be written: the machine's
// guard would never find it.
func TestWhatHasNoRecordIsNotRun(t *testing.T) {
	b := newBench(t, Options{Dir: t.TempDir()})
	name := strings.Repeat("a", 245) + ".service"
	b.load(name, "Type=exec", "ExecStart=/bin/sh -c 'touch DIR/ran; exec sleep 1000'")
	if o := b.do(b.Start, name); o.Done() {
		t.Error("it was started")
	}
	b.until(name, "failed/failed")
	if _, err := os.Stat(filepath.Join(b.dir, "ran")); err == nil {
		t.Error("it has run")
	}
}

// TestNobodyIsBornAfterTheSupervisor has a process that was on its way to its program
// when its supervisor ended.
func TestNobodyIsBornAfterTheSupervisor(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		parent int
		runs   bool
	}{{os.Getpid(), true}, {os.Getpid() + 1, false}} {
		ran := filepath.Join(dir, "ran")
		text, err := json.Marshal(spec{
			Path: "/bin/touch", Args: []string{"touch", ran}, UID: -1, UMask: 0o22, Directory: "/", Parent: c.parent,
		})
		if err != nil {
			t.Fatal(err)
		}
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		verdict, verdictOut, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := &exec.Cmd{Path: os.Args[0], Args: []string{becomeName, "a.service"}, ExtraFiles: []*os.File{in, verdictOut}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(text); err != nil {
			t.Fatal(err)
		}
		closeAll([]*os.File{in, out, verdictOut})
		deadline := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		deadline.Stop()
		closeAll([]*os.File{verdict})
		if _, err := os.Stat(ran); (err == nil) != c.runs {
			t.Errorf("parent %d of %d: %v", c.parent, os.Getpid(), err)
		}
		_ = os.Remove(ran)
	}
}
