package uml

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"drydock/vmlab/foothold"
	"drydock/vmlab/guest"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/sshway"
	"drydock/vmlab/wire"
)

// ground is a lab that runs.
type ground struct {
	lab.Table
	site  lab.Site
	cable *parts.Switched
	host  *foothold.Foothold
	key   string // a line of authorized_keys
	gates []*sshway.Gate
}

// linkName is what the machines' kernels call their network device.
const linkName = "vec0"

// Open implements lab.Driver.
func (driver) Open(ctx context.Context, site lab.Site) (lab.Ground, error) {
	g := &ground{site: site}
	if err := g.open(ctx); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *ground) open(ctx context.Context) (err error) {
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
		m := &g.site.Machines[i]
		one := &machine{spec: m, ground: g, dir: g.site.MachineDir(m.Name)}
		if err := one.furnish(ctx); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		gate, err := sshway.Lead(one.socket(), func() (net.Conn, error) {
			return g.Dial(context.Background(), "tcp", net.JoinHostPort(m.Address.String(), "22"))
		})
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		g.gates = append(g.gates, gate)
		g.Put(m.Name, one)
	}
	return nil
}

// keyFile is the key that root has on the lab's machines.
func (g *ground) keyFile() string { return filepath.Join(g.site.Dir, "ssh_key") }

// images are where images are kept: beside the labs.
func images(site *lab.Site) image.Store {
	return image.Store{Dir: site.ImagesDir()}
}

// furnish finds a machine's image, and makes its config drive.
func (m *machine) furnish(ctx context.Context) error {
	i, err := images(&m.ground.site).Open(m.spec.Image)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := complete(i); err != nil {
		return err
	}
	m.image = i
	d, err := guest.New(&m.ground.site, m.spec, guest.Way{Link: linkName, Key: m.ground.key})
	if err != nil {
		return err
	}
	return writeDisk(ctx, d, m.ground.site.Binary, filepath.Join(m.dir, "config"))
}

// complete says what an image lacks.
func complete(i *image.Image) error {
	if !i.UML || i.DiskBytes == 0 {
		return fmt.Errorf("the image %s has no kernel for User Mode Linux, or no disk: drydock lab image build %s --force", i.Name, i.Name)
	}
	return nil
}

// writeDisk makes a disk's file of a config drive and the lab's program.
func writeDisk(ctx context.Context, d guest.Drive, program, path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	if err := d.Write(path); err != nil {
		return err
	}
	to := filepath.Join(path, guest.Program)
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Link(program, to); err != nil {
		return err
	}
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	file := path + ".ext4"
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	tool, err := mke2fs()
	if err != nil {
		return err
	}
	// No journal: it is only read. root owns all of it, whoever has made it.
	args := []string{"-q", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-L", "config-2", "-m", "0", "-d", path, file, fmt.Sprintf("%dM", info.Size()>>20+8)}
	if out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", tool, err, out)
	}
	return nil
}

// mke2fs finds the tool, which is not on every user's path.
func mke2fs() (string, error) {
	for _, name := range []string{"mke2fs", "/usr/sbin/mke2fs", "/sbin/mke2fs"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("mke2fs is missing: apt-get install e2fsprogs")
}

// Dial implements lab.Ground.
func (g *ground) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return g.host.Dial(ctx, network, address)
}

// Wire implements lab.Ground.
func (g *ground) Wire() *wire.Switch { return g.cable.Switch }

// Close implements lab.Ground.
func (g *ground) Close() error {
	errs := []error{g.CutAll()}
	if g.host != nil {
		errs = append(errs, g.host.Close())
	}
	for _, gate := range g.gates {
		errs = append(errs, gate.Close())
	}
	if g.cable != nil {
		errs = append(errs, g.cable.Close())
	}
	return errors.Join(errs...)
}

// Reap implements lab.Driver: all that there is dies with its keeper.
func (driver) Reap(lab.Site) ([]string, error) { return nil, nil }

// Exec implements lab.Driver.
func (driver) Exec(ctx context.Context, a lab.Access, c lab.Command) (int, error) {
	return sshway.Run(ctx, a, c)
}
