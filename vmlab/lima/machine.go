package lima

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/virtual"
)

// machine is one machine, on or off.
type machine struct {
	spec   *lab.Machine
	ground *ground
	image  *image.Image
	node   virtual.Node
	way    *way

	// turn is held while the machine is switched on or off, or paused.
	turn sync.Mutex

	mu     sync.Mutex
	life   *life // nil while it is off
	paused bool
	ended  string // how it has ended last
}

// life is a machine from being switched on until it is off. It may boot several times
// meanwhile.
type life struct {
	cmd   *exec.Cmd // who holds Lima's keeper of the instance
	hold  io.Closer // ends that
	since time.Time
	gone  chan struct{} // closed when that has ended
	quiet chan struct{} // closed when the console was written to the end
}

// Errors of what a machine is asked in the wrong state.
var (
	errOff    = errors.New("the machine is off")
	errOn     = errors.New("the machine is on already")
	errPaused = errors.New("the machine is paused")
	errImage  = errors.New("its image was built again since the machine was made: drydock lab down, then up")
)

func (l *life) ended() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
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

// Boot implements lab.Unit.
func (m *machine) Boot(ctx context.Context) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	if _, err := m.running(); !errors.Is(err, errOff) {
		return errOn
	}
	m.mu.Lock()
	old := m.life
	m.mu.Unlock()
	if old != nil { // it has switched itself off
		if err := m.finish(old); err != nil {
			return err
		}
	}
	// What is on the machine's disk lies over the image's.
	if now, err := m.ground.images().Open(m.spec.Image); err != nil || !now.Built.Equal(m.image.Built) {
		return errors.Join(errImage, err)
	}
	if err := m.create(ctx); err != nil {
		return err
	}
	l := &life{since: time.Now(), gone: make(chan struct{}), quiet: make(chan struct{})}
	if err := m.begin(ctx, l); err != nil {
		return errors.Join(err, m.finish(l))
	}
	m.node.Set(virtual.NodeRuns)
	return nil
}

