package virtual

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"

	"drydock/vmlab/foothold"
	"drydock/vmlab/guest"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/sshway"
	"drydock/vmlab/wire"
)

// Maker makes a machine, which is off, of what it has.
type Maker func(ctx context.Context, p *Place) (lab.Unit, error)

// Config says what is particular to a driver's labs.
type Config struct {
	// Link is what machines' kernels call their network device.
	Link string
	// Complete says what an image lacks for such a machine.
	Complete func(*image.Image) error
	Make     Maker
}

// Ground is a lab that runs. It is all of lab.Ground, and lab.Changer.
type Ground struct {
	lab.Table
	cfg   Config
	cable *parts.Switched
	host  *foothold.Foothold
	key   string // a line of authorized_keys
	// images are held while the lab is there.
	images image.Taken

	// site's machines change by Admit and Dismiss alone, one at a time; only they and
	// open read them.
	site lab.Site

	mu    sync.Mutex
	gates map[string]*sshway.Gate
}

// Place is what a machine has, whatever makes it.
type Place struct {
	Spec  *lab.Machine
	Image *image.Image
	// Dir is the machine's directory, Console the file for what its kernel says, and
	// Drive that of its config drive.
	Dir, Console, Drive string

	ground *Ground
}

// Open makes a lab's network, and its machines, which are off.
func Open(ctx context.Context, site lab.Site, c Config) (*Ground, error) {
	g := &Ground{site: site, cfg: c, gates: map[string]*sshway.Gate{}}
	if err := g.open(ctx); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *Ground) open(ctx context.Context) (err error) {
	if g.cable, err = parts.NewSwitched(&g.site); err != nil {
		return err
	}
	g.host, err = foothold.Open(ctx, foothold.Config{
		Program: g.site.Binary, MAC: parts.HostMAC, Address: g.site.Spec.Gateway(), Bits: 24,
	})
	if err != nil {
		return err
	}
	tap, err := wire.Tap(g.host.Tap())
	if err != nil {
		return err
	}
	if err := g.cable.Switch.Attach(parts.HostPort, tap); err != nil {
		return err
	}
	if g.key, err = sshway.MakeKey(g.keyFile()); err != nil {
		return err
	}
	for i := range g.site.Machines {
		if err := g.put(ctx, &g.site.Machines[i]); err != nil {
			return fmt.Errorf("%s: %w", g.site.Machines[i].Name, err)
		}
	}
	return nil
}

// put takes a machine in, which is off, in the place of one of that name.
func (g *Ground) put(ctx context.Context, m *lab.Machine) error {
	spec := *m
	p := &Place{Spec: &spec, Dir: g.site.MachineDir(m.Name), Console: g.site.Console(m.Name), ground: g}
	var err error
	if p.Image, err = g.images.Take(&g.site, m.Image); err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := g.cfg.Complete(p.Image); err != nil {
		return err
	}
	d, err := guest.New(&g.site, m, guest.Way{Link: g.cfg.Link, Key: g.key})
	if err != nil {
		return err
	}
	if p.Drive, err = d.WriteDisk(ctx, g.site.Binary, filepath.Join(p.Dir, "config")); err != nil {
		return err
	}
	u, err := g.cfg.Make(ctx, p)
	if err != nil {
		return err
	}
	if err := g.lead(p); err != nil {
		return err
	}
	return g.Put(m.Name, u)
}

// Admit implements lab.Changer.
func (g *Ground) Admit(ctx context.Context, site lab.Site, m *lab.Machine) error {
	if g.Unit(m.Name) == nil {
		if err := g.cable.Admit(m.Name, m.MAC); err != nil {
			return err
		}
	}
	g.site.Machines = site.Machines
	if err := g.put(ctx, m); err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	return nil
}

// Dismiss implements lab.Changer.
func (g *Ground) Dismiss(site lab.Site, name string) error {
	g.site.Machines = site.Machines
	return errors.Join(g.Drop(name), g.shut(name), g.cable.Dismiss(name))
}

// lead opens the machine's way in.
func (g *Ground) lead(p *Place) error {
	if err := g.shut(p.Spec.Name); err != nil {
		return err
	}
	address := net.JoinHostPort(p.Spec.Address.String(), "22")
	gate, err := sshway.Lead(p.socket(), func() (net.Conn, error) { return g.Dial(context.Background(), "tcp", address) })
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gates[p.Spec.Name] = gate
	return nil
}

// shut closes a machine's way in, if it has one.
func (g *Ground) shut(name string) error {
	g.mu.Lock()
	gate := g.gates[name]
	delete(g.gates, name)
	g.mu.Unlock()
	if gate == nil {
		return nil
	}
	return gate.Close()
}

// keyFile is the key that root has on the lab's machines.
func (g *Ground) keyFile() string { return filepath.Join(g.site.Dir, "ssh_key") }

// Dial implements lab.Ground.
func (g *Ground) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return g.host.Dial(ctx, network, address)
}

// Wire implements lab.Ground.
func (g *Ground) Wire() *wire.Switch { return g.cable.Switch }

// Dir is the lab's directory.
func (g *Ground) Dir() string { return g.site.Dir }

// Close implements lab.Ground.
func (g *Ground) Close() error {
	errs := []error{g.RetireAll()}
	if g.host != nil {
		errs = append(errs, g.host.Close())
	}
	for name := range g.Units() { // any order: each by itself
		errs = append(errs, g.shut(name))
	}
	if g.cable != nil {
		errs = append(errs, g.cable.Close())
	}
	errs = append(errs, g.images.Close())
	return errors.Join(errs...)
}

func (p *Place) socket() string { return p.File("ssh.sock") }

// File is a file of the machine's directory.
func (p *Place) File(name string) string { return filepath.Join(p.Dir, name) }

// Switch is what the machine's link is plugged into, at the port of its name.
func (p *Place) Switch() *wire.Switch { return p.ground.cable.Switch }

// Reach is how to get into the machine, if it is on.
func (p *Place) Reach() lab.Access {
	return lab.Access{Machine: p.Spec.Name, Socket: p.socket(), Key: p.ground.keyFile()}
}
