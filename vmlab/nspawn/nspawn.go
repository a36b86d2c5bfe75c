package nspawn

import "drydock/vmlab/lab"

// driver makes machines of containers.
type driver struct{}

// New returns the driver.
func New() lab.Driver { return driver{} }

// Name implements lab.Driver.
func (driver) Name() string { return "nspawn" }

// Capabilities implements lab.Driver.
func (driver) Capabilities() lab.Capabilities {
	return lab.Capabilities{lab.HasSystemd, lab.HasDocker, lab.HasPause, lab.NeedsRoot}
}

// Check implements lab.Driver.
func (driver) Check(*lab.Spec) error { return nil }
