package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"drydock/vmlab/lab"
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

// newCable makes what the lab file asks for.
func newCable(s *lab.Spec) (cable, error) {
	return newBridge()
}
