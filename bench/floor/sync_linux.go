package floor

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData makes a file's content stable.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }
