//go:build unix && !linux

package kv

import "syscall"

// ownGroup keeps the terminal's signals from a server.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
