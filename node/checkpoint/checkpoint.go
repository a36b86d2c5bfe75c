package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"drydock/node/world"
)

// Dir and SnapDir are the directories of the checkpoint and of snapshot files.
const (
	Dir     = "ckpt"
	SnapDir = "snap"
)

// Names under Dir.
const (
	stateName = Dir + "/state.db"
	newName   = Dir + "/new.db"
)

// Bounds.
const (
	// MaxBucketBytes and MaxKeyBytes bound names; bbolt itself allows no more.
	MaxBucketBytes = 255
	MaxKeyBytes    = bbolt.MaxKeySize
	// MaxValueBytes bounds one value.
	MaxValueBytes = 64 << 20
	// MaxExtraBytes bounds Meta.Extra.
	MaxExtraBytes = 16 << 20
)

// Errors of this package.
var (
	// ErrNoCheckpoint: there is no checkpoint yet.
	ErrNoCheckpoint = errors.New("checkpoint: none")
	// ErrIndexBack: the new index is below the one that is stored.
	ErrIndexBack = errors.New("checkpoint: index goes back")
	// ErrCorrupt: a checkpoint or a snapshot file is damaged.
	ErrCorrupt = errors.New("checkpoint: corrupt")
	// ErrBound: a record, a description or a name exceeds its bound.
	ErrBound = errors.New("checkpoint: out of bounds")
	// ErrOrder: a chunk does not continue what was received.
	ErrOrder = errors.New("checkpoint: chunk out of order")
)

// Record is one key of the state. A nil Value deletes the key.
type Record struct {
	Bucket     string
	Key, Value []byte
}

// check refuses what the store can't hold.
func (r *Record) check() error {
	switch {
	case r.Bucket == "" || len(r.Bucket) > MaxBucketBytes:
		return fmt.Errorf("%w: bucket name of %d bytes", ErrBound, len(r.Bucket))
	case len(r.Key) == 0 || len(r.Key) > MaxKeyBytes:
		return fmt.Errorf("%w: key of %d bytes in bucket %q", ErrBound, len(r.Key), r.Bucket)
	case len(r.Value) > MaxValueBytes:
		return fmt.Errorf("%w: value of %d bytes in bucket %q", ErrBound, len(r.Value), r.Bucket)
	}
	return nil
}

// Meta says what a checkpoint holds.
type Meta struct {
	// Index and Term are of the last log entry that the state contains.
	Index, Term uint64
	// Revision is the state's count of commands.
	Revision uint64
	// Digest is the state's digest; whoever loads the records compares it.
	Digest [16]byte
	// Extra is opaque (the membership, the cluster's time).
	Extra []byte
}

// Host is implemented by a world.FS that can hold a bbolt file.
type Host interface {
	// BoltPath returns how to open the bbolt file called name, which need not
	// exist. openFile is called once; done is called once, after the database
	// has been closed. In between at most one transaction is committed to a
	// file that existed before.
	BoltPath(name string) (path string, openFile func(string, int, os.FileMode) (*os.File, error), done func() error, err error)
}

// The buckets and the key of the file.
var (
	metaBucket = []byte("meta")
	metaKey    = []byte("checkpoint")
	dataBucket = []byte("data")
)

// Write applies changes and m in one transaction, durably. It refuses an index
// below the stored one with ErrIndexBack.
func Write(fs world.FS, m Meta, changes []Record) error { return write(fs, 0, m, changes) }

// Advance is Write for changes that are complete only on top of the checkpoint
// at index base. It fails with ErrCorrupt if another one is stored, or none: a
// damaged file may show an earlier state than was written to it last.
func Advance(fs world.FS, base uint64, m Meta, changes []Record) error {
	return write(fs, base, m, changes)
}

// write is Write, or Advance if base is not 0.
func write(fs world.FS, base uint64, m Meta, changes []Record) error {
	room := 0
	for i := range changes {
		if err := changes[i].check(); err != nil {
			return err
		}
		room += len(changes[i].Key) + len(changes[i].Value)
	}
	exists, err := prepare(fs)
	if err != nil {
		return fmt.Errorf("checkpoint: write: %w", err)
	}
	update := func(db *bbolt.DB) error {
		return db.Update(func(tx *bbolt.Tx) error { return put(tx, base, m, changes) })
	}
	if base > 0 && !exists {
		err = fmt.Errorf("%w: the one at index %d is gone", ErrCorrupt, base)
	} else if exists {
		// A process that died between adopt's two steps left a name that is not
		// durable, and only this shows it: what follows relies on it.
		if err = fs.SyncDir(Dir); err == nil {
			err = session(fs, stateName, false, room, update)
		}
	} else if err = session(fs, newName, false, room, update); err == nil {
		err = adopt(fs)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: write index %d: %w", m.Index, err)
	}
	return nil
}

// prepare makes the directory, clears away a new file that a crash left, and
// says whether there is a checkpoint.
func prepare(fs world.FS) (exists bool, err error) {
	if err := fs.MkdirAll(Dir); err != nil {
		return false, err
	}
	names, err := fs.List(Dir)
	if err != nil {
		return false, err
	}
	for _, base := range names {
		switch Dir + "/" + base {
		case stateName:
			exists = true
		case newName:
			if err := fs.Remove(newName); err != nil {
				return false, err
			}
		}
	}
	return exists, nil
}

// adopt makes the new file, which is durable, the checkpoint.
func adopt(fs world.FS) error {
	if err := fs.Rename(newName, stateName); err != nil {
		return err
	}
	return fs.SyncDir(Dir)
}

