package uml

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/power"
	"drydock/vmlab/virtual"
	"drydock/vmlab/wire"
)

// machine is one machine, on or off.
type machine struct {
	virtual.Machine[part]
	*virtual.Place
}

// life is a machine from being switched on until it is off, part what is particular to
// this driver's.
type (
	life = power.Life[part]
	part struct {
		cmd     *exec.Cmd // the first process; the kernel is its child
		console *os.File
	}
)

// defaultMemory is what a machine has if the lab file doesn't say, in MiB.
const defaultMemory = 256

// What a machine's directory has.
const (
	diskFile = "disk.cow" // what the machine has written over its image
	umid     = "uml"      // the kernel's own directory
)

// Begin implements power.Engine: it plugs the machine in and starts its kernel.
func (m *machine) Begin(_ context.Context, l *life) error {
	p := &l.Part
	// It has the number that the last one had, in its own namespace, and would take
	// itself for one that runs.
	if err := os.RemoveAll(m.File(umid)); err != nil {
		return err
	}
	console, err := os.OpenFile(m.Console, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	p.console = console
	link, err := m.Switch().Pair(m.Spec.Name, wire.PairDatagram)
	if err != nil {
		return err
	}
	defer func() { _ = link.Close() }()
	shell, err := exec.LookPath("sh")
	if err != nil {
		return err
	}
	p.cmd = &exec.Cmd{
		Path: shell, Args: append([]string{"sh", "-c", first, "first", m.Image.Kernel()}, m.arguments()...), Dir: m.Dir,
		Env:    []string{"HOME=/", "PATH=/usr/bin:/bin", "TMPDIR=/dev/shm"},
		Stdout: p.console, Stderr: p.console, ExtraFiles: []*os.File{link},
		SysProcAttr: &syscall.SysProcAttr{
			Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		},
	}
	wait, err := parts.Start(p.cmd)
	if err != nil {
		p.cmd = nil
		return err
	}
	m.Begun(l, false, func() string { return ending(wait()) })
	m.Node.Set(virtual.NodeRuns)
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
func (p *part) kernel() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.cmd.Process.Pid))
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

// End implements power.Engine. The link goes first: what dies then is not heard of. What
// the machine has given to its disk is in the host's memory, which keeps it.
func (m *machine) End(l *life) error {
	errs := []error{m.Switch().Detach(m.Spec.Name)}
	if l.Part.cmd != nil {
		_ = l.Part.cmd.Process.Kill() // it may have ended
		<-l.Gone()
	}
	if l.Part.console != nil {
		errs = append(errs, l.Part.console.Close())
	}
	return errors.Join(errs...)
}

// AskToHalt implements power.Engine: the image's systemd switches off at that key.
func (m *machine) AskToHalt(ctx context.Context, _ *life) error { return m.tell(ctx, "cad") }

// Hold implements power.Engine. The kernel alone is stopped: its helpers do nothing
// without it.
func (m *machine) Hold(l *life, stop bool) error {
	pid := l.Part.kernel()
	if pid == 0 {
		return power.ErrOff
	}
	if stop {
		return unix.Kill(pid, unix.SIGSTOP)
	}
	return unix.Kill(pid, unix.SIGCONT)
}

// Vitals implements lab.Unit.
func (m *machine) Vitals() lab.Vitals {
	return m.Look(func(l *life, v *lab.Vitals) {
		if pid := l.Part.kernel(); pid > 0 {
			v.Processes = 1
			v.MemoryBytes, v.CPU = parts.Usage(pid)
		}
	})
}
