package netns

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"drydock/node/labcontrol"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
)

// machine is one machine, on or off.
type machine struct {
	spec   *lab.Machine
	ground *ground

	// turn is held while the machine is switched on or off.
	turn sync.Mutex

	mu      sync.Mutex
	life    *life // nil while it is off
	paused  bool
	ended   string // how its node has ended last
	changed chan struct{}
}

// life is a machine from being switched on until it is off.
type life struct {
	space   *parts.Space
	group   *parts.Group
	cmd     *exec.Cmd
	control *os.File
	console *os.File
	since   time.Time
	node    bool
	up      bool
	stopped bool // the node's process is
	// answered counts orders to stop the node, or let it go on, that were obeyed.
	answered int
	why      string        // why it has failed
	gone     chan struct{} // closed when all its processes have ended
}

// Errors of what a machine is asked in the wrong state.
var (
	errOff    = errors.New("the machine is off")
	errOn     = errors.New("the machine is on already")
	errPaused = errors.New("the machine is paused")
	errNoNode = errors.New("its node does not run")
)

// bootPatience is how long a machine may take until its init runs.
const bootPatience = 20 * time.Second

// Boot implements lab.Unit.
func (m *machine) Boot(ctx context.Context) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mu.Lock()
	on := m.life != nil
	if !on {
		m.ended = "" // of a life before
	}
	m.mu.Unlock()
	if on {
		return errOn
	}
	l := &life{since: time.Now(), gone: make(chan struct{})}
	err := m.begin(l)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, bootPatience)
		defer cancel()
		err = m.wait(ctx, func() (bool, error) {
			if l.why != "" {
				return true, errors.New(l.why)
			}
			return l.up, nil
		})
	}
	if err != nil {
		return errors.Join(err, m.finish(l))
	}
	return nil
}

// begin makes all that a life takes, and starts the first process.
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
	if err := parts.Acquaint(l.space, g.where().Machines, m.spec.Name); err != nil {
		return err
	}
	if l.group, err = g.groups.Make(g.name, m.spec.Name, m.spec.MemoryMax, m.spec.CPUs); err != nil {
		return err
	}
	console, err := os.OpenFile(g.where().Console(m.spec.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l.console = console
	return m.spawn(l)
}

// acquaint tells the machine where the others are, if it is on.
func (m *machine) acquaint(machines []lab.Machine) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	if l == nil {
		return nil
	}
	return parts.Acquaint(l.space, machines, m.spec.Name)
}

// spawn starts the first process, in its groups, and hands it its setup.
func (m *machine) spawn(l *life) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	defer func() { _ = theirs.Close() }()
	if err := unix.SetNonblock(pair[0], true); err != nil {
		return err
	}
	l.control = os.NewFile(uintptr(pair[0]), "control")
	l.cmd = &exec.Cmd{
		Path: m.ground.where().Binary, Args: []string{buildName}, Dir: "/", Env: []string{},
		Stdout: l.console, Stderr: l.console, ExtraFiles: []*os.File{theirs, l.console},
		SysProcAttr: &syscall.SysProcAttr{
			Setsid: true, Pdeathsig: syscall.SIGKILL,
			Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		},
	}
	if err := l.space.Do(l.cmd.Start); err != nil {
		return err
	}
	m.mu.Lock()
	m.life = l
	m.mu.Unlock()
	go m.follow(l)
	if err := l.group.Enter(l.cmd.Process.Pid); err != nil {
		return err
	}
	text, err := json.Marshal(m.setup())
	if err != nil {
		return err
	}
	_, err = l.control.Write(append(text, '\n'))
	return err
}

// setup is what the machine's first process needs to know.
func (m *machine) setup() setup {
	site := m.ground.where()
	files := []file{
		{Path: "/etc/hostname", Text: m.spec.Name + "\n", Mode: 0o644},
		{Path: "/etc/machine-id", Text: m.spec.ID + "\n", Mode: 0o444},
		{Path: "/etc/hosts", Text: hosts(site.Machines), Mode: 0o644},
	}
	return setup{
		Hostname: m.spec.Name,
		Rooms:    rooms{Dir: site.MachineDir(m.spec.Name), Shares: m.spec.Shares, Files: files},
		Node:     append([]string{guestProgram, "node"}, site.NodeFlags(m.spec)...),
		Env:      []string{"PATH=" + guestPath, "HOME=/root", "LANG=C.UTF-8", labcontrol.Environment + "=" + m.spec.Name},
	}
}

// guestPath is where machines look for programs.
const guestPath = "/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// follow hears what the init says until it is gone, and then takes note that the
// machine is off.
func (m *machine) follow(l *life) {
	lines := bufio.NewScanner(l.control)
	for lines.Scan() {
		var w word
		if json.Unmarshal(lines.Bytes(), &w) != nil {
			continue // the first process died in the midst of a line
		}
		m.mu.Lock()
		switch w.Say {
		case "up":
			l.up = true
		case "node":
			l.node = true
		case "ended":
			l.node, l.stopped, m.ended = false, false, w.Why
		case "paused", "resumed":
			l.stopped = w.Say == "paused"
			l.answered++
		case "failed":
			l.why = w.Why
		}
		m.tellLocked()
		m.mu.Unlock()
	}
	err := l.cmd.Wait()
	m.mu.Lock()
	if !l.up && l.why == "" {
		l.why = fmt.Sprintf("its first process has ended: %v", err)
	}
	l.node, l.up = false, false
	close(l.gone)
	m.tellLocked()
	m.mu.Unlock()
}

