package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Names in the directory that node and guard share.
const (
	// LeaseFile is the machine's lease, UnitsDir where its supervisor keeps records.
	LeaseFile = "lease"
	UnitsDir  = "units"

	globalsFile = "globals.json"
	setupFile   = "setup.json"
	lockFile    = "guard.lock"
	aliveFile   = "guard.alive"
	nodeLock    = "node.lock"
	nodeFile    = "node.alive"
	logFile     = "guard.log"
)

// ErrTaken is matched when another process holds a lock.
var ErrTaken = errors.New("another process has it")

// Lock takes a lock that this process has until the file is closed or the process
// ends, or fails with ErrTaken. It is a lock of the process: no second one may be
// opened by it (fcntl(2)).
func Lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = fmt.Errorf("%s: %w", path, ErrTaken)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// holder returns the process that holds a lock, zero if there is none. It doesn't
// touch the lock.
func holder(path string) (int, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	look := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &look); err != nil {
		return 0, err
	}
	if look.Type == unix.F_UNLCK {
		return 0, nil
	}
	return int(look.Pid), nil
}

// openPipe opens a named pipe, made if it isn't there, so that those who read it see
// its end when this process ends. Opening waits for nobody.
func openPipe(path string) (*os.File, error) {
	if err := makePipe(path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
}

func makePipe(path string) error {
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
