package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Options say what image to build.
type Options struct {
	// Name is what lab files call it.
	Name string
	// Suite and Mirror are the distribution's release and where its packages come from.
	Suite, Mirror string
	// Packages are further ones.
	Packages []string
	// Docker adds the container runtime, UML the kernel for User Mode Linux, QEMU that for
	// virtual machines, and Disk the root as a disk's file.
	Docker, UML, QEMU, Disk bool
	// Program is the path of this program.
	Program string
	// Force builds it though nothing has changed.
	Force bool
	// Log gets what the tools say; Step a line for each thing that begins.
	Log  io.Writer
	Step func(text string)
}

// Options that a call leaves open.
const (
	DefaultSuite  = "bookworm"
	DefaultMirror = "http://deb.debian.org/debian"
)

// ErrTool is matched when a program that building takes is not there.
var ErrTool = errors.New("a tool is missing")

// ErrRoot is matched when whoever builds is not root, of a user namespace at least.
var ErrRoot = errors.New("building an image takes root")

// tools are programs that building takes, and the packages they are in.
var tools = []struct{ program, from string }{
	{"mmdebstrap", "mmdebstrap"},
	{"mke2fs", "e2fsprogs"},
	{"dpkg-deb", "dpkg"},
	{"apt-get", "apt"},
	{"chroot", "coreutils"},
}

// Missing says which packages must be installed to build images.
func Missing() []string {
	var packages []string
	for _, t := range tools {
		if _, err := exec.LookPath(t.program); err != nil {
			packages = append(packages, t.from)
		}
	}
	return packages
}

// Build builds an image, unless the store has one of the same recipe; fresh says
// that it was built. The program within is this one in either case.
func (s Store) Build(ctx context.Context, o *Options) (image *Image, fresh bool, err error) {
	r := newRecipe(o)
	old, err := s.Open(o.Name)
	if err != nil && !errors.Is(err, ErrNoImage) {
		return nil, false, err
	}
	if old != nil && old.Recipe == r.digest() && !o.Force && (!o.Disk || old.DiskBytes > 0) {
		return old, false, nil
	}
	if os.Geteuid() != 0 {
		return nil, false, ErrRoot
	}
	if old != nil {
		held, err := old.own()
		if err != nil {
			return nil, false, err
		}
		defer func() { err = errors.Join(err, held.Close()) }()
	}
	if missing := Missing(); len(missing) > 0 {
		return nil, false, fmt.Errorf("%w: apt-get install %s", ErrTool, strings.Join(missing, " "))
	}
	place, err := filepath.Abs(filepath.Join(s.Dir, o.Name))
	if err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return nil, false, err
	}
	alone, err := s.clean()
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, alone.Close()) }()
	work, err := os.MkdirTemp(filepath.Dir(place), building)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	b := &builder{Options: o, recipe: r, image: Image{Dir: work, Manifest: Manifest{
		Version: manifestVersion, Name: o.Name, Built: time.Now().UTC().Truncate(time.Second),
		Recipe: r.digest(), Suite: o.Suite, Packages: r.Packages, UML: o.UML,
	}}}
	if err := b.build(ctx); err != nil {
		return nil, false, err
	}
	if old != nil {
		if err := os.Rename(place, filepath.Join(work, "old")); err != nil {
			return nil, false, err
		}
	}
	next := filepath.Join(filepath.Dir(work), "."+o.Name+".new")
	if err := moveFiles(work, next, place); err != nil {
		return nil, false, err
	}
	image, err = s.Open(o.Name)
	return image, true, err
}

// moveFiles moves what was built to its place in one step.
func moveFiles(work, next, place string) error {
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	if err := os.Mkdir(next, 0o755); err != nil {
		return err
	}
	for _, name := range []string{rootDir, diskFile, umlFile, vmlinuzFile, initrdFile, manifestF} {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(next, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(next, place)
}

// builder builds one image.
type builder struct {
	*Options
	recipe *recipe
	image  Image
}

func (b *builder) build(ctx context.Context) error {
	steps := []struct {
		text string
		do   func(context.Context) error
		skip bool
	}{
		{text: "root file system of " + b.Suite + ", " + fmt.Sprint(len(b.recipe.Packages)) + " packages and what they need", do: b.bootstrap},
		{text: "kernel for User Mode Linux", do: b.uml, skip: !b.UML},
		{text: "kernel for virtual machines", do: b.kernel, skip: !b.QEMU},
		{text: "images for containers", do: b.containers, skip: !b.Docker},
		{text: "units, users and the program", do: b.furnish},
		{text: "disk", do: b.disk, skip: !b.Disk},
		// Its files are owned by numbers that are nobody's outside.
		{text: "the root as a directory, which is root's alone", do: b.dropRoot, skip: !ownRoot()},
	}
	for _, s := range steps {
		if s.skip {
			continue
		}
		b.Step(s.text)
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.text, err)
		}
	}
	return b.image.save()
}

// first is the shell that a tool is run by, which may be the first process of a PID
// namespace: a tool may not be up to that.
const first = `"$@"; exit $?`

