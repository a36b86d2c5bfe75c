package checkpoint

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"slices"
	"strings"

	"drydock/node/world"
)

// MaxChunkBytes bounds a chunk of a snapshot file.
const MaxChunkBytes = 4 << 20

// ReadChunk reads up to n bytes of a snapshot file at off; fewer only at its
// end. Size is the file's length.
func ReadChunk(fs world.FS, name string, off int64, n int) (data []byte, size int64, err error) {
	path, err := snapPath(name)
	if err != nil {
		return nil, 0, err
	}
	if n <= 0 || n > MaxChunkBytes || off < 0 {
		return nil, 0, fmt.Errorf("%w: chunk of %d bytes at %d", ErrBound, n, off)
	}
	file, err := fs.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("checkpoint: read %s: %w", name, err)
	}
	size, err = file.Size()
	if err == nil && off < size {
		data = make([]byte, min(int64(n), size-off))
		if _, err = file.ReadAt(data, off); err == io.EOF {
			err = nil
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, 0, fmt.Errorf("checkpoint: read %s: %w", name, err)
	}
	return data, size, nil
}

// Receiver collects the chunks of a snapshot file.
type Receiver struct {
	fs   world.FS
	path string
	file world.File
	off  int64
}

// Receive begins to collect the snapshot file name, dropping what an earlier
// attempt left unfinished.
func Receive(fs world.FS, name string) (*Receiver, error) {
	path, err := snapPath(name)
	if err != nil {
		return nil, err
	}
	if err := fs.MkdirAll(SnapDir); err != nil {
		return nil, fmt.Errorf("checkpoint: receive %s: %w", name, err)
	}
	file, err := fs.Create(path + tmpSuffix)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: receive %s: %w", name, err)
	}
	return &Receiver{fs: fs, path: path, file: file}, nil
}

// Offset is where the next chunk belongs.
func (r *Receiver) Offset() int64 { return r.off }

// WriteAt adds the chunk at off, which must be Offset (else ErrOrder).
func (r *Receiver) WriteAt(data []byte, off int64) error {
	if off != r.off {
		return fmt.Errorf("%w: at %d, have %d", ErrOrder, off, r.off)
	}
	if len(data) > MaxChunkBytes {
		return fmt.Errorf("%w: chunk of %d bytes", ErrBound, len(data))
	}
	if _, err := r.file.WriteAt(data, off); err != nil {
		return fmt.Errorf("checkpoint: receive: %w", err)
	}
	r.off += int64(len(data))
	return nil
}

// Finish makes the file durable, verifies it and gives it its name. A file that
// is refused is removed.
func (r *Receiver) Finish() (Meta, error) {
	err := r.file.Sync()
	if err = errors.Join(err, r.file.Close()); err != nil {
		return Meta{}, fmt.Errorf("checkpoint: receive: %w", err)
	}
	m, err := publish(r.fs, r.path)
	if err != nil {
		return Meta{}, fmt.Errorf("checkpoint: receive: %w", err)
	}
	return m, nil
}

// Abort drops what was received.
func (r *Receiver) Abort() error {
	return errors.Join(r.file.Close(), r.fs.Remove(r.path+tmpSuffix))
}

// Snapshots lists the complete snapshot files, sorted.
func Snapshots(fs world.FS) ([]string, error) {
	names, err := listSnap(fs)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, tmpSuffix) }), nil
}

// listSnap lists what is in SnapDir; a directory that is missing is empty.
func listSnap(fs world.FS) ([]string, error) {
	names, err := fs.List(SnapDir)
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return nil, fmt.Errorf("checkpoint: list snapshots: %w", err)
	}
	return names, nil
}

// Clean removes every snapshot file but keep, and all unfinished ones. It must
// not run while one is exported or received.
func Clean(fs world.FS, keep ...string) error {
	names, err := listSnap(fs)
	if err != nil {
		return err
	}
	removed := false
	for _, name := range names {
		if slices.Contains(keep, name) {
			continue
		}
		if err := fs.Remove(SnapDir + "/" + name); err != nil {
			return fmt.Errorf("checkpoint: clean: %w", err)
		}
		removed = true
	}
	if !removed {
		return nil
	}
	if err := fs.SyncDir(SnapDir); err != nil {
		return fmt.Errorf("checkpoint: clean: %w", err)
	}
	return nil
}
