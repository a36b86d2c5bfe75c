package kv

import "syscall"

// ownGroup keeps the terminal's signals from a server, and ends it with the thread
// that started it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
