package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node/runtime"
	"drydock/node/runtime/lease"
	"drydock/node/runtime/supervisor"
	"drydock/node/unit"
)

func TestMain(m *testing.M) {
	if Become() || supervisor.Become() {
		return
	}
	if dir, ok := os.LookupEnv("GUARD_TEST"); ok {
		if err := beNode(dir); err != nil {
			fmt.Println("failed:", err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	patience = 20 * time.Second
	// term is how long a lease is in these tests.
	term = time.Second
	// late is how long after its end something may be seen to run: the guard kills
	// at that time, but a loaded computer may take its time to have it do so.
	late = 2 * time.Second
)

// beNode is a node: it runs a unit that needs the lease and one that doesn't, says
// so, and renews the lease until it can't.
func beNode(dir string) error {
	units := filepath.Join(dir, UnitsDir)
	k, err := Keep(Options{Dir: dir, Runtimes: Runtimes{Supervisor: units}})
	if err != nil {
		return err
	}
	s, err := supervisor.New(supervisor.Options{Dir: units, Lease: k.LeaseOf})
	if err != nil {
		return err
	}
	tick := time.NewTicker(term / 20)
	defer tick.Stop()
	for !k.Alive() {
		<-tick.C
	}
	k.Begin(lease.At(lease.Now() + term))
	if err := k.SetGlobals([]string{"global.service"}); err != nil {
		return err
	}
	for _, name := range []string{"local.service", "global.service"} {
		text := "[Service]\nType=exec\nRestart=always\nRestartSec=10ms\n" +
			"ExecStart=/bin/sh -c 'trap \"\" TERM; echo start >> " + filepath.Join(dir, name+".starts") + "; while :; do sleep 1; done'\n"
		u, err := unit.Parse(name, []byte(text))
		if err == nil {
			err = s.Load(u)
		}
		if err != nil {
			return err
		}
		done := make(chan runtime.Outcome)
		s.Start(name, func(o runtime.Outcome) { done <- o })
		if o := <-done; !o.Done() {
			return errors.New(o.Reason)
		}
		state, err := s.State(name)
		if err != nil {
			return err
		}
		fmt.Println(name, state.MainPID)
	}
	for k.Renew(lease.At(lease.Now() + term)) {
		<-tick.C
	}
	fmt.Println("over")
	select {}
}

// fakeNode is a node's process, and what it has told of its units.
type fakeNode struct {
	*exec.Cmd
	out  *bufio.Scanner
	pids map[string]int
}

func startNode(t *testing.T, dir string) *fakeNode {
	t.Helper()
	return runNode(t, dir, exec.Command(os.Args[0]), nil)
}

func runNode(t *testing.T, dir string, cmd *exec.Cmd, as *syscall.Credential) *fakeNode {
	t.Helper()
	cmd.Env = append(os.Environ(), "GUARD_TEST="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := &fakeNode{Cmd: cmd, out: bufio.NewScanner(out), pids: make(map[string]int)}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := supervisor.KillOrphans(ctx, filepath.Join(dir, UnitsDir), nil); err != nil {
			t.Error(err)
		}
	})
	for len(n.pids) < 2 && n.out.Scan() {
		name, pid := "", 0
		if _, err := fmt.Sscan(n.out.Text(), &name, &pid); err != nil {
			t.Fatalf("%q: %v", n.out.Text(), err)
		}
		n.pids[name] = pid
	}
	if len(n.pids) < 2 {
		t.Fatal("it doesn't run")
	}
	return n
}

func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// deadline is what the lease says.
func deadline(t *testing.T, dir string) time.Duration {
	t.Helper()
	f, err := lease.Open(filepath.Join(dir, LeaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at, ok := f.Read().Time()
	if !ok {
		t.Fatalf("the lease says %v", f.Read())
	}
	return at
}

func logged(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, logFile))
	return string(text)
}

// inTime checks that a unit ends when the lease does, no sooner and no later.
func inTime(t *testing.T, dir string, n *fakeNode) {
	t.Helper()
	end := deadline(t, dir)
	pid := n.pids["local.service"]
	early := lease.Now() < end && !runs(pid)
	eventually(t, "the end of the unit", func() bool { return !runs(pid) })
	if ended := lease.Now(); early || ended > end+late || ended < end-50*time.Millisecond {
		t.Errorf("the lease ended at %v and the unit at %v; %s", end, ended, logged(dir))
	}
	if !runs(n.pids["global.service"]) {
		t.Error("a unit that needs no lease was killed")
	}
}

func TestTheUnitsOfAKilledNodeEndInTime(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	if err := syscall.Kill(-n.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	inTime(t, dir, n)
	eventually(t, "the end of the guard", func() bool {
		pid, err := holder(filepath.Join(dir, lockFile))
		return pid == 0 && err == nil
	})
	if text := logged(dir); strings.Count(text, "nothing is left") != 1 {
		t.Errorf("the guard's log:\n%s", text)
	}
}

func TestTheUnitsOfAStoppedNodeEndInTimeAndStayAway(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	if err := n.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	inTime(t, dir, n)
	// Its supervisor would start the unit anew.
	if err := n.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !n.out.Scan() || n.out.Text() != "over" {
		t.Errorf("it goes on: %q", n.out.Text())
	}
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for range 10 {
		<-tick.C
		if text, err := os.ReadFile(filepath.Join(dir, "local.service.starts")); err != nil || string(text) != "start\n" {
			t.Fatalf("it has run again: %q, %v", text, err)
		}
	}
	pid, err := holder(filepath.Join(dir, lockFile))
	if pid == 0 || err != nil {
		t.Errorf("the guard has left a node that lives: %v", err)
	}
}

// TestAGuardWithoutPrivileges has it do its work though it may not protect itself.
func TestAGuardWithoutPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the other tests are this one, if it isn't root who runs them")
	}
	const nobody = 65534
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	text, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = errors.Join(os.WriteFile(program, text, 0o755), os.Chmod(filepath.Dir(dir), 0o755), os.Chown(dir, nobody, nobody))
	}
	if err != nil {
		t.Fatal(err)
	}
	n := runNode(t, dir, exec.Command(program), &syscall.Credential{Uid: nobody, Gid: nobody})
	if err := n.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	inTime(t, dir, n)
}

