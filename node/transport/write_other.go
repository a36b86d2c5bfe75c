//go:build !linux

package transport

import "golang.org/x/sys/unix"

// writeNow writes to a socket that doesn't block, and returns how much it took.
func writeNow(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Write(fd, b)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}
