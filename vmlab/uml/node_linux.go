package uml

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"drydock/vmlab/lab"
	"drydock/vmlab/sshway"
)

// orderPatience is how long a machine may take for an order.
const orderPatience = 60 * time.Second

// What is run on machines for orders about their node. A node that was killed stays
// down until it is started again; its unit would have it back in a second.
const (
	startNode = `rm -f /run/systemd/system/etcd.service.d/99-killed.conf
systemctl daemon-reload; systemctl reset-failed etcd.service; systemctl start --no-block etcd.service fleet.service`
	killNode = `mkdir -p /run/systemd/system/etcd.service.d
printf '[Service]\nRestart=no\n' > /run/systemd/system/etcd.service.d/99-killed.conf
systemctl daemon-reload; systemctl kill --kill-whom=main --signal=KILL etcd.service
while systemctl is-active --quiet etcd.service; do sleep 0.05; done`
	pauseNode  = `systemctl kill --kill-whom=main --signal=STOP etcd.service`
	resumeNode = `systemctl kill --kill-whom=main --signal=CONT etcd.service`
)

// StartNode implements lab.Unit.
func (m *machine) StartNode() error { return m.order(startNode, nodeRuns) }

// KillNode implements lab.Unit.
func (m *machine) KillNode() error { return m.order(killNode, nodeKilled) }

// PauseNode implements lab.Unit.
func (m *machine) PauseNode() error { return m.order(pauseNode, nodePaused) }

// ResumeNode implements lab.Unit.
func (m *machine) ResumeNode() error { return m.order(resumeNode, nodeRuns) }

// order runs a script on the machine; then its node is as it says.
func (m *machine) order(script string, then nodeState) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mu.Lock()
	killed := m.node == nodeKilled
	m.mu.Unlock()
	if killed && script != startNode {
		return errNoNode
	}
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
	code, err := sshway.Run(ctx, a, lab.Command{Args: []string{"sh", "-c", script}, Stdout: w, Stderr: w})
	_ = w.Close()
	if err == nil && code != 0 {
		said, readErr := io.ReadAll(r)
		err = errors.Join(fmt.Errorf("exit status %d: %s", code, strings.TrimSpace(string(said))), readErr)
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.node = then
	m.mu.Unlock()
	return nil
}
