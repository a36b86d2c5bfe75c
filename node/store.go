package node

import (
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/world"
)

// Store is the checkpoint store as the node needs it. Its methods are called
// inside disk jobs and at boot only.
type Store interface {
	// Write applies changes and the description in one transaction, on top of
	// the checkpoint at index base; 0 is none. It refuses if another is there.
	Write(fs world.FS, base uint64, sn state.Snapshot, changes []keys.Record) error
	// Load reads the checkpoint back; found is false when there is none.
	Load(fs world.FS) (sn state.Snapshot, records []keys.Record, found bool, err error)
	// Export copies the checkpoint into the snapshot file name.
	Export(fs world.FS, name string) (sn state.Snapshot, size uint64, err error)
	// Import makes the content of a verified snapshot file the checkpoint.
	Import(fs world.FS, name string) error
	// ReadChunk reads up to n bytes of a snapshot file.
	ReadChunk(fs world.FS, name string, offset uint64, n int) ([]byte, error)
	// Receive begins to collect a snapshot file.
	Receive(fs world.FS, name string) (Incoming, error)
	// Clean removes all snapshot files but those named.
	Clean(fs world.FS, keep ...string) error
}

// Incoming is a snapshot file that is being received.
type Incoming interface {
	// WriteAt adds the next chunk.
	WriteAt(data []byte, offset int64) error
	// Finish makes the file durable, verifies all of it and names it.
	Finish() (state.Snapshot, error)
	// Abort drops what was received.
	Abort() error
}
