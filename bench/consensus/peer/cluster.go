package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// How the library is tuned.
const (
	maxAppendEntries = 512
	cachedEntries    = 1024
	startWait        = 30 * time.Second
)

// cluster is the members of one case.
type cluster struct {
	dir     string // empty in memory
	members []*raft.Raft
	closers []io.Closer
	syncs   atomic.Uint64
}

// place is where a member lives: its stores and its transport.
type place struct {
	log       raft.LogStore
	stable    raft.StableStore
	snapshots raft.SnapshotStore
	transport raft.Transport
}

func startCluster(o *options) (c *cluster, err error) {
	c = &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if o.storage == "disk" {
		if c.dir, err = os.MkdirTemp(o.dir, "peer-bench-"); err != nil {
			return c, err
		}
	}
	places := make([]*place, o.members)
	var servers []raft.Server
	for i := range places {
		if places[i], err = c.place(o, i); err != nil {
			return c, err
		}
		servers = append(servers, raft.Server{ID: raft.ServerID(fmt.Sprintf("m%d", i+1)), Address: places[i].transport.LocalAddr()})
	}
	if o.links == "process" {
		connect(places)
	}
	for i, p := range places {
		cfg := raft.DefaultConfig()
		cfg.LocalID, cfg.Logger = servers[i].ID, hclog.NewNullLogger()
		cfg.MaxAppendEntries, cfg.BatchApplyCh = maxAppendEntries, true
		if err = raft.BootstrapCluster(cfg, p.log, p.stable, p.snapshots, p.transport, raft.Configuration{Servers: servers}); err != nil {
			return c, err
		}
		m, err := raft.NewRaft(cfg, &machine{values: make(map[string]string)}, p.log, p.stable, p.snapshots, p.transport)
		if err != nil {
			return c, err
		}
		c.members = append(c.members, m)
	}
	return c, nil
}

// place makes a member's stores and transport.
func (c *cluster) place(o *options, i int) (*place, error) {
	p := &place{snapshots: raft.NewInmemSnapshotStore()}
	var log raft.LogStore
	if o.storage == "memory" {
		store := raft.NewInmemStore()
		log, p.stable = store, store
	} else {
		dir := filepath.Join(c.dir, fmt.Sprintf("m%d", i+1))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		store, err := wal.Open(dir)
		if err != nil {
			return nil, err
		}
		c.closers = append(c.closers, store)
		log, p.stable = store, store
	}
	cached, err := raft.NewLogCache(cachedEntries, &countedLog{LogStore: log, syncs: &c.syncs})
	if err != nil {
		return nil, err
	}
	p.log = cached
	if o.links == "process" {
		_, p.transport = raft.NewInmemTransport("")
		return p, nil
	}
	t, err := raft.NewTCPTransport("127.0.0.1:0", nil, o.members, startWait, io.Discard)
	if err != nil {
		return nil, err
	}
	c.closers = append(c.closers, t)
	p.transport = t
	return p, nil
}

// connect makes members of this process known to each other.
func connect(places []*place) {
	for _, a := range places {
		for _, b := range places {
			if from, ok := a.transport.(raft.WithPeers); ok && a != b {
				from.Connect(b.transport.LocalAddr(), b.transport)
			}
		}
	}
}

// leader waits until there is one.
func (c *cluster) leader() (*raft.Raft, error) {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	late := time.After(startWait)
	for {
		for _, m := range c.members {
			if m.State() == raft.Leader {
				return m, nil
			}
		}
		select {
		case <-t.C:
		case <-late:
			return nil, fmt.Errorf("no leader in %v", startWait)
		}
	}
}

func (c *cluster) close() error {
	var errs []error
	for _, m := range c.members {
		errs = append(errs, m.Shutdown().Error())
	}
	for _, closer := range c.closers {
		errs = append(errs, closer.Close())
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

// countedLog counts what raft-wal syncs: every append, once.
type countedLog struct {
	raft.LogStore
	syncs *atomic.Uint64
}

// StoreLog implements raft.LogStore.
func (l *countedLog) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

// StoreLogs implements raft.LogStore.
func (l *countedLog) StoreLogs(list []*raft.Log) error {
	l.syncs.Add(1)
	return l.LogStore.StoreLogs(list)
}

// IsMonotonic implements raft.MonotonicLogStore as the store beneath does.
func (l *countedLog) IsMonotonic() bool {
	m, ok := l.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

// machine is the state: a map.
type machine struct{ values map[string]string }

// Apply implements raft.FSM.
func (m *machine) Apply(e *raft.Log) any {
	key, value, _ := strings.Cut(string(e.Data), "\x00")
	m.values[key] = value
	return nil
}

// ApplyBatch implements raft.BatchingFSM.
func (m *machine) ApplyBatch(list []*raft.Log) []any {
	for _, e := range list {
		if e.Type == raft.LogCommand {
			m.Apply(e)
		}
	}
	return make([]any, len(list))
}

// errNoSnapshot is the end of a run that takes a snapshot.
var errNoSnapshot = errors.New("there are no snapshots here")

// Snapshot implements raft.FSM.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return nil, errNoSnapshot }

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error { return errors.Join(errNoSnapshot, r.Close()) }
