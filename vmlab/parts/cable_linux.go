package parts

import (
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

// Cable is what connects a lab's machines.
type Cable interface {
	// Admit makes room for a machine that is new to the lab, and Dismiss gives up that
	// of one that is in it no more.
	Admit(name, mac string) error
	Dismiss(name string) error
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

// Acquaint tells a space the addresses of all machines' links but its own, for good:
// nobody has to ask for them, so that a link that is cut one way is not cut the other
// way, too, for want of an answer.
func Acquaint(s *Space, machines []lab.Machine, self string) error {
	h, err := at(s)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(LinkName)
	if err != nil {
		return fmt.Errorf("%s: %w", LinkName, err)
	}
	for i := range machines {
		m := &machines[i]
		if m.Name == self {
			continue
		}
		hw, err := net.ParseMAC(m.MAC)
		if err != nil {
			return err
		}
		known := &netlink.Neigh{
			LinkIndex: link.Attrs().Index, Family: netlink.FAMILY_V4, State: netlink.NUD_PERMANENT,
			IP: m.Address.AsSlice(), HardwareAddr: hw,
		}
		if err := h.NeighSet(known); err != nil {
			return fmt.Errorf("%s: the address of %s: %w", LinkName, m.Name, err)
		}
	}
	return nil
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

// NewCable makes what the lab file asks for.
func NewCable(site *lab.Site) (Cable, error) {
	if site.Spec.Network.Path == lab.PathKernel {
		b, err := newBridged(site)
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	c, err := NewSwitched(site)
	if err != nil {
		return nil, err
	}
	return c, nil
}
