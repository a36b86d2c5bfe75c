package uml

import (
	"context"

	"drydock/vmlab/lab"
)

// Probe implements lab.Driver.
func (driver) Probe(context.Context) []lab.Finding {
	f := lab.Finding{What: "mke2fs", Needed: true, Fix: "apt-get install e2fsprogs"}
	path, err := mke2fs()
	if f.OK, f.Detail = err == nil, path; err != nil {
		f.Detail = err.Error()
	}
	return []lab.Finding{f}
}
