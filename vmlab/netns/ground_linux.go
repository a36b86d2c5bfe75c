package netns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/wire"
)

// ground is a lab that runs.
type ground struct {
	lab.Table
	groups *parts.Hierarchies
	name   string // of the lab's control group
	cable  parts.Cable
	// host is where the ground itself reaches machines from.
	host *parts.Space

	mu   sync.Mutex
	site lab.Site // as it is now
}

// open makes a ground.
func open(site lab.Site) (_ *ground, err error) {
	g := &ground{site: site, name: parts.KeyOf(&site)}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	if g.groups, err = parts.FindHierarchies(); err != nil {
		return g, err
	}
	if g.cable, err = parts.NewCable(&site); err != nil {
		return g, err
	}
	if g.host, err = parts.NewSpace(); err != nil {
		return g, err
	}
	if err = g.cable.Plug(parts.HostPort, parts.HostMAC, g.host); err != nil {
		return g, err
	}
	if err = parts.Address(g.host, site.Spec.Gateway(), 24); err != nil {
		return g, err
	}
	for i := range site.Machines {
		if err = g.put(&site.Machines[i]); err != nil {
			return g, named(site.Machines[i].Name, err)
		}
	}
	return g, nil
}

// put takes a machine in: its directory, with the program in it.
func (g *ground) put(m *lab.Machine) error {
	site := g.where()
	root := filepath.Join(site.MachineDir(m.Name), "root")
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(guestProgram)), 0o755); err != nil {
		return err
	}
	if err := install(site.Binary, filepath.Join(root, guestProgram)); err != nil {
		return err
	}
	spec := *m
	g.Put(m.Name, &machine{spec: &spec, ground: g})
	return nil
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

// Admit implements lab.Changer.
func (g *ground) Admit(_ context.Context, site lab.Site, m *lab.Machine) error {
	if g.Unit(m.Name) == nil {
		if err := g.cable.Admit(m.Name, m.MAC); err != nil {
			return err
		}
	}
	g.settle(site)
	return named(m.Name, errors.Join(g.put(m), g.acquaint()))
}

// Dismiss implements lab.Changer.
func (g *ground) Dismiss(site lab.Site, name string) error {
	g.settle(site)
	g.Drop(name)
	return named(name, g.cable.Dismiss(name))
}

// settle takes note of what the lab is from now on.
func (g *ground) settle(site lab.Site) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.site = site
}

// where is the lab as it is now.
func (g *ground) where() *lab.Site {
	g.mu.Lock()
	defer g.mu.Unlock()
	site := g.site
	return &site
}

// acquaint tells all machines that are on where the others are.
func (g *ground) acquaint() error {
	machines := g.where().Machines
	var errs []error
	for name, u := range g.Units() { // any order: each by itself
		errs = append(errs, named(name, u.(*machine).acquaint(machines)))
	}
	return errors.Join(errs...)
}

// Dial implements lab.Ground.
func (g *ground) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return g.host.Dial(ctx, network, address)
}

// Wire implements lab.Ground.
func (g *ground) Wire() *wire.Switch {
	if c, ok := g.cable.(*parts.Switched); ok {
		return c.Switch
	}
	return nil
}

// Links implements lab.Linked.
func (g *ground) Links() lab.Links {
	if c, ok := g.cable.(*parts.Bridged); ok {
		return c.Links()
	}
	return nil
}

// Close implements lab.Ground.
func (g *ground) Close() error {
	errs := []error{g.CutAll()}
	if g.host != nil {
		errs = append(errs, g.host.Close())
	}
	if g.cable != nil {
		errs = append(errs, g.cable.Close())
	}
	if g.groups != nil {
		errs = append(errs, g.groups.RemoveLab(g.name))
	}
	return errors.Join(errs...)
}

// named says whose error it is.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}
