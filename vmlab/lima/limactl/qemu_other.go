//go:build !linux

package main

import "errors"

// becomeQEMU is of no use here: QEMU's accelerator is probed by Lima itself.
func becomeQEMU([]string, []string) error { return errors.ErrUnsupported }
