//go:build !linux

package disk

import (
	"errors"
	"os"
)

// newMemFile returns an unlinked temporary file.
func newMemFile(string) (*os.File, error) {
	f, err := os.CreateTemp("", "drydock-bolt-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
