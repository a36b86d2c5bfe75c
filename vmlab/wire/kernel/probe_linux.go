package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"drydock/vmlab/wire/fabric"
)

// Abilities is what a kernel can do with links. A field that is nil: it can.
type Abilities struct {
	// Bridge and pairs of devices connect namespaces.
	Bridge error
	// Cuts and losses are nftables' for bridges.
	Cuts error
	// Netem is the queueing discipline that delays, duplicates and reorders;
	// nothing here needs it.
	Netem error
}

// Probe tries everything out in a namespace that ends with the probe. The error
// is for a namespace that can't be made: it needs root.
func Probe() (Abilities, error) {
	type answer struct {
		can Abilities
		err error
	}
	done := make(chan answer, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		var a answer
		a.can, a.err = probe()
		done <- a
	}()
	a := <-done
	return a.can, a.err
}

func probe() (can Abilities, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return can, fmt.Errorf("a network namespace: %w", err)
	}
	namespace, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return can, err
	}
	defer namespace.Close()
	h, err := netlink.NewHandle()
	if err != nil {
		return can, err
	}
	defer h.Close()
	can.Bridge = probeBridge(h)
	can.Cuts = probeCuts(namespace)
	can.Netem = probeNetem(h)
	return can, nil
}

func probeBridge(h *netlink.Handle) error {
	br := netlink.NewLinkAttrs()
	br.Name = "br0"
	bridge := &netlink.Bridge{LinkAttrs: br}
	if err := h.LinkAdd(bridge); err != nil {
		return fmt.Errorf("a bridge: %w", err)
	}
	end := netlink.NewLinkAttrs()
	end.Name, end.MasterIndex = "a", bridge.Index
	if err := h.LinkAdd(&netlink.Veth{LinkAttrs: end, PeerName: "b"}); err != nil {
		return fmt.Errorf("a pair of devices: %w", err)
	}
	return nil
}

func probeCuts(namespace *os.File) error {
	b, err := New(namespace)
	if err != nil {
		return err
	}
	_, err = b.ImpairAll([]fabric.Rule{{Effect: fabric.Effect{Cut: true}}, {Effect: fabric.Effect{Loss: 0.5}}})
	if err == nil {
		_, err = b.Report()
	}
	return errors.Join(err, b.Close())
}

func probeNetem(h *netlink.Handle) error {
	lo, err := h.LinkByName("lo")
	if err != nil {
		return err
	}
	attrs := netlink.QdiscAttrs{LinkIndex: lo.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
	netem := netlink.NewNetem(attrs, netlink.NetemQdiscAttrs{Latency: uint32(time.Millisecond / time.Microsecond)})
	if err := h.QdiscAdd(netem); err != nil {
		return fmt.Errorf("netem: %w", err)
	}
	return nil
}
