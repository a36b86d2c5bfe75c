//go:build !linux

package netns

import (
	"context"
	"errors"

	"drydock/vmlab/lab"
)

// errLinux is what all else than Linux gives.
var errLinux = errors.New("the driver netns needs Linux: try lima")

// Become does nothing here.
func Become() (code int, became bool) { return 0, false }

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
