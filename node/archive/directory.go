package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"drydock/node/checkpoint"
	"drydock/node/host"
	"drydock/node/world"
)

// ErrNoDirectory is matched when a path is not a data directory of a member.
var ErrNoDirectory = errors.New("not a data directory")

// errReadOnly is what a directory answers that is only to be read.
var errReadOnly = errors.New("archive: the directory is only read")

// lockName is the file that a running node holds a lock on.
const lockName = "lock"

// directory is a data directory as a file system that can't be changed. It
// implements world.FS and checkpoint.Host.
type directory struct {
	path string
	lock *os.File // nil if no node has ever run there
}

var (
	_ world.FS        = (*directory)(nil)
	_ checkpoint.Host = (*directory)(nil)
)

// openDirectory opens a data directory, with a lock that keeps nodes away from it
// and lets others read.
func openDirectory(path string) (*directory, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("data directory: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is a file: %w", path, ErrNoDirectory)
	}
	d := &directory{path: path}
	d.lock, err = os.Open(filepath.Join(path, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := unix.Flock(int(d.lock.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		err = fmt.Errorf("%s: %w: stop the node first", path, host.ErrLocked)
		return nil, errors.Join(err, d.lock.Close())
	}
	return d, nil
}

// Close gives the lock back.
func (d *directory) Close() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Close()
}

func (d *directory) at(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

// Open implements world.FS; the file is only to be read.
func (d *directory) Open(name string) (world.File, error) {
	f, err := os.Open(d.at(name))
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

// List implements world.FS.
func (d *directory) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(d.at(dir))
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

// BoltPath implements checkpoint.Host.
func (d *directory) BoltPath(name string) (string, func(string, int, os.FileMode) (*os.File, error), func() error, error) {
	return d.at(name), os.OpenFile, func() error { return nil }, nil
}

// Create implements world.FS.
func (d *directory) Create(string) (world.File, error) { return nil, errReadOnly }

// Rename implements world.FS.
func (d *directory) Rename(string, string) error { return errReadOnly }

// Remove implements world.FS.
func (d *directory) Remove(string) error { return errReadOnly }

// MkdirAll implements world.FS.
func (d *directory) MkdirAll(string) error { return errReadOnly }

// SyncDir implements world.FS.
func (d *directory) SyncDir(string) error { return errReadOnly }

// size returns the length of a file, 0 if it can't be told.
func (d *directory) size(name string) int64 {
	info, err := os.Stat(d.at(name))
	if err != nil {
		return 0
	}
	return info.Size()
}

// file is an open file.
type file struct{ *os.File }

// Size implements world.File.
func (f file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
