package parts

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/vishvananda/netlink"

	"drydock/vmlab/lab"
	"drydock/vmlab/wire/kernel"
)

// Bridged is the kernel's way: a bridge in a namespace of its own, and a pair of
// links for each machine. What its links do to frames nftables decides.
type Bridged struct {
	space *Space
	net   *netlink.Handle
	br    netlink.Link
	rules *kernel.Bridge

	mu   sync.Mutex
	ends map[string]string // machine → the name of its link's end at the bridge
	made int
}

// newBridged makes the bridge, and what the lab file says of links.
func newBridged(site *lab.Site) (*Bridged, error) {
	s, err := NewSpace()
	if err != nil {
		return nil, err
	}
	b := &Bridged{space: s, ends: map[string]string{}}
	if b.net, err = at(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := b.open(site); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Bridged) open(site *lab.Site) (err error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "br0"
	b.br = &netlink.Bridge{LinkAttrs: attrs}
	if err := b.net.LinkAdd(b.br); err != nil {
		return fmt.Errorf("a bridge: %w", err)
	}
	if err := b.net.LinkSetUp(b.br); err != nil {
		return fmt.Errorf("a bridge: %w", err)
	}
	if b.rules, err = kernel.New(b.space.File); err != nil {
		return err
	}
	for i := range site.Machines {
		if err := b.Admit(site.Machines[i].Name, site.Machines[i].MAC); err != nil {
			return err
		}
	}
	_, err = b.rules.ImpairAll(site.Rules())
	return err
}

// Admit implements Cable: rules can name the machine from now on.
func (b *Bridged) Admit(name, _ string) error { return b.rules.SetPort(name, "") }

// Dismiss implements Cable. The name stays known: it strikes nobody.
func (b *Bridged) Dismiss(name string) error { return b.Unplug(name) }

// Plug implements Cable.
func (b *Bridged) Plug(name, mac string, s *Space) error {
	hw, err := net.ParseMAC(mac)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made++
	end := fmt.Sprintf("p%d", b.made)
	// Before there is such a device: rules hold from its first frame on.
	if err := b.rules.SetPort(name, end); err != nil {
		return err
	}
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

// Unplug implements Cable.
func (b *Bridged) Unplug(name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := b.ends[name]
	if end == "" {
		return nil
	}
	delete(b.ends, name)
	link, err := b.net.LinkByName(end)
	if err != nil {
		return fmt.Errorf("%s: %w", end, err)
	}
	if err := b.net.LinkDel(link); err != nil {
		return fmt.Errorf("%s: %w", end, err)
	}
	return b.rules.SetPort(name, "")
}

// Links are the bridge's rules.
func (b *Bridged) Links() lab.Links { return b.rules }

// Close implements Cable.
func (b *Bridged) Close() error {
	var err error
	if b.rules != nil {
		err = b.rules.Close()
	}
	b.net.Close()
	return errors.Join(err, b.space.Close())
}
