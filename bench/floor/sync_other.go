//go:build !linux

package floor

import "os"

// syncData makes a file's content stable.
func syncData(f *os.File) error { return f.Sync() }
