package lab

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Scratch is a directory for a lab that is there as long as its process at most.
type Scratch struct {
	// Dir is its path.
	Dir string

	owner *os.File // locked as long as the process lives
}

// ownerFile is locked by who has made a scratch.
const ownerFile = ".owner"

// NewScratch makes one whose name begins so. What processes that were killed have left
// of that beginning goes first: reap is told of each such directory, and ends what was
// made outside of it.
func NewScratch(prefix string, reap func(dir string) error) (*Scratch, error) {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return nil, err
	}
	for _, dir := range left {
		removeLeft(dir, reap)
	}
	for {
		dir, err := os.MkdirTemp("", prefix)
		if err != nil {
			return nil, err
		}
		// Its name is in the names of what is made outside, so it has no links in it.
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(filepath.Join(dir, ownerFile), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			return nil, errors.Join(err, f.Close(), os.RemoveAll(dir))
		}
		if (Store{Dir: dir}).has(f, ownerFile) {
			return &Scratch{Dir: dir, owner: f}, nil
		}
		_ = f.Close() // somebody took it for one that was left
	}
}

// removeLeft removes a scratch of this user's that nobody owns any more. What can't be
// removed stays for the next one to try: it is in nobody's way.
func removeLeft(dir string, reap func(dir string) error) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return
	}
	if s, ok := info.Sys().(*syscall.Stat_t); !ok || int(s.Uid) != os.Geteuid() {
		return
	}
	f, err := os.OpenFile(filepath.Join(dir, ownerFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return // not one, or not that far
	}
	defer func() { _ = f.Close() }()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return // it is in use
	}
	if whole, err := filepath.EvalSymlinks(dir); err == nil && reap(whole) == nil {
		_ = RemoveTree(whole)
	}
}

// Close removes it with all that is in it.
func (s *Scratch) Close() error { return errors.Join(RemoveTree(s.Dir), s.owner.Close()) }
