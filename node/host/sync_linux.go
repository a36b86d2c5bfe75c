package host

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData makes a file's data and length durable, and not its times: where the
// log's segments are filled in advance, a sync then writes data alone.
// (fdatasync(2))
func syncData(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for {
			if failed = unix.Fdatasync(int(fd)); failed != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("fdatasync", failed)
}
