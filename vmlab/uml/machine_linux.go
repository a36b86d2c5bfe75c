package uml

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/virtual"
	"drydock/vmlab/wire"
)

// machine is one machine, on or off.
type machine struct {
	*virtual.Place

	// turn is held while the machine is switched on or off.
	turn sync.Mutex

	mu     sync.Mutex
	life   *life // nil while it is off
	paused bool
	ended  string // how it has ended last
}

// life is a machine from being switched on until it is off.
type life struct {
	cmd     *exec.Cmd // the first process; the kernel is its child
	console *os.File
	since   time.Time
	gone    chan struct{} // closed when its process has ended
}

// Errors of what a machine is asked in the wrong state.
var (
	errOff    = errors.New("the machine is off")
	errOn     = errors.New("the machine is on already")
	errPaused = errors.New("the machine is paused")
)

// defaultMemory is what a machine has if the lab file doesn't say, in MiB.
const defaultMemory = 256

// What a machine's directory has.
const (
	diskFile = "disk.cow" // what the machine has written over its image
	umid     = "uml"      // the kernel's own directory
)

func (l *life) ended() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// Boot implements lab.Unit.
func (m *machine) Boot(context.Context) error {
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
	if err := m.begin(l); err != nil {
		return errors.Join(err, m.finish(l))
	}
	return nil
}

// begin plugs the machine in and starts its kernel.
func (m *machine) begin(l *life) (err error) {
	// It has the number that the last one had, in its own namespace, and would take
	// itself for one that runs.
	if err := os.RemoveAll(m.File(umid)); err != nil {
		return err
	}
	if l.console, err = os.OpenFile(m.Console, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return err
	}
	link, err := m.Switch().Pair(m.Spec.Name, wire.PairDatagram)
	if err != nil {
		return err
	}
	defer func() { _ = link.Close() }()
	shell, err := exec.LookPath("sh")
	if err != nil {
		return err
	}
	l.cmd = &exec.Cmd{
		Path: shell, Args: append([]string{"sh", "-c", first, "first", m.Image.Kernel()}, m.arguments()...), Dir: m.Dir,
		Env:    []string{"HOME=/", "PATH=/usr/bin:/bin", "TMPDIR=/dev/shm"},
		Stdout: l.console, Stderr: l.console, ExtraFiles: []*os.File{link},
		SysProcAttr: &syscall.SysProcAttr{
			Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		},
	}
	wait, err := parts.Start(l.cmd)
	if err != nil {
		l.cmd = nil
		return err
	}
	m.mu.Lock()
	m.life, m.paused = l, false
	m.mu.Unlock()
	m.Node.Set(virtual.NodeRuns)
	go func() {
		err := wait()
		m.mu.Lock()
		m.ended = ending(err)
		m.mu.Unlock()
		close(l.gone)
	}()
	return nil
}

// first is the machine's first process, the shell: it becomes the parent of the
// kernel. A kernel that panics ends itself by a signal, and the first process of a
// PID namespace is spared by those that it sends to itself.
const first = `"$@"; exit $?`

// panicked is the first process's exit status when its kernel has ended by SIGABRT.
const panicked = 128 + int(unix.SIGABRT)

// ending says how a kernel has ended.
func ending(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "the machine has switched itself off"
	case errors.As(err, &exit) && exit.ExitCode() == panicked:
		return "the machine's kernel has panicked"
	}
	return fmt.Sprintf("the machine's kernel has ended: %v", err)
}

// kernel is the process of the machine's kernel, 0 if there is none: the first child
// of its first process.
func (l *life) kernel() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", l.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	word, _, _ := strings.Cut(string(text), " ")
	pid, err := strconv.Atoi(word)
	if err != nil {
		return 0
	}
	return pid
}

// linkFD is where the kernel has its link.
const linkFD = 3

