package netns

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

// What links are called within a machine, and their size of packets.
const (
	linkName = "eth0"
	linkMTU  = 1500
)

// cable is what connects a lab's machines.
type cable interface {
	// plug gives a space a link of that name on the network.
	plug(name, mac string, s *space) error
	// unplug takes the link away at once: nothing more leaves it.
	unplug(name string) error
	close() error
}

// at returns a handle to the kernel's network configuration in a space.
func at(s *space) (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(s.file.Fd()))
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	return h, nil
}

// address brings a space's loopback and its link up, with an address.
func address(s *space, ip netip.Addr, bits int) error {
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
	link, err := h.LinkByName(linkName)
	if err != nil {
		return fmt.Errorf("%s: %w", linkName, err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(bits, 32)}}
	if err := h.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("%s: address %s: %w", linkName, ip, err)
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("%s: %w", linkName, err)
	}
	return nil
}

// bridge is the kernel's way: a bridge in a namespace of its own, and a pair of
// links for each machine.
type bridge struct {
	space *space
	net   *netlink.Handle
	br    netlink.Link
	ends  map[string]string // machine → the name of its link's end at the bridge
	made  int
}

func newBridge() (*bridge, error) {
	s, err := newSpace()
	if err != nil {
		return nil, err
	}
	b := &bridge{space: s, ends: map[string]string{}}
	if b.net, err = at(s); err != nil {
		return nil, errors.Join(err, s.close())
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "br0"
	b.br = &netlink.Bridge{LinkAttrs: attrs}
	if err := b.net.LinkAdd(b.br); err != nil {
		return nil, errors.Join(fmt.Errorf("a bridge: %w", err), b.close())
	}
	if err := b.net.LinkSetUp(b.br); err != nil {
		return nil, errors.Join(fmt.Errorf("a bridge: %w", err), b.close())
	}
	return b, nil
}

func (b *bridge) plug(name, mac string, s *space) error {
	hw, err := net.ParseMAC(mac)
	if err != nil {
		return err
	}
	b.made++
	end := fmt.Sprintf("p%d", b.made)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = end, linkMTU
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: linkName, PeerHardwareAddr: hw, PeerNamespace: netlink.NsFd(s.file.Fd())}
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

func (b *bridge) unplug(name string) error {
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

func (b *bridge) close() error {
	b.net.Close()
	return b.space.close()
}

// switched is the program's own way: a tap device for each machine, and a switch
// between them that can do everything to a frame.
type switched struct {
	wire *wire.Switch
}

func newSwitched(site *lab.Site) (*switched, error) {
	c := &switched{wire: wire.New(wire.Config{Fabric: fabric.Config{Seed: uint64(site.Spec.Network.Seed)}})}
	if err := c.furnish(site); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// furnish adds the machines' ports, and what the lab file says of links.
func (c *switched) furnish(site *lab.Site) error {
	if err := c.addPort(hostPort, hostMAC); err != nil {
		return err
	}
	for i := range site.Machines {
		if err := c.addPort(site.Machines[i].Name, site.Machines[i].MAC); err != nil {
			return err
		}
	}
	_, err := c.wire.ImpairAll(site.Rules())
	return err
}

func (c *switched) addPort(name, text string) error {
	mac, err := fabric.ParseMAC(text)
	if err != nil {
		return err
	}
	return c.wire.AddPort(fabric.Port{Name: name, MAC: mac})
}

func (c *switched) plug(name, text string, s *space) error {
	mac, err := fabric.ParseMAC(text)
	if err != nil {
		return err
	}
	tap, err := wire.OpenTap(wire.TapConfig{Namespace: s.file, Name: linkName, MAC: mac, MTU: linkMTU})
	if err != nil {
		return err
	}
	cable, err := wire.Tap(tap)
	if err != nil {
		return err
	}
	return c.wire.Attach(name, cable)
}

func (c *switched) unplug(name string) error { return c.wire.Detach(name) }

func (c *switched) close() error { return c.wire.Close() }

// newCable makes what the lab file asks for.
func newCable(site *lab.Site) (cable, error) {
	if site.Spec.Network.Path == lab.PathKernel {
		return newBridge()
	}
	return newSwitched(site)
}
