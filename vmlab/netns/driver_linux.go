package netns

import (
	"context"
	"errors"

	"drydock/vmlab/lab"
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
	h, err := findHierarchies()
	if errors.Is(err, errNoGroups) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return h.reap(keyOf(&site))
}

// Probe implements lab.Driver.
func (driver) Probe(context.Context) []lab.Finding { return nil }
