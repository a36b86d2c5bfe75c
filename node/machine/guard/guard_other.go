//go:build !linux

package guard

import "os"

func programPath() (string, error) { return os.Executable() }

func protect() {}
