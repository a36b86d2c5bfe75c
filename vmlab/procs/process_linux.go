package procs

import "syscall"

// ownGroup keeps signals of the terminal from a child, and ends it with the
// thread that started it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
