package nspawn

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
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
	p.Try("systemd-nspawn", "apt-get install systemd-container", func() (string, error) { return exec.LookPath("systemd-nspawn") })
	p.Try("an image", "drydock lab image build", func() (string, error) {
		i, err := image.Store{Dir: image.Root}.Open(image.Default)
		if err != nil {
			return "", err
		}
		if !i.HasRoot() {
			return "", noRoot(i)
		}
		return i.Dir, nil
	})
	p.Try("a machine boots", "drydock lab up --driver nspawn shows its console", func() (string, error) { return lab.BootOne(ctx, d, image.Root) })
	return p.List
}
