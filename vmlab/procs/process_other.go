//go:build !linux

package procs

import "syscall"

// ownGroup keeps signals of the terminal from a child. Nothing ends it with this
// process where that dies without ado.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
