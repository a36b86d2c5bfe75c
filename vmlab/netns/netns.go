package netns

import (
	"drydock/vmlab/lab"
)

// driver makes machines of namespaces.
type driver struct{}

// New returns the driver.
func New() lab.Driver { return driver{} }

// Name implements lab.Driver.
func (driver) Name() string { return "netns" }

// Capabilities implements lab.Driver.
func (driver) Capabilities() lab.Capabilities {
	return lab.Capabilities{lab.HasPause, lab.HasControl, lab.NeedsRoot}
}

// Check implements lab.Driver.
func (d driver) Check(s *lab.Spec) error {
	for i := range s.Machines {
		if g := &s.Machines[i]; g.Image != "" {
			return &lab.MissingError{What: "image of " + g.Name, Driver: d.Name(), Needs: lab.HasKernel, Why: "its machines run the host's programs"}
		}
	}
	return nil
}
