package qemu

import (
	"context"
	"fmt"
	"os"

	"drydock/vmlab/guest"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/virtual"
)

// Probe implements lab.Driver. The last thing tried is a machine that boots.
func (d driver) Probe(ctx context.Context) []lab.Finding {
	var p lab.Probes
	p.Try("QEMU", "apt-get install qemu-system-x86", Find)
	p.Try(imageTool, "apt-get install qemu-utils", findTool)
	p.Try("mke2fs", "apt-get install e2fsprogs", guest.Tool)
	var i *image.Image
	p.Try("an image with a kernel for virtual machines", "drydock lab image build, as root", func() (string, error) {
		var err error
		if i, err = (image.Store{Dir: image.Root}).Open(image.Default); err != nil {
			return "", err
		}
		return i.Dir, complete(i)
	})
	virtual.TryFoothold(ctx, &p)
	var tried []Attempt
	p.Try("a kernel runs a program", "drydock lab image build --force, as root", func() (string, error) {
		var err error
		if tried, err = Try(ctx, i); err != nil {
			return "", err
		}
		return tried[len(tried)-1].Machine.String(), nil
	})
	p.List = append(p.List, findings(tried)...)
	p.Try("a machine boots", "drydock lab up --driver qemu shows its console", func() (string, error) { return lab.BootOne(ctx, d, image.Root) })
	return p.List
}

// findings are the kinds of machines that were tried and don't work: machines are
// slower for it.
func findings(tried []Attempt) []lab.Finding {
	var list []lab.Finding
	for _, a := range tried {
		if a.Err == nil {
			continue
		}
		f := lab.Finding{What: fmt.Sprintf("a kernel boots with %s", a.Machine), Detail: a.Err.Error(), Took: a.Took}
		if a.Accelerator == KVM {
			f.Fix = "load the module kvm_intel or kvm_amd, and add yourself to the group kvm"
			if _, err := os.Stat("/sys/module/kvm_pvm"); err == nil {
				f.Fix = "this host's KVM is PVM, which runs kernels built for it alone: machines are emulated here"
			}
		}
		list = append(list, f)
	}
	return list
}
