package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/image"
	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

// withImage gives a shell's directory the images of the repository's, or of
// $DRYDOCK_IMAGES, and skips the test where there is none.
func (s *shell) withImage() {
	s.t.Helper()
	dir := os.Getenv("DRYDOCK_IMAGES")
	if dir == "" {
		dir = filepath.Join("..", "..", image.Root)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := (image.Store{Dir: dir}).Open(image.Default); err != nil {
		s.t.Skipf("skipped: %v; in the repository's directory, or $DRYDOCK_IMAGES", err)
	}
	if err := os.Mkdir(filepath.Join(s.dir, ".drydock"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Symlink(dir, filepath.Join(s.dir, image.Root)); err != nil {
		s.t.Fatal(err)
	}
}

// machinesFile is a lab of machines with an init, and userData what they are told
// besides: as in the articles of 2014, with a unit of their own.
const (
	machinesFile = `lab: left
machines:
  - name: core
    count: 3
    metadata: [disk=ssd]
    cloud_config: user-data
`
	userData = `#cloud-config
coreos:
  fleet:
    public_ip: $public_ipv4
  units:
    - name: etcd.service
      command: start
    - name: fleet.service
      command: start
    - name: greet.service
      command: start
      content: |
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/bin/cp /etc/greeting /run/greeted
write_files:
  - path: /etc/greeting
    permissions: 0640
    content: hello from $private_ipv4
`
	helloUnit = `[Unit]
Description=Hello World

[Service]
ExecStart=/bin/sh -c "while true; do echo Hello World; sleep 1; done"
`
)

func (s *shell) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// exec runs a script on a machine, and returns what it has printed.
func (s *shell) exec(machine, script string) string {
	s.t.Helper()
	return s.must("lab", "exec", machine, "--", "sh", "-c", script)
}

// checkMachines looks at what every lab of machines with an init must have. The
// machines' number is count.
func (s *shell) checkMachines(count int) {
	s.t.Helper()
	if got := s.exec("core-01", "systemctl is-active etcd fleet greet; cat /run/greeted; stat -c %a /etc/greeting"); got != "active\nactive\nactive\nhello from 172.17.8.101640\n" {
		s.t.Errorf("units and files: %q", got)
	}
	if got := s.exec("core-01", "etcdctl set /message Hello"); got != "Hello\n" {
		s.t.Errorf("set: %q", got)
	}
	last := "core-0" + string(rune('0'+count))
	if got := s.exec(last, "etcdctl get /message"); got != "Hello\n" {
		s.t.Errorf("get: %q", got)
	}
	list := s.exec(last, "fleetctl list-machines --no-legend")
	if strings.Count(list, "disk=ssd") != count || !strings.Contains(list, "172.17.8.101") {
		s.t.Errorf("machines:\n%s", list)
	}
	if got := s.exec("core-01", "hostname; systemctl --failed --no-legend; busctl --no-pager status org.freedesktop.systemd1 | grep -c ^PID=1$"); got != "core-01\n1\n" {
		s.t.Errorf("host name, failed units, D-Bus: %q", got)
	}
}

// TestNspawn takes a lab of containers with systemd from up to down.
func TestNspawn(t *testing.T) {
	s := newShell(t)
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Skip("skipped: no systemd-nspawn: apt-get install systemd-container")
	}
	s.withImage()
	s.write("lab.yaml", machinesFile)
	s.write("user-data", userData)
	s.must("lab", "up", "--driver", "nspawn")
	s.checkMachines(3)

	// A unit of the cluster is one of that machine's systemd, and goes elsewhere when
	// the machine does not come back.
	s.exec("core-02", "printf '"+strings.ReplaceAll(helloUnit, "\n", `\n`)+"' > /opt/hello.service; fleetctl start /opt/hello.service")
	where := func() string {
		for _, name := range []string{"core-01", "core-02", "core-03"} {
			if out, code := s.run("lab", "exec", name, "--", "systemctl", "is-active", "hello.service"); code == 0 && out == "active\n" {
				return name
			}
		}
		return ""
	}
	var first string
	s.until("hello.service runs", func(*keeper.Status) bool { first = where(); return first != "" })
	_, _ = s.run("lab", "exec", first, "--", "systemctl", "poweroff", "--force", "--force") // the way in goes with it
	s.until("hello.service runs elsewhere", func(*keeper.Status) bool { now := where(); return now != "" && now != first })
	s.must("lab", "up")
	s.until("all are back", func(st *keeper.Status) bool {
		return !slices.ContainsFunc(st.Machines, func(m keeper.MachineStatus) bool { return !m.Healthy })
	})
	if got := s.exec(first, "etcdctl get /message; cat /run/greeted"); got != "Hello\nhello from 172.17.8.10"+first[len(first)-1:] {
		t.Errorf("after its power has gone: %q", got)
	}
	s.keeperDies()
}

// keeperDies kills the keeper, and checks that nothing is left by itself but control
// groups, and nothing at all when the lab was taken down.
func (s *shell) keeperDies() {
	s.t.Helper()
	tr := s.traces()
	for _, pid := range tr.processes() {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.Contains(string(line), "\x00lab\x00keep\x00") {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(10 * time.Second); len(tr.processes()) > 0; {
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatalf("10s after the keeper's end: %v live", tr.processes())
		}
	}
	s.must("lab", "down")
	if left := tr.groups(); len(left) > 0 {
		s.t.Errorf("control groups are left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(s.dir, lab.Root)); err == nil {
		s.t.Error("the lab's directory is left")
	}
}

// living are the processes that name the shell's directory.
func (s *shell) living() (pids []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), s.dir) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// vmVariable asks for tests that boot kernels: they take minutes on a slow machine.
const vmVariable = "DRYDOCK_LAB_VM"

// TestUML takes a lab of machines with a kernel of their own from up to down, as
// whoever runs it.
func TestUML(t *testing.T) {
	if os.Getenv(vmVariable) == "" {
		t.Skip("skipped: boots kernels: make lab-vm, or " + vmVariable + "=1")
	}
	s := &shell{t: t, bin: binary(t), dir: t.TempDir()}
	s.withImage()
	t.Cleanup(func() { _, _ = s.run("lab", "down", "--all", "--now") })
	s.write("lab.yaml", strings.Replace(machinesFile, "lab: left\n", "lab: left\nready: 4m\n", 1))
	s.write("user-data", userData)
	s.must("lab", "up", "--driver", "uml")
	s.checkMachines(3)
	if got := s.exec("core-01", "uname -r; ip -brief address show dev vec0 | cut -d' ' -f1; ping -c1 -W1 192.0.2.1 2>&1; true"); !strings.Contains(got, "vec0") || !strings.Contains(got, "unreachable") {
		t.Errorf("kernel, link, the way out: %q", got)
	}
	if out, code := s.run("lab", "exec", "core-02", "--", "sh", "-c", "echo 'a b'; exit 7"); code != 7 || out != "a b\n" {
		t.Errorf("exec: exit status %d, %q", code, out)
	}
	// A node that is killed stays down; a machine that has switched itself off comes
	// back with what it had.
	s.must("lab", "fault", "crash", "core-03")
	if st := s.status(); st.Machines[2].NodeUp {
		t.Errorf("a killed node runs: %+v", st.Machines[2])
	}
	s.must("lab", "fault", "heal")
	s.exec("core-02", "touch /opt/mine; sync; systemctl poweroff")
	s.until("core-02 is off", func(st *keeper.Status) bool { return st.Machines[1].Power == lab.PowerOff })
	s.must("lab", "up")
	s.exec("core-02", "test -e /opt/mine")

	for _, pid := range s.living() {
		line, err := os.ReadFile("/proc/" + pid + "/cmdline")
		if number, _ := strconv.Atoi(pid); err == nil && strings.Contains(string(line), "\x00lab\x00keep\x00") {
			if err := unix.Kill(number, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(20 * time.Second); len(s.living()) > 0; {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("20s after the keeper's end: %v live", s.living())
		}
	}
	s.must("lab", "down")
}
