package lima

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/qemu"
	"drydock/vmlab/sshway"
	"drydock/vmlab/wire"
)

// ground is a lab that runs.
type ground struct {
	lab.Table
	tools *tools
	cable *parts.Switched
	key   string // a line of authorized_keys

	mu    sync.Mutex
	site  lab.Site
	gates map[string]*sshway.Gate
	// heard are the machines whose links have a socket.
	heard map[string]bool
}

// Open implements lab.Driver.
func (driver) Open(ctx context.Context, site lab.Site) (lab.Ground, error) {
	if err := refuse(os.Geteuid()); err != nil {
		return nil, err
	}
	g := &ground{site: site, gates: map[string]*sshway.Gate{}, heard: map[string]bool{}}
	if err := g.open(ctx); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *ground) open(ctx context.Context) (err error) {
	if g.cable, err = parts.NewSwitched(&g.site); err != nil {
		return err
	}
	dir, err := home(&g.site)
	if err != nil {
		return err
	}
	tools, err := findTools(ctx, dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, wireDir), 0o700); err != nil {
		return err
	}
	g.tools = tools
	if here().vmType() == vmQEMU {
		if err := g.tools.chooseQEMU(ctx, g.images(), g.site.Machines[0].Image); err != nil {
			return err
		}
	}
	if err := g.makeKey(); err != nil {
		return err
	}
	for i := range g.site.Machines {
		if err := g.put(&g.site.Machines[i]); err != nil {
			return fmt.Errorf("%s: %w", g.site.Machines[i].Name, err)
		}
	}
	return nil
}

// softly is how QEMU translates code where nothing accelerates it: what it keeps of it
// is bounded.
const softly = "tcg,thread=multi,tb-size=64"

// chooseQEMU finds QEMU, and what accelerates it.
func (t *tools) chooseQEMU(ctx context.Context, images image.Store, name string) error {
	program, err := qemu.Find()
	if err != nil {
		return err
	}
	i, err := images.Open(name)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := complete(i); err != nil {
		return err
	}
	kind, err := qemu.Choose(ctx, i)
	if err != nil {
		return err
	}
	accel := kind.Accelerator
	if accel == qemu.TCG {
		accel = softly
	}
	return t.mend(program, accel)
}

// complete says what an image lacks.
func complete(i *image.Image) error {
	if i.QEMU == "" || i.DiskBytes == 0 {
		return fmt.Errorf("the image %s has no kernel for virtual machines, or no disk: drydock lab image build %s --force", i.Name, i.Name)
	}
	return nil
}

// images are where images are kept: beside the labs.
func (g *ground) images() image.Store {
	return image.Store{Dir: filepath.Join(filepath.Dir(filepath.Dir(g.site.Dir)), filepath.Base(image.Root))}
}

// keyFile is the lab's key, where Lima takes it for its own: one key for root and for
// whom Lima lets in.
func (g *ground) keyFile() string { return filepath.Join(g.tools.home, keyDir, "user") }

// makeKey makes it. Lima would, at the first instance, but not for two at a time.
func (g *ground) makeKey() (err error) {
	if err := os.MkdirAll(filepath.Dir(g.keyFile()), 0o700); err != nil {
		return err
	}
	if g.key, err = sshway.MakeKey(g.keyFile()); err != nil {
		return err
	}
	return os.WriteFile(g.keyFile()+".pub", []byte(g.key+"\n"), 0o644)
}

// put takes a machine in, which is off, in the place of one of that name.
func (g *ground) put(spec *lab.Machine) error {
	i, err := g.images().Open(spec.Image)
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if err := complete(i); err != nil {
		return err
	}
	if !fits(g.tools.home, []lab.Machine{*spec}) {
		return fmt.Errorf("%s: %w", g.tools.home, errLong)
	}
	m := &machine{spec: spec, ground: g, image: i}
	m.Engine, m.Way, m.way = m, m.access, &way{access: m.access()}
	if !g.heard[spec.Name] {
		if err := g.cable.Switch.Listen(spec.Name, socketOf(g.tools.home, spec.Name)); err != nil {
			return err
		}
		g.heard[spec.Name] = true
	}
	if err := g.shut(spec.Name); err != nil {
		return err
	}
	gate, err := sshway.Lead(m.access().Socket, m.way.connect)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.gates[spec.Name] = gate
	g.mu.Unlock()
	return g.Put(spec.Name, m)
}

