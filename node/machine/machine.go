package machine

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"drydock/node/agent"
	"drydock/node/fleet"
	"drydock/node/machine/guard"
	"drydock/node/runtime"
	"drydock/node/runtime/lease"
	"drydock/node/world"
)

// Options are what a machine needs.
type Options struct {
	// Cluster is the cluster's id; Peers are peer URLs of its members, one at least.
	Cluster uint64
	Peers   []string
	// Self is what the machine tells of itself (Describe).
	Self fleet.Machine
	// RunDir is a directory of the machine's own, for what its next life must know until
	// the host boots again; best on a file system that a reboot empties (RunDir, the
	// function, says where). It goes with a machine that has left.
	RunDir string
	// Runtime runs units: Supervisor, or Systemd at SystemdAddress (empty is the
	// system's). Empty is the supervisor.
	Runtime, SystemdAddress string
	// Groups names the control groups of the supervisor's units; empty for process
	// groups.
	Groups string
	// Token is the cluster's join token, TLS is for https peer URLs; either may be
	// missing.
	Token string
	TLS   *tls.Config
	// Program becomes the guard and units' processes; empty is this program itself.
	Program string
	// Logger takes what becomes of the session and of units; nil for none.
	Logger *slog.Logger

	_ struct{}
}

// Machine is a running one. Its methods may be called by any goroutine.
type Machine struct {
	o       *Options
	log     *slog.Logger
	keeper  *guard.Keeper
	runtime runtime.Runtime
	inbox   inbox
	ops     opQueue
	timer   *lease.Timer

	ctx    context.Context // ends with the machine
	end    context.CancelFunc
	wait   sync.WaitGroup
	left   chan struct{} // closed when the agent has come to its end
	closed sync.Once
	err    error // of Close

	guarded chan struct{} // has a token when a guard has come

	// What follows is the loop's own.
	agent  *agent.Agent
	line   *line
	good   bool          // the lease held when the guard was told of it last
	unkept *agent.Record // one that could not be written
	owed   *agent.Lease  // what the guard has not been told for that
}

// ErrOptions is matched when the options make no sense.
var ErrOptions = errors.New("machine: options")

// Start makes this host a machine of the cluster.
func Start(o Options) (m *Machine, err error) {
	switch {
	case o.Cluster == 0 || o.Self.ID == "" || o.Self.Boot == "":
		return nil, fmt.Errorf("%w: cluster %x, machine %q, boot %q: none may be missing", ErrOptions, o.Cluster, o.Self.ID, o.Self.Boot)
	case len(o.Peers) == 0 || o.RunDir == "":
		return nil, fmt.Errorf("%w: there are no members, or no run directory", ErrOptions)
	}
	m = &Machine{o: &o, log: o.Logger, left: make(chan struct{}), guarded: make(chan struct{}, 1)}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.inbox.wake = make(chan struct{}, 1)
	m.ops.wake = make(chan struct{}, 1)
	m.ctx, m.end = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if err := m.open(); err != nil {
		return m, err
	}
	was, err := m.remains()
	if err != nil {
		return m, err
	}
	var life [8]byte
	_, _ = rand.Read(life[:]) // never fails
	m.agent = agent.New(agent.Config{
		Cluster: o.Cluster, Machine: o.Self, Peers: o.Peers, Life: binary.BigEndian.Uint64(life[:]),
	}, now(), was)
	m.wait.Go(m.loop)
	m.wait.Go(m.carryOps)
	return m, nil
}

// open opens what the machine needs. The directory is locked first of all.
func (m *Machine) open() (err error) {
	m.keeper, err = guard.Keep(guard.Options{
		Dir: m.o.RunDir, Runtimes: m.o.runtimes(), Program: m.o.Program, Changed: m.guardChanged, Logger: m.log,
	})
	if errors.Is(err, guard.ErrTaken) {
		err = fmt.Errorf("%w: another node on this host is machine %s: give each a --machine-id of its own, or none", err, m.o.Self.ID)
	}
	if err != nil {
		return err
	}
	if m.timer, err = lease.NewTimer(); err != nil {
		return err
	}
	m.runtime, err = m.openRuntime()
	return err
}

func now() world.Instant {
	return world.Instant{Mono: lease.Now(), Wall: time.Now().UnixNano()}
}

func (m *Machine) guardChanged(alive bool) {
	if !alive {
		return
	}
	select {
	case m.guarded <- struct{}{}:
	default:
	}
}

// MachineID returns the machine's id.
func (m *Machine) MachineID() string { return m.o.Self.ID }

// SetPeers tells where members are.
func (m *Machine) SetPeers(urls []string) {
	if len(urls) > 0 {
		m.inbox.post(item{in: agent.Peers{URLs: urls}})
	}
}

// Journal returns the last lines that a unit has written here (runtime.Runtime).
func (m *Machine) Journal(name string, after uint64, n int) ([]runtime.Line, error) {
	return m.runtime.Journal(name, after, n)
}

// Follow waits until a unit has written another line here (runtime.Runtime).
func (m *Machine) Follow(ctx context.Context, name string, after uint64) error {
	return m.runtime.Follow(ctx, name, after)
}

// State returns what a unit is here (runtime.Runtime).
func (m *Machine) State(name string) (runtime.State, error) { return m.runtime.State(name) }

// Leave stops all units in good order and says goodbye to the cluster. It returns
// when that is done, or the context's error if that ends first.
func (m *Machine) Leave(ctx context.Context, why string) error {
	m.inbox.post(item{in: agent.Leave{Why: why}})
	select {
	case <-m.left:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("machine: leaving: %w", ctx.Err())
	case <-m.ctx.Done():
		return nil
	}
}

// Close lets go of the units and the guard, which go on: a next life takes over what
// runs, if it comes while the lease holds.
func (m *Machine) Close() error {
	m.closed.Do(func() {
		m.end()
		m.wait.Wait()
		var errs []error
		if m.runtime != nil {
			errs = append(errs, m.runtime.Close())
		}
		if m.timer != nil {
			m.timer.Stop()
		}
		if m.keeper != nil {
			errs = append(errs, m.letGo())
		}
		m.err = errors.Join(errs...)
	})
	return m.err
}

// letGo leaves the run directory behind, or nothing if the machine has left.
func (m *Machine) letGo() error {
	select {
	case <-m.left:
		return m.keeper.End()
	default:
		return m.keeper.Close()
	}
}

// RunDir is where machines have their run directories: below those that systems empty at
// boot, or, on one that has none that this user may write to, below the data directory.
func RunDir(dataDir string) string {
	for _, parent := range []string{"/run", os.Getenv("XDG_RUNTIME_DIR")} {
		if parent == "" {
			continue
		}
		if dir := filepath.Join(parent, "drydock"); os.MkdirAll(dir, 0o755) == nil && writable(dir) {
			return dir
		}
	}
	return filepath.Join(dataDir, "run")
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return false
	}
	return errors.Join(f.Close(), os.Remove(f.Name())) == nil
}
