package world

import "io"

// Lane names a queue of disk jobs. Jobs of one lane run one after another in
// order of submission; different lanes don't wait for each other.
type Lane uint8

// The lanes of a node's disk.
const (
	// LaneLog carries appends to the write-ahead log. A world may run several
	// queued jobs of it and then only the last one's Sync (group commit).
	LaneLog Lane = iota
	// LaneCheckpoint carries writes to the checkpoint store.
	LaneCheckpoint
	// LaneSnapshot carries reads and writes of snapshot files.
	LaneSnapshot
	// NumLanes is the number of lanes.
	NumLanes
)

// String names the lane as traces and reports print it.
func (l Lane) String() string {
	switch l {
	case LaneLog:
		return "log"
	case LaneCheckpoint:
		return "checkpoint"
	case LaneSnapshot:
		return "snapshot"
	}
	return "unknown"
}

// Job is work on the disk, submitted by the reactor and run by the world.
type Job struct {
	// Lane is the queue that the job waits in.
	Lane Lane
	// Name says in a word or two what the job does, for traces.
	Name string
	// Bytes is about how much the job writes, for latency and admission.
	Bytes int
	// Run does the work. It must touch nothing but the FS and what the job's
	// owner set aside for it.
	Run func(FS) error
	// Sync, if not nil, makes everything durable that Run, and the Runs of
	// jobs before it on the lane, have written. It is called after Run.
	Sync func(FS) error
}

// Disk runs jobs.
type Disk interface {
	// Submit queues job on its lane. The world answers with one completion
	// input that carries id.
	Submit(id uint64, job Job)
}

// FS is a small file system: a node's data directory. Names are slash
// separated and relative ("wal/00000001.seg"). Errors of a missing file match
// fs.ErrNotExist.
type FS interface {
	// Create makes a file of length zero, truncating one that exists. The
	// directory entry is durable only after SyncDir of its directory.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// Rename replaces newname by oldname in one step; durable after SyncDir.
	Rename(oldname, newname string) error
	// Remove deletes a file; durable after SyncDir.
	Remove(name string) error
	// MkdirAll makes a directory and its parents, durably.
	MkdirAll(dir string) error
	// List returns the names of the files in dir (base names), sorted.
	List(dir string) ([]string, error)
	// SyncDir makes the entries of dir durable: creations, renames, removals.
	SyncDir(dir string) error
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the file's length in bytes.
	Size() (int64, error)
	// Truncate sets the file's length; new bytes are zero.
	Truncate(size int64) error
	// Sync makes the file's data and length durable (fdatasync).
	Sync() error
}
