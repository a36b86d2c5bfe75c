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
	"drydock/vmlab/power"
)

// machine is one machine, on or off.
type machine struct {
	power.Machine[part]
	spec   *lab.Machine
	ground *ground

	// mu guards what its init has said.
	mu      sync.Mutex
	ended   string // how its node has ended last
	changed chan struct{}
}

// life is a machine from being switched on until it is off, part what is particular to
// this driver's.
type (
	life = power.Life[part]
	part struct {
		parts.Cell
		said
	}
)

// said is what a machine's init has said.
type said struct {
	node    bool
	up      bool
	stopped bool // the node's process is
	// answered counts orders to stop the node, or let it go on, that were obeyed.
	answered int
	why      string // why it has failed
}

var errNoNode = errors.New("its node does not run")

// bootPatience is how long a machine may take until its init runs.
const bootPatience = 20 * time.Second

// Begin implements power.Engine.
func (m *machine) Begin(ctx context.Context, l *life) error {
	m.mu.Lock()
	m.ended = "" // of a life before
	m.mu.Unlock()
	p := &l.Part
	if err := p.Open(&m.ground.Yard, m.spec); err != nil {
		return err
	}
	if err := m.spawn(l); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	return m.wait(ctx, func() (bool, error) {
		if p.why != "" {
			return true, errors.New(p.why)
		}
		return p.up, nil
	})
}

// Acquaint implements parts.Settler.
func (m *machine) Acquaint(machines []lab.Machine) error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	l := m.Life()
	if l == nil {
		return nil
	}
	return parts.Acquaint(l.Part.Space, machines, m.spec.Name)
}

// spawn starts the first process, in its groups, and hands it its setup.
func (m *machine) spawn(l *life) error {
	p := &l.Part
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	defer func() { _ = theirs.Close() }()
	if err := unix.SetNonblock(pair[0], true); err != nil {
		return err
	}
	p.Control = os.NewFile(uintptr(pair[0]), "control")
	p.Cmd = &exec.Cmd{
		Path: m.ground.Site().Binary, Args: []string{buildName}, Dir: "/", Env: []string{},
		Stdout: p.Console, Stderr: p.Console, ExtraFiles: []*os.File{theirs, p.Console},
		SysProcAttr: &syscall.SysProcAttr{
			Setsid: true, Pdeathsig: syscall.SIGKILL,
			Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		},
	}
	if err := p.Space.Do(p.Cmd.Start); err != nil {
		return err
	}
	m.Begun(l, false, func() string { m.follow(p); return "" })
	if err := p.Group.Enter(p.Cmd.Process.Pid); err != nil {
		return err
	}
	text, err := json.Marshal(m.setup())
	if err != nil {
		return err
	}
	_, err = p.Control.Write(append(text, '\n'))
	return err
}

// setup is what the machine's first process needs to know.
func (m *machine) setup() setup {
	site := m.ground.Site()
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

// follow hears what the init says until it is gone.
func (m *machine) follow(p *part) {
	lines := bufio.NewScanner(p.Control)
	for lines.Scan() {
		var w word
		if json.Unmarshal(lines.Bytes(), &w) != nil {
			continue // the first process died in the midst of a line
		}
		m.mu.Lock()
		switch w.Say {
		case "up":
			p.up = true
		case "node":
			p.node = true
		case "ended":
			p.node, p.stopped, m.ended = false, false, w.Why
		case "paused", "resumed":
			p.stopped = w.Say == "paused"
			p.answered++
		case "failed":
			p.why = w.Why
		}
		m.tellLocked()
		m.mu.Unlock()
	}
	err := p.Cmd.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !p.up && p.why == "" {
		p.why = fmt.Sprintf("its first process has ended: %v", err)
	}
	p.node, p.up = false, false
	m.tellLocked()
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

// End implements power.Engine.
func (m *machine) End(l *life) error {
	return l.Part.Close(&m.ground.Yard, m.spec, l.Gone())
}

// AskToHalt implements power.Engine.
func (m *machine) AskToHalt(_ context.Context, l *life) error { return l.Part.order("halt") }

// Hold implements power.Engine.
func (m *machine) Hold(l *life, stop bool) error { return l.Part.Group.Freeze(stop) }

func (p *part) order(do string) error {
	text, err := json.Marshal(order{Do: do})
	if err != nil {
		return err
	}
	_, err = p.Control.Write(append(text, '\n'))
	return err
}

// orderPatience is how long an init may take for an order.
const orderPatience = 10 * time.Second

// StartNode implements lab.Unit.
func (m *machine) StartNode() error { return m.runNode("start", true) }

// KillNode implements lab.Unit: it returns when the node has ended.
func (m *machine) KillNode() error { return m.runNode("kill", false) }

// PauseNode implements lab.Unit.
func (m *machine) PauseNode() error { return m.pauseNode("pause") }

// ResumeNode implements lab.Unit.
func (m *machine) ResumeNode() error { return m.pauseNode("resume") }

// pauseNode stops the node's process where it is, or lets it go on.
func (m *machine) pauseNode(do string) error {
	return m.orderNode(do, func(p *part) (func() bool, error) {
		if !p.node {
			return nil, errNoNode
		}
		before := p.answered
		return func() bool { return p.answered > before }, nil
	})
}

// runNode has the node run, or not.
func (m *machine) runNode(do string, want bool) error {
	return m.orderNode(do, func(p *part) (func() bool, error) { return func() bool { return p.node == want }, nil })
}

// orderNode tells the init something about its node, and returns when it has obeyed.
// Before is called first, and refuses what makes no sense; what it returns says whether
// the order was obeyed. Both are called with mu held.
func (m *machine) orderNode(do string, before func(*part) (so func() bool, err error)) error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	l, err := m.Running()
	if err != nil {
		return err
	}
	p := &l.Part
	m.mu.Lock()
	so, err := before(p)
	m.mu.Unlock()
	if err != nil {
		return err
	}
	if err := p.order(do); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	return m.wait(ctx, func() (bool, error) {
		if !p.up {
			return true, power.ErrOff
		}
		return so(), nil
	})
}

// Control implements lab.Unit.
func (m *machine) Control() string {
	return filepath.Join(m.ground.Site().MachineDir(m.spec.Name), "root", lab.GuestControl)
}

// Vitals implements lab.Unit.
func (m *machine) Vitals() lab.Vitals {
	m.mu.Lock()
	ended := m.ended
	m.mu.Unlock()
	v := m.Look(func(l *life, v *lab.Vitals) {
		p := &l.Part
		p.Group.Use(v)
		m.mu.Lock()
		defer m.mu.Unlock()
		v.NodeUp, v.NodePaused, ended = p.node, p.stopped, m.ended
	})
	v.Ended = ended
	return v
}

// Access implements lab.Unit.
func (m *machine) Access() (lab.Access, error) {
	l, err := m.Running()
	if err != nil {
		return lab.Access{}, err
	}
	pid := l.Part.Cmd.Process.Pid
	return lab.Access{Machine: m.spec.Name, Pid: pid, Started: parts.Started(pid), Groups: l.Part.Group.Dirs()}, nil
}
