//go:build !linux

package host

import "os"

// syncData makes a file's data and length durable.
func syncData(f *os.File) error { return f.Sync() }
