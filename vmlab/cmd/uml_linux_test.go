package cmd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
)

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

// ownMachine checks that a machine has a disk, memory and clocks of its own.
func (s *shell) ownMachine() {
	s.t.Helper()
	year := s.exec("core-03", "date --set=2014-03-30 >/dev/null; date +%Y")
	if now := s.exec("core-01", "date +%Y"); year != "2014\n" || now == year {
		s.t.Errorf("clocks: %q and %q", year, now)
	}
	s.healthy() // its leases and elections don't go by that clock
	disk := s.exec("core-03", "dd if=/dev/zero of=/opt/big bs=1M count=32 conv=fsync 2>/dev/null; stat -c %s /opt/big; stat -f -c %T /")
	if there := s.exec("core-01", "ls /opt"); disk != "33554432\next2/ext3\n" || there != "" {
		s.t.Errorf("disks: %q, and on the other %q", disk, there)
	}
	if used, err := strconv.Atoi(strings.TrimSpace(s.exec("core-03", "systemctl start docker && free -m | awk '/^Mem:/ { print $3 }'"))); err != nil || used == 0 || used > 160 {
		s.t.Errorf("%d MiB of memory are used with the container runtime, %v", used, err)
	}
}

// reboots has machines end in all the ways that they can, and checks that they come
// back with what they had, as the same members.
func (s *shell) reboots() {
	s.t.Helper()
	members := s.exec("core-01", "etcdctl member list")
	boot := func() string {
		out, _ := s.run("lab", "exec", "core-02", "--", "cat", "/proc/sys/kernel/random/boot_id")
		return out
	}
	off := func(why string) {
		s.t.Helper()
		s.within("core-02 is off: "+why, func() bool { return s.status().Machines[1].Power == lab.PowerOff })
		s.must("lab", "up")
	}
	for i, end := range []struct {
		what string
		do   func()
	}{
		{"systemctl reboot", func() {
			before := boot()
			_, _ = s.run("lab", "exec", "core-02", "--", "systemctl", "reboot")
			s.within("core-02 boots again", func() bool { now := boot(); return len(now) == len(before) && now != before })
		}},
		{"systemctl poweroff", func() {
			_, _ = s.run("lab", "exec", "core-02", "--", "systemctl", "poweroff")
			off("poweroff")
		}},
		{"a kernel panic", func() {
			s.exec("core-02", "(sleep 1; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &")
			s.within("core-02 is off: panic", func() bool {
				m := s.status().Machines[1]
				return m.Power == lab.PowerOff && strings.Contains(m.Ended, "panicked")
			})
			console, err := os.ReadFile(filepath.Join(s.dir, ".drydock/labs/left/machines/core-02/console.log"))
			if err != nil || !strings.Contains(string(console), "Kernel panic") {
				s.t.Errorf("no panic on the console, %v", err)
			}
			s.must("lab", "up")
		}},
		{"the loss of its power", func() {
			s.must("lab", "halt", "core-02", "--now")
			off("halt --now")
		}},
		{"the loss of all power", func() {
			before := boot()
			s.must("lab", "fault", "power-loss")
			s.within("core-02 boots again", func() bool { now := boot(); return len(now) == len(before) && now != before })
		}},
	} {
		file := fmt.Sprintf("/opt/before-%d", i)
		s.exec("core-02", "echo "+strconv.Itoa(i)+" > "+file+"; sync")
		s.exec("core-01", fmt.Sprintf("etcdctl set /round %d", i))
		end.do()
		s.healthy()
		if got := s.exec("core-02", "cat "+file+" /etc/hostname; etcdctl get /round"); got != fmt.Sprintf("%d\ncore-02\n%[1]d\n", i) {
			s.t.Errorf("after %s: %q", end.what, got)
		}
		if now := s.exec("core-01", "etcdctl member list"); sortedIDs(now) != sortedIDs(members) {
			s.t.Errorf("after %s: members\n%swere\n%s", end.what, now, members)
		}
	}
}

// sortedIDs are the ids of a list of members.
func sortedIDs(list string) string {
	var ids []string
	for line := range strings.Lines(list) {
		id, _, _ := strings.Cut(line, ":")
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// TestUML takes a lab of machines with a kernel of their own from up to down, as
// whoever runs it.
func TestUML(t *testing.T) {
	if os.Getenv(vmVariable) == "" {
		t.Skip("skipped: boots kernels: make lab-vm, or " + vmVariable + "=1")
	}
	s := &shell{t: t, bin: binary(t), dir: t.TempDir()}
	s.withImage()
	t.Cleanup(func() { _, _ = s.run("lab", "down", "--all", "--now") })
	s.write("lab.yaml", strings.Replace(machinesFile, "lab: left\n", "lab: left\ndriver: uml\nready: 8m\n", 1))
	s.write("user-data", userData)
	s.must("lab", "up")
	s.checkMachines(3)
	if got := s.exec("core-01", "uname -r; ip -brief address show dev vec0 | cut -d' ' -f1; ping -c1 -W1 192.0.2.1 2>&1; true"); !strings.Contains(got, "vec0") || !strings.Contains(got, "unreachable") {
		t.Errorf("kernel, link, the way out: %q", got)
	}
	if out, code := s.run("lab", "exec", "core-02", "--", "sh", "-c", "echo 'a b'; exit 7"); code != 7 || out != "a b\n" {
		t.Errorf("exec: exit status %d, %q", code, out)
	}
	s.ownMachine()
	s.reboots()
	// A node that is killed stays down.
	s.must("lab", "fault", "crash", "core-03")
	if st := s.status(); st.Machines[2].NodeUp {
		t.Errorf("a killed node runs: %+v", st.Machines[2])
	}
	s.must("lab", "fault", "heal")
	s.healthy()

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
