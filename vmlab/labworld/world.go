package labworld

import (
	"context"
	"errors"
	"fmt"
	"os"

	"drydock/chaos"
	"drydock/scenarios/runner"
	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
)

// world is labs of one driver as a runner.World.
type world struct {
	driver lab.Driver
	name   string
	// binary is the program that nodes run.
	binary string
}

// New returns the world of a driver's labs, whose nodes run the program at a path.
// The name is what --world takes.
func New(name string, driver lab.Driver, binary string) runner.World {
	return world{driver: driver, name: name, binary: binary}
}

// Name implements runner.World.
func (w world) Name() string { return w.name }

// Unrepeatable implements runner.Unrepeatable.
func (world) Unrepeatable() {}

// Supports implements runner.World.
func (w world) Supports(k chaos.Kind) error {
	if ofUnits(k) {
		return supportsUnits(w.driver, k)
	}
	return inject.Supports(controlled{w.driver}, false, k)
}

// controlled is a driver whose nodes' disks and clocks are controlled.
type controlled struct{ lab.Driver }

// Capabilities are the driver's, and those that controlled nodes add.
func (c controlled) Capabilities() lab.Capabilities {
	return append(c.Driver.Capabilities(), lab.HasClock, lab.HasDiskFaults)
}

// Run implements runner.World.
func (w world) Run(ctx context.Context, spec runner.Spec) (res *runner.Result, err error) {
	if w.driver.Capabilities().Has(lab.NeedsRoot) && os.Geteuid() != 0 {
		return nil, fmt.Errorf("the driver %s needs root", w.driver.Name())
	}
	dir, err := os.MkdirTemp("", "drydock-lab-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err := newRun(w, spec, dir)
	if err != nil {
		return nil, err
	}
	if res, err = r.carryOut(ctx); err != nil && ctx.Err() == nil {
		// What took too long is told by its own words: the run had time.
		err = errors.New(err.Error())
	}
	return res, err
}
