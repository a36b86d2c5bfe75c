package labworld

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"drydock/chaos"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/vmlab/image"
	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
)

// world is labs of one driver as a runner.World.
type world struct {
	name    string
	driver  lab.Driver
	drivers []lab.Driver
	// binary is the program that nodes run.
	binary string
}

// New returns the world of labs, which any of the drivers can make, the first one
// unless another is asked for. Nodes run the program at a path. The name is what
// --world takes.
func New(name string, drivers []lab.Driver, binary string) runner.World {
	return world{name: name, driver: drivers[0], drivers: drivers, binary: lab.Program(binary)}
}

// Name implements runner.World.
func (w world) Name() string { return w.name }

// Unrepeatable implements runner.Unrepeatable.
func (world) Unrepeatable() {}

// Driver implements runner.Driven.
func (w world) Driver() string { return w.driver.Name() }

// Drivers implements runner.Driven.
func (w world) Drivers() []string {
	names := make([]string, 0, len(w.drivers))
	for _, d := range w.drivers {
		names = append(names, d.Name())
	}
	return names
}

// By implements runner.Driven.
func (w world) By(driver string) (runner.World, error) {
	at := slices.IndexFunc(w.drivers, func(d lab.Driver) bool { return d.Name() == driver })
	if at < 0 {
		return nil, fmt.Errorf("the driver %q is unknown", driver)
	}
	w.driver = w.drivers[at]
	return w, nil
}

// Supports implements runner.World.
func (w world) Supports(k chaos.Kind) error {
	if ofUnits(k) {
		return supportsUnits(w.driver, k)
	}
	if slices.Contains(operated, k) {
		return w.operates(k)
	}
	return inject.Supports(w.controlled(), false, k)
}

// controls says whether nodes' disks and clocks are controlled.
func (w world) controls() bool { return w.driver.Capabilities().Has(lab.HasControl) }

// near says whether machines' directories are the host's, too: others are asked for what
// they hold.
func (w world) near() bool { return !w.driver.Capabilities().Has(lab.HasSystemd) }

// controlled is the driver as scenarios have it.
func (w world) controlled() lab.Driver {
	if !w.controls() {
		return w.driver
	}
	return lab.Controlled(w.driver)
}

// unseenEvents are those that nobody outside of a node sees.
var unseenEvents = []chaos.Event{chaos.EventVoteGranted, chaos.EventCampaign}

// Refuse implements runner.Choosy.
func (w world) Refuse(s *scenario.Scenario) error {
	c := s.Cluster
	switch {
	case c.Release < newest || len(c.Newer) > 0:
		return errors.New("cluster.release: its nodes are one program, of the newest release")
	case c.Learners > 0:
		return errors.New("cluster.learners: its members found the cluster together, with a vote")
	case len(s.FleetMachines()) > 0 && w.driver.Capabilities().Has(lab.HasKernel):
		return noUnits(w.driver, "load.units")
	case len(c.Clones) > 0:
		return errors.New("cluster.clones: no two of its machines have one id")
	case c.Members+c.Workers > lab.MaxMachines:
		return fmt.Errorf("%d machines: a lab has at most %d", c.Members+c.Workers, lab.MaxMachines)
	}
	for i := range s.Steps {
		a := s.Steps[i].After
		if a == nil {
			continue
		}
		event := chaos.Event(a.Event)
		if slices.Contains(unseenEvents, event) || event == chaos.EventSnapshotSent && !w.controls() {
			return fmt.Errorf("steps[%d].after: %s: a node does not tell its lab", i, a.Event)
		}
	}
	spec, _, err := specOf(w, s, 1)
	if err != nil {
		return err
	}
	return w.driver.Check(spec)
}

// Run implements runner.World.
func (w world) Run(ctx context.Context, spec runner.Spec) (res *runner.Result, err error) {
	if w.driver.Capabilities().Has(lab.NeedsRoot) && os.Geteuid() != 0 {
		return nil, fmt.Errorf("the driver %s needs root", w.driver.Name())
	}
	images, err := filepath.Abs(image.Root)
	if err != nil {
		return nil, err
	}
	scratch, err := lab.NewScratch("drydock-lab-", w.reap)
	if err != nil {
		return nil, err
	}
	dir := scratch.Dir
	left := remains{dir: dir, scratch: scratch, name: fmt.Sprintf("%s-%d", spec.Scenario.Name, spec.Seed)}
	r, err := newRun(w, spec, dir)
	if err != nil {
		return nil, errors.Join(err, left.Remove())
	}
	r.site.Images = images
	if res, err = r.carryOut(ctx); err != nil {
		if spec.Keep != "" && ctx.Err() == nil {
			if kept, keepErr := left.Keep(spec.Keep); keepErr == nil {
				err = fmt.Errorf("%w\nthe machines' logs are in %s", err, kept)
			}
		}
		return nil, errors.Join(err, left.Remove())
	}
	res.Remains = left
	return res, nil
}

// reap ends what a run that was killed has made outside of its directory, by whichever
// driver.
func (w world) reap(dir string) error {
	var errs []error
	for _, d := range w.drivers {
		_, err := d.Reap(lab.Site{Lab: runLab, Dir: dir})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
