package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"drydock/node/world"
)

// Disk is a data directory as the node's file system. It implements world.FS and
// checkpoint.Host.
type Disk struct {
	dir  string
	lock *os.File
}

// ErrLocked is returned when another process uses the data directory.
var ErrLocked = errors.New("data directory is in use by another process")

// OpenDisk makes the directory if need be and locks it.
func OpenDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, ErrLocked), lock.Close())
	}
	return &Disk{dir: dir, lock: lock}, nil
}

// Close gives the lock back.
func (d *Disk) Close() error { return d.lock.Close() }

func (d *Disk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// Create implements world.FS.
func (d *Disk) Create(name string) (world.File, error) {
	f, err := os.OpenFile(d.path(name), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// Open implements world.FS.
func (d *Disk) Open(name string) (world.File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// Rename implements world.FS.
func (d *Disk) Rename(oldname, newname string) error {
	return os.Rename(d.path(oldname), d.path(newname))
}

// Remove implements world.FS.
func (d *Disk) Remove(name string) error { return os.Remove(d.path(name)) }

// MkdirAll implements world.FS.
func (d *Disk) MkdirAll(dir string) error {
	if err := os.MkdirAll(d.path(dir), 0o700); err != nil {
		return err
	}
	return d.SyncDir(".")
}

// List implements world.FS.
func (d *Disk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(d.path(dir))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements world.FS.
func (d *Disk) SyncDir(dir string) error { return syncDir(d.path(dir)) }

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// BoltPath implements checkpoint.Host.
func (d *Disk) BoltPath(name string) (string, func(string, int, os.FileMode) (*os.File, error), func() error, error) {
	return d.path(name), os.OpenFile, func() error { return nil }, nil
}

// file is an open file.
type file struct{ *os.File }

// Sync implements world.File.
func (f file) Sync() error { return syncData(f.File) }

// Size implements world.File.
func (f file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