// run runs a tool. It is killed when ctx ends, or this program does, and where it has
// mounted something nobody else sees that.
func (b *builder) run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", first, "sh", name}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, b.Log, b.Log
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	bind(cmd)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// bootstrap fills the root.
func (b *builder) bootstrap(ctx context.Context) error {
	args := []string{
		"--quiet", "--variant=minbase", "--mode=root", "--dpkgopt=force-unsafe-io", `--aptopt=Acquire::Languages "none"`,
		`--aptopt=Acquire::http::Timeout "30"`, `--aptopt=Acquire::Retries "1"`,
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
		"--include=" + strings.Join(b.recipe.Packages, ","), b.Suite, b.image.RootDir(), b.Mirror,
	}
	return b.run(ctx, b.image.Dir, "mmdebstrap", args...)
}

// uml gets User Mode Linux, which is a program, and its modules.
func (b *builder) uml(ctx context.Context) error {
	dir := filepath.Join(b.image.Dir, "uml")
	if err := b.unpack(ctx, "user-mode-linux", dir); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, "usr/bin/linux.uml"), b.image.Kernel()); err != nil {
		return err
	}
	modules, err := os.ReadDir(filepath.Join(dir, "usr/lib/uml/modules"))
	if err != nil {
		return err
	}
	into := filepath.Join(b.image.RootDir(), "usr/lib/modules")
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	for _, one := range modules {
		if err := os.Rename(filepath.Join(dir, "usr/lib/uml/modules", one.Name()), filepath.Join(into, one.Name())); err != nil {
			return err
		}
	}
	return nil
}

// furnish makes a machine of a lab of the root.
func (b *builder) furnish(ctx context.Context) error {
	root := b.image.RootDir()
	for _, f := range b.recipe.Files {
		if err := put(root, f); err != nil {
			return err
		}
	}
	for _, name := range b.recipe.Masks {
		if err := mask(filepath.Join(root, "etc/systemd/system", name)); err != nil {
			return err
		}
	}
	for _, name := range b.recipe.Generators {
		if err := mask(filepath.Join(root, "etc/systemd/system-generators", name)); err != nil {
			return err
		}
	}
	for _, name := range b.recipe.Removed {
		if err := os.Remove(filepath.Join(root, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := installProgram(b.Program, root); err != nil {
		return err
	}
	inside := [][]string{
		// No password fits, but the account is not locked: sshd lets nobody into one that is.
		{"useradd", "--create-home", "--shell", "/bin/bash", "--groups", "sudo", "--password", "*", "core"},
		{"systemctl", "enable", "--quiet", strings.Join(enabled, " ")},
		// Drivers press that key to switch a machine off.
		{"ln", "-sf", "/lib/systemd/system/poweroff.target", "/etc/systemd/system/ctrl-alt-del.target"},
		{"ln", "-sf", "vim.tiny", "/usr/bin/vim"},
	}
	if b.Docker {
		inside = append(inside, []string{"usermod", "--append", "--groups", "docker", "core"},
			[]string{"systemctl", "disable", "--quiet", strings.Join(disabled, " ")},
			[]string{"update-alternatives", "--quiet", "--set", "iptables", "/usr/sbin/iptables-legacy"})
	}
	for _, words := range inside {
		if err := b.run(ctx, root, "chroot", append([]string{root}, strings.Fields(strings.Join(words, " "))...)...); err != nil {
			return err
		}
	}
	keys, err := filepath.Glob(filepath.Join(root, "etc/ssh/ssh_host_*"))
	if err != nil {
		return err
	}
	for _, path := range append(keys, filepath.Join(root, "var/lib/dbus/machine-id"), filepath.Join(root, "etc/resolv.conf")) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if b.image.Installed, err = installed(root); err != nil {
		return err
	}
	b.image.RootBytes, err = sizeOf(root)
	return err
}

// mask makes a link to nothing of a path.
func mask(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(os.DevNull, path)
}

// put puts a file into a root.
func put(root string, f rootFile) error {
	path := filepath.Join(root, f.Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(path, []byte(f.Text), 0o600); err != nil {
		return err
	}
	return os.Chmod(path, fs.FileMode(f.Mode))
}

// installProgram puts the program into a root, with the names of its clients.
func installProgram(program, root string) error {
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, GuestProgram), text, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"etcdctl", "fleetctl"} {
		if err := os.Symlink("drydock", filepath.Join(root, filepath.Dir(GuestProgram), name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(root, ConfigDrive), 0o755)
}

// installed lists a root's packages by its own records.
func installed(root string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "var/lib/dpkg/status"))
	if err != nil {
		return nil, err
	}
	var list []string
	name := ""
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Package":
			name = value
		case "Version":
			list = append(list, name+"="+value)
		}
	}
	slices.Sort(list)
	return list, nil
}

// sizeOf adds up a directory's files.
func sizeOf(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// dropRoot removes the root directory, which was good for the disk.
func (b *builder) dropRoot(context.Context) error {
	if !b.Disk {
		return errors.New("an ordinary user's image is a disk and nothing else")
	}
	return os.RemoveAll(b.image.RootDir())
}

// room is what a machine's disk has to write to, beside the root.
const room = 512 << 20

// disk makes a file of the root.
func (b *builder) disk(ctx context.Context) error {
	size := (b.image.RootBytes*5/4 + room) >> 20
	err := b.run(ctx, b.image.Dir, "mke2fs", "-q", "-t", "ext4", "-L", "root", "-m", "0", "-d", b.image.RootDir(), b.image.Disk(), fmt.Sprintf("%dM", size))
	if err != nil {
		return err
	}
	info, err := os.Stat(b.image.Disk())
	if err != nil {
		return err
	}
	b.image.DiskBytes = info.Size()
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		b.image.DiskBytes = s.Blocks * 512
	}
	return nil
}
