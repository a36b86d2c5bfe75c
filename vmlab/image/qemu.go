package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"drydock/vmlab/initrd"
)

// kernelPackage depends on the distribution's newest kernel for virtual machines.
const kernelPackage = "linux-image-cloud-amd64"

// earlyModules are what a machine's kernel needs before its root is there, and what
// nobody would load later, since no udev runs: the busses and devices of QEMU's
// machines, and the drive that Lima's configuration comes on.
var earlyModules = []string{"virtio_mmio", "virtio_pci", "virtio_blk", "virtio_net", "virtio-rng", "virtio_scsi", "sr_mod", "isofs"}

// Vmlinuz is the kernel for virtual machines, Initrd what it starts with. There are
// none where QEMU is "".
func (i *Image) Vmlinuz() string { return filepath.Join(i.Dir, vmlinuzFile) }

// Initrd is the archive that Vmlinuz starts with.
func (i *Image) Initrd() string { return filepath.Join(i.Dir, initrdFile) }

// kernel gets the distribution's kernel for virtual machines with its modules, and
// makes what it starts with.
func (b *builder) kernel(ctx context.Context) error {
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("there is one for amd64 alone, this is %s: leave it out with --no-qemu", runtime.GOARCH)
	}
	name, err := b.newestKernel(ctx)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.image.Dir, "kernel")
	if err := b.unpack(ctx, name, dir); err != nil {
		return err
	}
	b.image.QEMU = strings.TrimPrefix(name, "linux-image-")
	if err := os.Rename(filepath.Join(dir, "boot", "vmlinuz-"+b.image.QEMU), b.image.Vmlinuz()); err != nil {
		return err
	}
	into := filepath.Join(b.image.RootDir(), "usr/lib/modules")
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	modules := filepath.Join(into, b.image.QEMU)
	if err := os.Rename(filepath.Join(dir, "lib/modules", b.image.QEMU), modules); err != nil {
		return err
	}
	if err := b.run(ctx, b.image.Dir, "chroot", b.image.RootDir(), "depmod", b.image.QEMU); err != nil {
		return err
	}
	early, err := early(modules, earlyModules)
	if err != nil {
		return err
	}
	return os.WriteFile(b.image.Initrd(), initrd.Boot(early), 0o644)
}

// newestKernel is the package that has it.
func (b *builder) newestKernel(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-cache", "depends", kernelPackage)
	cmd.Stderr = b.Log
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("apt-cache: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
		if ok && strings.HasPrefix(name, "linux-image-") {
			return name, nil
		}
	}
	return "", fmt.Errorf("the package %s is unknown here: apt-get update, or leave it out with --no-qemu", kernelPackage)
}

// unpack downloads a package of the host's distribution and unpacks it into a
// directory that it makes.
func (b *builder) unpack(ctx context.Context, name, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := b.run(ctx, dir, "apt-get", "-o", "APT::Sandbox::User=root", "download", name); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("apt-get has downloaded %d files, %w", len(found), err)
	}
	return b.run(ctx, dir, "dpkg-deb", "-x", found[0], dir)
}

// errModule is matched when a kernel lacks a module.
var errModule = errors.New("the kernel has no such module")

// early reads modules from a kernel's directory, each after those it needs.
func early(dir string, names []string) ([]initrd.Module, error) {
	text, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, err
	}
	files, err := order(string(text), names)
	if err != nil {
		return nil, err
	}
	var list []initrd.Module
	for _, file := range files {
		data, err := fs.ReadFile(os.DirFS(dir), file)
		if err != nil {
			return nil, err
		}
		list = append(list, initrd.Module{Name: path.Base(file), Data: data})
	}
	return list, nil
}

// order lists the files of modules and of those that they need, in the order that
// they can be loaded in. The text is of modules.dep: a file, a colon and the files
// that it needs, those that must be loaded first last. (modules.dep(5))
func order(text string, names []string) (files []string, err error) {
	needs := map[string][]string{}
	for line := range strings.Lines(text) {
		file, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			needs[strings.TrimSuffix(path.Base(file), ".ko")] = append([]string{file}, strings.Fields(rest)...)
		}
	}
	for _, name := range names {
		list := needs[name]
		if list == nil {
			return nil, fmt.Errorf("%s: %w", name, errModule)
		}
		for _, file := range slices.Backward(list) {
			if !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files, nil
}
