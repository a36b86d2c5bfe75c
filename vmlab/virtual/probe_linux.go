package virtual

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"drydock/vmlab/foothold"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
)

// TryFoothold tries whether this process can have a place on a lab's network.
func TryFoothold(ctx context.Context, p *lab.Probes) {
	p.Try("a tap device in a user namespace", "sysctl kernel.unprivileged_userns_clone=1, and let users open /dev/net/tun", func() (string, error) {
		program, err := os.Executable()
		if err != nil {
			return "", err
		}
		f, err := foothold.Open(ctx, foothold.Config{Program: program, MAC: parts.HostMAC, Address: netip.MustParseAddr("172.17.8.1"), Bits: 24})
		if err != nil {
			return "", err
		}
		return "", errors.Join(f.Tap().Close(), f.Close())
	})
}
