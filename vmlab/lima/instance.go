package lima

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"drydock/vmlab/guest"
)

// Files of Lima's in an instance's directory. (Lima, internals)
const (
	baseDisk  = "basedisk"
	kernel    = "kernel"
	kernelCmd = "kernel.cmdline"
	initrd    = "initrd"
	events    = "ha.stdout.log"
	agentLog  = "ha.stderr.log"
	serialLog = "serial.log"
	qemuPid   = "qemu.pid"
	dataDisk  = "datadisk"
)

// dir is the instance's directory, file one of its files.
func (m *machine) dir() string { return filepath.Join(m.ground.tools.home, m.spec.Name) }

func (m *machine) file(name string) string { return filepath.Join(m.dir(), name) }

// own is a file of the lab's directory of the machine.
func (m *machine) own(name string) string {
	return filepath.Join(m.ground.site.MachineDir(m.spec.Name), name)
}

// create makes the machine's instance, unless there is one.
func (m *machine) create(ctx context.Context) error {
	if _, err := os.Stat(m.dir()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t := m.ground.tools
	if err := m.makeDrive(ctx); err != nil {
		return fmt.Errorf("its config drive: %w", err)
	}
	info, err := os.Stat(m.image.Disk())
	if err != nil {
		return err
	}
	d := here().describe(m.spec, m.image, info.Size(), t.home)
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	template, err := t.output(ctx, bytes.NewReader(text), t.own, "template")
	if err != nil {
		return err
	}
	path := m.own("lima.yaml")
	if err := os.WriteFile(path, []byte(template), 0o600); err != nil {
		return err
	}
	if err := t.keep(ctx, "create", "--name="+m.spec.Name, path); err != nil {
		return err
	}
	if d.VMType != vmQEMU {
		return nil // it takes a copy
	}
	return m.borrow(d)
}

// borrow has the instance take the image where it is: Lima would copy it, and limactl
// has when it made the instance. QEMU only reads it.
func (m *machine) borrow(d *description) error {
	if _, err := os.Stat(m.file(baseDisk)); err == nil {
		return nil
	}
	for name, from := range map[string]string{baseDisk: d.Disk, kernel: d.Kernel, initrd: d.Initrd} { // any order: each a file of its own
		if err := os.Symlink(from, m.file(name)); err != nil {
			return err
		}
	}
	return os.WriteFile(m.file(kernelCmd), []byte(d.CmdLine), 0o600)
}

// makeDrive makes the machine's config drive, as a disk of Lima's store.
func (m *machine) makeDrive(ctx context.Context) error {
	t, g := m.ground.tools, m.ground
	d, err := guest.New(&g.site, m.spec, guest.Way{Link: m.spec.MAC, Key: g.key})
	if err != nil {
		return err
	}
	dir := m.own("config")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return err
	}
	if err := d.Write(dir); err != nil {
		return err
	}
	if here().system == "linux" { // elsewhere this program can't run in machines, which have the image's
		to := filepath.Join(dir, guest.Program)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.Link(g.site.Binary, to)); err != nil {
			return err
		}
	}
	disk := filepath.Join(t.home, diskDir, m.spec.Name)
	if err := errors.Join(os.RemoveAll(disk), os.MkdirAll(disk, 0o700)); err != nil {
		return err
	}
	_, err = t.output(ctx, nil, t.own, "drive", dir, filepath.Join(disk, dataDisk))
	return err
}

// remove deletes the instance and its config drive.
func (m *machine) remove(ctx context.Context) error {
	t := m.ground.tools
	var errs []error
	if _, err := os.Stat(m.dir()); err == nil {
		errs = append(errs, t.keep(ctx, "delete", "--force", m.spec.Name))
	}
	return errors.Join(append(errs, os.RemoveAll(filepath.Join(t.home, diskDir, m.spec.Name)))...)
}

// event is what Lima tells of an instance. (Lima, pkg/hostagent/events)
type event struct {
	Status struct {
		Running      bool     `json:"running"`
		Degraded     bool     `json:"degraded"`
		Exiting      bool     `json:"exiting"`
		Errors       []string `json:"errors"`
		SSHLocalPort int      `json:"sshLocalPort"`
	} `json:"status"`
}

// sshPort finds, in what Lima has told of an instance, the port of this host that leads
// to its sshd; 0 if there is none yet. What is no event is left out: a line may be
// half there.
func sshPort(told []byte) int {
	port := 0
	for line := range bytes.Lines(told) {
		var e event
		if json.Unmarshal(line, &e) == nil && e.Status.SSHLocalPort > 0 && e.Status.SSHLocalPort < 1<<16 {
			port = e.Status.SSHLocalPort
		}
	}
	return port
}

// errGivenUp is matched when Lima doesn't keep an instance any more.
var errGivenUp = errors.New("the instance's keeper of Lima has ended")

// portEvery is the rest between two looks for a port.
const portEvery = 50 * time.Millisecond

// awaitPort returns the instance's port once Lima has started its machine.
func (m *machine) awaitPort(ctx context.Context, l *life) (int, error) {
	for {
		told, err := os.ReadFile(m.file(events))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if port := sshPort(told); port > 0 {
			return port, nil
		}
		select {
		case <-l.Gone():
			return 0, fmt.Errorf("%w%s", errGivenUp, m.limaWords())
		case <-time.After(portEvery):
		case <-ctx.Done():
			return 0, fmt.Errorf("it was not started in time: %w%s", ctx.Err(), m.limaWords())
		}
	}
}

// limaWords is what Lima said last.
func (m *machine) limaWords() string {
	said := ""
	for _, path := range []string{m.own(limaLog), m.file(agentLog)} {
		if text, err := os.ReadFile(path); err == nil {
			said += string(text)
		}
	}
	return lastWords(said)
}

// pid is the number in a file of the instance, 0 if there is none.
func pid(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 2 || syscall.Kill(n, 0) != nil {
		return 0
	}
	return n
}

// limaLog is what Lima says before it keeps an instance.
const limaLog = "lima.log"

// starter is the command that starts the instance and keeps it, until the writer is
// closed: by this process, or by its death.
func (m *machine) starter(log *os.File) (*exec.Cmd, io.Closer, error) {
	t := m.ground.tools
	cmd := exec.Command(t.own, "hold", t.ctl, "start", "--tty=false", "--foreground", m.spec.Name)
	cmd.Env, cmd.Stdout, cmd.Stderr = t.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	hold, err := cmd.StdinPipe()
	return cmd, hold, err
}
