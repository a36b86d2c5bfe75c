package virtual

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"drydock/vmlab/lab"
	"drydock/vmlab/sshway"
)

// OrderPatience is how long a machine may take for an order.
const OrderPatience = 60 * time.Second

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

// ErrNoNode is matched when an order is for a node that was killed.
var ErrNoNode = errors.New("its node does not run")

// Node is what was last done to a machine's node. What that does by itself is not
// known here. Its methods may be called by several goroutines.
type Node struct {
	// turn is held while the node is told something.
	turn sync.Mutex

	mu    sync.Mutex
	state NodeState
}

// NodeState is what was done to a node.
type NodeState int

// What was done to a node.
const (
	NodeRuns NodeState = iota
	NodeKilled
	NodePaused
)

// State says what was last done.
func (n *Node) State() NodeState {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

// Set says that a node is in a state that it was not told to be in.
func (n *Node) Set(s NodeState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state = s
}

// Vitals fills in what is known of the node of a machine that is on.
func (n *Node) Vitals(v *lab.Vitals) {
	s := n.State()
	v.NodeUp, v.NodePaused = s != NodeKilled, s == NodePaused
}

// Start starts the node of a machine that runs.
func (n *Node) Start(a lab.Access) error { return n.order(a, startNode, NodeRuns) }

// Kill ends it as kill -9 does.
func (n *Node) Kill(a lab.Access) error { return n.order(a, killNode, NodeKilled) }

// Pause stops its process.
func (n *Node) Pause(a lab.Access) error { return n.order(a, pauseNode, NodePaused) }

// Resume lets it go on.
func (n *Node) Resume(a lab.Access) error { return n.order(a, resumeNode, NodeRuns) }

// order runs a script on the machine; then its node is as it says.
func (n *Node) order(a lab.Access, script string, then NodeState) error {
	n.turn.Lock()
	defer n.turn.Unlock()
	if n.State() == NodeKilled && script != startNode {
		return ErrNoNode
	}
	ctx, cancel := context.WithTimeout(context.Background(), OrderPatience)
	defer cancel()
	if err := Order(ctx, a, script); err != nil {
		return err
	}
	n.Set(then)
	return nil
}

// Order runs a shell's script on a machine; what that says is in the error if it
// fails.
func Order(ctx context.Context, a lab.Access, script string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	code, err := sshway.Run(ctx, a, lab.Command{Args: []string{"sh", "-c", script}, Stdout: w, Stderr: w})
	_ = w.Close()
	if err == nil && code != 0 {
		said, readErr := io.ReadAll(r)
		err = errors.Join(fmt.Errorf("exit status %d: %s", code, strings.TrimSpace(string(said))), readErr)
	}
	return err
}
