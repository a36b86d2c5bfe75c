package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"drydock/node/fleet"
	"drydock/node/machine"
	"drydock/node/machine/tether"
	"drydock/node/runtime"
	"drydock/node/state"
)

// leaveTimeout is how long units may take to stop when the node does. What is left
// then goes on until the machine's lease passes, or a next life of the node takes it
// over.
const leaveTimeout = 20 * time.Second

// fleetMachine is the machine of a node, which may be there from the start, as a
// member's is, or when the cluster is known, as a worker's. Its methods may be called
// by any goroutine, and of one that isn't there yet.
type fleetMachine struct {
	cfg *Config
	tls *tls.Config
	log *slog.Logger
	id  string

	machine atomic.Pointer[machine.Machine]

	mu    sync.Mutex // held while the machine is started or ended
	ended bool
}

// newFleetMachine finds out who this host is, nil if it is to be no machine.
func newFleetMachine(cfg *Config, s *secrets, log *slog.Logger) (*fleetMachine, error) {
	if !cfg.Fleet {
		return nil, nil
	}
	f := &fleetMachine{cfg: cfg, tls: s.peerClient, log: log, id: cfg.MachineID}
	if f.id == "" {
		if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
			return nil, fmt.Errorf("%s: %w", cfg.where("data-dir"), err)
		}
		self, err := f.describe()
		if err != nil {
			return nil, err
		}
		f.id = self.ID
	}
	return f, nil
}

// set starts the machine, or tells it where members are now.
func (f *fleetMachine) set(cluster uint64, peers []string) error {
	if f == nil || cluster == 0 || len(peers) == 0 {
		return nil
	}
	if m := f.machine.Load(); m != nil {
		m.SetPeers(peers)
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return nil
	}
	self, err := f.describe()
	if err != nil {
		return err
	}
	parent := f.cfg.RunDir
	if parent == "" {
		parent = machine.RunDir(f.cfg.DataDir)
	}
	kind := f.cfg.UnitRuntime
	if kind == "auto" {
		kind = machine.ChooseRuntime()
	}
	m, err := machine.Start(machine.Options{
		Runtime: kind, Cluster: cluster, Peers: peers, Self: self, RunDir: filepath.Join(parent, self.ID), Groups: "drydock-" + self.ID,
		Token: f.cfg.JoinToken, TLS: f.tls, Logger: f.log,
	})
	if err != nil {
		return err
	}
	f.machine.Store(m)
	return nil
}

// follow tells a machine that is there where members are now.
func (f *fleetMachine) follow(peers []string) {
	if f == nil {
		return
	}
	if m := f.machine.Load(); m != nil {
		m.SetPeers(peers)
	}
}

// describe finds out what the host says of itself.
func (f *fleetMachine) describe() (fleet.Machine, error) {
	self, err := machine.Describe(machine.About{
		DataDir: f.cfg.DataDir, ID: f.cfg.MachineID, PublicIP: f.cfg.PublicIP, URLs: f.cfg.AdvertiseClientURLs, Version: f.cfg.Version,
		Metadata: f.cfg.Metadata, Resources: f.cfg.Resources, Unaccounted: f.cfg.Unaccounted,
	})
	if err != nil {
		return self, fmt.Errorf("the machine: %w (--fleet=false for a node that runs no units)", err)
	}
	return self, nil
}

// end keeps the machine from being started, and returns it if it was.
func (f *fleetMachine) end() *machine.Machine {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	return f.machine.Load()
}

// leave stops the machine's units and then the machine. What doesn't stop in time is
// let go of.
func (f *fleetMachine) leave(why string) error {
	if f == nil {
		return nil
	}
	m := f.end()
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := m.Leave(ctx, why); err != nil {
		f.log.Warn("not all units have stopped in time: they end with the machine's lease", "err", err)
	}
	return m.Close()
}

// close lets go of the machine's units.
func (f *fleetMachine) close() error {
	if f == nil {
		return nil
	}
	if m := f.end(); m != nil {
		return m.Close()
	}
	return nil
}

// errNoMachine is what is known of units before the machine is there.
var errNoMachine = fmt.Errorf("this node has not found its cluster yet: %w", runtime.ErrNotFound)

// MachineID implements serve.Local.
func (f *fleetMachine) MachineID() string { return f.id }

// Journal implements serve.Local.
func (f *fleetMachine) Journal(name string, after uint64, n int) ([]runtime.Line, error) {
	if m := f.machine.Load(); m != nil {
		return m.Journal(name, after, n)
	}
	return nil, errNoMachine
}

// Follow implements serve.Local.
func (f *fleetMachine) Follow(ctx context.Context, name string, after uint64) error {
	if m := f.machine.Load(); m != nil {
		return m.Follow(ctx, name, after)
	}
	return errNoMachine
}

// State implements serve.Local.
func (f *fleetMachine) State(name string) (runtime.State, error) {
	if m := f.machine.Load(); m != nil {
		return m.State(name)
	}
	return runtime.State{Name: name, Load: "not-found"}, errNoMachine
}

// startMachine has this node's machine begin: before all else, since one that takes over
// units has little time to say so. It needs no member in this process for that.
func (m *member) startMachine(s *secrets) (err error) {
	if m.fleet, err = newFleetMachine(m.cfg, s, m.log); m.fleet != nil {
		m.machine = m.fleet
	}
	if err != nil {
		return err
	}
	return m.fleet.set(m.identity.Cluster, m.peerURLs(bootstrapMembers(m.identity)))
}

// openTether is the face to machines.
func (m *member) openTether() {
	m.tether = tether.NewServer(tether.ServerOptions{
		Cluster: m.identity.Cluster, Member: uint64(m.identity.ID), Token: m.cfg.JoinToken,
		Certified: m.cfg.PeerTLS.ClientCertAuth, Deliver: m.host.ReceiveFromMachine, Logger: m.log,
	})
	m.host.SetMachines(m.tether)
}

// peerURLs lists where members are, this one's own first: it knows the leader as well
// as any, and is reached without the network.
func (m *member) peerURLs(members []state.Member) []string {
	list := slices.Clone(m.cfg.AdvertisePeerURLs)
	for _, other := range members {
		if other.ID != m.identity.ID {
			list = append(list, other.PeerURLs...)
		}
	}
	return list
}

// known has a worker's machine started when it knows its cluster, and told where the
// members are. Failed takes an error.
func (f *fleetMachine) known(failed chan<- error) func(cluster string, urls []string) {
	return func(cluster string, urls []string) {
		id, err := strconv.ParseUint(cluster, 16, 64)
		if err != nil {
			return // no member has said yet
		}
		if err := f.set(id, urls); err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	}
}
