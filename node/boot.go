package node

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/world"
)

// ErrNotFounded is returned by Boot for a data directory that neither Found
// nor Join has prepared.
var ErrNotFounded = errors.New("node: data directory is empty")

// Found prepares a data directory for a founding member. Every founder must be
// given the same founders, this member among them. The log is created last, so
// a crash in between leaves a directory that can be founded again.
func Found(fs world.FS, cfg Config, store Store, founders []state.Member) error {
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
	st := state.New(founders)
	st.DrainDirty()
	sn := st.Describe(conf)
	if err := store.Write(fs, sn, st.Keys().Records()); err != nil {
		return fmt.Errorf("node: first checkpoint: %w", err)
	}
	return createLog(fs, cfg, &wal.Marker{Index: sn.Index, Term: sn.Term})
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
	ticks := func(d int64) int { return int(d / int64(cfg.Tick)) }
	n.core, err = consensus.New(consensus.Config{
		ID: cfg.ID, Incarnation: rec.Boot + 1,
		HeartbeatTicks: ticks(int64(cfg.Heartbeat)), ElectionTicks: ticks(int64(cfg.Election)),
		MaxAppends: cfg.MaxAppends, RequestTimeout: cfg.RequestTimeout, ResendAfter: cfg.Election,
	}, *start, n.header)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	n.core.Tick(at.Mono, 0)
	if voters := n.core.Voters(); len(voters) == 1 && voters[0] == uint64(cfg.ID) {
		if err := n.core.Campaign(); err != nil {
			return nil, fmt.Errorf("node: %w", err)
		}
	}
	return n, nil
}

// recoverState loads the checkpoint and the entries that follow it.
func recoverState(fs world.FS, cfg Config, store Store, rec *wal.Recovered) (*Node, *consensus.Start, error) {
	n := &Node{cfg: cfg, store: store, calls: make(map[uint64]pendingCall), jobs: make(map[uint64]func(error))}
	n.watchers.init()
	sn, records, found, err := store.Load(fs)
	if err != nil {
		return nil, nil, fmt.Errorf("node: checkpoint: %w", err)
	}
	start := &consensus.Start{Hard: consensus.HardState(rec.Hard)}
	if found {
		if n.state, start.Conf, err = state.Load(sn, recordIterator(records)); err != nil {
			return nil, nil, fmt.Errorf("node: checkpoint: %w", err)
		}
		start.Applied, start.Term = sn.Index, sn.Term
	} else {
		if rec.Marker.Index > 0 {
			return nil, nil, fmt.Errorf("node: the log begins after a checkpoint at %d, which is missing", rec.Marker.Index)
		}
		n.state = state.Empty()
	}
	if err := store.Clean(fs); err != nil {
		return nil, nil, fmt.Errorf("node: snapshot files: %w", err)
	}
	if sn.Index < rec.Marker.Index {
		return nil, nil, fmt.Errorf("node: checkpoint at %d is older than %d, which the log says is durable", sn.Index, rec.Marker.Index)
	}
	n.checkpointed = sn.Index
	for _, e := range entriesAfter(rec.Entries, sn.Index, sn.Term) {
		typ := raftpb.EntryType(e.Type)
		start.Entries = append(start.Entries, &raftpb.Entry{Index: &e.Index, Term: &e.Term, Type: &typ, Data: e.Data})
	}
	return n, start, nil
}

// entriesAfter returns what the log holds beyond the checkpoint. A snapshot
// may have been installed whose index the log knows nothing of, or knows
// another entry at: then nothing behind it counts.
func entriesAfter(list []wal.Entry, index, term uint64) []wal.Entry {
	for i := range list {
		if list[i].Index != index+1 {
			continue
		}
		if i > 0 && list[i-1].Term != term {
			return nil
		}
		return list[i:]
	}
	return nil
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
	last := rec.Marker.Index
	if len(rec.Entries) > 0 {
		last = rec.Entries[len(rec.Entries)-1].Index
	}
	if start.Applied > last || (len(start.Entries) == 0 && start.Applied < last) {
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
