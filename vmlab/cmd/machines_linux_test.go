package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
)

func (s *shell) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// within polls for as long as machines with an init may take on a busy host.
func (s *shell) within(what string, so func() bool) {
	s.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(2 * time.Minute); !so(); {
		select {
		case <-tick.C:
		case <-end:
			out, _ := s.run("lab", "status")
			s.t.Fatalf("%s: not within 2m\n%s", what, out)
		}
	}
}

// healthy waits until all machines are.
func (s *shell) healthy() {
	s.t.Helper()
	s.within("all are healthy", func() bool {
		return !slices.ContainsFunc(s.status().Machines, func(m keeper.MachineStatus) bool { return !m.Healthy })
	})
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
	if got := s.exec("core-01", "etcdctl --total-timeout 1m set /message Hello"); got != "Hello\n" {
		s.t.Errorf("set: %q", got)
	}
	last := "core-0" + string(rune('0'+count))
	if got := s.exec(last, "etcdctl --total-timeout 1m get /message"); got != "Hello\n" {
		s.t.Errorf("get: %q", got)
	}
	s.within("all machines are listed", func() bool {
		list := s.exec(last, "fleetctl list-machines --no-legend")
		return strings.Count(list, "disk=ssd") == count && strings.Contains(list, "172.17.8.101")
	})
	if got := s.exec("core-01", "hostname; systemctl --failed --no-legend; busctl --no-pager status org.freedesktop.systemd1 | grep -c ^PID=1$"); got != "core-01\n1\n" {
		s.t.Errorf("host name, failed units, D-Bus: %q", got)
	}
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
