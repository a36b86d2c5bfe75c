package work

import (
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// page is the memory that a process and the observer share. Times are of package
// lease's clock, 0 for never.
type page struct {
	memory []byte
	words  *words
}

// words are what is in it, each written by one side only.
type words struct {
	// Of the process: when it began, when it last executed, when it was first told to
	// end, and when it was about to exit on its own account or because it was told.
	began, beat, told, exits atomic.Int64
	// Of the observer: whether the process is kept from ending when told to.
	hang atomic.Bool
}

// pageSize is enough for the words, and what the kernel maps at least.
const pageSize = 4096

// newPage makes a page and the file that another process maps it by.
func newPage() (*page, *os.File, error) {
	fd, err := unix.MemfdCreate("drydock-work", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "page")
	if err := file.Truncate(pageSize); err != nil {
		_ = file.Close() // nothing is in it
		return nil, nil, err
	}
	p, err := mapPage(fd)
	if err != nil {
		_ = file.Close() // nothing is in it
		return nil, nil, err
	}
	return p, file, nil
}

func mapPage(fd int) (*page, error) {
	memory, err := unix.Mmap(fd, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	// A page begins where anything may.
	return &page{memory: memory, words: (*words)(unsafe.Pointer(&memory[0]))}, nil
}

func (p *page) close() error {
	p.words = nil
	return unix.Munmap(p.memory)
}

func at(word *atomic.Int64) time.Duration { return time.Duration(word.Load()) }
