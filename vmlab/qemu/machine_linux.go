package qemu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/qemu/qmp"
	"drydock/vmlab/virtual"
	"drydock/vmlab/wire"
)

// machine is one machine, on or off.
type machine struct {
	*virtual.Place
	kind Machine
	// counterKHz is how fast the processor's counter is.
	counterKHz int64

	// turn is held while the machine is switched on or off, paused, or its state kept.
	turn sync.Mutex

	mu     sync.Mutex
	life   *life // nil while it is off
	paused bool
	ended  string // how it has ended last
}

// life is a machine from being switched on until it is off. It may boot several
// times meanwhile.
type life struct {
	cmd     *exec.Cmd
	console *os.File
	monitor *qmp.Client
	since   time.Time
	gone    chan struct{} // closed when its process has ended
}

// Errors of what a machine is asked in the wrong state.
var (
	errOff    = errors.New("the machine is off")
	errOn     = errors.New("the machine is on already")
	errPaused = errors.New("the machine is paused")
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

func (l *life) ended() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// Boot implements lab.Unit.
func (m *machine) Boot(ctx context.Context) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	if _, err := m.running(); !errors.Is(err, errOff) {
		return errOn
	}
	if err := m.makeDisk(ctx); err != nil {
		return err
	}
	return m.start(ctx, "")
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

// start starts QEMU, in a snapshot's state and paused if one is named. What an
// earlier life has left is put away first.
func (m *machine) start(ctx context.Context, snapshot string) error {
	m.mu.Lock()
	old := m.life
	m.mu.Unlock()
	if old != nil {
		if err := m.finish(old); err != nil {
			return err
		}
	}
	l := &life{since: time.Now(), gone: make(chan struct{})}
	if err := m.begin(ctx, l, snapshot); err != nil {
		return errors.Join(err, m.finish(l))
	}
	m.Node.Set(virtual.NodeRuns)
	return nil
}

// begin plugs the machine in and starts its QEMU.
func (m *machine) begin(ctx context.Context, l *life, snapshot string) (err error) {
	program, err := Find()
	if err != nil {
		return err
	}
	if l.console, err = os.OpenFile(m.Console, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
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
	l.monitor = qmp.New(near)
	l.cmd = exec.Command(program, m.command(snapshot).arguments()...)
	l.cmd.Dir, l.cmd.Stdout, l.cmd.Stderr = m.Dir, l.console, l.console
	l.cmd.ExtraFiles = []*os.File{link, far} // linkFD, monitorFD
	l.cmd.SysProcAttr = isolated()
	wait, err := parts.Start(l.cmd)
	if err != nil {
		l.cmd = nil
		return err
	}
	m.mu.Lock()
	m.life, m.paused = l, snapshot != ""
	m.mu.Unlock()
	go m.await(l, wait)
	_ = far.Close() // so that QEMU's end is seen at once
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := l.monitor.Begin(ctx); err != nil {
		return fmt.Errorf("%w: its console says why", err)
	}
	return nil
}

// await notes a life's end.
func (m *machine) await(l *life, wait func() error) {
	err := wait()
	m.mu.Lock()
	m.ended = "the machine has switched itself off"
	if err != nil {
		m.ended = fmt.Sprintf("QEMU has ended: %v", err)
	}
	m.mu.Unlock()
	close(l.gone)
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

// finish ends what a life has begun, whatever of it there is. The link goes first:
// what dies then is not heard of.
func (m *machine) finish(l *life) error {
	errs := []error{m.Switch().Detach(m.Spec.Name)}
	if l.cmd != nil {
		_ = l.cmd.Process.Kill() // it may have ended
		<-l.gone
	}
	if l.monitor != nil {
		errs = append(errs, l.monitor.Close())
	}
	if l.console != nil {
		errs = append(errs, l.console.Close())
	}
	m.mu.Lock()
	m.life, m.paused = nil, false
	m.mu.Unlock()
	return errors.Join(errs...)
}

// Cut implements lab.Unit. What the machine has not flushed to its disk may be lost.
func (m *machine) Cut() error {
	m.turn.Lock()
	defer m.turn.Unlock()
	return m.cut()
}

func (m *machine) cut() error {
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
		err = m.tell(l, "cont")
	}
	if err != nil {
		return err
	}
	if err := virtual.Order(ctx, m.Place.Access(), "systemctl --no-block poweroff"); err != nil {
		return errors.Join(err, m.finish(l))
	}
	select {
	case <-l.gone:
	case <-ctx.Done():
		err = fmt.Errorf("it has not halted: %w", ctx.Err())
	}
	return errors.Join(err, m.finish(l))
}

// tell gives QEMU an order.
func (m *machine) tell(l *life, order string) error {
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	return l.monitor.Run(ctx, order, nil, nil)
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

// Freeze implements lab.Unit.
func (m *machine) Freeze() error {
	m.turn.Lock()
	defer m.turn.Unlock()
	return m.freeze()
}

func (m *machine) freeze() error {
	l, err := m.running()
	if err != nil {
		return err
	}
	return m.pause(l, "stop", true)
}

// Thaw implements lab.Unit.
func (m *machine) Thaw() error {
	m.turn.Lock()
	defer m.turn.Unlock()
	return m.thaw()
}

func (m *machine) thaw() error {
	l, err := m.running()
	if errors.Is(err, errOff) {
		return err
	}
	return m.pause(l, "cont", false)
}

func (m *machine) pause(l *life, order string, paused bool) error {
	if err := m.tell(l, order); err != nil {
		return err
	}
	m.mu.Lock()
	m.paused = paused
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
	v.Processes = 1
	v.MemoryBytes, v.CPU = parts.Usage(l.cmd.Process.Pid)
	return v
}
