//go:build !linux

package qemu

import (
	"context"
	"errors"

	"drydock/vmlab/lab"
)

// errLinux is what all else than Linux gives: the way to machines is a namespace.
var errLinux = errors.New("the driver qemu needs Linux: try lima")

// Open implements lab.Driver.
func (driver) Open(context.Context, lab.Site) (lab.Ground, error) { return nil, errLinux }

// Reap implements lab.Driver.
func (driver) Reap(lab.Site) ([]string, error) { return nil, nil }

// Exec implements lab.Driver.
func (driver) Exec(context.Context, lab.Access, lab.Command) (int, error) { return 0, errLinux }

// Probe implements lab.Driver.
func (driver) Probe(context.Context) []lab.Finding {
	return []lab.Finding{{What: "Linux", Needed: true, Detail: errLinux.Error()}}
}
