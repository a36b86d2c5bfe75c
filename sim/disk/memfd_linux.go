package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// newMemFile returns an anonymous file in memory.
func newMemFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate("disk", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