// shut closes a machine's way in, if it has one.
func (g *ground) shut(name string) error {
	g.mu.Lock()
	gate := g.gates[name]
	delete(g.gates, name)
	g.mu.Unlock()
	if gate == nil {
		return nil
	}
	return gate.Close()
}

// Dial implements lab.Ground: from the machine whose address it is.
func (g *ground) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	for _, u := range g.Units() { // any order: addresses are one machine's each
		m := u.(*machine)
		if m.spec.Address.String() != host {
			continue
		}
		conn, err := m.way.dial(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.spec.Name, err)
		}
		return conn, nil
	}
	return nil, fmt.Errorf("%s: %w", host, lab.ErrNoMachine)
}

// Wire implements lab.Ground.
func (g *ground) Wire() *wire.Switch { return g.cable.Switch }

// Close implements lab.Ground.
func (g *ground) Close() error {
	errs := []error{g.RetireAll()}
	for name := range g.Units() { // any order: each by itself
		errs = append(errs, g.shut(name))
	}
	if g.cable != nil {
		errs = append(errs, g.cable.Close())
	}
	if g.tools != nil {
		_, err := g.tools.clear()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// clearPatience is how long Lima may take to delete a lab's instances.
const clearPatience = 60 * time.Second

// clear deletes all instances, on or off, and what else Lima has kept of the lab. It
// says what there was.
func (t *tools) clear() (found []string, err error) {
	entries, err := os.ReadDir(t.home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && lab.IsName(e.Name()) {
			names = append(names, e.Name())
			found = append(found, "Lima's instance "+e.Name())
		}
	}
	if len(names) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), clearPatience)
		defer cancel()
		if err := t.keep(ctx, "delete", append([]string{"--force"}, names...)...); err != nil {
			return found, err
		}
	}
	if err := os.RemoveAll(t.home); err != nil {
		return found, err
	}
	_ = os.Remove(filepath.Dir(t.home)) // if it is empty now, and was made for this
	return found, nil
}

// Reap implements lab.Driver.
func (driver) Reap(site lab.Site) ([]string, error) {
	dir, err := home(&site)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), clearPatience)
	defer cancel()
	t, err := findTools(ctx, dir)
	if err != nil {
		return nil, err
	}
	return t.clear()
}

// Exec implements lab.Driver.
func (driver) Exec(ctx context.Context, a lab.Access, c lab.Command) (int, error) {
	return sshway.Run(ctx, a, c)
}

// Admit implements lab.Changer.
func (g *ground) Admit(ctx context.Context, site lab.Site, spec *lab.Machine) error {
	g.site = site
	if old, ok := g.Unit(spec.Name).(*machine); ok { // it has changed
		if err := errors.Join(old.Retire(), old.remove(ctx)); err != nil {
			return err
		}
	} else if err := g.cable.Admit(spec.Name, spec.MAC); err != nil {
		return err
	}
	return g.put(spec)
}

// Dismiss implements lab.Changer.
func (g *ground) Dismiss(site lab.Site, name string) error {
	g.site = site
	m, ok := g.Unit(name).(*machine)
	if !ok {
		return fmt.Errorf("%s: %w", name, lab.ErrNoMachine)
	}
	ctx, cancel := context.WithTimeout(context.Background(), clearPatience)
	defer cancel()
	return errors.Join(g.Drop(name), m.remove(ctx), g.shut(name), g.cable.Dismiss(name))
}
