package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// privateEnv has the directory of a private manager; a test binary that finds it
// becomes that manager.
const privateEnv = "SYSTEMD_TEST_MANAGER"

func TestMain(m *testing.M) {
	for _, become := range Become {
		if become() {
			return
		}
	}
	if dir := os.Getenv(privateEnv); dir != "" {
		panic(becomeManager(dir, os.Args[1]))
	}
	m.Run()
	if private.manager != nil {
		private.manager.stop()
	}
	if err := goleak.Find(); err != nil {
		panic(err)
	}
}

// manager is a systemd --user of the tests' own. It has a control group of its own
// in each hierarchy that systemd uses (it would move all processes beside it into
// a group of its making), and a /run of its own, where it believes that the system
// was booted with systemd.
type manager struct {
	dir    string // XDG_RUNTIME_DIR is dir/user
	groups []string
	cmds   []*exec.Cmd
}

// private is started once for all tests.
var private struct {
	sync.Once
	manager *manager
	err     error
}

// needManager returns the address of a manager, or skips the test with the reason.
func needManager(t *testing.T) *manager {
	t.Helper()
	private.Do(func() { private.manager, private.err = startManager() })
	if private.err != nil {
		t.Skipf("no private systemd --user can be had here: %v", private.err)
	}
	return private.manager
}

func (m *manager) address() string { return UserAddress(filepath.Join(m.dir, "user")) }

const (
	managerProgram = "/usr/lib/systemd/systemd"
	journalProgram = "/usr/lib/systemd/systemd-journald"
)

func startManager() (*manager, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("it takes root to give it control groups and a /run of its own")
	}
	if _, err := os.Stat(managerProgram); err != nil {
		return nil, fmt.Errorf("systemd isn't installed: %w", err)
	}
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		return nil, err
	}
	m := &manager{dir: dir}
	for _, sub := range []string{"user", "run/systemd/system", "run/systemd/journal", "run/log", "home"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	if err := m.makeGroups(); err != nil {
		m.stop()
		return nil, err
	}
	_ = m.launch(journalProgram) // without one there is no journal, and its test says so
	if err := m.launch(managerProgram); err != nil {
		m.stop()
		return nil, err
	}
	if err := m.await(); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}

// makeGroups makes the manager's control groups. The names are those of a user's
// manager, by which the journal knows whose a unit is.
func (m *manager) makeGroups() error {
	path := fmt.Sprintf("drydock%d.slice/user@0.service", os.Getpid())
	for _, mount := range mounts {
		if _, err := os.Stat(filepath.Join(mount, "cgroup.procs")); err != nil {
			continue
		}
		dir := filepath.Join(mount, path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("a control group for it can't be made: %w", err)
		}
		m.groups = append(m.groups, dir)
	}
	if len(m.groups) == 0 {
		return errors.New("there are no control groups that systemd could use")
	}
	return nil
}

// launch starts this program anew, to become another.
func (m *manager) launch(program string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(m.dir, filepath.Base(program)+".log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self, program)
	cmd.Env = append(os.Environ(), privateEnv+"="+m.dir)
	for _, group := range m.groups {
		cmd.Env = append(cmd.Env, "SYSTEMD_TEST_GROUP_"+fmt.Sprint(slices.Index(m.groups, group))+"="+group)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	m.cmds = append(m.cmds, cmd)
	return nil
}

// becomeManager runs in the new process, in a mount namespace of its own.
func becomeManager(dir, program string) error {
	for i := 0; ; i++ {
		group, ok := os.LookupEnv(fmt.Sprintf("SYSTEMD_TEST_GROUP_%d", i))
		if !ok {
			break
		}
		if program == journalProgram {
			// A manager takes what is in its own group for its own.
			group = filepath.Dir(group)
		}
		procs := filepath.Join(group, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(fmt.Sprint(os.Getpid())), 0); err != nil {
			return err
		}
	}
	if err := unix.Mount(filepath.Join(dir, "run"), "/run", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + filepath.Join(dir, "home"),
		"XDG_RUNTIME_DIR=" + filepath.Join(dir, "user"), "SYSTEMD_LOG_TARGET=console",
	}
	args := []string{program}
	if program == managerProgram {
		args = append(args, "--user", "--unit=basic.target")
	}
	return syscall.Exec(program, args, env)
}

// await waits until the manager answers.
func (m *manager) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		l, err := connect(ctx, m.address())
		if err == nil {
			l.close()
			return nil
		}
		if m.ended() || ctx.Err() != nil {
			text, _ := os.ReadFile(filepath.Join(m.dir, "systemd.log"))
			return fmt.Errorf("it doesn't come up: %w\n%s", err, text)
		}
		pause := time.NewTimer(5 * time.Millisecond)
		<-pause.C
	}
}

// ended says whether the manager has gone.
func (m *manager) ended() bool {
	pid := m.cmds[len(m.cmds)-1].Process.Pid
	var status syscall.WaitStatus
	got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	return got == pid || err != nil
}

// stop kills the manager, and all that it has started.
func (m *manager) stop() {
	for _, cmd := range m.cmds {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for _, path := range m.everyGroup() {
		for some := true; some; {
			some, _ = killGroup(path)
		}
		removeGroup(path)
		_ = os.Remove(filepath.Dir(path))
	}
	_ = os.RemoveAll(m.dir)
}

// everyGroup adds those that systemd has made in hierarchies of version 1.
func (m *manager) everyGroup() []string {
	all := slices.Clone(m.groups)
	if len(m.groups) == 0 {
		return all
	}
	inner := filepath.Join(filepath.Base(filepath.Dir(m.groups[0])), filepath.Base(m.groups[0]))
	others, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", "*", inner))
	for _, dir := range others {
		if !slices.Contains(all, dir) {
			all = append(all, dir)
		}
	}
	return all
}

// removeGroup removes an empty control group with those below it.
func removeGroup(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeGroup(filepath.Join(dir, e.Name()))
		}
	}
	_ = os.Remove(dir)
}
