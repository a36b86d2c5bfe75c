package netns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/wire"
)

// ground is a lab that runs.
type ground struct {
	site   lab.Site
	groups *parts.Hierarchies
	name   string // of the lab's control group
	cable  parts.Cable
	// host is where the ground itself reaches machines from.
	host     *parts.Space
	machines map[string]*machine
}

// open makes a ground.
func open(site lab.Site) (_ *ground, err error) {
	g := &ground{site: site, name: parts.KeyOf(&site), machines: map[string]*machine{}}
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
		m := &site.Machines[i]
		if err = g.furnish(m); err != nil {
			return g, fmt.Errorf("%s: %w", m.Name, err)
		}
		g.machines[m.Name] = &machine{spec: m, ground: g}
	}
	return g, nil
}

// furnish makes a machine's directory, with the program in it.
func (g *ground) furnish(m *lab.Machine) error {
	bin := filepath.Join(g.site.MachineDir(m.Name), "root", filepath.Dir(guestProgram))
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	return install(g.site.Binary, filepath.Join(g.site.MachineDir(m.Name), "root", guestProgram))
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

// machine finds a machine.
func (g *ground) machine(name string) (*machine, error) {
	if m := g.machines[name]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%s: %w", name, lab.ErrNoMachine)
}

// Boot implements lab.Ground.
func (g *ground) Boot(ctx context.Context, m *lab.Machine) error {
	one, err := g.machine(m.Name)
	if err != nil {
		return err
	}
	return named(m.Name, one.boot(ctx))
}

// Halt implements lab.Ground.
func (g *ground) Halt(ctx context.Context, name string) error {
	m, err := g.machine(name)
	if err != nil {
		return err
	}
	return named(name, m.halt(ctx))
}

// Cut implements lab.Ground.
func (g *ground) Cut(name string) error {
	m, err := g.machine(name)
	if err != nil {
		return err
	}
	return named(name, m.cut())
}

// StartNode implements lab.Ground.
func (g *ground) StartNode(name string) error {
	m, err := g.machine(name)
	if err != nil {
		return err
	}
	return named(name, m.startNode())
}

// KillNode implements lab.Ground.
func (g *ground) KillNode(name string) error {
	m, err := g.machine(name)
	if err != nil {
		return err
	}
	return named(name, m.killNode())
}

// PauseNode implements lab.Ground.
func (g *ground) PauseNode(name string) error {
	m, err := g.machine(name)
	if err != nil {
		return err
	}
	return named(name, m.pauseNode("pause"))
}

// ResumeNode implements lab.Ground.
func (g *ground) ResumeNode(name string) error {
	m, err := g.machine(name)
	if err != nil {
		return err
	}
	return named(name, m.pauseNode("resume"))
}

// Freeze implements lab.Ground.
func (g *ground) Freeze(name string) error {
	m, err := g.machine(name)
	if err != nil {
		return err
	}
	return named(name, m.freeze(true))
}

// Thaw implements lab.Ground.
func (g *ground) Thaw(name string) error {
	m, err := g.machine(name)
	if err != nil {
		return err
	}
	return named(name, m.freeze(false))
}

// Vitals implements lab.Ground.
func (g *ground) Vitals(name string) lab.Vitals {
	m, err := g.machine(name)
	if err != nil {
		return lab.Vitals{Power: lab.PowerOff}
	}
	return m.vitals()
}

// Control implements lab.Ground.
func (g *ground) Control(name string) string {
	return filepath.Join(g.site.MachineDir(name), "root", lab.GuestControl)
}

// Access implements lab.Ground.
func (g *ground) Access(name string) (lab.Access, error) {
	m, err := g.machine(name)
	if err != nil {
		return lab.Access{}, err
	}
	a, err := m.access()
	return a, named(name, err)
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
	var errs []error
	for _, m := range g.machines { // any order: each by itself
		errs = append(errs, named(m.spec.Name, m.cut()), m.remove())
	}
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
