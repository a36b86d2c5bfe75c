package transport

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// writeNow writes to a socket that doesn't block, and returns how much it took. It
// is made without telling the runtime's scheduler, whose care is for calls that wait.
func writeNow(fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
