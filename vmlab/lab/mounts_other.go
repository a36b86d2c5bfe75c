//go:build !linux

package lab

// mountsBelow lists what is mounted below a directory: labs mount nothing here.
func mountsBelow(string) ([]string, error) { return nil, nil }
