package uml

import (
	"context"

	"drydock/vmlab/guest"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/virtual"
)

// Probe implements lab.Driver. The last thing tried is a machine that boots.
func (d driver) Probe(ctx context.Context) []lab.Finding {
	var p lab.Probes
	p.Try("mke2fs", "apt-get install e2fsprogs", guest.Tool)
	p.Try("an image with a kernel for User Mode Linux", "drydock lab image build, as root", func() (string, error) {
		i, err := image.Store{Dir: image.Root}.Open(image.Default)
		if err != nil {
			return "", err
		}
		return i.Dir, complete(i)
	})
	virtual.TryFoothold(ctx, &p)
	p.Try("a machine boots", "drydock lab up --driver uml shows its console", func() (string, error) { return lab.BootOne(ctx, d, image.Root) })
	return p.List
}
