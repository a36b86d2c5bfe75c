// Package disk is the simulated disk of one node.
package disk

import (
	"math/rand/v2"
	"os"

	"drydock/node/world"
)

// Disk is one node's disk. It implements world.FS and checkpoint.Host.
type Disk struct{}

// New returns an empty disk.
func New() *Disk { return &Disk{} }

// Token names a job in flight.
type Token uint64

// Begin starts a job: the operations until End are recorded as its own.
func (d *Disk) Begin(lane world.Lane, job string) Token { return 0 }

// End says that the job has issued all its operations. They are in flight
// until Complete.
func (d *Disk) End(t Token) {}

// Complete is the simulated end of the job: its syncs count from here on.
// Jobs of one lane complete in the order in which they began.
func (d *Disk) Complete(t Token) {}

// CrashOptions say what kind of crash it is.
type CrashOptions struct {
	// LoseUnsynced: the machine lost power, so what was not synced may be lost.
	// Otherwise only the process died: jobs in flight are cut short, and the
	// rest is kept.
	LoseUnsynced bool
	// Torn: a write that was not synced may be kept in part, by sectors.
	Torn bool
}

// Loss counts what a crash took away.
type Loss struct {
	// Jobs is the number of jobs in flight that were cut short.
	Jobs int
	// Writes and Bytes count writes that are gone wholly.
	Writes int
	Bytes  int64
	// Torn counts writes that are gone in part.
	Torn int
	// Entries counts directory changes (creations, renames, removals) undone.
	Entries int
}

// Crash turns the disk into what is found at the next boot. Open files become
// useless, jobs in flight are forgotten.
func (d *Disk) Crash(rng *rand.Rand, o CrashOptions) Loss { return Loss{} }

// Fingerprint is a hash of all operations that changed the disk, crashes included.
func (d *Disk) Fingerprint() uint64 { return 0 }

// Close gives back what the host lent (bbolt's memory files).
func (d *Disk) Close() error { return nil }

// BoltPath implements checkpoint.Host.
func (d *Disk) BoltPath(name string) (path string, openFile func(string, int, os.FileMode) (*os.File, error), done func() error, err error) {
	return "", nil, nil, os.ErrInvalid
}

// Create implements world.FS.
func (d *Disk) Create(name string) (world.File, error) { return nil, os.ErrInvalid }

// Open implements world.FS.
func (d *Disk) Open(name string) (world.File, error) { return nil, os.ErrInvalid }

// Rename implements world.FS.
func (d *Disk) Rename(oldname, newname string) error { return os.ErrInvalid }

// Remove implements world.FS.
func (d *Disk) Remove(name string) error { return os.ErrInvalid }

// MkdirAll implements world.FS.
func (d *Disk) MkdirAll(dir string) error { return os.ErrInvalid }

// List implements world.FS.
func (d *Disk) List(dir string) ([]string, error) { return nil, os.ErrInvalid }

// SyncDir implements world.FS.
func (d *Disk) SyncDir(dir string) error { return os.ErrInvalid }
