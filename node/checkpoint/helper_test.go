package checkpoint

import (
	"os"
	"path/filepath"
	"testing"

	"drydock/node/world"
)

// osFS is a world.FS and a Host over a directory of the host.
type osFS struct{ dir string }

var _ Host = osFS{}

// newFS returns an osFS over a directory that goes with the test.
func newFS(t testing.TB) osFS { return osFS{t.TempDir()} }

func (f osFS) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f osFS) BoltPath(name string) (string, func(string, int, os.FileMode) (*os.File, error), func() error, error) {
	return f.path(name), os.OpenFile, func() error { return nil }, nil
}

func (f osFS) Create(name string) (world.File, error) {
	file, err := os.Create(f.path(name))
	return osFile{file}, err
}

func (f osFS) Open(name string) (world.File, error) {
	file, err := os.OpenFile(f.path(name), os.O_RDWR, 0)
	return osFile{file}, err
}

func (f osFS) Rename(oldname, newname string) error {
	return os.Rename(f.path(oldname), f.path(newname))
}

func (f osFS) Remove(name string) error { return os.Remove(f.path(name)) }

func (f osFS) MkdirAll(dir string) error { return os.MkdirAll(f.path(dir), 0o700) }

func (f osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(f.path(dir))
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (f osFS) SyncDir(string) error { return nil }

// osFile is a world.File of the host.
type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
