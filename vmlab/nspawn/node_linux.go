package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
	"drydock/vmlab/power"
)

// nodeUnit is the unit that is the machine's node.
const nodeUnit = "etcd.service"

// A node that was killed stays down until it is started again; its unit would have
// it back in a second.
const (
	stayDown     = "/run/systemd/system/" + nodeUnit + ".d/99-killed.conf"
	stayDownText = "[Service]\nRestart=no\n"
)

// orderPatience is how long a machine may take for an order.
const orderPatience = 20 * time.Second

// StartNode implements lab.Unit.
func (m *machine) StartNode() error {
	return m.order(func(l *life) error {
		if err := os.Remove(l.Part.path(stayDown)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := m.systemctl("daemon-reload"); err != nil {
			return err
		}
		if err := m.systemctl("reset-failed", nodeUnit); err != nil {
			return err
		}
		return m.systemctl("start", "--no-block", nodeUnit, "fleet.service")
	}, func(l *life) bool { return l.Part.node() > 0 })
}

// KillNode implements lab.Unit.
func (m *machine) KillNode() error {
	return m.order(func(l *life) error {
		if l.Part.node() == 0 {
			return nil
		}
		path := l.Part.path(stayDown)
		if err := os.MkdirAll(path[:strings.LastIndexByte(path, '/')], 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(stayDownText), 0o644); err != nil {
			return err
		}
		if err := m.systemctl("daemon-reload"); err != nil {
			return err
		}
		return l.Part.signalNode(unix.SIGKILL)
	}, func(l *life) bool { return l.Part.node() == 0 })
}

// PauseNode implements lab.Unit.
func (m *machine) PauseNode() error { return m.signal(unix.SIGSTOP) }

// ResumeNode implements lab.Unit.
func (m *machine) ResumeNode() error { return m.signal(unix.SIGCONT) }

func (m *machine) signal(s unix.Signal) error {
	return m.order(func(l *life) error {
		if l.Part.node() == 0 {
			return errNoNode
		}
		return l.Part.signalNode(s)
	}, func(*life) bool { return true })
}

// signalNode signals the node, if it runs.
func (p *part) signalNode(s unix.Signal) error {
	pid := p.node()
	if pid == 0 {
		return nil
	}
	if err := unix.Kill(pid, s); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// order does something to a machine that runs, and returns when it is so.
func (m *machine) order(do func(*life) error, so func(*life) bool) error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	l, err := m.Running()
	if err != nil {
		return err
	}
	if err := do(l); err != nil {
		return err
	}
	for end := time.Now().Add(orderPatience); !so(l); {
		if l.Ended() {
			return power.ErrOff
		}
		if time.Now().After(end) {
			return errors.New("it has not obeyed in time")
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// systemctl runs systemctl on the machine.
func (m *machine) systemctl(args ...string) error {
	a, err := m.Access()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), orderPatience)
	defer cancel()
	code, err := driver{}.Exec(ctx, a, lab.Command{Args: append([]string{"systemctl"}, args...), Stdout: w, Stderr: w, Program: m.ground.Site().Binary})
	_ = w.Close()
	if err == nil && code != 0 {
		said, _ := io.ReadAll(r)
		err = fmt.Errorf("exit status %d: %s", code, strings.TrimSpace(string(said)))
	}
	if err != nil {
		return fmt.Errorf("systemctl %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
