package cmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
)

// built is the program under test, made once.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
}

// programVariable names the program under test where it was built already: whoever
// runs the tests may have no compiler.
const programVariable = "DRYDOCK_BIN"

// binary builds the program.
func binary(t *testing.T) string {
	t.Helper()
	if ready := os.Getenv(programVariable); ready != "" {
		return ready
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "lab-bin"); built.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(built.dir, "drydock"), "drydock").CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "drydock")
}

// needRoot skips a test that makes namespaces where it can't.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: labs of namespaces need root: sudo make test")
	}
	if testing.Short() {
		t.Skip("skipped: builds the program: not with -short")
	}
}

// shell runs drydock in a directory of the test's own.
type shell struct {
	t   *testing.T
	bin string
	dir string
	env []string // besides the test's own
}

// patience is for what a loaded machine may take its time to do.
const patience = 60 * time.Second

func newShell(t *testing.T) *shell {
	needRoot(t)
	s := &shell{t: t, bin: binary(t), dir: t.TempDir()}
	t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(s.dir, ".drydock")); err == nil {
			_, _ = s.run("lab", "down", "--all", "--now")
		}
	})
	return s
}

// run runs drydock and returns what it printed, on either stream, and its exit code.
func (s *shell) run(args ...string) (string, int) {
	s.t.Helper()
	out, err := s.command(args...).CombinedOutput()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return string(out), 0
}

// command is a call of drydock in the directory.
func (s *shell) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.bin, args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "NO_COLOR=1", "DRYDOCK_LAB=")
	cmd.Env = append(cmd.Env, s.env...)
	return cmd
}

// must is run for what has to end well.
func (s *shell) must(args ...string) string {
	s.t.Helper()
	out, code := s.run(args...)
	if code != 0 {
		s.t.Fatalf("drydock %s: exit status %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (s *shell) status() *keeper.Status {
	s.t.Helper()
	st := new(keeper.Status)
	if err := json.Unmarshal([]byte(s.must("lab", "status", "--json")), st); err != nil {
		s.t.Fatal(err)
	}
	return st
}

// until polls until it is so.
func (s *shell) until(what string, so func(*keeper.Status) bool) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); ; {
		st := s.status()
		if so(st) {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatalf("%s: not within %v: %+v", what, patience, st.Machines)
		}
	}
}

// traces are what is to be seen of a lab from the host.
type traces struct {
	dir string
	// spaces are its machines' network namespaces, by their inodes. They are held open:
	// the kernel gives the number of one that is gone to the next, and other tests make
	// some at the same time.
	spaces map[string]*os.File
}

// traces notes what there is while the lab is up.
func (s *shell) traces() *traces {
	s.t.Helper()
	tr := &traces{dir: s.dir, spaces: map[string]*os.File{}}
	for _, pid := range tr.processes() {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			continue
		}
		link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
		if err != nil || link == own(s.t) || tr.spaces[link] != nil {
			_ = f.Close()
			continue
		}
		tr.spaces[link] = f
		s.t.Cleanup(func() { _ = f.Close() })
	}
	return tr
}

func own(t *testing.T) string {
	t.Helper()
	link, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// processes are those that run a program of the lab's directory.
func (tr *traces) processes() []int {
	var list []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		exe, err := os.Readlink(dir + "/exe")
		root, _ := os.Readlink(dir + "/root")
		if err == nil && (strings.HasPrefix(exe, tr.dir) || strings.HasPrefix(root, tr.dir) || strings.HasPrefix(exe, "/opt/bin/drydock")) {
			if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && tr.ours(pid) {
				list = append(list, pid)
			}
		}
	}
	return list
}

// ours says whether a process is in a control group of the lab, or is its keeper.
func (tr *traces) ours(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil && bytes.Contains(line, []byte(tr.dir)) {
		return true
	}
	for _, g := range tr.groups() {
		text, err := os.ReadFile(filepath.Join(g, "cgroup.procs"))
		if err == nil && strings.Contains("\n"+string(text), fmt.Sprintf("\n%d\n", pid)) {
			return true
		}
	}
	return false
}

