package qemu

import (
	"context"
	"fmt"
	"os/exec"
	"sync"

	"drydock/vmlab/lab"
	"drydock/vmlab/sshway"
	"drydock/vmlab/virtual"
)

// ground is a lab that runs.
type ground struct {
	*virtual.Ground
	kind Machine
	// counterKHz is how fast the processor's counter is.
	counterKHz int64

	// snapping is held while snapshots are taken, restored or given up.
	snapping sync.Mutex
}

// linkName is what the machines' kernels call their network device.
const linkName = "eth0"

// imageTool makes disks' files.
const imageTool = "qemu-img"

// Open implements lab.Driver.
func (driver) Open(ctx context.Context, site lab.Site) (lab.Ground, error) {
	if _, err := Find(); err != nil {
		return nil, err
	}
	if _, err := findTool(); err != nil {
		return nil, err
	}
	g := &ground{counterKHz: counterKHz()}
	var err error
	g.Ground, err = virtual.Open(ctx, site, virtual.Config{Link: linkName, Complete: complete, Make: g.machine})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// machine makes a machine, which is off. The first one decides what all are made of.
func (g *ground) machine(ctx context.Context, p *virtual.Place) (lab.Unit, error) {
	if g.kind == (Machine{}) {
		kind, err := Choose(ctx, p.Image)
		if err != nil {
			return nil, err
		}
		g.kind = kind
	}
	m := &machine{Place: p, kind: g.kind, counterKHz: g.counterKHz}
	m.Engine, m.Way = m, p.Reach
	return m, nil
}

// findTool finds qemu-img.
func findTool() (string, error) {
	path, err := exec.LookPath(imageTool)
	if err != nil {
		return "", fmt.Errorf("%s is missing: apt-get install qemu-utils", imageTool)
	}
	return path, nil
}

// Reap implements lab.Driver: all that there is dies with its keeper.
func (driver) Reap(lab.Site) ([]string, error) { return nil, nil }

// Exec implements lab.Driver.
func (driver) Exec(ctx context.Context, a lab.Access, c lab.Command) (int, error) {
	return sshway.Run(ctx, a, c)
}
