package netns

import (
	"context"
	"errors"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
)

// Open implements lab.Driver.
func (driver) Open(_ context.Context, site lab.Site) (lab.Ground, error) {
	g, err := open(site)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Reap implements lab.Driver.
func (driver) Reap(site lab.Site) ([]string, error) {
	h, err := parts.FindHierarchies()
	if errors.Is(err, parts.ErrNoGroups) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return h.Reap(parts.KeyOf(&site))
}
