// Package checkpoint keeps a member's replicated state in a bbolt file and moves it as snapshot files.
package checkpoint

import (
	"errors"
	"os"

	"drydock/node/world"
)

// Dir and SnapDir are the directories of the checkpoint and of snapshot files.
const (
	Dir     = "ckpt"
	SnapDir = "snap"
)

// Errors of this package.
var (
	// ErrNoCheckpoint: there is no checkpoint yet.
	ErrNoCheckpoint = errors.New("checkpoint: none")
	// ErrIndexBack: the new index is below the one that is stored.
	ErrIndexBack = errors.New("checkpoint: index goes back")
	// ErrCorrupt: a checkpoint or a snapshot file is damaged.
	ErrCorrupt = errors.New("checkpoint: corrupt")
	// ErrBound: a record or a chunk is larger than allowed.
	ErrBound = errors.New("checkpoint: too large")
	// ErrOrder: a chunk does not continue what was received.
	ErrOrder = errors.New("checkpoint: chunk out of order")
)

// Record is one key of the state. A nil Value deletes the key.
type Record struct {
	Bucket     string
	Key, Value []byte
}

// Meta says what a checkpoint holds.
type Meta struct {
	// Index and Term are of the last log entry that the state contains.
	Index, Term uint64
	// Revision is the state's count of commands.
	Revision uint64
	// Digest is the state's digest; whoever loads the records compares it.
	Digest [16]byte
	// Extra is opaque (the membership, the cluster's time, …).
	Extra []byte
}

// Host is implemented by a world.FS that can hold a bbolt file.
type Host interface {
	// BoltPath returns how to open the bbolt file called name. done is called
	// once, after the database has been closed.
	BoltPath(name string) (path string, openFile func(string, int, os.FileMode) (*os.File, error), done func() error, err error)
}

// Write applies changes and m in one transaction.
func Write(fs world.FS, m Meta, changes []Record) error { return nil }

// Load reads the whole checkpoint: buckets in order of name, keys in order.
// The records are the callee's to keep.
func Load(fs world.FS, each func(Record) error) (Meta, error) { return Meta{}, ErrNoCheckpoint }

// Export writes the whole checkpoint to the snapshot file name and returns its size.
func Export(fs world.FS, name string) (Meta, int64, error) { return Meta{}, 0, ErrNoCheckpoint }

// Verify reads a snapshot file through and checks everything.
func Verify(fs world.FS, name string) (Meta, error) { return Meta{}, ErrNoCheckpoint }

// Import replaces the checkpoint by the content of a snapshot file.
func Import(fs world.FS, name string) (Meta, error) { return Meta{}, ErrNoCheckpoint }

// ReadChunk reads up to n bytes of a snapshot file at off; size is the file's length.
func ReadChunk(fs world.FS, name string, off int64, n int) (data []byte, size int64, err error) {
	return nil, 0, ErrNoCheckpoint
}

// Receiver collects the chunks of a snapshot file.
type Receiver struct{ off int64 }

// Receive begins to collect the snapshot file name, dropping an earlier attempt.
func Receive(fs world.FS, name string) (*Receiver, error) { return &Receiver{}, nil }

// Offset is where the next chunk belongs.
func (r *Receiver) Offset() int64 { return r.off }

// WriteAt adds the chunk at off, which must be Offset.
func (r *Receiver) WriteAt(data []byte, off int64) error { return nil }

// Finish makes the file durable, verifies it and gives it its name.
func (r *Receiver) Finish() (Meta, error) { return Meta{}, nil }

// Abort drops what was received.
func (r *Receiver) Abort() error { return nil }

// Snapshots lists the complete snapshot files, sorted.
func Snapshots(fs world.FS) ([]string, error) { return nil, nil }

// Clean removes every snapshot file but keep, and all unfinished ones.
func Clean(fs world.FS, keep ...string) error { return nil }