// tellLocked wakes whoever waits for a change.
func (m *machine) tellLocked() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// wait returns when so does, or with ctx.
func (m *machine) wait(ctx context.Context, so func() (bool, error)) error {
	for {
		m.mu.Lock()
		done, err := so()
		if m.changed == nil {
			m.changed = make(chan struct{})
		}
		changed := m.changed
		m.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %w", ctx.Err())
		}
	}
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
	if l.control != nil {
		errs = append(errs, l.control.Close())
	}
	if l.console != nil {
		errs = append(errs, l.console.Close())
	}
	if l.group != nil {
		errs = append(errs, l.group.Remove())
	}
	if l.space != nil {
		errs = append(errs, l.space.Close())
	}
	m.mu.Lock()
	m.life, m.paused = nil, false
	m.tellLocked()
	m.mu.Unlock()
	return errors.Join(errs...)
}

// Cut implements lab.Unit. It is no error if the machine is off.
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
		err = m.freezeLocked(l, false)
	}
	if err == nil {
		err = m.order(l, "halt")
	}
	if err != nil {
		return err
	}
	select {
	case <-l.gone:
	case <-ctx.Done():
		err = fmt.Errorf("it has not halted: %w", ctx.Err())
	}
	return errors.Join(err, m.finish(l))
}

// running returns the machine's life, if it is on; with errPaused if it is paused.
func (m *machine) running() (*life, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.life == nil:
		return nil, errOff
	case m.paused:
		return m.life, errPaused
	}
	return m.life, nil
}

func (m *machine) order(l *life, do string) error {
	text, err := json.Marshal(order{Do: do})
	if err != nil {
		return err
	}
	_, err = l.control.Write(append(text, '\n'))
	return err
}

// orderPatience is how long an init may take for an order.
const orderPatience = 10 * time.Second

// StartNode implements lab.Unit.
func (m *machine) StartNode() error { return m.orderNode("start", true) }

// KillNode implements lab.Unit: it returns when the node has ended.
func (m *machine) KillNode() error { return m.orderNode("kill", false) }

// PauseNode implements lab.Unit.
func (m *machine) PauseNode() error { return m.pauseNode("pause") }

// ResumeNode implements lab.Unit.
func (m *machine) ResumeNode() error { return m.pauseNode("resume") }

// pauseNode stops the node's process where it is, or lets it go on.
func (m *machine) pauseNode(do string) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	l, err := m.running()
	if err != nil {
		return err
	}
	m.mu.Lock()
	lives, before := l.node, l.answered
	m.mu.Unlock()
	if !lives {
		return errNoNode
	}
	if err := m.order(l, do); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	return m.wait(ctx, func() (bool, error) {
		if m.life != l || !l.up {
			return true, errOff
		}
		return l.answered > before, nil
	})
}

func (m *machine) orderNode(do string, want bool) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	l, err := m.running()
	if err != nil {
		return err
	}
	if err := m.order(l, do); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	return m.wait(ctx, func() (bool, error) {
		if m.life != l || !l.up {
			return true, errOff
		}
		return l.node == want, nil
	})
}

// Freeze implements lab.Unit.
func (m *machine) Freeze() error { return m.freeze(true) }

// Thaw implements lab.Unit.
func (m *machine) Thaw() error { return m.freeze(false) }

// Control implements lab.Unit.
func (m *machine) Control() string {
	return filepath.Join(m.ground.where().MachineDir(m.spec.Name), "root", lab.GuestControl)
}

// freeze stops all that runs on the machine, or lets it go on.
func (m *machine) freeze(stop bool) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	l, err := m.running()
	if errors.Is(err, errOff) || stop && err != nil {
		return err
	}
	return m.freezeLocked(l, stop)
}

func (m *machine) freezeLocked(l *life, stop bool) error {
	if err := l.group.Freeze(stop); err != nil {
		return err
	}
	m.mu.Lock()
	m.paused = stop
	m.mu.Unlock()
	return nil
}

// Vitals implements lab.Unit.
func (m *machine) Vitals() lab.Vitals {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := lab.Vitals{Power: lab.PowerOff, Ended: m.ended}
	l := m.life
	if l == nil || !l.up {
		return v
	}
	v.Power, v.NodeUp, v.NodePaused, v.Since = lab.PowerOn, l.node, l.stopped, l.since
	if m.paused {
		v.Power = lab.PowerPaused
	}
	for _, pid := range l.group.Pids() {
		v.Processes++
		memory, cpu := parts.Usage(pid)
		v.MemoryBytes += memory
		v.CPU += cpu
	}
	return v
}

// Access implements lab.Unit.
func (m *machine) Access() (lab.Access, error) {
	l, err := m.running()
	if err != nil {
		return lab.Access{}, err
	}
	pid := l.cmd.Process.Pid
	return lab.Access{Machine: m.spec.Name, Pid: pid, Started: parts.Started(pid), Groups: l.group.Dirs()}, nil
}
