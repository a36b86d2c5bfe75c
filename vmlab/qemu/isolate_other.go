//go:build !linux

package qemu

import "syscall"

// isolated is how QEMU runs: it has no network device, and that must do here.
func isolated() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
