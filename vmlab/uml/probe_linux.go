package uml

import (
	"context"
	"errors"
	"net/netip"
	"os"

	"drydock/vmlab/foothold"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
)

// Probe implements lab.Driver. The last thing tried is a machine that boots.
func (d driver) Probe(ctx context.Context) []lab.Finding {
	var p lab.Probes
	p.Try("mke2fs", "apt-get install e2fsprogs", mke2fs)
	p.Try("an image with a kernel for User Mode Linux", "drydock lab image build, as root", func() (string, error) {
		i, err := image.Store{Dir: image.Root}.Open(image.Default)
		if err != nil {
			return "", err
		}
		return i.Dir, complete(i)
	})
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
	p.Try("a machine boots", "drydock lab up --driver uml shows its console", func() (string, error) { return lab.BootOne(ctx, d, image.Root) })
	return p.List
}
