//go:build !linux

package image

import "syscall"

// dieWithParent can't be had here.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
