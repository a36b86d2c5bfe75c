package labcontrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"drydock/node/host"
)

// Environment is the variable by which labs mark their machines.
const Environment = "DRYDOCK_LAB_MACHINE"

// ErrNoLab is matched when the environment is not a lab's.
var ErrNoLab = errors.New("only labs may control a node's disk and clocks")

// errCall is matched by the answer to a call that makes no sense.
var errCall = errors.New("not a call")

// Control is a node's side. Its methods may be called by any goroutine.
type Control struct {
	Clock *Clock
	Disk  *Disk

	node   atomic.Pointer[Node] // nil until it has started
	listen net.Listener
	wait   sync.WaitGroup
	done   chan struct{}
}

// Open holds back what is written to a disk, and takes calls on a socket at path.
func Open(path string, getenv func(string) string, disk *host.Disk) (*Control, error) {
	if getenv(Environment) == "" {
		return nil, ErrNoLab
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	usual, err := readUsual(path)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	c := &Control{Clock: newClock(), Disk: newDisk(disk), listen: l, done: make(chan struct{})}
	c.Disk.faults.usual = usual
	c.wait.Go(c.accept)
	return c, os.Chmod(path, 0o600)
}

// Attach makes the node known, once it has started.
func (c *Control) Attach(n Node) { c.node.Store(&n) }

// Close takes no more calls, and writes what was held back: a process that ends on a
// machine that lives loses nothing. The node must have stopped.
func (c *Control) Close() error {
	close(c.done)
	err := c.listen.Close()
	c.wait.Wait()
	c.Disk.settle(&PowerLoss{})
	return err
}

func (c *Control) accept() {
	for {
		conn, err := c.listen.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			defer func() { _ = conn.Close() }()
			c.serve(conn)
		}()
	}
}

// serve answers one call.
func (c *Control) serve(conn net.Conn) {
	var call Call
	err := json.NewDecoder(conn).Decode(&call)
	var a Answer
	if err == nil {
		a, err = c.obey(&call)
	}
	if err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(conn).Encode(a) // who asked may have gone
	if call.Power != nil && err == nil {
		// The answer is in the socket's buffer, and outlives this.
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

func (c *Control) obey(call *Call) (a Answer, err error) {
	switch {
	case call.Clock != nil:
		if call.Clock.Mono < 0 {
			return a, fmt.Errorf("%w: a monotonic clock never goes back", errCall)
		}
		c.Clock.move(call.Clock)
	case call.Disk != nil:
		if t := call.Disk.Trap; t != nil && (t.Nth < 1 || t.Times < 1 || t.On != opWrite && t.On != opSync) {
			return a, fmt.Errorf("%w: a trap for %q from the %d-th on, %d times", errCall, t.On, t.Nth, t.Times)
		}
		c.Disk.faults.set(call.Disk)
	case call.Power != nil:
		a.Kept, a.Lost, a.Torn = c.Disk.settle(call.Power)
	case call.Struck:
		select {
		case s := <-c.Disk.faults.struck:
			a.Struck = &s
		case <-c.done:
			return a, errors.New("the node stops")
		}
	case call.Look, call.Transfer != "":
		return c.askNode(call)
	default:
		return a, fmt.Errorf("%w: nothing is asked", errCall)
	}
	return a, nil
}

// errStarting is the answer to what only a node that runs can do.
var errStarting = errors.New("the node has not started yet")

// askNode carries out what the node itself must do.
func (c *Control) askNode(call *Call) (a Answer, err error) {
	n := c.node.Load()
	if n == nil {
		return a, errStarting
	}
	if call.Transfer != "" {
		ctx, cancel := context.WithTimeout(context.Background(), callPatience)
		defer cancel()
		return a, (*n).Transfer(ctx, call.Transfer)
	}
	held, err := (*n).Look()
	a.Held = &held
	return a, err
}
