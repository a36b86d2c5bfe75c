package node

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/world"
)

// Recalled is what a data directory holds, read while no node runs on it.
type Recalled struct {
	// State is what was replayed so far: at first that of the checkpoint.
	State *state.State
	// Checkpoint is the index of the checkpoint, 0 if there is none.
	Checkpoint uint64

	entries []*raftpb.Entry // that follow State
}

// Recall reads the state in a data directory as Boot does, with its errors, and
// changes nothing. rec is what the log holds; see wal.Verify.
func Recall(fs world.FS, store Store, rec *wal.Recovered) (*Recalled, error) {
	n, start, err := recoverState(fs, Config{}, lookOnly{store}, rec)
	if err != nil {
		return nil, err
	}
	return &Recalled{State: n.state, Checkpoint: start.Applied, entries: start.Entries}, nil
}

// Last returns the index of the last entry that State has or can be replayed to.
func (r *Recalled) Last() uint64 {
	if n := len(r.entries); n > 0 {
		return r.entries[n-1].GetIndex()
	}
	index, _ := r.State.Applied()
	return index
}

// Replay applies the entries up to index; those that are not there are not
// missed.
func (r *Recalled) Replay(index uint64) error {
	for len(r.entries) > 0 && r.entries[0].GetIndex() <= index {
		e := r.entries[0]
		if err := replay(r.State, e); err != nil {
			return fmt.Errorf("node: %w", err)
		}
		r.entries = r.entries[1:]
	}
	return nil
}

func replay(st *state.State, e *raftpb.Entry) error {
	if e.GetType() == raftpb.EntryNormal {
		_, err := st.Apply(e.GetIndex(), e.GetTerm(), e.GetData())
		return err
	}
	_, data, err := consensus.ConfChange(e)
	if err != nil {
		return err
	}
	_, _, err = st.ApplyMembers(e.GetIndex(), e.GetTerm(), data)
	return err
}

// Refound prepares a data directory for the only member of a new cluster, which
// begins with what st holds; st is then the new cluster's. m is the member, of
// cfg's id. A directory with a log is refused, as by Found.
func Refound(fs world.FS, cfg Config, store Store, st *state.State, m state.Member) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	m.ID = cfg.ID
	conf, err := consensus.FoundingConf([]world.MemberID{m.ID})
	if err != nil {
		return err
	}
	if err := noLog(fs, cfg); err != nil {
		return err
	}
	if err := st.Refound(m); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	st.DrainDirty()
	sn := st.Describe(conf)
	if err := store.Write(fs, 0, sn, st.Records()); err != nil {
		return fmt.Errorf("node: first checkpoint: %w", err)
	}
	return createLog(fs, cfg, &wal.Marker{Index: sn.Index, Term: sn.Term})
}

// lookOnly is a store that leaves snapshot files where they are.
type lookOnly struct{ Store }

// Clean does nothing.
func (lookOnly) Clean(world.FS, ...string) error { return nil }
