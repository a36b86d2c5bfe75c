package node

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/control"
	"drydock/node/fleet"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/world"
)

// ErrDamaged is matched when a data directory lacks what the log says was durable
// in it. Damage inside of a file has the errors of who reads it (wal.ErrCorrupt,
// checkpoint.ErrCorrupt, state.ErrCorrupt).
var ErrDamaged = errors.New("node: data directory is damaged")

// ErrNotFounded is returned by Boot for a data directory that neither Found
// nor Join has prepared.
var ErrNotFounded = errors.New("node: data directory is empty")

// Found prepares a data directory for a founding member. Every founder must be
// given the same founders, this member among them. The log is created last: a
// crash in between leaves a directory that Boot refuses with ErrNotFounded and
// that can be founded again, or one that boots. A directory with a log is
// refused with wal.ErrExists.
func Found(fs world.FS, cfg Config, store Store, founders []state.Member) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if err := state.CheckFounders(founders); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	ids := make([]world.MemberID, 0, len(founders))
	for _, m := range founders {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	conf, err := consensus.FoundingConf(ids)
	if err != nil {
		return err
	}
	if !slices.Contains(ids, cfg.ID) {
		return fmt.Errorf("%w: member %x is not among the founders", ErrConfig, uint64(cfg.ID))
	}
	// The first checkpoint must not get into the directory of a member that
	// lives already, whose log may begin anywhere.
	if err := noLog(fs, cfg); err != nil {
		return err
	}
	st := state.New(founders)
	st.DrainDirty()
	sn := st.Describe(conf)
	if err := store.Write(fs, 0, sn, st.Records()); err != nil {
		return fmt.Errorf("node: first checkpoint: %w", err)
	}
	return createLog(fs, cfg, &wal.Marker{Index: sn.Index, Term: sn.Term})
}

// noLog fails unless there is no log.
func noLog(fs world.FS, cfg Config) error {
	log, _, err := wal.Open(fs, walOptions(cfg))
	switch {
	case errors.Is(err, wal.ErrNoLog):
		return nil
	case err == nil:
		err = errors.Join(wal.ErrExists, log.Close())
	}
	return fmt.Errorf("node: new log: %w", err)
}

// Join prepares a data directory for a member that was added to a running
// cluster; its state comes from the leader.
func Join(fs world.FS, cfg Config) error { return createLog(fs, cfg, nil) }

func createLog(fs world.FS, cfg Config, marker *wal.Marker) error {
	log, err := wal.Create(fs, walOptions(cfg))
	if err != nil {
		return fmt.Errorf("node: new log: %w", err)
	}
	if marker != nil {
		if err := log.Append(&wal.Batch{Marker: marker, Reset: true}); err != nil {
			return fmt.Errorf("node: new log: %w", err)
		}
		if err := log.Sync(); err != nil {
			return fmt.Errorf("node: new log: %w", err)
		}
	}
	return log.Close()
}

func walOptions(cfg Config) wal.Options {
	return wal.Options{
		Identity:     wal.Identity{Cluster: cfg.Cluster, Member: uint64(cfg.ID)},
		SegmentBytes: cfg.SegmentBytes,
	}
}

// Boot recovers a node from its data directory: the checkpoint, then the log
// behind it. It writes the new life's number before anything else can happen.
func Boot(fs world.FS, cfg Config, store Store, at world.Instant) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	log, rec, err := wal.Open(fs, walOptions(cfg))
	if errors.Is(err, wal.ErrNoLog) {
		return nil, ErrNotFounded
	}
	if err != nil {
		return nil, fmt.Errorf("node: log: %w", err)
	}
	n, start, err := recoverState(fs, cfg, store, &rec)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	if err := n.openLife(log, &rec, start); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	n.startClock(at)
	if n.fleet.control, err = control.New(cfg.Fleet); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	n.fleet.reads = make(map[uint64]func(*fleet.Store))
	ticks := func(d int64) int { return int(d / int64(cfg.Tick)) }
	n.core, err = consensus.New(consensus.Config{
		ID: cfg.ID, Incarnation: rec.Boot + 1, Release: cfg.Release,
		HeartbeatTicks: ticks(int64(cfg.Heartbeat)), ElectionTicks: ticks(int64(cfg.Election)),
		MaxAppends: cfg.MaxAppends, RequestTimeout: cfg.RequestTimeout, ResendAfter: cfg.Election,
	}, *start, n.header)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	n.core.Tick(at.Mono, 0)
	if voters := n.core.Voters(); len(voters) == 1 && voters[0] == uint64(cfg.ID) {
		if err := n.core.Campaign(); err != nil {
			return nil, errors.Join(fmt.Errorf("node: %w", err), log.Close())
		}
	}
	return n, nil
}

