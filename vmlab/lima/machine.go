package lima

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/power"
	"drydock/vmlab/virtual"
)

// machine is one machine, on or off.
type machine struct {
	virtual.Machine[part]
	spec   *lab.Machine
	ground *ground
	image  *image.Image
	way    *way
}

// life is a machine from being switched on until it is off, and may boot several times
// meanwhile; part is what is particular to this driver's.
type (
	life = power.Life[part]
	part struct {
		cmd   *exec.Cmd     // who holds Lima's keeper of the instance
		hold  io.Closer     // ends that
		quiet chan struct{} // closed when the console was written to the end
	}
)

var errImage = errors.New("its image was built again since the machine was made: drydock lab down, then up")

// Begin implements power.Engine.
func (m *machine) Begin(ctx context.Context, l *life) error {
	// What is on the machine's disk lies over the image's.
	if now, err := m.ground.images().Open(m.spec.Image); err != nil || !now.Built.Equal(m.image.Built) {
		return errors.Join(errImage, err)
	}
	if err := m.create(ctx); err != nil {
		return err
	}
	return m.start(ctx, l)
}

// start has Lima start the instance, and returns once it runs.
func (m *machine) start(ctx context.Context, l *life) error {
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
	p := &l.Part
	p.cmd, p.hold, p.quiet = cmd, hold, make(chan struct{})
	m.Begun(l, false, func() string {
		err := cmd.Wait()
		m.way.close()
		if err != nil {
			return fmt.Sprintf("Lima's keeper of the machine has ended: %v", err)
		}
		return "the machine has switched itself off"
	})
	go func() {
		defer close(p.quiet)
		follow(m.file(serialLog), console, l.Gone())
	}()
	port, err := m.awaitPort(ctx, l)
	if err != nil {
		return err
	}
	m.way.open(port)
	m.Node.Set(virtual.NodeRuns)
	return nil
}

// followEvery is the rest between two looks at a console.
const followEvery = 50 * time.Millisecond

// follow writes what a machine's serial line says to its console's file, until the
// machine is gone, and closes that. Lima begins the line's file anew at each start.
func follow(path string, console *os.File, gone <-chan struct{}) {
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
		case <-gone:
			last = true
		case <-time.After(followEvery):
		}
	}
	if serial != nil {
		_ = serial.Close()
	}
}

// cleanPatience is how long Lima may take to put away what an instance has left.
const cleanPatience = 30 * time.Second

// End implements power.Engine. The link goes first: what dies then is not heard of. What
// the machine has given to its disk is in the host's memory, which keeps it.
func (m *machine) End(l *life) error {
	errs := []error{m.ground.cable.Switch.Detach(m.spec.Name)}
	m.way.close()
	if l.Part.cmd != nil {
		m.kill(l)
		<-l.Part.quiet
		ctx, cancel := context.WithTimeout(context.Background(), cleanPatience)
		defer cancel()
		errs = append(errs, m.ground.tools.keep(ctx, "stop", "--force", m.spec.Name))
	}
	return errors.Join(errs...)
}

// closePatience is how long Lima's keeper of an instance may take to end once the
// instance has: it closes what it has opened.
const closePatience = 2 * time.Second

// kill ends a life's processes, and returns when they have ended.
func (m *machine) kill(l *life) {
	if n := pid(m.file(qemuPid)); n > 0 && !l.Ended() {
		_ = syscall.Kill(n, syscall.SIGKILL) // it may have ended
		select {
		case <-l.Gone():
		case <-time.After(closePatience):
		}
	}
	_ = l.Part.hold.Close() // it may have ended
	<-l.Gone()
}

// AskToHalt implements power.Engine. The image's systemd is asked: nobody in there hears
// a power button, which is what Lima would press.
func (m *machine) AskToHalt(ctx context.Context, _ *life) error { return m.PowerOff(ctx) }

// Hold implements power.Engine: it stops the machine's QEMU.
func (m *machine) Hold(_ *life, stop bool) error {
	if !canPause {
		return &lab.MissingError{What: "pause", Driver: driver{}.Name(), Needs: lab.HasPause}
	}
	n := pid(m.file(qemuPid))
	if n == 0 {
		return power.ErrOff
	}
	if stop {
		return syscall.Kill(n, syscall.SIGSTOP)
	}
	return syscall.Kill(n, syscall.SIGCONT)
}

func (m *machine) access() lab.Access {
	return lab.Access{Machine: m.spec.Name, Socket: m.own("ssh.sock"), Key: m.ground.keyFile()}
}

// Vitals implements lab.Unit.
func (m *machine) Vitals() lab.Vitals {
	return m.Look(func(_ *life, v *lab.Vitals) {
		v.Processes = 1
		if n := pid(m.file(qemuPid)); n > 0 {
			v.MemoryBytes, v.CPU = usage(n)
		}
	})
}
