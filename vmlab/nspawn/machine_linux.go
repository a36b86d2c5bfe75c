package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
)

// What a machine's directory has.
const (
	upperDir  = "upper"  // what the machine has written over its image
	workDir   = "work"   // the overlay's own
	mergedDir = "merged" // where the root is mounted, within the machine's namespace
	driveDir  = "config"
	dockerDir = "docker" // Docker's own layers can't be on an overlay
)

// machine is one machine, on or off.
type machine struct {
	spec   *lab.Machine
	ground *ground
	image  *image.Image
	dir    string

	// turn is held while the machine is switched on or off, or its node is.
	turn sync.Mutex

	mu     sync.Mutex
	life   *life // nil while it is off
	paused bool
	ended  string // how it has ended last
}

// life is a machine from being switched on until it is off.
type life struct {
	space   *parts.Space
	group   *parts.Group
	cmd     *exec.Cmd
	stdin   *os.File // whose end asks the machine to switch itself off
	console *os.File
	since   time.Time
	leader  atomic.Int64  // its first process; 0 until it is known
	gone    chan struct{} // closed when systemd-nspawn has ended
}

// Errors of what a machine is asked in the wrong state.
var (
	errOff    = errors.New("the machine is off")
	errOn     = errors.New("the machine is on already")
	errPaused = errors.New("the machine is paused")
	errNoNode = errors.New("its node does not run")
)

// Boot implements lab.Unit: it returns when the machine's systemd answers.
func (m *machine) Boot(ctx context.Context) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mu.Lock()
	old := m.life
	m.mu.Unlock()
	if old != nil && !old.ended() {
		return errOn
	}
	if old != nil { // it has switched itself off
		if err := m.finish(old); err != nil {
			return err
		}
	}
	l := &life{since: time.Now(), gone: make(chan struct{})}
	err := m.begin(l)
	if err == nil {
		err = l.await(ctx)
	}
	if err != nil {
		return errors.Join(err, m.finish(l))
	}
	return nil
}

func (l *life) ended() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// begin makes all that a life takes, and starts systemd-nspawn.
func (m *machine) begin(l *life) (err error) {
	g := m.ground
	if l.space, err = parts.NewSpace(); err != nil {
		return err
	}
	if err := g.cable.Plug(m.spec.Name, m.spec.MAC, l.space); err != nil {
		return err
	}
	if err := parts.Address(l.space, m.spec.Address, 24); err != nil {
		return err
	}
	if err := parts.Acquaint(l.space, g.others(), m.spec.Name); err != nil {
		return err
	}
	if l.group, err = g.groups.Make(g.name, m.spec.Name, m.spec.MemoryMax, m.spec.CPUs); err != nil {
		return err
	}
	if err := g.groups.Spread(l.group, g.name, m.spec.Name); err != nil {
		return err
	}
	if l.console, err = os.OpenFile(g.site.Console(m.spec.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return err
	}
	return m.spawn(l)
}

// launcher waits until it is in its groups, mounts the machine's root where nobody
// else sees it, and becomes systemd-nspawn. It is the first process of a PID
// namespace: the machine's own first process outlives a systemd-nspawn that is
// killed, but not that.
const launcher = `read -r go || exit 1
mount --make-rprivate / && mount -t proc proc /proc && mount -t overlay -o "$1" overlay "$2" || exit 1
shift 2
exec systemd-nspawn "$@"`

// spaceFD is where the launcher has the network namespace.
const spaceFD = 3

func (m *machine) spawn(l *life) error {
	in, stdin, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	l.stdin = stdin
	shell, err := exec.LookPath("sh")
	if err != nil {
		return err
	}
	l.cmd = &exec.Cmd{
		Path: shell, Args: append([]string{"sh", "-c", launcher, "launcher"}, m.arguments()...), Dir: "/",
		Env:   append(os.Environ(), "SYSTEMD_NSPAWN_API_VFS_WRITABLE=1", "SYSTEMD_LOG_LEVEL=warning"),
		Stdin: in, Stdout: l.console, Stderr: l.console, ExtraFiles: []*os.File{l.space.File},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID},
	}
	if err := l.space.Do(l.cmd.Start); err != nil {
		return err
	}
	m.mu.Lock()
	m.life, m.paused = l, false
	m.mu.Unlock()
	go func() {
		err := l.cmd.Wait()
		m.mu.Lock()
		m.ended = "its machine has halted"
		if err != nil {
			m.ended = fmt.Sprintf("its machine has ended: %v", err)
		}
		m.mu.Unlock()
		close(l.gone)
	}()
	if err := l.group.Enter(l.cmd.Process.Pid); err != nil {
		return err
	}
	_, err = l.stdin.WriteString("go\n")
	return err
}