// groups are the lab's control groups, by the directory's key: others may run such
// labs, too.
func (tr *traces) groups() []string {
	var list []string
	key := parts.KeyOf(&lab.Site{Lab: "left", Dir: filepath.Join(tr.dir, lab.Root, "left")})
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		for _, below := range []string{"", "*", "*/*"} {
			found, _ := filepath.Glob(filepath.Join(root, "drydock-labs", key, below))
			for _, one := range found {
				if info, err := os.Stat(one); err == nil && info.IsDir() {
					list = append(list, one)
				}
			}
		}
	}
	return list
}

// holders are what keeps the machines' network namespaces, but for this process.
func (tr *traces) holders() []string {
	var list []string
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	spaces, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*/ns/net")
	for _, path := range append(fds, spaces...) {
		link, err := os.Readlink(path)
		if err == nil && tr.spaces[link] != nil && !strings.HasPrefix(path, fmt.Sprintf("/proc/%d/", os.Getpid())) {
			list = append(list, path+" is "+link)
		}
	}
	return list
}

// check fails the test for everything that is left.
func (tr *traces) check(t *testing.T, links []string) {
	t.Helper()
	if list := tr.processes(); len(list) > 0 {
		t.Errorf("processes are left: %v", list)
	}
	if list := tr.groups(); len(list) > 0 {
		t.Errorf("control groups are left: %v", list)
	}
	// A child of this process has its files for a moment, until it is another program.
	holders := tr.holders()
	for end := time.Now().Add(5 * time.Second); len(holders) > 0 && time.Now().Before(end); holders = tr.holders() {
		<-time.After(20 * time.Millisecond)
	}
	if len(holders) > 0 {
		t.Errorf("network namespaces are left: %v", holders)
	}
	for _, f := range tr.spaces { // any order: all are closed
		_ = f.Close()
	}
	mounts, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	for _, path := range mounts {
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte(tr.dir)) {
			t.Errorf("a mount is left in %s", path)
		}
	}
	if now := hostLinks(t); strings.Join(now, " ") != strings.Join(links, " ") {
		t.Errorf("the host's links were %v, and are %v", links, now)
	}
	if _, err := os.Stat(filepath.Join(tr.dir, ".drydock")); err == nil {
		t.Error("a directory is left")
	}
}

// hostLinks are the names of the host's links.
func hostLinks(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestALabFromUpToDown is what the README shows: three machines, a partition, and
// nothing left.
func TestALabFromUpToDown(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	links := hostLinks(t)
	out := s.must("lab", "up", "--lab", "left", "--nodes", "3")
	for _, want := range []string{"core-01    172.17.8.101", "core-02    172.17.8.102", "core-03    172.17.8.103", "ready in"} {
		if !strings.Contains(out, want) {
			t.Errorf("up printed no %q:\n%s", want, out)
		}
	}
	tr := s.traces()
	if len(tr.holders()) == 0 {
		t.Error("nobody is seen to hold the machines' namespaces")
	}
	if len(tr.spaces) != 3 {
		t.Fatalf("%d network namespaces for three machines", len(tr.spaces))
	}
	if out := s.must("lab", "exec", "core-02", "--", "fleetctl", "list-machines", "--no-legend"); strings.Count(out, "172.17.8.10") != 3 {
		t.Errorf("list-machines:\n%s", out)
	}
	s.must("lab", "exec", "core-01", "--", "etcdctl", "set", "/message", "Hello")
	if out := s.must("lab", "exec", "core-03", "--", "etcdctl", "get", "/message"); out != "Hello\n" {
		t.Errorf("get printed %q", out)
	}
	dir := filepath.Join(s.dir, ".drydock/labs/left")
	if err := os.Chown(dir, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if out, code := s.run("lab", "exec", "core-01", "--", "true"); code != 2 || !strings.Contains(out, "is user 65534's") {
		t.Errorf("the lab of somebody else: exit code %d, %s", code, out)
	}
	if err := os.Chown(dir, 0, -1); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"hostname | tr c C"}, {"--", "hostname | tr c C"}, {"--", "hostname", "|", "tr", "c", "C"}} {
		if out := s.must(append([]string{"lab", "ssh", "core-02"}, words...)...); out != "Core-02\n" {
			t.Errorf("ssh with %q: %q", words, out)
		}
	}
	if out, code := s.run("lab", "exec", "core-01", "--", "sh", "-c", "hostname; exit 7"); out != "core-01\n" || code != 7 {
		t.Errorf("exec: %q, exit status %d", out, code)
	}
	s.partition()
	s.must("lab", "down")
	tr.check(t, links)
}

