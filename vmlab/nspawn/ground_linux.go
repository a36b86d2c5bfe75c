package nspawn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"drydock/vmlab/guest"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/netns"
	"drydock/vmlab/parts"
	"drydock/vmlab/wire"
)

// ground is a lab that runs.
type ground struct {
	lab.Table
	site   lab.Site
	groups *parts.Hierarchies
	name   string // of the lab's control group
	cable  parts.Cable
	host   *parts.Space // where the ground itself reaches machines from
	images image.Taken

	mu sync.Mutex // held where the site's machines are read or change
}

// Open implements lab.Driver.
func (driver) Open(_ context.Context, site lab.Site) (lab.Ground, error) {
	g := &ground{site: site, name: parts.KeyOf(&site)}
	if err := g.open(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *ground) open() (err error) {
	if g.groups, err = parts.FindHierarchies(); err != nil {
		return err
	}
	if g.cable, err = parts.NewCable(&g.site); err != nil {
		return err
	}
	if g.host, err = parts.NewSpace(); err != nil {
		return err
	}
	if err := g.cable.Plug(parts.HostPort, parts.HostMAC, g.host); err != nil {
		return err
	}
	if err := parts.Address(g.host, g.site.Spec.Gateway(), 24); err != nil {
		return err
	}
	for i := range g.site.Machines {
		if err := g.put(&g.site.Machines[i]); err != nil {
			return fmt.Errorf("%s: %w", g.site.Machines[i].Name, err)
		}
	}
	return nil
}

// put takes a machine in.
func (g *ground) put(m *lab.Machine) error {
	from, err := g.images.Take(&g.site, m.Image)
	if err == nil && !from.HasRoot() {
		err = noRoot(from)
	}
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	spec := *m
	one := &machine{spec: &spec, ground: g, image: from, dir: g.site.MachineDir(m.Name)}
	if err := one.furnish(); err != nil {
		return err
	}
	g.Put(m.Name, one)
	return nil
}

// Admit implements lab.Changer.
func (g *ground) Admit(_ context.Context, site lab.Site, m *lab.Machine) error {
	if g.Unit(m.Name) == nil {
		if err := g.cable.Admit(m.Name, m.MAC); err != nil {
			return err
		}
	}
	g.settle(site.Machines)
	if err := g.put(m); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	var errs []error
	for name, u := range g.Units() { // any order: each by itself
		if err := u.(*machine).acquaint(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Dismiss implements lab.Changer.
func (g *ground) Dismiss(site lab.Site, name string) error {
	g.settle(site.Machines)
	g.Drop(name)
	return g.cable.Dismiss(name)
}

// settle takes note of which machines there are from now on.
func (g *ground) settle(machines []lab.Machine) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.site.Machines = machines
}

// others are all machines, as they are now.
func (g *ground) others() []lab.Machine {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.site.Machines
}

// acquaint tells the machine where the others are, if it is on.
func (m *machine) acquaint() error {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	if l == nil || l.ended() {
		return nil
	}
	return parts.Acquaint(l.space, m.ground.others(), m.spec.Name)
}

// Links implements lab.Linked.
func (g *ground) Links() lab.Links {
	if c, ok := g.cable.(*parts.Bridged); ok {
		return c.Links()
	}
	return nil
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
	d, err := guest.New(&m.ground.site, m.spec, guest.Way{})
	if err != nil {
		return err
	}
	return d.Write(filepath.Join(m.dir, driveDir))
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
	errs = append(errs, g.images.Close())
	return errors.Join(errs...)
}

// Reap implements lab.Driver.
func (driver) Reap(site lab.Site) ([]string, error) {
	h, err := parts.FindHierarchies()
	if errors.Is(err, parts.ErrNoGroups) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return h.Reap(parts.KeyOf(&site))
}

// Exec implements lab.Driver.
func (driver) Exec(ctx context.Context, a lab.Access, c lab.Command) (int, error) {
	return netns.New().Exec(ctx, a, c)
}
