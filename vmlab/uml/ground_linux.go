package uml

import (
	"context"
	"fmt"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/sshway"
	"drydock/vmlab/virtual"
)

// linkName is what the machines' kernels call their network device.
const linkName = "vec0"

// Open implements lab.Driver.
func (driver) Open(ctx context.Context, site lab.Site) (lab.Ground, error) {
	g, err := virtual.Open(ctx, site, virtual.Config{Link: linkName, Complete: complete, Make: newMachine})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// newMachine makes a machine, which is off.
func newMachine(_ context.Context, p *virtual.Place) (lab.Unit, error) {
	m := &machine{Place: p}
	m.Engine, m.Way = m, p.Reach
	return m, nil
}

// complete says what an image lacks.
func complete(i *image.Image) error {
	if !i.UML || i.DiskBytes == 0 {
		return fmt.Errorf("the image %s has no kernel for User Mode Linux, or no disk: drydock lab image build %s --force", i.Name, i.Name)
	}
	return nil
}

// Reap implements lab.Driver: all that there is dies with its keeper.
func (driver) Reap(lab.Site) ([]string, error) { return nil, nil }

// Exec implements lab.Driver.
func (driver) Exec(ctx context.Context, a lab.Access, c lab.Command) (int, error) {
	return sshway.Run(ctx, a, c)
}
