package machine

import "golang.org/x/sys/unix"

// memoryBytes is what the kernel says that there is.
func memoryBytes() (int64, error) {
	n, err := unix.SysctlUint64("hw.memsize")
	return int64(n), err
}
