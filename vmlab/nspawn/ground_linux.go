package nspawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"drydock/vmlab/guest"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/netns"
	"drydock/vmlab/parts"
)

// ground is a lab that runs.
type ground struct {
	parts.Yard
	images image.Taken
}

// Open implements lab.Driver.
func (driver) Open(_ context.Context, site lab.Site) (lab.Ground, error) {
	g := new(ground)
	if err := g.Yard.Open(site, g.machine); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// machine makes a machine, which is off.
func (g *ground) machine(spec *lab.Machine) (parts.Settler, error) {
	site := g.Site()
	from, err := g.images.Take(site, spec.Image)
	if err == nil && !from.HasRoot() {
		err = noRoot(from)
	}
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	m := &machine{spec: spec, ground: g, image: from, dir: site.MachineDir(spec.Name)}
	m.Engine = m
	return m, m.furnish()
}

// Acquaint implements parts.Settler.
func (m *machine) Acquaint(machines []lab.Machine) error {
	m.Turn.Lock()
	defer m.Turn.Unlock()
	l := m.Life()
	if l == nil || l.Ended() {
		return nil
	}
	return parts.Acquaint(l.Part.Space, machines, m.spec.Name)
}

// noRoot says what an image lacks.
func noRoot(i *image.Image) error {
	return fmt.Errorf("%s is an ordinary user's, a disk alone: sudo drydock lab image build %s --force", i.Name, i.Name)
}

// furnish makes what a machine has on the host: its layer, and its config drive.
func (m *machine) furnish() error {
	for _, name := range []string{upperDir, workDir, mergedDir, driveDir, dockerDir} {
		if err := os.MkdirAll(filepath.Join(m.dir, name), 0o755); err != nil {
			return err
		}
	}
	d, err := guest.New(m.ground.Site(), m.spec, guest.Way{})
	if err != nil {
		return err
	}
	return d.Write(filepath.Join(m.dir, driveDir))
}

// Close implements lab.Ground.
func (g *ground) Close() error { return errors.Join(g.Yard.Close(), g.images.Close()) }

// Reap implements lab.Driver.
func (driver) Reap(site lab.Site) ([]string, error) { return parts.Reap(&site) }

// Exec implements lab.Driver.
func (driver) Exec(ctx context.Context, a lab.Access, c lab.Command) (int, error) {
	return netns.New().Exec(ctx, a, c)
}
