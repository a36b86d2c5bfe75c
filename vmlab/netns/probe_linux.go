package netns

import (
	"context"
	"errors"
	"os"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/wire"
	"drydock/vmlab/wire/kernel"
)

// Probe implements lab.Driver. The last thing tried is a machine that boots.
func (d driver) Probe(ctx context.Context) []lab.Finding {
	var p lab.Probes
	p.Try("root", "sudo drydock lab doctor", func() (string, error) {
		if os.Geteuid() != 0 {
			return "", errors.New("this is not root")
		}
		return "", nil
	})
	p.Try("control groups of version 2", "mount -t cgroup2 none /sys/fs/cgroup/unified", func() (string, error) {
		_, err := parts.FindHierarchies()
		return "", err
	})
	p.Try("a tap device in a namespace", "modprobe tun", tap)
	p.Try("a machine boots", "drydock lab up shows its console", func() (string, error) { return lab.BootOne(ctx, d, "") })
	can, err := kernel.Probe()
	for _, one := range []struct {
		what, fix string
		err       error
	}{
		{"a bridge, for network.path kernel", "modprobe bridge veth", can.Bridge},
		{"its cuts and losses, by nftables", "modprobe nf_tables nf_tables_bridge, or CONFIG_NF_TABLES_BRIDGE", can.Cuts},
		{"netem, which the wire does without", "modprobe sch_netem (Fedora: dnf install kernel-modules-extra)", can.Netem},
	} {
		p.Like(one.what, one.fix, func() (string, error) { return "", errors.Join(err, one.err) })
	}
	return p.List
}

// tap makes a tap device in a namespace of its own.
func tap() (_ string, err error) {
	s, err := parts.NewSpace()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	f, err := wire.OpenTap(wire.TapConfig{Namespace: s.File, Name: parts.LinkName, MTU: parts.LinkMTU})
	if err != nil {
		return "", err
	}
	return "", f.Close()
}