// put writes m and changes in tx, which must hold the checkpoint at index base
// if that is not 0.
func put(tx *bbolt.Tx, base uint64, m Meta, changes []Record) error {
	meta, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return err
	}
	if old := meta.Get(metaKey); old != nil {
		was, err := decodeMeta(old)
		if err != nil {
			return err
		}
		if base > 0 && was.Index != base {
			return fmt.Errorf("%w: it holds index %d, written was %d", ErrCorrupt, was.Index, base)
		}
		if m.Index < was.Index {
			return fmt.Errorf("%w: %d after %d", ErrIndexBack, m.Index, was.Index)
		}
	}
	if err := putRecords(tx, changes); err != nil {
		return err
	}
	value, err := appendMeta(nil, m)
	if err != nil {
		return err
	}
	return meta.Put(metaKey, value)
}

// putRecords applies changes: of one key, the last counts.
func putRecords(tx *bbolt.Tx, changes []Record) error {
	changes = inOrder(changes)
	data, err := tx.CreateBucketIfNotExists(dataBucket)
	if err != nil {
		return err
	}
	var bucket *bbolt.Bucket
	name := ""
	for i := range changes {
		c := &changes[i]
		if bucket == nil || name != c.Bucket {
			if bucket, err = data.CreateBucketIfNotExists([]byte(c.Bucket)); err != nil {
				return err
			}
			name = c.Bucket
		}
		if c.Value == nil {
			err = bucket.Delete(c.Key)
		} else {
			err = bucket.Put(c.Key, c.Value)
		}
		if err != nil {
			return fmt.Errorf("bucket %q, key %q: %w", c.Bucket, c.Key, err)
		}
	}
	return nil
}

// Load reads the whole checkpoint: buckets in order of name, keys in order. The
// records are the callee's to keep. An error of each ends the reading.
func Load(fs world.FS, each func(Record) error) (Meta, error) {
	var m Meta
	err := view(fs, func(got Meta, tx *bbolt.Tx) error {
		m = got
		return eachRecord(tx, each)
	})
	if err != nil {
		return Meta{}, fmt.Errorf("checkpoint: load: %w", err)
	}
	return m, nil
}

// view runs fn on the checkpoint's description and a transaction that reads it.
func view(disk world.FS, fn func(Meta, *bbolt.Tx) error) error {
	names, err := disk.List(Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !slices.Contains(names, stateName[len(Dir)+1:]) {
		return ErrNoCheckpoint
	}
	return session(disk, stateName, true, 0, func(db *bbolt.DB) error {
		return db.View(func(tx *bbolt.Tx) error {
			m, err := readMeta(tx)
			if err != nil {
				return err
			}
			return fn(m, tx)
		})
	})
}

// readMeta returns the description in tx.
func readMeta(tx *bbolt.Tx) (Meta, error) {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		return Meta{}, fmt.Errorf("%w: no description", ErrCorrupt)
	}
	return decodeMeta(meta.Get(metaKey))
}

// eachRecord hands out a copy of every record in order.
func eachRecord(tx *bbolt.Tx, each func(Record) error) error {
	data := tx.Bucket(dataBucket)
	if data == nil {
		return fmt.Errorf("%w: no data", ErrCorrupt)
	}
	return data.ForEachBucket(func(name []byte) error {
		bucket, label := data.Bucket(name), string(name)
		return bucket.ForEach(func(k, v []byte) error {
			if v == nil {
				return fmt.Errorf("%w: bucket %q holds a bucket", ErrCorrupt, label)
			}
			r := Record{Bucket: label, Key: slices.Clone(k), Value: append([]byte{}, v...)}
			if err := r.check(); err != nil {
				return fmt.Errorf("%w: %w", ErrCorrupt, err)
			}
			return callback(each, r)
		})
	})
}

const metaVersion = 1

// metaFixed is the length of an encoded Meta without Extra and checksum.
const metaFixed = 1 + 3*8 + 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendMeta appends m's bytes: version, index, term, revision, digest, extra,
// CRC-32C.
func appendMeta(dst []byte, m Meta) ([]byte, error) {
	if len(m.Extra) > MaxExtraBytes {
		return nil, fmt.Errorf("%w: extra of %d bytes", ErrBound, len(m.Extra))
	}
	at := len(dst)
	dst = append(dst, metaVersion)
	dst = binary.LittleEndian.AppendUint64(dst, m.Index)
	dst = binary.LittleEndian.AppendUint64(dst, m.Term)
	dst = binary.LittleEndian.AppendUint64(dst, m.Revision)
	dst = append(dst, m.Digest[:]...)
	dst = append(dst, m.Extra...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli)), nil
}

// decodeMeta reads what appendMeta wrote; the result shares nothing with p.
func decodeMeta(p []byte) (Meta, error) {
	n := len(p) - 4
	if n < metaFixed || n > metaFixed+MaxExtraBytes {
		return Meta{}, fmt.Errorf("%w: description of %d bytes", ErrCorrupt, len(p))
	}
	if crc32.Checksum(p[:n], castagnoli) != binary.LittleEndian.Uint32(p[n:]) {
		return Meta{}, fmt.Errorf("%w: description with a wrong checksum", ErrCorrupt)
	}
	if p[0] != metaVersion {
		return Meta{}, fmt.Errorf("%w: description of version %d, this program knows %d", ErrCorrupt, p[0], metaVersion)
	}
	m := Meta{
		Index:    binary.LittleEndian.Uint64(p[1:]),
		Term:     binary.LittleEndian.Uint64(p[9:]),
		Revision: binary.LittleEndian.Uint64(p[17:]),
	}
	copy(m.Digest[:], p[25:])
	if n > metaFixed {
		m.Extra = slices.Clone(p[metaFixed:n])
	}
	return m, nil
}
