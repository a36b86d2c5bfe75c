// Package lease is how the processes of one machine know until when units may run:
// a word in a file that all of them map. The node sets it, the machine's guard kills
// by it, and a unit's process looks at it on the last step to its program.
//
// The word is a time on a clock that runs on while the machine is suspended, or one of
// None, Over and Always. Who finds that the time has passed makes it Over; only the
// node, when nothing runs any more, takes it from there. Every change is one atomic
// step, so that of a renewal and an end that meet one wins, and both sides know which.
package lease

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Until is what the word says.
type Until uint64

// What is no time.
const (
	// None says that nothing may run that the lease is about.
	None Until = 0
	// Over says that the lease has passed and its units are being killed.
	Over Until = 1
	// Always says that units run on without a lease.
	Always Until = 1<<64 - 1
)

// At makes a word of a time on this package's clock.
func At(t time.Duration) Until { return Until(max(t, 2)) }

// Time returns the time that a word says, and false if it says none.
func (u Until) Time() (time.Duration, bool) {
	if u == None || u == Over || u == Always {
		return 0, false
	}
	return time.Duration(u), true
}

// Allows says whether units may run at a time.
func (u Until) Allows(now time.Duration) bool {
	at, timed := u.Time()
	return u == Always || timed && now < at
}

// String says it for logs.
func (u Until) String() string {
	switch u {
	case None:
		return "none"
	case Over:
		return "over"
	case Always:
		return "always"
	}
	return time.Duration(u).String()
}

// ErrLease is matched when a file is no lease.
var ErrLease = errors.New("no lease")

// The file: a magic, the boot that it is of, and the word in a cache line of its own.
const (
	magic    = "drydock lease 1\n"
	bootAt   = len(magic)
	bootSize = 32
	wordAt   = 64
	fileSize = 128
)

// File is a mapped lease. Its methods may be called by any goroutine, but not after
// Close.
type File struct {
	memory []byte
	word   *atomic.Uint64
}

// Create opens the lease at path, and makes one that says None if there is none, or
// one of an earlier boot of the system.
func Create(path string) (*File, error) {
	f, err := Open(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errBoot) {
		return f, err
	}
	boot, err := BootID()
	if err != nil {
		return nil, err
	}
	text := make([]byte, fileSize)
	copy(text, magic)
	copy(text[bootAt:], boot)
	if err := renameio.WriteFile(path, text, 0o600); err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	return Open(path)
}

// errBoot is matched by a lease of an earlier boot.
var errBoot = errors.New("it is of an earlier boot")

// Open opens the lease at path.
func Open(path string) (*File, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	defer file.Close() // the mapping stays
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	if info.Size() != fileSize || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("lease: %s: %w: %d bytes, not %d", path, ErrLease, info.Size(), fileSize)
	}
	memory, err := unix.Mmap(int(file.Fd()), 0, fileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("lease: %s: mmap: %w", path, err)
	}
	boot, err := BootID()
	switch {
	case err != nil:
	case !bytes.HasPrefix(memory, []byte(magic)):
		err = fmt.Errorf("lease: %s: %w: it begins otherwise", path, ErrLease)
	case string(memory[bootAt:bootAt+bootSize]) != boot:
		err = fmt.Errorf("lease: %s: %w", path, errBoot)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(memory))
	}
	// A page begins at a multiple of 8, and so does the word.
	return &File{memory: memory, word: (*atomic.Uint64)(unsafe.Pointer(&memory[wordAt]))}, nil
}

// Close lets go of the file.
func (f *File) Close() error {
	f.word = nil
	return unix.Munmap(f.memory)
}

// Read returns what the word says.
func (f *File) Read() Until { return Until(f.word.Load()) }

// Swap changes the word if it says old.
func (f *File) Swap(old, to Until) bool { return f.word.CompareAndSwap(uint64(old), uint64(to)) }

// Renew sets the word to a time, or to None or Always, unless the lease is Over: then
// it returns false. So it does, and makes it Over, if its time has passed unnoticed.
func (f *File) Renew(to Until) bool {
	for {
		old := f.Read()
		if old == Over {
			return false
		}
		if at, timed := old.Time(); timed && at <= Now() {
			f.Swap(old, Over)
			continue
		}
		if f.Swap(old, to) {
			return true
		}
	}
}

// Begin sets a word that may say Over: it is for a machine on which nothing runs that
// the lease is about.
func (f *File) Begin(to Until) { f.word.Store(uint64(to)) }

// Check returns an error that matches ErrOver unless units may run now.
func (f *File) Check() error {
	if until := f.Read(); !until.Allows(Now()) {
		return fmt.Errorf("%w (%s)", ErrOver, until)
	}
	return nil
}

// ErrOver is matched when a lease doesn't allow units to run.
var ErrOver = errors.New("the machine's lease has passed")

// BootID names the boot of the system, in 32 hex digits.
func BootID() (string, error) {
	text, err := bootID()
	if err != nil {
		return "", fmt.Errorf("the system's boot: %w", err)
	}
	id := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(text), "-", ""))
	if b, err := hex.DecodeString(id); err != nil || len(b) != bootSize/2 {
		return "", fmt.Errorf("the system's boot: %q is not an id", text)
	}
	return id, nil
}

// Peek returns what the lease at a path says, for those who only look; it may be of
// another system's boot.
func Peek(path string) (Until, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return None, fmt.Errorf("lease: %w", err)
	}
	if len(text) != fileSize || !bytes.HasPrefix(text, []byte(magic)) {
		return None, fmt.Errorf("lease: %s: %w: %d bytes", path, ErrLease, len(text))
	}
	return Until(binary.NativeEndian.Uint64(text[wordAt:])), nil
}
