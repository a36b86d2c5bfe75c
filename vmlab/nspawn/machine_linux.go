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
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/power"
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
	power.Machine[part]
	spec   *lab.Machine
	ground *ground
	image  *image.Image
	dir    string
}

// life is a machine from being switched on until it is off, part what is particular to
// this driver's.
type (
	life = power.Life[part]
	part struct {
		parts.Cell
		leader atomic.Int64 // its first process; 0 until it is known, which it is once the machine is on
	}
)

var errNoNode = errors.New("its node does not run")

// Begin implements power.Engine: it returns when the machine's systemd answers.
func (m *machine) Begin(ctx context.Context, l *life) error {
	c, y := &l.Part.Cell, &m.ground.Yard
	if err := c.Open(y, m.spec); err != nil {
		return err
	}
	if err := c.Spread(y, m.spec); err != nil {
		return err
	}
	if err := m.spawn(l); err != nil {
		return err
	}
	return await(ctx, l)
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
	p := &l.Part
	in, stdin, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	p.Control = stdin
	shell, err := exec.LookPath("sh")
	if err != nil {
		return err
	}
	p.Cmd = &exec.Cmd{
		Path: shell, Args: append([]string{"sh", "-c", launcher, "launcher"}, m.arguments()...), Dir: "/",
		Env:   append(os.Environ(), "SYSTEMD_NSPAWN_API_VFS_WRITABLE=1", "SYSTEMD_LOG_LEVEL=warning"),
		Stdin: in, Stdout: p.Console, Stderr: p.Console, ExtraFiles: []*os.File{p.Space.File},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID},
	}
	if err := p.Space.Do(p.Cmd.Start); err != nil {
		return err
	}
	m.Begun(l, false, func() string {
		if err := p.Cmd.Wait(); err != nil {
			return fmt.Sprintf("its machine has ended: %v", err)
		}
		return "its machine has halted"
	})
	if err := p.Group.Enter(p.Cmd.Process.Pid); err != nil {
		return err
	}
	_, err = p.Control.WriteString("go\n")
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
		"--bind-ro=" + m.ground.Site().Binary + ":" + image.GuestProgram,
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
func await(ctx context.Context, l *life) error {
	for {
		if l.Ended() {
			return errors.New("systemd-nspawn has ended; its console says why")
		}
		if pid := l.Part.findLeader(); pid > 0 {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d/root/run/systemd/private", pid)); err == nil {
				return nil
			}
		}
		select {
		case <-l.Gone():
		case <-ctx.Done():
			return fmt.Errorf("its systemd has not answered: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// findLeader finds the machine's first process: number one of a namespace within
// systemd-nspawn's.
func (p *part) findLeader() int {
	if pid := p.leader.Load(); pid > 0 {
		return int(pid)
	}
	for _, pid := range p.Group.Pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			numbers := strings.Fields(line)
			if len(numbers) == 4 && numbers[0] == "NSpid:" && numbers[3] == "1" {
				p.leader.Store(int64(pid))
				return pid
			}
		}
	}
	return 0
}

// End implements power.Engine. A container's disk is the host's, which keeps its power.
func (m *machine) End(l *life) error {
	return l.Part.Close(&m.ground.Yard, m.spec, l.Gone())
}

// AskToHalt implements power.Engine, by systemd's own signal for powering off.
// (systemd(1), signals)
func (m *machine) AskToHalt(_ context.Context, l *life) error {
	return unix.Kill(l.Part.findLeader(), rtmin+4)
}

// rtmin is the first of the signals that programs may use: the C library has taken
// two before it. (signal(7))
const rtmin = unix.Signal(34)

// Hold implements power.Engine.
func (m *machine) Hold(l *life, stop bool) error { return l.Part.Group.Freeze(stop) }

// Access implements lab.Unit. Who enters stays in their own control groups: those of
// the machine are its systemd's.
func (m *machine) Access() (lab.Access, error) {
	l, err := m.Running()
	if err != nil {
		return lab.Access{}, err
	}
	return lab.Access{Machine: m.spec.Name, Pid: l.Part.findLeader(), Started: parts.Started(l.Part.findLeader())}, nil
}

// Control implements lab.Unit. The way leads through the machine: a socket on an
// overlay is another one than that of the layer below.
func (m *machine) Control() string {
	if !m.ground.Site().Control {
		return ""
	}
	l, err := m.Running()
	if errors.Is(err, power.ErrOff) {
		return filepath.Join(m.dir, mergedDir, lab.GuestControl) // nobody listens there
	}
	return l.Part.path(lab.GuestControl)
}

// node is the process of the machine's node, 0 if it does not run. Its guard is a
// process of the same unit, and outlives it.
func (p *part) node() (pid int) {
	root := p.Group.Dirs()[0]
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
	return m.Look(func(l *life, v *lab.Vitals) {
		if pid := l.Part.node(); pid > 0 {
			v.NodeUp, v.NodePaused = true, parts.Stopped(pid)
		}
		l.Part.Group.Use(v)
	})
}

// path is where a file of the machine's is seen from here.
func (p *part) path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.findLeader()), "root", name)
}
