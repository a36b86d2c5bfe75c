package parts

import (
	"errors"

	"drydock/vmlab/lab"
	"drydock/vmlab/wire"
	"drydock/vmlab/wire/fabric"
)

// By which port, and which address of its link, the ground itself is on the network.
const (
	HostPort = "host"
	HostMAC  = "02:dd:00:00:00:01"
)

// Switched is the program's own way: a switch between the machines that can do
// everything to a frame. As a Cable it has a tap device for each of them.
type Switched struct {
	// Switch is the switch.
	Switch *wire.Switch
}

// NewSwitched makes the switch with a port for each machine and one for the ground,
// and what the lab file says of links. It takes no root.
func NewSwitched(site *lab.Site) (*Switched, error) {
	c := &Switched{Switch: wire.New(wire.Config{Fabric: fabric.Config{Seed: uint64(site.Spec.Network.Seed)}})}
	if err := c.furnish(site); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// furnish adds the machines' ports, and what the lab file says of links.
func (c *Switched) furnish(site *lab.Site) error {
	if err := c.addPort(HostPort, HostMAC); err != nil {
		return err
	}
	for i := range site.Machines {
		if err := c.addPort(site.Machines[i].Name, site.Machines[i].MAC); err != nil {
			return err
		}
	}
	_, err := c.Switch.ImpairAll(site.Rules())
	return err
}

func (c *Switched) addPort(name, text string) error {
	mac, err := fabric.ParseMAC(text)
	if err != nil {
		return err
	}
	return c.Switch.AddPort(fabric.Port{Name: name, MAC: mac})
}

// Unplug implements Cable.
func (c *Switched) Unplug(name string) error { return c.Switch.Detach(name) }

// Admit implements Cable.
func (c *Switched) Admit(name, mac string) error { return c.addPort(name, mac) }

// Dismiss implements Cable.
func (c *Switched) Dismiss(name string) error { return c.Switch.RemovePort(name) }

// Close implements Cable.
func (c *Switched) Close() error { return c.Switch.Close() }
