//go:build unix

package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// duplicate returns a second handle of f.
func duplicate(f *os.File, name string) (*os.File, error) {
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name), nil
}
