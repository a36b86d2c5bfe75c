package firstboot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"drydock/node/cloudconfig"
)

// Machine is the machine that a plan is carried out on.
type Machine struct {
	// Root is put before all paths; "" on the machine itself.
	Root string
	// Run runs a program; nil is this machine's.
	Run func(ctx context.Context, name string, args ...string) error
	// Log gets a line for each thing that is done.
	Log io.Writer
}

// Apply carries out what a drive asks for, and returns all that failed.
func (m *Machine) Apply(ctx context.Context, d *Drive) error {
	var errs []error
	try := func(what string, err error) {
		if err != nil {
			err = fmt.Errorf("%s: %w", what, err)
			errs = append(errs, err)
			m.logf("failed: %v", err)
			return
		}
		m.logf("%s", what)
	}
	if d.Meta.Link != "" {
		try("address of "+d.Meta.Link, m.address(ctx, &d.Meta))
	}
	config := d.Config
	for i := range d.Links {
		if l := &d.Links[i]; !strings.EqualFold(l.MAC, d.Meta.Link) {
			try("link "+l.Name, m.ask(&config, l))
		}
	}
	for i := range d.Users {
		try("user "+d.Users[i].Name, m.admit(ctx, &config, &d.Users[i]))
	}
	p := config.Plan()
	if p.Hostname != "" {
		try("host name "+p.Hostname, m.hostname(p.Hostname))
	}
	for i := range p.Files {
		try("file "+p.Files[i].Path, m.write(&p.Files[i]))
	}
	for _, path := range p.Masks {
		try("mask "+path, m.mask(path))
	}
	for _, name := range p.Enable {
		try("enable "+name, m.run(ctx, "systemctl", "enable", "--no-reload", "--", name))
	}
	for _, name := range p.EnableRuntime {
		try("enable "+name, m.run(ctx, "systemctl", "enable", "--runtime", "--no-reload", "--", name))
	}
	try("reload systemd", m.run(ctx, "systemctl", "daemon-reload"))
	if p.Network {
		try("restart networkd", m.run(ctx, "systemctl", "--no-block", "restart", "systemd-networkd.service"))
	}
	for _, j := range p.Jobs {
		try(j.Command+" "+j.Unit, m.run(ctx, "systemctl", "--no-block", j.Command, "--", j.Unit))
	}
	if d.done != "" { // also where something failed: who waits would wait for ever
		try("file "+DoneFile, m.write(&cloudconfig.File{Path: DoneFile, Text: d.done, Mode: 0o644}))
	}
	return errors.Join(errs...)
}

func (m *Machine) logf(format string, args ...any) {
	_, _ = fmt.Fprintf(m.Log, format+"\n", args...)
}

// run runs a program of the machine; its error has what the program said.
func (m *Machine) run(ctx context.Context, name string, args ...string) error {
	if m.Run != nil {
		return m.Run(ctx, name, args...)
	}
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if said := strings.TrimSpace(string(out)); err != nil && said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// address gives a link its address and brings it up.
func (m *Machine) address(ctx context.Context, meta *Meta) error {
	link, err := m.device(meta.Link)
	if err != nil {
		return err
	}
	where := meta.PrivateIPv4 + "/" + strconv.Itoa(meta.Prefix)
	return errors.Join(
		m.run(ctx, "ip", "address", "replace", where, "dev", link),
		m.run(ctx, "ip", "link", "set", link, "up"),
	)
}

func (m *Machine) hostname(name string) error {
	err := m.write(&cloudconfig.File{Path: "/etc/hostname", Text: name + "\n", Mode: 0o644})
	if m.Root != "" {
		return err
	}
	return errors.Join(err, os.WriteFile("/proc/sys/kernel/hostname", []byte(name), 0))
}

// write writes a file, unless it is there as it should be.
func (m *Machine) write(f *cloudconfig.File) error {
	path := filepath.Join(m.Root, f.Path)
	uid, gid, err := owner(f.Owner)
	if err != nil {
		return err
	}
	if err := makeDirs(filepath.Dir(path), uid, gid, f.Owner != ""); err != nil {
		return err
	}
	mode := fileMode(f.Mode)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, []byte(f.Text)) {
		return errors.Join(os.Lchown(path, uid, gid), os.Chmod(path, mode))
	}
	t, err := renameio.TempFile(filepath.Dir(path), path)
	if err != nil {
		return err
	}
	defer func() { _ = t.Cleanup() }() // what is left if it failed
	if _, err := t.WriteString(f.Text); err != nil {
		return err
	}
	if err := errors.Join(t.Chown(uid, gid), t.Chmod(mode)); err != nil {
		return err
	}
	return t.CloseAtomicallyReplace()
}

// makeDirs makes the directories above a file. Those below /home are the owner's.
func makeDirs(dir string, uid, gid int, owned bool) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeDirs(filepath.Dir(dir), uid, gid, owned); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if owned {
		return os.Lchown(dir, uid, gid)
	}
	return nil
}

// owner finds the numbers of user:group; none is whoever this process runs as.
func owner(text string) (uid, gid int, err error) {
	if text == "" {
		return os.Geteuid(), os.Getegid(), nil
	}
	name, group, _ := strings.Cut(text, ":")
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	id := u.Gid
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return 0, 0, err
		}
		id = g.Gid
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(id)
	return uid, gid, err
}

// fileMode is a mode of chmod(1) as Go has it.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&bit != 0 {
			m |= flag
		}
	}
	return m
}

// mask makes a link to nothing of a unit file.
func (m *Machine) mask(path string) error {
	path = filepath.Join(m.Root, path)
	if to, err := os.Readlink(path); err == nil && to == os.DevNull {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.Symlink(os.DevNull, path)
}