// arguments are the launcher's: the layers, where they go, and systemd-nspawn's.
func (m *machine) arguments() []string {
	dir := func(name string) string { return filepath.Join(m.dir, name) }
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", m.image.RootDir(), dir(upperDir), dir(workDir))
	args := []string{
		layers, dir(mergedDir),
		"--quiet", "--register=no", "--keep-unit", "--console=read-only", "--boot", "--directory=" + dir(mergedDir),
		"--machine=" + m.spec.Name, "--uuid=" + m.spec.ID,
		fmt.Sprintf("--network-namespace-path=/proc/self/fd/%d", spaceFD),
		// What is left out is the host's alone: its clock, its kernel's modules and its ports.
		"--capability=all", "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO,CAP_WAKE_ALARM", "--system-call-filter=add_key keyctl bpf", "--setenv=TERM=dumb", "--setenv=SYSTEMD_COLORS=0", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
		"--bind-ro=" + m.ground.site.Binary + ":" + image.GuestProgram,
		"--bind-ro=" + dir(driveDir) + ":" + image.ConfigDrive,
		"--bind=" + dir(dockerDir) + ":/var/lib/docker",
	}
	for _, s := range m.spec.Shares {
		how := "--bind="
		if s.ReadOnly {
			how = "--bind-ro="
		}
		args = append(args, how+escape(s.Host)+":"+escape(s.Guest))
	}
	return args
}

// escape writes a path for systemd-nspawn's lists.
func escape(path string) string { return strings.ReplaceAll(path, ":", `\:`) }

// await returns when the machine's systemd answers.
func (l *life) await(ctx context.Context) error {
	for {
		if l.ended() {
			return errors.New("systemd-nspawn has ended; its console says why")
		}
		if pid := l.findLeader(); pid > 0 {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d/root/run/systemd/private", pid)); err == nil {
				return nil
			}
		}
		select {
		case <-l.gone:
		case <-ctx.Done():
			return fmt.Errorf("its systemd has not answered: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// findLeader finds the machine's first process: number one of a namespace within
// systemd-nspawn's.
func (l *life) findLeader() int {
	if pid := l.leader.Load(); pid > 0 {
		return int(pid)
	}
	for _, pid := range l.group.Pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			numbers := strings.Fields(line)
			if len(numbers) == 4 && numbers[0] == "NSpid:" && numbers[3] == "1" {
				l.leader.Store(int64(pid))
				return pid
			}
		}
	}
	return 0
}

// finish ends what a life has begun, whatever of it there is. The link goes first:
// what dies then is not heard of.
func (m *machine) finish(l *life) error {
	errs := []error{m.ground.cable.Unplug(m.spec.Name)}
	if l.group != nil {
		errs = append(errs, l.group.Freeze(false), l.group.Kill())
	}
	if l.cmd != nil && l.cmd.Process != nil {
		_ = l.cmd.Process.Kill() // it may not have been in its group yet
		<-l.gone
	}
	for _, f := range []*os.File{l.stdin, l.console} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	if l.group != nil {
		errs = append(errs, l.group.Remove())
	}
	if l.space != nil {
		errs = append(errs, l.space.Close())
	}
	m.mu.Lock()
	m.life, m.paused = nil, false
	m.mu.Unlock()
	return errors.Join(errs...)
}

// Cut implements lab.Unit. A container's disk is the host's, which keeps its power.
func (m *machine) Cut() error {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	if l == nil {
		return nil
	}
	return m.finish(l)
}

// Halt implements lab.Unit.
func (m *machine) Halt(ctx context.Context) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	l, err := m.running()
	if errors.Is(err, errPaused) {
		err = l.group.Freeze(false)
	}
	if err != nil {
		return err
	}
	// systemd's own signal for powering off (systemd(1), signals).
	if err := unix.Kill(l.findLeader(), rtmin+4); err != nil {
		return errors.Join(err, m.finish(l))
	}
	select {
	case <-l.gone:
	case <-ctx.Done():
		err = fmt.Errorf("it has not halted: %w", ctx.Err())
	}
	return errors.Join(err, m.finish(l))
}

