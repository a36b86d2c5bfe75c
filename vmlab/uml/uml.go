// Package uml makes labs of User Mode Linux: each machine is a kernel of its own that
// runs as a process, with disks, reboots and panics. It takes Linux, an image with
// that kernel, and no rights at all but to make user namespaces; seconds.
//
// A machine's disk is a layer of its own over the image's, so that what it writes
// stays over reboots and power cuts. Its second disk is its config drive. Its network
// device is one end of a pair of sockets, the other is the lab's switch: machines
// have no way out, and neither has the process, which is in a network namespace of
// its own. The lab's keeper reaches them through a foothold.
//
// Invariants:
//
//   - A machine is the first process of a PID namespace, so that none of its helpers
//     outlives it; it dies with the process that started it.
//   - Images are only read.
//
// Files: ground_linux.go a lab that runs; machine_linux.go a machine on and off;
// node_linux.go its node; console_linux.go what its kernel can be told; probe_linux.go
// what the doctor tries.
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
	return lab.Capabilities{lab.HasKernel, lab.HasSystemd, lab.HasDocker, lab.HasReboot, lab.HasPause}
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
