package lima

import (
	"errors"
	"fmt"
	"os"

	"drydock/vmlab/lab"
)

// driver makes machines of Lima's instances.
type driver struct{}

// New returns the driver.
func New() lab.Driver { return driver{} }

// Name implements lab.Driver.
func (driver) Name() string { return "lima" }

// Capabilities implements lab.Driver.
func (driver) Capabilities() lab.Capabilities {
	c := lab.Capabilities{lab.HasKernel, lab.HasSystemd, lab.HasDocker, lab.HasReboot}
	if canPause {
		c = append(c, lab.HasPause)
	}
	return c
}

// ErrRoot is matched when root asks for a lab of Lima's.
var ErrRoot = errors.New("root is refused, as by Lima itself: call drydock as an ordinary user, in a directory of that user (the drivers qemu and uml work for root, too)")

// least and most are bounds of machines.
const (
	leastMemory = 128 << 20
	mostCPUs    = 64
)

// Check implements lab.Driver.
func (d driver) Check(s *lab.Spec) error {
	if err := refuse(os.Geteuid()); err != nil {
		return err
	}
	return d.check(s)
}

// refuse refuses root.
func refuse(uid int) error {
	if uid == 0 {
		return fmt.Errorf("driver lima: %w", ErrRoot)
	}
	return nil
}

func (d driver) check(s *lab.Spec) error {
	missing := func(what, why string) error {
		return &lab.MissingError{What: what, Driver: d.Name(), Why: why}
	}
	if s.Network.Path == lab.PathKernel {
		return &lab.MissingError{What: "network.path: kernel", Driver: d.Name(), Needs: lab.NeedsRoot, Why: "a bridge is the host's"}
	}
	for i := range s.Machines {
		switch g := &s.Machines[i]; {
		case len(g.Shares) > 0:
			return missing("shares of "+g.Name, "the image's kernel has no file system for folders of the host")
		case g.CPUs != float64(int(g.CPUs)):
			return missing(fmt.Sprintf("cpus of %s: %g", g.Name, g.CPUs), "its machines have whole processors")
		case g.CPUs > mostCPUs:
			return missing(fmt.Sprintf("cpus of %s: %g", g.Name, g.CPUs), fmt.Sprintf("its machines have at most %d", mostCPUs))
		}
	}
	list := s.MachineList()
	for i := range list {
		if m := &list[i]; m.MemoryMax > 0 && m.MemoryMax < leastMemory {
			return missing(fmt.Sprintf("memory of %s: %d MiB", m.Name, m.MemoryMax>>20), fmt.Sprintf("its machines need %d MiB", leastMemory>>20))
		}
	}
	return nil
}

// Companion implements lab.Companion.
func (driver) Companion() (string, error) { return findOwn() }
