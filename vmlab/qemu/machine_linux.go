package qemu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/power"
	"drydock/vmlab/qemu/qmp"
	"drydock/vmlab/virtual"
	"drydock/vmlab/wire"
)

// machine is one machine, on or off.
type machine struct {
	virtual.Machine[part]
	*virtual.Place
	kind Machine
	// counterKHz is how fast the processor's counter is.
	counterKHz int64
}

// life is a machine from being switched on until it is off, and may boot several times
// meanwhile; part is what is particular to this driver's.
type (
	life = power.Life[part]
	part struct {
		cmd     *exec.Cmd
		console *os.File
		monitor *qmp.Client
	}
)

const (
	// defaultMemory is what a machine has if the lab file doesn't say, in MiB.
	defaultMemory = 256
	// startPatience is how long QEMU may take until it can be spoken to, a snapshot's
	// state read.
	startPatience = 60 * time.Second
	// orderPatience is how long QEMU may take for an order.
	orderPatience = 20 * time.Second
	// diskFile is what the machine has written over its image.
	diskFile = "disk.qcow2"
)

// Begin implements power.Engine.
func (m *machine) Begin(ctx context.Context, l *life) error {
	if err := m.makeDisk(ctx); err != nil {
		return err
	}
	return m.start(ctx, l, "")
}

// makeDisk lays a layer over the image's disk, unless there is one.
func (m *machine) makeDisk(ctx context.Context) error {
	if _, err := os.Stat(m.File(diskFile)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return m.imageTool(ctx, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", m.Image.Disk(), m.File(diskFile))
}

// imageTool does something to a disk's file.
func (m *machine) imageTool(ctx context.Context, args ...string) error {
	tool, err := findTool()
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", imageTool, args[0], err, firstLine(string(out)))
	}
	return nil
}

// start plugs the machine in and starts its QEMU, in a snapshot's state and paused if one
// is named.
func (m *machine) start(ctx context.Context, l *life, snapshot string) error {
	p := &l.Part
	program, err := Find()
	if err != nil {
		return err
	}
	if p.console, err = os.OpenFile(m.Console, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return err
	}
	link, err := m.Switch().Pair(m.Spec.Name, wire.PairStream)
	if err != nil {
		return err
	}
	defer func() { _ = link.Close() }()
	near, far, err := socketPair()
	if err != nil {
		return err
	}
	defer func() { _ = far.Close() }()
	p.monitor = qmp.New(near)
	p.cmd = exec.Command(program, m.command(snapshot).arguments()...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = m.Dir, p.console, p.console
	p.cmd.ExtraFiles = []*os.File{link, far} // linkFD, monitorFD
	p.cmd.SysProcAttr = isolated()
	wait, err := parts.Start(p.cmd)
	if err != nil {
		p.cmd = nil
		return err
	}
	m.Begun(l, snapshot != "", func() string {
		if err := wait(); err != nil {
			return fmt.Sprintf("QEMU has ended: %v", err)
		}
		return "the machine has switched itself off"
	})
	_ = far.Close() // so that QEMU's end is seen at once
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := p.monitor.Begin(ctx); err != nil {
		return fmt.Errorf("%w: its console says why", err)
	}
	m.Node.Set(virtual.NodeRuns)
	return nil
}

// socketPair makes a connection of which a child has one end.
func socketPair() (near net.Conn, far *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	far = os.NewFile(uintptr(fds[1]), "monitor")
	own := os.NewFile(uintptr(fds[0]), "monitor")
	near, err = net.FileConn(own)
	if err := errors.Join(err, own.Close()); err != nil {
		return nil, nil, errors.Join(err, far.Close())
	}
	return near, far, nil
}

// command is what the machine's QEMU is started with.
func (m *machine) command(snapshot string) *command {
	c := &command{
		Machine: m.kind, Name: m.Spec.Name, MAC: m.Spec.MAC, Snapshot: snapshot, CounterKHz: m.counterKHz,
		Kernel: m.Image.Vmlinuz(), Initrd: m.Image.Initrd(), Disk: m.File(diskFile), Image: m.Image.Disk(), Drive: m.Drive,
		MemoryMiB: defaultMemory, CPUs: max(1, int(math.Ceil(m.Spec.CPUs))),
		// AppArmor would refuse containers, whose profiles its own program loads, which the
		// image doesn't have.
		Words: []string{"apparmor=0", "systemd.show_status=0", "systemd.hostname=" + m.Spec.Name, "systemd.machine_id=" + m.Spec.ID},
	}
	if m.Spec.MemoryMax > 0 {
		c.MemoryMiB = m.Spec.MemoryMax >> 20
	}
	return c
}

// End implements power.Engine. The link goes first: what dies then is not heard of. What
// the machine has not flushed to its disk may be lost.
func (m *machine) End(l *life) error {
	p := &l.Part
	errs := []error{m.Switch().Detach(m.Spec.Name)}
	if p.cmd != nil {
		_ = p.cmd.Process.Kill() // it may have ended
		<-l.Gone()
	}
	if p.monitor != nil {
		errs = append(errs, p.monitor.Close())
	}
	if p.console != nil {
		errs = append(errs, p.console.Close())
	}
	return errors.Join(errs...)
}

// AskToHalt implements power.Engine.
func (m *machine) AskToHalt(ctx context.Context, _ *life) error { return m.PowerOff(ctx) }

// Hold implements power.Engine.
func (m *machine) Hold(l *life, stop bool) error {
	order := "cont"
	if stop {
		order = "stop"
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	return l.Part.monitor.Run(ctx, order, nil, nil)
}

// Vitals implements lab.Unit.
func (m *machine) Vitals() lab.Vitals {
	return m.Look(func(l *life, v *lab.Vitals) {
		v.Processes = 1
		v.MemoryBytes, v.CPU = parts.Usage(l.Part.cmd.Process.Pid)
	})
}
