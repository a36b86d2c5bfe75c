package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.etcd.io/bbolt"

	"drydock/node/world"
)

const (
	// tmpSuffix marks files that are not complete.
	tmpSuffix = ".tmp"
	// importBytes is about how much an import puts into one transaction.
	importBytes = 4 << 20
	// maxNameBytes bounds the name of a snapshot file.
	maxNameBytes = 128
)

// snapPath returns the file of the snapshot called name.
func snapPath(name string) (string, error) {
	if name == "" || len(name) > maxNameBytes || strings.ContainsAny(name, "/\\\x00") ||
		strings.HasPrefix(name, ".") || strings.HasSuffix(name, tmpSuffix) {
		return "", fmt.Errorf("%w: snapshot file name %q", ErrBound, name)
	}
	return SnapDir + "/" + name, nil
}

// Export writes the whole checkpoint to the snapshot file name, durably, and
// returns its size. It holds the checkpoint's file open meanwhile.
func Export(fs world.FS, name string) (Meta, int64, error) {
	path, err := snapPath(name)
	if err != nil {
		return Meta{}, 0, err
	}
	m, size, err := export(fs, path)
	if err != nil {
		return Meta{}, 0, fmt.Errorf("checkpoint: export %s: %w", name, err)
	}
	return m, size, nil
}

// export writes a temporary file and publishes it as path.
func export(fs world.FS, path string) (m Meta, size int64, err error) {
	if err := fs.MkdirAll(SnapDir); err != nil {
		return Meta{}, 0, err
	}
	file, err := fs.Create(path + tmpSuffix)
	if err != nil {
		return Meta{}, 0, err
	}
	err = view(fs, func(got Meta, tx *bbolt.Tx) error {
		m = got
		w, err := newSnapWriter(file, m)
		if err != nil {
			return err
		}
		if err := eachRecord(tx, w.add); err != nil {
			return err
		}
		size, err = w.finish()
		return err
	})
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return Meta{}, 0, errors.Join(err, fs.Remove(path+tmpSuffix))
	}
	_, err = publish(fs, path)
	return m, size, err
}

// nothing takes a record and forgets it.
func nothing(Record) error { return nil }

// publish verifies the temporary file of path, which is durable, and gives it
// its name. A file that is refused is removed.
func publish(fs world.FS, path string) (Meta, error) {
	m, err := verify(fs, path+tmpSuffix)
	if err != nil {
		return Meta{}, errors.Join(err, fs.Remove(path+tmpSuffix))
	}
	if err := fs.Rename(path+tmpSuffix, path); err != nil {
		return Meta{}, err
	}
	return m, fs.SyncDir(SnapDir)
}

// Verify reads a snapshot file through and checks everything.
func Verify(fs world.FS, name string) (Meta, error) {
	path, err := snapPath(name)
	if err != nil {
		return Meta{}, err
	}
	m, err := verify(fs, path)
	if err != nil {
		return Meta{}, fmt.Errorf("checkpoint: verify %s: %w", name, err)
	}
	return m, nil
}

// verify is Verify of a path.
func verify(fs world.FS, path string) (m Meta, err error) {
	err = readFile(fs, path, func(got Meta) error { m = got; return nil }, nothing)
	return m, err
}

// readFile reads the snapshot file at path.
func readFile(fs world.FS, path string, meta func(Meta) error, each func(Record) error) error {
	file, err := fs.Open(path)
	if err != nil {
		return err
	}
	size, err := file.Size()
	if err == nil {
		err = readSnapshot(io.NewSectionReader(file, 0, size), size, meta, each)
	}
	return errors.Join(err, file.Close())
}

// Import makes the content of a snapshot file the checkpoint: it verifies the
// file while it builds a new bbolt file of it, and only then puts that in the
// place of the old one. It refuses an index below the stored one with
// ErrIndexBack.
func Import(fs world.FS, name string) (Meta, error) {
	path, err := snapPath(name)
	if err != nil {
		return Meta{}, err
	}
	m, err := replace(fs, path)
	if err != nil {
		return Meta{}, fmt.Errorf("checkpoint: import %s: %w", name, err)
	}
	return m, nil
}

// replace is Import of a path.
func replace(fs world.FS, path string) (Meta, error) {
	exists, err := prepare(fs)
	if err != nil {
		return Meta{}, err
	}
	var stored uint64
	if exists {
		err := view(fs, func(was Meta, _ *bbolt.Tx) error { stored = was.Index; return nil })
		if err != nil {
			return Meta{}, err
		}
	}
	var m Meta
	err = session(fs, newName, false, 0, func(db *bbolt.DB) error {
		b := builder{db: db}
		err := readFile(fs, path, func(got Meta) error {
			m = got
			if m.Index < stored {
				return fmt.Errorf("%w: %d after %d", ErrIndexBack, m.Index, stored)
			}
			return nil
		}, b.add)
		if err != nil {
			return err
		}
		return db.Update(func(tx *bbolt.Tx) error { return put(tx, 0, m, b.batch) })
	})
	if err != nil {
		_, cleanup := prepare(fs)
		return Meta{}, errors.Join(err, cleanup)
	}
	return m, adopt(fs)
}

// builder fills a new bbolt file in transactions of bounded size.
type builder struct {
	db    *bbolt.DB
	batch []Record
	bytes int
}

// add takes a record.
func (b *builder) add(r Record) error {
	b.batch = append(b.batch, r)
	b.bytes += len(r.Bucket) + len(r.Key) + len(r.Value)
	if b.bytes < importBytes {
		return nil
	}
	err := b.db.Update(func(tx *bbolt.Tx) error { return putRecords(tx, b.batch) })
	b.batch, b.bytes = b.batch[:0], 0
	return err
}