// partition cuts off the leader, and sees another one elected and the fault shown
// and healed.
func (s *shell) partition() {
	s.t.Helper()
	leader := ""
	s.until("a leader", func(st *keeper.Status) bool {
		for _, m := range st.Machines {
			if m.State == "leader" {
				leader = m.Name
			}
		}
		return leader != ""
	})
	s.must("lab", "fault", "partition", leader)
	s.until("another leader", func(st *keeper.Status) bool {
		for _, m := range st.Machines {
			if m.State == "leader" && m.Name != leader && m.Healthy {
				return true
			}
		}
		return false
	})
	if out := s.must("lab", "fault", "show"); !strings.Contains(out, "partition {"+leader+"}") || !strings.Contains(out, "cut") {
		s.t.Errorf("fault show:\n%s", out)
	}
	if out := s.must("lab", "fault", "heal"); !strings.Contains(out, "end of partition {"+leader+"}") {
		s.t.Errorf("heal:\n%s", out)
	}
	s.until("all healthy in one term", func(st *keeper.Status) bool {
		for _, m := range st.Machines {
			if !m.Healthy || m.Term != st.Machines[0].Term {
				return false
			}
		}
		return true
	})
}

// TestNothingOutlivesAKilledKeeper kills the keeper of a lab with faults in force:
// its machines die with it, and the next command removes the rest.
func TestNothingOutlivesAKilledKeeper(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	links := hostLinks(t)
	s.must("lab", "up", "--lab", "left", "--nodes", "3")
	s.must("lab", "fault", "pause", "core-01")
	s.must("lab", "fault", "partition", "core-02")
	tr := s.traces()
	s.kill(tr)
	if out, code := s.run("lab", "status"); code != 4 || !strings.Contains(out, "lab down") {
		t.Errorf("status of a lab without its keeper: exit status %d\n%s", code, out)
	}
	if out := s.must("lab", "up", "--lab", "left", "--nodes", "1"); !strings.Contains(out, "left by a keeper that was killed, and removed: the control group") {
		t.Errorf("up says nothing of what it found:\n%s", out)
	}
	s.kill(tr)
	s.must("lab", "down")
	tr.check(t, links)
}

// kill kills the lab's keeper, and waits until nothing of the lab runs any more, which
// takes no command.
func (s *shell) kill(tr *traces) {
	s.t.Helper()
	if err := unix.Kill(s.keeper(tr), unix.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); len(tr.processes()) > 0; {
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatalf("%v after the keeper's end: %v live", patience, tr.processes())
		}
	}
}

// TestAKilledUp kills the command at several moments of up: the lab can be brought up by
// another one, and leaves nothing.
func TestAKilledUp(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	links := hostLinks(t)
	for _, after := range []string{"lock", "keeper.sock", "machines/core-03/console.log"} {
		cmd := s.command("lab", "up", "--lab", "left", "--nodes", "3")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.await(filepath.Join(s.dir, lab.Root, "left", after))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed, or done by then
		s.must("lab", "up", "--lab", "left", "--nodes", "3")
		tr := s.traces()
		s.must("lab", "down")
		tr.check(t, links)
	}
}

// await waits for a file.
func (s *shell) await(path string) {
	s.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); ; {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatalf("%s: not within %v", path, patience)
		}
	}
}

// keeper is the process id of the lab's keeper.
func (s *shell) keeper(tr *traces) int {
	s.t.Helper()
	for _, pid := range tr.processes() {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(line, []byte("\x00lab\x00keep\x00"+tr.dir)) {
			return pid
		}
	}
	s.t.Fatal("there is no keeper")
	return 0
}