// arguments are the kernel's command line.
func (m *machine) arguments() []string {
	memory := int64(defaultMemory)
	if m.Spec.MemoryMax > 0 {
		memory = m.Spec.MemoryMax >> 20
	}
	return []string{
		fmt.Sprintf("mem=%dM", memory), "root=/dev/ubda", "rw",
		"ubd0=" + m.File(diskFile) + "," + m.Image.Disk(), "ubd1r=" + m.Drive,
		"con=null", "con0=null,fd:1", "ssl=null",
		fmt.Sprintf("vec0:transport=fd,fd=%d,vec=0,mac=%s", linkFD, m.Spec.MAC),
		"umid=" + umid, "uml_dir=./", "quiet", "loglevel=4", "systemd.show_status=0", "systemd.hostname=" + m.Spec.Name, "systemd.machine_id=" + m.Spec.ID,
	}
}

// finish ends what a life has begun, whatever of it there is. The link goes first:
// what dies then is not heard of.
func (m *machine) finish(l *life) error {
	errs := []error{m.Switch().Detach(m.Spec.Name)}
	if l.cmd != nil {
		_ = l.cmd.Process.Kill() // it may have ended
		<-l.gone
	}
	if l.console != nil {
		errs = append(errs, l.console.Close())
	}
	m.mu.Lock()
	m.life, m.paused = nil, false
	m.mu.Unlock()
	return errors.Join(errs...)
}

// Cut implements lab.Unit. What the machine has given to its disk is in the host's
// memory, which keeps it.
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
		err = l.signal(unix.SIGCONT)
	}
	if err != nil {
		return err
	}
	// The image's systemd switches off at that key.
	if err := m.tell(ctx, "cad"); err != nil {
		return errors.Join(err, m.finish(l))
	}
	select {
	case <-l.gone:
	case <-ctx.Done():
		err = fmt.Errorf("it has not halted: %w", ctx.Err())
	}
	return errors.Join(err, m.finish(l))
}

// signal signals the machine's kernel.
func (l *life) signal(s unix.Signal) error {
	pid := l.kernel()
	if pid == 0 {
		return errOff
	}
	return unix.Kill(pid, s)
}

// running returns the machine's life, if it is on; with errPaused if it is paused.
func (m *machine) running() (*life, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.life == nil || m.life.ended():
		return nil, errOff
	case m.paused:
		return m.life, errPaused
	}
	return m.life, nil
}

// Freeze implements lab.Unit. The kernel alone is stopped: its helpers do nothing
// without it.
func (m *machine) Freeze() error { return m.freeze(unix.SIGSTOP, true) }

// Thaw implements lab.Unit.
func (m *machine) Thaw() error { return m.freeze(unix.SIGCONT, false) }

func (m *machine) freeze(s unix.Signal, stop bool) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	l, err := m.running()
	if errors.Is(err, errOff) || stop && err != nil {
		return err
	}
	if err := l.signal(s); err != nil {
		return err
	}
	m.mu.Lock()
	m.paused = stop
	m.mu.Unlock()
	return nil
}

// StartNode implements lab.Unit.
func (m *machine) StartNode() error { return m.order(m.Node.Start) }

// KillNode implements lab.Unit.
func (m *machine) KillNode() error { return m.order(m.Node.Kill) }

// PauseNode implements lab.Unit.
func (m *machine) PauseNode() error { return m.order(m.Node.Pause) }

// ResumeNode implements lab.Unit.
func (m *machine) ResumeNode() error { return m.order(m.Node.Resume) }

// order tells a machine that runs something about its node.
func (m *machine) order(do func(lab.Access) error) error {
	a, err := m.Access()
	if err != nil {
		return err
	}
	return do(a)
}

// Access implements lab.Unit.
func (m *machine) Access() (lab.Access, error) {
	if _, err := m.running(); err != nil {
		return lab.Access{}, err
	}
	return m.Place.Access(), nil
}

// Control implements lab.Unit: a socket within the machine can't be reached.
func (m *machine) Control() string { return "" }

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
	m.Node.Vitals(&v)
	if m.paused {
		v.Power = lab.PowerPaused
	}
	if pid := l.kernel(); pid > 0 {
		v.Processes = 1
		v.MemoryBytes, v.CPU = parts.Usage(pid)
	}
	return v
}
