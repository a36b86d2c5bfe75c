package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
)

// guestProgram is where a machine has its node's program.
const guestProgram = "/opt/bin/drydock"

// rooms say what a machine's root is made of.
type rooms struct {
	// Dir is the machine's directory on the host: root, etc and work are below.
	Dir string `json:"dir"`
	// Shares are folders of the host.
	Shares []lab.Share `json:"shares,omitempty"`
	// Files are written before the machine runs: path → text.
	Files []file `json:"files,omitempty"`
}

// file is a file that the machine is given.
type file struct {
	Path string      `json:"path"`
	Text string      `json:"text"`
	Mode os.FileMode `json:"mode"`
}

// laid are the directories of the host that machines see to read.
var laid = []string{"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// own are the directories that stay with a machine.
var own = []string{"var", "var/lib", "var/log", "var/tmp", "home", "home/core", "root", "opt", "opt/bin", "mnt", "srv", "etc", "proc", "sys", "dev", "run", "tmp"}

// devices are those of the host's that a machine may use: none holds anything.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// build makes the root and changes into it. The caller is the first process of its
// namespaces.
func (r *rooms) build() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	root := filepath.Join(r.Dir, "root")
	for _, dir := range own {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := bind(root, root, false); err != nil {
		return err
	}
	for _, step := range []func(root string) error{r.programs, r.etc, r.kernel, r.dev, r.shares} {
		if err := step(root); err != nil {
			return err
		}
	}
	if err := r.turn(root); err != nil {
		return err
	}
	return r.write()
}

// programs lays the host's programs and libraries over the root.
func (r *rooms) programs(root string) error {
	for _, name := range laid {
		from, to := "/"+name, filepath.Join(root, name)
		info, err := os.Lstat(from)
		if err != nil {
			continue // not every host has all of them
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(from)
			if err != nil {
				return err
			}
			if err := os.Symlink(target, to); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			continue
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		if err := bind(from, to, true); err != nil {
			return err
		}
	}
	return nil
}

// etc lays the machine's own changes over the host's /etc. Where the machine's
// directory can't hold such changes, they last until it is switched off.
func (r *rooms) etc(root string) error {
	upper, work := filepath.Join(r.Dir, "etc"), filepath.Join(r.Dir, "work")
	mount := func() error {
		for _, dir := range []string{upper, work} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		return unix.Mount("etc", filepath.Join(root, "etc"), "overlay", 0, "lowerdir=/etc,upperdir="+upper+",workdir="+work)
	}
	err := mount()
	if err != nil {
		if err = unix.Mount("etc", filepath.Join(root, "mnt"), "tmpfs", 0, "mode=755"); err == nil {
			upper, work = filepath.Join(root, "mnt", "etc"), filepath.Join(root, "mnt", "work")
			err = mount()
			_ = unix.Unmount(filepath.Join(root, "mnt"), unix.MNT_DETACH) // the overlay keeps it
		}
	}
	if err != nil {
		return fmt.Errorf("lay the machine's changes over /etc: %w", err)
	}
	return nil
}

// kernel mounts what the kernel shows of the machine's own namespaces.
func (r *rooms) kernel(root string) error {
	for _, m := range []struct {
		kind, at, data string
		flags          uintptr
	}{
		{"proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"sysfs", "sys", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RDONLY},
		{"cgroup2", "sys/fs/cgroup", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"tmpfs", "run", "mode=755", unix.MS_NOSUID | unix.MS_NODEV},
		{"tmpfs", "tmp", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
	} {
		if err := unix.Mount(m.kind, filepath.Join(root, m.at), m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount /%s: %w", m.at, err)
		}
	}
	// By a word written there the host itself would reboot.
	at := filepath.Join(root, "proc/sysrq-trigger")
	if _, err := os.Stat(at); err != nil {
		return nil // this kernel has none
	}
	return bind(at, at, true)
}

// dev makes a /dev with nothing in it that holds anything.
func (r *rooms) dev(root string) error {
	dev := filepath.Join(root, "dev")
	if err := unix.Mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	for _, name := range devices {
		at := filepath.Join(dev, name)
		if err := os.WriteFile(at, nil, 0o666); err != nil {
			return err
		}
		if err := bind("/dev/"+name, at, false); err != nil {
			return err
		}
	}
	for _, dir := range []string{"pts", "shm"} {
		if err := os.Mkdir(filepath.Join(dev, dir), 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", filepath.Join(dev, "pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	if err := unix.Mount("tmpfs", filepath.Join(dev, "shm"), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return fmt.Errorf("mount /dev/shm: %w", err)
	}
	for name, target := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return nil
}

// shares lays folders of the host over the root.
func (r *rooms) shares(root string) error {
	for _, s := range r.Shares {
		to := filepath.Join(root, s.Guest)
		if err := os.MkdirAll(to, 0o755); err != nil {
			return fmt.Errorf("share %s: %w", s.Guest, err)
		}
		if err := bind(s.Host, to, s.ReadOnly); err != nil {
			return fmt.Errorf("share %s: %w", s.Guest, err)
		}
	}
	return nil
}

// turn makes root the root, and lets go of the host's.
func (r *rooms) turn(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	// The old root is put over the new one, and taken away from there.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the host's root: %w", err)
	}
	return os.Chdir("/")
}

// write writes the machine's files, within its root.
func (r *rooms) write() error {
	for _, f := range r.Files {
		if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
			return err
		}
		// What was a link of the host's is a file of the machine's.
		if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(f.Path, []byte(f.Text), f.Mode); err != nil {
			return err
		}
	}
	for at, target := range map[string]string{
		"/opt/bin/etcdctl": filepath.Base(guestProgram), "/opt/bin/fleetctl": filepath.Base(guestProgram), "/var/run": "../run", "/etc/mtab": "/proc/mounts",
	} {
		if err := os.Symlink(target, at); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// bind lays a directory or file over another.
func bind(from, to string, readOnly bool) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("lay %s over %s: %w", from, to, err)
	}
	if !readOnly {
		return nil
	}
	// What is mounted below is read-only, too, and whatever else a mount is it stays.
	err := unix.MountSetattr(unix.AT_FDCWD, to, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if errors.Is(err, unix.ENOSYS) { // before Linux 5.12
		err = unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	if err != nil {
		return fmt.Errorf("make %s read-only: %w", to, err)
	}
	return nil
}

// hosts is a machine's /etc/hosts.
func hosts(machines []lab.Machine) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	for i := range machines {
		fmt.Fprintf(&b, "%s %s %s\n", machines[i].Address, machines[i].Name, machines[i].Node)
	}
	return b.String()
}
