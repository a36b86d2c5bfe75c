package parts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"drydock/vmlab/lab"
	"drydock/vmlab/wire"
)

// Yard is a lab's ground whose machines share the host's kernel: their network, and
// their control groups. It is all of lab.Ground and lab.Linked, and lab.Changer. Its
// methods may be called by several goroutines.
type Yard struct {
	lab.Table
	settle func(*lab.Machine) (Settler, error)
	groups *Hierarchies
	key    string // of the lab's control group
	cable  Cable
	host   *Space // where the ground itself reaches machines from

	mu   sync.Mutex
	site lab.Site // as it is now
}

// Settler is a machine of a yard.
type Settler interface {
	lab.Unit
	// Acquaint tells the machine where the others are, if it is on.
	Acquaint(machines []lab.Machine) error
}

// Open makes the yard, with the machines of the site, which are off; settle makes one.
// What there is of it Close ends, also if this fails.
func (y *Yard) Open(site lab.Site, settle func(*lab.Machine) (Settler, error)) (err error) {
	y.site, y.key, y.settle = site, KeyOf(&site), settle
	if y.groups, err = FindHierarchies(); err != nil {
		return err
	}
	if y.cable, err = NewCable(&site); err != nil {
		return err
	}
	if y.host, err = NewSpace(); err != nil {
		return err
	}
	if err := y.cable.Plug(HostPort, HostMAC, y.host); err != nil {
		return err
	}
	if err := Address(y.host, site.Spec.Gateway(), 24); err != nil {
		return err
	}
	for i := range site.Machines {
		if err := y.put(&site.Machines[i]); err != nil {
			return err
		}
	}
	return nil
}

// put takes a machine in, which is off, in the place of one of that name.
func (y *Yard) put(m *lab.Machine) error {
	spec := *m
	u, err := y.settle(&spec)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	return y.Put(m.Name, u)
}

// Site is the lab as it is now.
func (y *Yard) Site() *lab.Site {
	y.mu.Lock()
	defer y.mu.Unlock()
	site := y.site
	return &site
}

func (y *Yard) changed(site lab.Site) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.site = site
}

// Admit implements lab.Changer.
func (y *Yard) Admit(_ context.Context, site lab.Site, m *lab.Machine) error {
	if y.Unit(m.Name) == nil {
		if err := y.cable.Admit(m.Name, m.MAC); err != nil {
			return err
		}
	}
	y.changed(site)
	if err := y.put(m); err != nil {
		return err
	}
	var errs []error
	for name, u := range y.Units() { // any order: each by itself
		if err := u.(Settler).Acquaint(site.Machines); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Dismiss implements lab.Changer.
func (y *Yard) Dismiss(site lab.Site, name string) error {
	y.changed(site)
	return errors.Join(y.Drop(name), y.cable.Dismiss(name))
}

// Dial implements lab.Ground.
func (y *Yard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return y.host.Dial(ctx, network, address)
}

// Wire implements lab.Ground.
func (y *Yard) Wire() *wire.Switch {
	if c, ok := y.cable.(*Switched); ok {
		return c.Switch
	}
	return nil
}

// Links implements lab.Linked.
func (y *Yard) Links() lab.Links {
	if c, ok := y.cable.(*Bridged); ok {
		return c.Links()
	}
	return nil
}

// Close implements lab.Ground.
func (y *Yard) Close() error {
	errs := []error{y.RetireAll()}
	if y.host != nil {
		errs = append(errs, y.host.Close())
	}
	if y.cable != nil {
		errs = append(errs, y.cable.Close())
	}
	if y.groups != nil {
		errs = append(errs, y.groups.RemoveLab(y.key))
	}
	return errors.Join(errs...)
}

// Reap removes the control group of a lab whose keeper has died, with what is left in
// it, and says what that was.
func Reap(site *lab.Site) ([]string, error) {
	h, err := FindHierarchies()
	if errors.Is(err, ErrNoGroups) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return h.Reap(KeyOf(site))
}