// begin has Lima start the instance, and returns once it runs.
func (m *machine) begin(ctx context.Context, l *life) error {
	for _, name := range []string{events, agentLog, serialLog} { // an earlier life's
		if err := os.Remove(m.file(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	log, err := os.OpenFile(m.own(limaLog), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	console, err := os.OpenFile(m.ground.site.Console(m.spec.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	cmd, hold, err := m.starter(log)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return errors.Join(err, console.Close())
	}
	l.cmd, l.hold = cmd, hold
	m.mu.Lock()
	m.life, m.paused = l, false
	m.mu.Unlock()
	go m.await(l)
	go l.tell(m.file(serialLog), console)
	port, err := m.awaitPort(ctx, l)
	if err != nil {
		return err
	}
	m.way.open(port)
	return nil
}

// await notes a life's end.
func (m *machine) await(l *life) {
	err := l.cmd.Wait()
	m.mu.Lock()
	m.ended = "the machine has switched itself off"
	if err != nil {
		m.ended = fmt.Sprintf("Lima's keeper of the machine has ended: %v", err)
	}
	m.mu.Unlock()
	m.way.close()
	close(l.gone)
}

// tellEvery is the rest between two looks at a console.
const tellEvery = 50 * time.Millisecond

// tell writes what a machine's serial line says to its console's file, until the
// machine is gone. Lima begins the file anew at each start.
func (l *life) tell(path string, console *os.File) {
	defer close(l.quiet)
	defer func() { _ = console.Close() }()
	var serial *os.File
	for last := false; ; {
		if serial == nil {
			serial, _ = os.Open(path) // it may not be there yet
		}
		if serial != nil {
			_, _ = io.Copy(console, serial) // to where it ends now
		}
		if last {
			break
		}
		select {
		case <-l.gone:
			last = true
		case <-time.After(tellEvery):
		}
	}
	if serial != nil {
		_ = serial.Close()
	}
}

// cleanPatience is how long Lima may take to put away what an instance has left.
const cleanPatience = 30 * time.Second

// finish ends what a life has begun, whatever of it there is. The link goes first:
// what dies then is not heard of.
func (m *machine) finish(l *life) error {
	errs := []error{m.ground.cable.Switch.Detach(m.spec.Name)}
	m.way.close()
	if l.cmd != nil {
		m.kill(l)
		<-l.quiet
		ctx, cancel := context.WithTimeout(context.Background(), cleanPatience)
		defer cancel()
		errs = append(errs, m.ground.tools.keep(ctx, "stop", "--force", m.spec.Name))
	}
	m.mu.Lock()
	m.life, m.paused = nil, false
	m.mu.Unlock()
	return errors.Join(errs...)
}

// closePatience is how long Lima's keeper of an instance may take to end once the
// instance has: it closes what it has opened.
const closePatience = 2 * time.Second

// kill ends a life's processes, and returns when they have ended.
func (m *machine) kill(l *life) {
	if n := pid(m.file(qemuPid)); n > 0 && !l.ended() {
		_ = syscall.Kill(n, syscall.SIGKILL) // it may have ended
		select {
		case <-l.gone:
		case <-time.After(closePatience):
		}
	}
	_ = l.hold.Close() // it may have ended
	<-l.gone
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

// Halt implements lab.Unit. The image's systemd is asked: nobody in there hears a power
// button, which is what Lima would press.
func (m *machine) Halt(ctx context.Context) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	l, err := m.running()
	if errors.Is(err, errPaused) {
		err = m.signal(syscall.SIGCONT)
	}
	if err != nil {
		return err
	}
	if err := virtual.Order(ctx, m.access(), "systemctl --no-block poweroff"); err != nil {
		return errors.Join(fmt.Errorf("it can't be asked to halt: %w", err), m.finish(l))
	}
	select {
	case <-l.gone:
	case <-ctx.Done():
		err = fmt.Errorf("it has not halted: %w", ctx.Err())
	}
	return errors.Join(err, m.finish(l))
}

// signal sends the machine's QEMU a signal.
func (m *machine) signal(s syscall.Signal) error {
	n := pid(m.file(qemuPid))
	if n == 0 {
		return errOff
	}
	return syscall.Kill(n, s)
}

// Freeze implements lab.Unit.
func (m *machine) Freeze() error { return m.freeze(syscall.SIGSTOP, true) }

// Thaw implements lab.Unit.
func (m *machine) Thaw() error { return m.freeze(syscall.SIGCONT, false) }

func (m *machine) freeze(s syscall.Signal, stop bool) error {
	if !canPause {
		return &lab.MissingError{What: "pause", Driver: driver{}.Name(), Needs: lab.HasPause}
	}
	m.turn.Lock()
	defer m.turn.Unlock()
	_, err := m.running()
	if errors.Is(err, errOff) || stop && err != nil {
		return err
	}
	if err := m.signal(s); err != nil {
		return err
	}
	m.mu.Lock()
	m.paused = stop
	m.mu.Unlock()
	return nil
}

// StartNode implements lab.Unit.
func (m *machine) StartNode() error { return m.order(m.node.Start) }

// KillNode implements lab.Unit.
func (m *machine) KillNode() error { return m.order(m.node.Kill) }

// PauseNode implements lab.Unit.
func (m *machine) PauseNode() error { return m.order(m.node.Pause) }

// ResumeNode implements lab.Unit.
func (m *machine) ResumeNode() error { return m.order(m.node.Resume) }

// order tells the machine's node something.
func (m *machine) order(do func(lab.Access) error) error {
	a, err := m.Access()
	if err != nil {
		return err
	}
	return do(a)
}

func (m *machine) access() lab.Access {
	return lab.Access{Machine: m.spec.Name, Socket: m.own("ssh.sock"), Key: m.ground.keyFile()}
}

// Access implements lab.Unit.
func (m *machine) Access() (lab.Access, error) {
	if _, err := m.running(); err != nil {
		return lab.Access{}, err
	}
	return m.access(), nil
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
	if m.paused {
		v.Power = lab.PowerPaused
	}
	m.node.Vitals(&v)
	v.Processes = 1
	if n := pid(m.file(qemuPid)); n > 0 {
		v.MemoryBytes, v.CPU = usage(n)
	}
	return v
}
