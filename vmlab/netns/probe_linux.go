package netns

import (
	"context"
	"errors"
	"os"

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
	p.Try("a machine boots", "drydock lab up shows its console", func() (string, error) { return lab.BootOne(ctx, d, "") })
	return p.List
}
