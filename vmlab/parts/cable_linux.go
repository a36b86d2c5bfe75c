package parts

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"drydock/vmlab/lab"
	"drydock/vmlab/wire"
	"drydock/vmlab/wire/fabric"
)

// What links are called within a space, and their size of packets.
const (
	LinkName = "eth0"
	LinkMTU  = 1500
)

// By which port, and which address of its link, the ground itself is on the network.
const (
	HostPort = "host"
	HostMAC  = "02:dd:00:00:00:01"
)

// Cable is what connects a lab's machines.
type Cable interface {
	// Plug gives a space a link of that name on the network.
	Plug(name, mac string, s *Space) error
	// Unplug takes the link away at once: nothing more leaves it.
	Unplug(name string) error
	// Close ends it.
	Close() error
}

// at returns a handle to the kernel's network configuration in a space.
func at(s *Space) (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(s.File.Fd()))
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	return h, nil
}

// Address brings a space's loopback and its link up, with an address.
func Address(s *Space, ip netip.Addr, bits int) error {
	h, err := at(s)
	if err != nil {
		return err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	if err := h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	link, err := h.LinkByName(LinkName)
	if err != nil {
		return fmt.Errorf("%s: %w", LinkName, err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, 32)}}
	if err := h.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("%s: address %s: %w", LinkName, ip, err)
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("%s: %w", LinkName, err)
	}
	return nil
}

// bridge is the kernel's way: a bridge in a namespace of its own, and a pair of
// links for each machine.
type bridge struct {
	space *Space
	net   *netlink.Handle
	br    netlink.Link
	ends  map[string]string // machine → the name of its link's end at the bridge
	made  int
}

func newBridge() (*bridge, error) {
	s, err := NewSpace()
	if err != nil {
		return nil, err
	}
	b := &bridge{space: s, ends: map[string]string{}}
	if b.net, err = at(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "br0"
	b.br = &netlink.Bridge{LinkAttrs: attrs}
	if err := b.net.LinkAdd(b.br); err != nil {
		return nil, errors.Join(fmt.Errorf("a bridge: %w", err), b.Close())
	}
	if err := b.net.LinkSetUp(b.br); err != nil {
		return nil, errors.Join(fmt.Errorf("a bridge: %w", err), b.Close())
	}
	return b, nil
}

func (b *bridge) Plug(name, mac string, s *Space) error {
	hw, err := net.ParseMAC(mac)
	if err != nil {
		return err
	}
	b.made++
	end := fmt.Sprintf("p%d", b.made)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = end, LinkMTU
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: LinkName, PeerHardwareAddr: hw, PeerNamespace: netlink.NsFd(s.File.Fd())}
	if err := b.net.LinkAdd(pair); err != nil {
		return fmt.Errorf("a pair of links: %w", err)
	}
	b.ends[name] = end
	link, err := b.net.LinkByName(end)
	if err != nil {
		return fmt.Errorf("%s: %w", end, err)
	}
	if err := b.net.LinkSetMaster(link, b.br); err != nil {
		return fmt.Errorf("%s: %w", end, err)
	}
	return b.net.LinkSetUp(link)
}

func (b *bridge) Unplug(name string) error {
	end := b.ends[name]
	if end == "" {
		return nil
	}
	delete(b.ends, name)
	link, err := b.net.LinkByName(end)
	if err != nil {
		return fmt.Errorf("%s: %w", end, err)
	}
	return b.net.LinkDel(link)
}

func (b *bridge) Close() error {
	b.net.Close()
	return b.space.Close()
}

// Switched is the program's own way: a tap device for each machine, and a switch
// between them that can do everything to a frame.
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

// Plug implements Cable.
func (c *Switched) Plug(name, text string, s *Space) error {
	mac, err := fabric.ParseMAC(text)
	if err != nil {
		return err
	}
	tap, err := wire.OpenTap(wire.TapConfig{Namespace: s.File, Name: LinkName, MAC: mac, MTU: LinkMTU})
	if err != nil {
		return err
	}
	cable, err := wire.Tap(tap)
	if err != nil {
		return err
	}
	return c.Switch.Attach(name, cable)
}

// Unplug implements Cable.
func (c *Switched) Unplug(name string) error { return c.Switch.Detach(name) }

// Close implements Cable.
func (c *Switched) Close() error { return c.Switch.Close() }

// NewCable makes what the lab file asks for.
func NewCable(site *lab.Site) (Cable, error) {
	if site.Spec.Network.Path == lab.PathKernel {
		return newBridge()
	}
	return NewSwitched(site)
}