// recoverState loads the checkpoint and the entries that follow it.
func recoverState(fs world.FS, cfg Config, store Store, rec *wal.Recovered) (*Node, *consensus.Start, error) {
	n := &Node{cfg: cfg, store: store, calls: make(map[uint64]*api.Call), jobs: make(map[uint64]func(error))}
	n.watchers.init()
	sn, records, found, err := store.Load(fs)
	if err != nil {
		return nil, nil, fmt.Errorf("node: checkpoint: %w", err)
	}
	start := &consensus.Start{Hard: consensus.HardState(rec.Hard)}
	if found {
		if n.state, start.Conf, err = state.LoadAs(cfg.Release, sn, recordIterator(records)); err != nil {
			return nil, nil, fmt.Errorf("node: checkpoint: %w", err)
		}
		start.Applied, start.Term = sn.Index, sn.Term
	} else {
		if rec.Marker.Index > 0 {
			return nil, nil, fmt.Errorf("%w: the log begins after a checkpoint at %d, which is missing", ErrDamaged, rec.Marker.Index)
		}
		n.state = state.Empty()
		n.state.Speak(cfg.Release)
	}
	if err := store.Clean(fs); err != nil {
		return nil, nil, fmt.Errorf("node: snapshot files: %w", err)
	}
	switch {
	case sn.Index < rec.Marker.Index:
		return nil, nil, fmt.Errorf("%w: the checkpoint at %d is older than %d, which the log says is durable", ErrDamaged, sn.Index, rec.Marker.Index)
	case sn.Index == rec.Marker.Index && sn.Term != rec.Marker.Term && sn.Index > 0:
		return nil, nil, fmt.Errorf("node: checkpoint at %d is of term %d, the log says %d", sn.Index, sn.Term, rec.Marker.Term)
	}
	n.checkpointed, n.recovered = sn.Index, sn.Index
	if !logHolds(rec, sn.Index, sn.Term) {
		return n, start, nil
	}
	for i := range rec.Entries {
		e := &rec.Entries[i]
		if e.Index <= sn.Index {
			continue
		}
		typ := raftpb.EntryType(e.Type)
		start.Entries = append(start.Entries, &raftpb.Entry{Index: &e.Index, Term: &e.Term, Type: &typ, Data: e.Data})
		n.recovered = e.Index
	}
	return n, start, nil
}

// logHolds says whether the log has the entry that the checkpoint ends with.
// After a crash in the midst of installing a snapshot it may have none or
// another one there; then nothing that it holds counts.
func logHolds(rec *wal.Recovered, index, term uint64) bool {
	if rec.Marker.Index == index {
		return true
	}
	for i := range rec.Entries {
		if rec.Entries[i].Index == index {
			return rec.Entries[i].Term == term
		}
	}
	return false
}

func recordIterator(records []keys.Record) func() (keys.Record, bool, error) {
	return func() (keys.Record, bool, error) {
		if len(records) == 0 {
			return keys.Record{}, false, nil
		}
		r := records[0]
		records = records[1:]
		return r, true, nil
	}
}

// openLife makes the log agree with the checkpoint and writes the number of
// this life, both durably.
func (n *Node) openLife(log *wal.Log, rec *wal.Recovered, start *consensus.Start) error {
	n.log = log
	b := &wal.Batch{Boot: rec.Boot + 1}
	if !logHolds(rec, start.Applied, start.Term) {
		b.Reset, b.Marker = true, &wal.Marker{Index: start.Applied, Term: start.Term}
	}
	if err := log.Append(b); err != nil {
		return fmt.Errorf("node: log: %w", err)
	}
	if err := log.Sync(); err != nil {
		return fmt.Errorf("node: log: %w", err)
	}
	return nil
}
