package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"drydock/node/world"
)

const (
	// pageBytes is the page size of every file, whatever the host's, so that
	// equal states give equal files.
	pageBytes = 4096
	// lockTimeout bounds the wait for another job that has the file open.
	lockTimeout = 10 * time.Second
)

// errNoHost says that the file system can't hold a bbolt file.
var errNoHost = errors.New("the file system can not hold a bbolt file")

// manyBytes are changes for which a file is mapped with room: as it grows beyond its
// mapping bbolt copies all that a transaction has put, and does so at each doubling.
const manyBytes = 16 << 20

// session opens the bbolt file called name, runs fn on it and closes it. Room is about
// how many bytes fn will put.
func session(fs world.FS, name string, readOnly bool, room int, fn func(*bbolt.DB) error) (err error) {
	host, ok := fs.(Host)
	if !ok {
		return errNoHost
	}
	path, openFile, done, err := host.BoltPath(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	var file *os.File
	opts := &bbolt.Options{}
	*opts = bbolt.Options{
		Timeout: lockTimeout, PageSize: pageBytes, ReadOnly: readOnly, NoStatistics: true,
		// The array's file is a function of the transactions; the map's is not.
		FreelistType: bbolt.FreelistArrayType,
		OpenFile: func(path string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := openFile(path, flag, mode)
			switch {
			case err != nil:
			case readOnly:
				err = surveyFile(f)
			case room >= manyBytes:
				// Pages may be half empty, and old ones stay. It is address space, no more.
				opts.InitialMmapSize = int(sizeOf(f)) + 4*room
			}
			if err != nil {
				return nil, err
			}
			file = f
			return f, nil
		},
	}
	var db *bbolt.DB
	panicked, err := guard(func() (err error) {
		db, err = bbolt.Open(path, 0o600, opts)
		return err
	})
	if err == nil {
		panicked, err = guard(func() error { return fn(db) })
	}
	if panicked {
		// bbolt's locks are in an unknown state and closing it might wait for
		// ever. The mapping stays; a node with a corrupt checkpoint stops.
		return errors.Join(err, closeFile(file))
	}
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	return err
}

// sizeOf returns a file's size, 0 if the system doesn't tell.
func sizeOf(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// surveyFile checks the pages of f; see surveyor. On an error f is closed.
func surveyFile(f *os.File) error {
	info, err := f.Stat()
	if err == nil {
		err = survey(f, info.Size())
	}
	if err != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}

// closeFile closes f if it was opened.
func closeFile(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

// callbackPanic carries a panic of the caller's own code through guard.
type callbackPanic struct{ value any }

// callback calls each; its panics stay panics.
func callback(each func(Record) error, r Record) error {
	returned := false
	defer func() {
		if !returned {
			panic(callbackPanic{recover()})
		}
	}()
	err := each(r)
	returned = true
	return err
}

// guard runs fn and makes errors of bbolt's panics, which is how it meets a
// damaged file, and of faults in its mapping of a file cut short.
func guard(fn func() error) (panicked bool, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case callbackPanic:
			panic(p.value)
		default:
			panicked, err = true, fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	err = fn()
	for _, damage := range []error{bolterrors.ErrInvalid, bolterrors.ErrVersionMismatch, bolterrors.ErrChecksum} {
		if errors.Is(err, damage) {
			return false, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	return false, err
}
