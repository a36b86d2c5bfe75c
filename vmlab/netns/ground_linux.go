package netns

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
)

// ground is a lab that runs.
type ground struct{ parts.Yard }

// Open implements lab.Driver.
func (driver) Open(_ context.Context, site lab.Site) (lab.Ground, error) {
	g := new(ground)
	if err := g.Yard.Open(site, g.machine); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// machine makes a machine, which is off: its directory, with the program in it.
func (g *ground) machine(spec *lab.Machine) (parts.Settler, error) {
	site := g.Site()
	root := filepath.Join(site.MachineDir(spec.Name), "root")
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(guestProgram)), 0o755); err != nil {
		return nil, err
	}
	m := &machine{spec: spec, ground: g}
	m.Engine = m
	return m, install(site.Binary, filepath.Join(root, guestProgram))
}

// install puts a program where it is to be, replacing what is there: by another
// name of the same file, or a copy.
func install(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// Reap implements lab.Driver.
func (driver) Reap(site lab.Site) ([]string, error) { return parts.Reap(&site) }
