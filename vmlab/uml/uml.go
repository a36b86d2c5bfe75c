package uml

import "drydock/vmlab/lab"

// driver makes machines of User Mode Linux.
type driver struct{}

// New returns the driver.
func New() lab.Driver { return driver{} }

// Name implements lab.Driver.
func (driver) Name() string { return "uml" }

// Capabilities implements lab.Driver.
func (driver) Capabilities() lab.Capabilities {
	return lab.Capabilities{lab.HasKernel, lab.HasSystemd, lab.HasDocker, lab.HasReboot, lab.HasPause, lab.HasClock}
}

// Check implements lab.Driver.
func (d driver) Check(s *lab.Spec) error {
	if s.Network.Path == lab.PathKernel {
		return &lab.MissingError{What: "network.path: kernel", Driver: d.Name(), Needs: lab.NeedsRoot, Why: "a bridge is the host's"}
	}
	for i := range s.Machines {
		switch g := &s.Machines[i]; {
		case len(g.Shares) > 0:
			return &lab.MissingError{What: "shares of " + g.Name, Driver: d.Name(), Why: "its machines have disks of their own alone"}
		case g.CPUs > 0:
			return &lab.MissingError{What: "cpus of " + g.Name, Driver: d.Name(), Why: "each of its machines has one core, and nobody bounds it"}
		}
	}
	return nil
}
