package qemu

import (
	"fmt"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
)

// driver makes virtual machines.
type driver struct{}

// New returns the driver.
func New() lab.Driver { return driver{} }

// Name implements lab.Driver.
func (driver) Name() string { return "qemu" }

// Capabilities implements lab.Driver.
func (driver) Capabilities() lab.Capabilities {
	return lab.Capabilities{lab.HasKernel, lab.HasSystemd, lab.HasDocker, lab.HasReboot, lab.HasPause, lab.HasSnapshot}
}

// Bounds of machines.
const (
	// leastMemory is what the kernel needs to come to its init, in MiB: with less it
	// stops without a word.
	leastMemory = 96
	// mostCPUs is how many processors QEMU's machines may have.
	mostCPUs = 64
)

// Check implements lab.Driver.
func (d driver) Check(s *lab.Spec) error {
	if s.Network.Path == lab.PathKernel {
		return &lab.MissingError{What: "network.path: kernel", Driver: d.Name(), Needs: lab.NeedsRoot, Why: "a bridge is the host's"}
	}
	for i := range s.Machines {
		switch g := &s.Machines[i]; {
		case len(g.Shares) > 0:
			return &lab.MissingError{What: "shares of " + g.Name, Driver: d.Name(), Why: "its machines have disks of their own alone"}
		case g.CPUs != float64(int(g.CPUs)):
			return &lab.MissingError{What: fmt.Sprintf("cpus of %s: %g", g.Name, g.CPUs), Driver: d.Name(), Why: "its machines have whole processors"}
		case g.CPUs > mostCPUs:
			return &lab.MissingError{What: fmt.Sprintf("cpus of %s: %g", g.Name, g.CPUs), Driver: d.Name(), Why: fmt.Sprintf("its machines have at most %d", mostCPUs)}
		}
	}
	list := s.MachineList()
	for i := range list {
		if m := &list[i]; m.MemoryMax > 0 && m.MemoryMax>>20 < leastMemory {
			return &lab.MissingError{What: fmt.Sprintf("memory of %s: %d MiB", m.Name, m.MemoryMax>>20), Driver: d.Name(), Why: fmt.Sprintf("a kernel needs %d MiB", leastMemory)}
		}
	}
	return nil
}

// complete says what an image lacks.
func complete(i *image.Image) error {
	if i.QEMU == "" || i.DiskBytes == 0 {
		return fmt.Errorf("the image %s has no kernel for virtual machines, or no disk: drydock lab image build %s --force", i.Name, i.Name)
	}
	return nil
}
