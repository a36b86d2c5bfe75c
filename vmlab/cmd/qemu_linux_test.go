package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
	"drydock/vmlab/qemu"
)

// snapshots keeps the state of all machines, one of them off, breaks the lab, and
// goes back.
func (s *shell) snapshots() {
	s.t.Helper()
	s.exec("core-01", "etcdctl --total-timeout 1m set /message before")
	boots := s.exec("core-02", "cat /proc/sys/kernel/random/boot_id")
	if out := s.must("lab", "snapshot", "save", "ready"); !strings.Contains(out, "3 on") {
		s.t.Errorf("save: %q", out)
	}
	if out, code := s.run("lab", "snapshot", "save", "ready"); code != 2 || !strings.Contains(out, "delete it first") {
		s.t.Errorf("a second of the name: exit status %d, %q", code, out)
	}
	if out, code := s.run("lab", "snapshot", "restore", "redy"); code != 2 || !strings.Contains(out, "did you mean ready?") {
		s.t.Errorf("one that isn't there: exit status %d, %q", code, out)
	}
	s.exec("core-01", "etcdctl --total-timeout 1m set /message after; touch /opt/after; sync")
	s.must("lab", "halt", "--now", "core-02")
	s.must("lab", "snapshot", "save", "two-on")
	s.must("lab", "fault", "crash", "core-03") // its power goes
	s.must("lab", "snapshot", "restore", "ready")
	s.healthy()
	if got := s.exec("core-03", "etcdctl --total-timeout 1m get /message"); got != "before\n" {
		s.t.Errorf("after the restoration: %q", got)
	}
	if got := s.exec("core-01", "ls /opt"); got != "" {
		s.t.Errorf("a file of later: %q", got)
	}
	if now := s.exec("core-02", "cat /proc/sys/kernel/random/boot_id"); now != boots {
		s.t.Errorf("it has booted again: %q, was %q", now, boots)
	}
	s.clocks()
	s.exec("core-02", "etcdctl --total-timeout 1m set /message again") // the cluster takes writes
	s.must("lab", "snapshot", "restore", "two-on")
	if p := s.status().Machines[1].Power; p != lab.PowerOff {
		s.t.Errorf("a machine that was off is %s", p)
	}
	s.must("lab", "up")
	s.healthy()
	if got := s.exec("core-02", "etcdctl --total-timeout 1m get /message"); got != "after\n" {
		s.t.Errorf("of two machines: %q", got)
	}
	s.must("lab", "snapshot", "delete", "ready")
	if out := s.must("lab", "snapshot", "list"); strings.Contains(out, "ready") || !strings.Contains(out, "two-on") {
		s.t.Errorf("list:\n%s", out)
	}
}

// clocks checks that a machine's clock was not set before it was asked, nor long
// after: what was restored knows what time it is.
func (s *shell) clocks() {
	s.t.Helper()
	before := time.Now()
	text := strings.TrimSpace(s.exec("core-03", "date +%s"))
	there, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	if at := time.Unix(there, 0); at.Before(before.Add(-5*time.Second)) || at.After(time.Now().Add(5*time.Second)) {
		s.t.Errorf("its clock says %s at %s", at, before)
	}
}

// bootsAgain has a machine boot again by itself, and waits until it has.
func (s *shell) bootsAgain(machine, script string) {
	s.t.Helper()
	const id = "/proc/sys/kernel/random/boot_id"
	before := s.exec(machine, "cat "+id)
	_, _ = s.run("lab", "exec", machine, "--", "sh", "-c", script) // the way in goes with it
	s.within(machine+" boots again: "+script, func() bool {
		now, code := s.run("lab", "exec", machine, "--", "cat", id)
		return code == 0 && now != before
	})
	s.healthy()
}

// killsKeeper kills the lab's keeper; all that it had started dies with it.
func (s *shell) killsKeeper() {
	s.t.Helper()
	for _, pid := range s.living() {
		line, err := os.ReadFile("/proc/" + pid + "/cmdline")
		if number, _ := strconv.Atoi(pid); err == nil && strings.Contains(string(line), "\x00lab\x00keep\x00") {
			if err := unix.Kill(number, unix.SIGKILL); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.within("nothing lives without its keeper", func() bool { return len(s.living()) == 0 })
}

// TestQEMU takes a lab of virtual machines from up to down, as whoever runs it.
func TestQEMU(t *testing.T) {
	if os.Getenv(vmVariable) == "" {
		t.Skip("skipped: boots kernels: make lab-vm, or " + vmVariable + "=1")
	}
	if _, err := qemu.Find(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("skipped: no qemu-img: apt-get install qemu-utils")
	}
	s := &shell{t: t, bin: binary(t), dir: t.TempDir()}
	s.withImage()
	t.Cleanup(func() { _, _ = s.run("lab", "down", "--all", "--now") })
	s.write("lab.yaml", strings.Replace(machinesFile, "lab: left\n", "lab: left\ndriver: qemu\nready: 6m\n", 1))
	s.write("user-data", userData)
	s.must("lab", "up")
	s.checkMachines(3)
	if got := s.exec("core-01", "ip -brief address show dev eth0 | cut -d' ' -f1; cat /sys/devices/system/clocksource/clocksource0/current_clocksource; ping -c1 -W1 192.0.2.1 2>&1; true"); !strings.HasPrefix(got, "eth0") || strings.Contains(got, "jiffies") || !strings.Contains(got, "unreachable") {
		t.Errorf("link, clock, the way out: %q", got)
	}
	if used, err := strconv.Atoi(strings.TrimSpace(s.exec("core-03", "free -m | awk '/^Mem:/ { print $3 }'"))); err != nil || used == 0 || used > 160 {
		t.Errorf("%d MiB of memory are used, %v", used, err)
	}
	s.snapshots()
	// A node that is killed stays down.
	s.must("lab", "fault", "crash", "core-03", "lose_unsynced=false")
	if st := s.status(); st.Machines[2].NodeUp {
		t.Errorf("a killed node runs: %+v", st.Machines[2])
	}
	s.must("lab", "fault", "heal")
	s.healthy()
	s.exec("core-02", "touch /opt/mine; sync")
	s.bootsAgain("core-02", "systemctl reboot")
	s.bootsAgain("core-02", "echo c > /proc/sysrq-trigger")
	s.exec("core-02", "test -e /opt/mine")
	console, err := os.ReadFile(fmt.Sprintf("%s/.drydock/labs/left/machines/core-02/console.log", s.dir))
	if err != nil || !strings.Contains(string(console), "Kernel panic") {
		t.Errorf("no panic on the console, %v", err)
	}
	s.killsKeeper()
	s.must("lab", "down")
}