func TestANextLifeFindsTheGuard(t *testing.T) {
	dir := t.TempDir()
	first, err := Keep(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a guard", first.Alive)
	if !first.Renew(lease.At(lease.Now() + time.Minute)) {
		t.Error("a new lease is over")
	}
	for _, names := range [][]string{{"c.service"}, {"b.service", "a.service"}} {
		if err := first.SetGlobals(names); err != nil {
			t.Error(err)
		}
	}
	guard, err := holder(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := Keep(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the guard", second.Alive)
	if pid, err := holder(filepath.Join(dir, lockFile)); pid != guard || err != nil {
		t.Errorf("guard %d, and then %d, %v", guard, pid, err)
	}
	if _, timed := second.Lease().Time(); !timed || fmt.Sprint(second.Globals()) != "[a.service b.service]" {
		t.Errorf("known: %v, %v", second.Lease(), second.Globals())
	}
	// One that dies is replaced.
	if err := syscall.Kill(guard, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another guard", func() bool {
		pid, _ := holder(filepath.Join(dir, lockFile))
		return pid != 0 && pid != guard && second.Alive()
	})
	// One that is not needed ends with the node, and nothing is left.
	if err := second.End(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
}

func TestWhatAnotherRuntimeHasLeftIsKilled(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir)
	if err := syscall.Kill(-n.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = n.Wait() // it was killed
	k, err := Keep(Options{Dir: dir, Runtimes: Runtimes{Supervisor: filepath.Join(dir, "other")}})
	if err != nil {
		t.Fatal(err)
	}
	if runs(n.pids["local.service"]) || runs(n.pids["global.service"]) {
		t.Error("nobody knows them, and they run")
	}
	k.Begin(lease.None)
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

func TestAGuardHasAControlGroupOfItsOwn(t *testing.T) {
	dir, groups := t.TempDir(), fmt.Sprintf("drydock-guard-test-%d", os.Getpid())
	k, err := Keep(Options{Dir: dir, Runtimes: Runtimes{Supervisor: dir, Groups: groups}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a guard", k.Alive)
	pid, err := holder(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	s, err := supervisor.New(supervisor.Options{Dir: dir, Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	if s.Contained() == "control groups" {
		eventually(t, "its group", func() bool {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
			return err == nil && strings.Contains(string(text), groups+"/guard\n")
		})
	}
	if err := errors.Join(s.Close(), k.Close()); err != nil {
		t.Error(err)
	}
	eventually(t, "the end of the guard", func() bool { return !runs(pid) })
	for _, pattern := range []string{"/sys/fs/cgroup/*/" + groups, "/sys/fs/cgroup/*/*/" + groups, "/sys/fs/cgroup/" + groups} {
		if left, err := filepath.Glob(pattern); len(left) > 0 || err != nil {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestOneNodeToADirectory(t *testing.T) {
	dir := t.TempDir()
	startNode(t, dir)
	if _, err := Keep(Options{Dir: dir}); !errors.Is(err, ErrTaken) {
		t.Errorf("a second one: %v", err)
	}
}

func TestAGuardThatCannotBeStarted(t *testing.T) {
	k, err := Keep(Options{Dir: t.TempDir(), Program: "/nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.ensure(); err == nil || k.Alive() {
		t.Error("it lives")
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	able.Store(false)
	if _, err := Keep(Options{Dir: t.TempDir()}); err == nil {
		t.Error("a program that can't become a guard")
	}
	able.Store(true)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Keep(Options{Dir: file}); err == nil {
		t.Error("a directory that is a file")
	}
}

func TestWhatCannotBeReadSparesNobody(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{globalsFile, setupFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if g := globals(dir); len(g) != 0 {
		t.Errorf("spared: %v", g)
	}
	if r := readRuntimes(dir); r.Supervisor != filepath.Join(dir, UnitsDir) {
		t.Errorf("%+v", r)
	}
}
