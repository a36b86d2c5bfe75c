package checkpoint

import (
	"errors"

	"drydock/node"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

// Store is the checkpoint store as package node calls it, inside disk jobs.
type Store struct{}

var _ node.Store = Store{}

func metaOf(sn state.Snapshot) Meta {
	return Meta{Index: sn.Index, Term: sn.Term, Revision: sn.Revision, Digest: sn.Digest, Extra: sn.Extra}
}

func (m Meta) snapshot() state.Snapshot {
	return state.Snapshot{Index: m.Index, Term: m.Term, Revision: m.Revision, Digest: m.Digest, Extra: m.Extra}
}

// Write implements node.Store.
func (Store) Write(fs world.FS, base uint64, sn state.Snapshot, changes []keys.Record) error {
	list := make([]Record, len(changes))
	for i, c := range changes {
		list[i] = Record(c)
	}
	return Advance(fs, base, metaOf(sn), list)
}

// Load implements node.Store.
func (Store) Load(fs world.FS) (state.Snapshot, []keys.Record, bool, error) {
	var list []keys.Record
	m, err := Load(fs, func(r Record) error {
		list = append(list, keys.Record(r))
		return nil
	})
	if errors.Is(err, ErrNoCheckpoint) {
		return state.Snapshot{}, nil, false, nil
	}
	return m.snapshot(), list, err == nil, err
}

// Export implements node.Store.
func (Store) Export(fs world.FS, name string) (state.Snapshot, uint64, error) {
	m, size, err := Export(fs, name)
	return m.snapshot(), uint64(size), err
}

// Import implements node.Store.
func (Store) Import(fs world.FS, name string) error {
	_, err := Import(fs, name)
	return err
}

// ReadChunk implements node.Store.
func (Store) ReadChunk(fs world.FS, name string, offset uint64, n int) ([]byte, error) {
	data, _, err := ReadChunk(fs, name, int64(offset), n)
	return data, err
}

// Receive implements node.Store.
func (Store) Receive(fs world.FS, name string) (node.Incoming, error) {
	r, err := Receive(fs, name)
	if err != nil {
		return nil, err
	}
	return incoming{r}, nil
}

// Clean implements node.Store.
func (Store) Clean(fs world.FS, keep ...string) error { return Clean(fs, keep...) }

type incoming struct{ r *Receiver }

func (i incoming) WriteAt(data []byte, offset int64) error { return i.r.WriteAt(data, offset) }

func (i incoming) Finish() (state.Snapshot, error) {
	m, err := i.r.Finish()
	return m.snapshot(), err
}

func (i incoming) Abort() error { return i.r.Abort() }