// rtmin is the first of the signals that programs may use: the C library has taken
// two before it. (signal(7))
const rtmin = unix.Signal(34)

// running returns the machine's life, if it is on; with errPaused if it is paused.
func (m *machine) running() (*life, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.life == nil || m.life.ended() || m.life.findLeader() == 0:
		return nil, errOff
	case m.paused:
		return m.life, errPaused
	}
	return m.life, nil
}

// Freeze implements lab.Unit.
func (m *machine) Freeze() error { return m.freeze(true) }

// Thaw implements lab.Unit.
func (m *machine) Thaw() error { return m.freeze(false) }

func (m *machine) freeze(stop bool) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	l, err := m.running()
	if errors.Is(err, errOff) || stop && err != nil {
		return err
	}
	if err := l.group.Freeze(stop); err != nil {
		return err
	}
	m.mu.Lock()
	m.paused = stop
	m.mu.Unlock()
	return nil
}

// Access implements lab.Unit. Who enters stays in their own control groups: those of
// the machine are its systemd's.
func (m *machine) Access() (lab.Access, error) {
	l, err := m.running()
	if err != nil {
		return lab.Access{}, err
	}
	return lab.Access{Machine: m.spec.Name, Pid: l.findLeader(), Started: parts.Started(l.findLeader())}, nil
}

// Control implements lab.Unit. The way leads through the machine: a socket on an
// overlay is another one than that of the layer below.
func (m *machine) Control() string {
	if !m.ground.site.Control {
		return ""
	}
	l, err := m.running()
	if errors.Is(err, errOff) {
		return filepath.Join(m.dir, mergedDir, lab.GuestControl) // nobody listens there
	}
	return l.path(lab.GuestControl)
}

// node is the process of the machine's node, 0 if it does not run. Its guard is a
// process of the same unit, and outlives it.
func (l *life) node() (pid int) {
	root := l.group.Dirs()[0]
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || d.Name() != nodeUnit {
			return nil // what has gone has no processes
		}
		for _, one := range parts.PidsIn(path) {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", one))
			if err == nil && strings.HasPrefix(string(text), image.GuestProgram+"\x00node\x00") {
				pid = one
			}
		}
		return filepath.SkipAll
	})
	return pid
}

// Vitals implements lab.Unit.
func (m *machine) Vitals() lab.Vitals {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := lab.Vitals{Power: lab.PowerOff, Ended: m.ended}
	l := m.life
	if l == nil || l.ended() {
		return v
	}
	v.Power, v.Since, v.Ended = lab.PowerOn, l.since, ""
	if m.paused {
		v.Power = lab.PowerPaused
	}
	if pid := l.node(); pid > 0 {
		v.NodeUp, v.NodePaused = true, parts.Stopped(pid)
	}
	for _, pid := range l.group.Pids() {
		v.Processes++
		memory, cpu := parts.Usage(pid)
		v.MemoryBytes += memory
		v.CPU += cpu
	}
	return v
}

// path is where a file of the machine's is seen from here.
func (l *life) path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(l.findLeader()), "root", name)
}
