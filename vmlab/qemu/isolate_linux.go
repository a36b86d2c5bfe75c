package qemu

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolated is how QEMU runs: it dies with this process, and where it is there is no
// network.
func isolated() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
}
