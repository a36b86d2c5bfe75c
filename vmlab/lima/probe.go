package lima

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
	"drydock/vmlab/qemu"
)

// Probe implements lab.Driver. The last thing tried is a machine that boots.
func (d driver) Probe(ctx context.Context) []lab.Finding {
	var p lab.Probes
	p.Try("an ordinary user", "call drydock as one", func() (string, error) {
		return os.Getenv("USER"), refuse(os.Geteuid())
	})
	t := &tools{}
	p.Try(ownName, getOwn, func() (string, error) {
		dir, err := os.MkdirTemp("", "drydock-doctor-")
		if err != nil {
			return "", err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if t, err = findTools(ctx, dir); err != nil {
			return "", err
		}
		version, err := t.versionOf(ctx, t.own)
		return t.own + ", with Lima " + version, err
	})
	p.Like(ctlName+" of the user's own", "not needed: "+ownName+" is one, too", func() (string, error) {
		if t.ctl == t.own {
			return "", exec.ErrNotFound
		}
		return fmt.Sprintf("%s, Lima %s", t.ctl, t.version), nil
	})
	p.Try("ssh", "apt-get install openssh-client", func() (string, error) { return find("ssh") })
	if here().vmType() == vmQEMU {
		p.Try("QEMU", "apt-get install qemu-system-x86 qemu-utils", func() (string, error) { return find(qemu.Program, "qemu-img") })
	}
	p.Try("an image with a kernel for virtual machines", "drydock lab image build, as root", func() (string, error) {
		i, err := image.Store{Dir: image.Root}.Open(image.Default)
		if err != nil {
			return "", err
		}
		return i.Dir, complete(i)
	})
	p.Try("a machine boots", "drydock lab up --driver lima shows its console", func() (string, error) { return lab.BootOne(ctx, d, image.Root) })
	return p.List
}

// find finds programs on the path.
func find(names ...string) (string, error) {
	var found []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("%s is missing", name)
		}
		found = append(found, filepath.Clean(path))
	}
	return strings.Join(found, ", "), nil
}
