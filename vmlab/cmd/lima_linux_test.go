package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drydock/vmlab/lab"
	"drydock/vmlab/lima"
	"drydock/vmlab/qemu"
)

// limaFile is a lab of one of Lima's instances.
const limaFile = `lab: left
driver: lima
ready: 8m
machines:
  - name: core
    metadata: [disk=ssd]
    cloud_config: user-data
`

// needLima skips a test where Lima can't work, and returns the program with its
// library.
func needLima(t *testing.T) string {
	t.Helper()
	if os.Getenv(vmVariable) == "" {
		t.Skip("skipped: boots kernels: make lab-vm, or " + vmVariable + "=1")
	}
	if os.Geteuid() == 0 {
		t.Skip("skipped: Lima refuses to work for root: make lab-vm, or an ordinary user")
	}
	if _, err := qemu.Find(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	for program, from := range map[string]string{"qemu-img": "qemu-utils", "ssh": "openssh-client"} { // any order: one is enough
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("skipped: no %s: apt-get install %s", program, from)
		}
	}
	built, err := filepath.Abs(filepath.Join("..", "..", "bin", "drydock-lima"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(built); err == nil && os.Getenv("DRYDOCK_LIMA") == "" {
		t.Setenv("DRYDOCK_LIMA", built)
	}
	own, err := lima.New().(lab.Companion).Companion()
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	t.Setenv("DRYDOCK_LIMA", own)
	return own
}

// TestLima takes a lab of one of Lima's instances from up to down, as an ordinary
// user.
func TestLima(t *testing.T) {
	own := needLima(t)
	s := &shell{t: t, bin: binary(t), dir: t.TempDir()}
	s.withImage()
	t.Cleanup(func() { _, _ = s.run("lab", "down", "--all", "--now") })
	s.write("lab.yaml", limaFile)
	s.write("user-data", userData)
	s.must("lab", "up")
	s.within("fleet is active", func() bool { return s.exec("core-01", "systemctl is-active fleet; true") == "active\n" })
	s.checkMachines(1)
	if got := s.exec("core-01", "diff /run/lima-boot-done /mnt/lima-cidata/meta-data && echo done; cat ~core/.ssh/authorized_keys.d/cloud-config; ping -c1 -W1 192.0.2.1 2>&1; true"); !strings.HasPrefix(got, "done\nssh-ed25519 ") || !strings.Contains(got, "unreachable") {
		t.Errorf("Lima's drive, its key, the way out: %q", got)
	}
	// Lima itself has come in, and says that the instance runs.
	home := filepath.Join(s.dir, lab.Root, "left", "lima")
	s.within("Lima finds the instance ready", func() bool {
		told, err := os.ReadFile(filepath.Join(home, "core-01", "ha.stdout.log"))
		return err == nil && strings.Contains(string(told), `"running":true`) && !strings.Contains(string(told), `"degraded":true`)
	})
	list := exec.Command(own, "list")
	list.Env = append(os.Environ(), "LIMA_HOME="+home)
	if out, err := list.CombinedOutput(); err != nil || !strings.Contains(string(out), `"name":"core-01","status":"Running"`) {
		t.Errorf("list: %s, %v", out, err)
	}
	s.must("lab", "fault", "pause", "core-01")
	if p := s.status().Machines[0].Power; p != lab.PowerOn && p != lab.PowerPaused {
		t.Errorf("while its node is paused, the machine is %s", p)
	}
	s.must("lab", "fault", "heal")
	s.healthy()
	s.exec("core-01", "touch /opt/mine; sync")
	s.must("lab", "fault", "crash", "core-01")
	if p := s.status().Machines[0].Power; p != lab.PowerOff {
		t.Errorf("a machine whose power is cut is %s", p)
	}
	s.must("lab", "fault", "heal")
	s.must("lab", "up")
	if got := s.exec("core-01", "ls /opt; etcdctl get /message"); got != "mine\nHello\n" {
		t.Errorf("after a power cut: %q", got)
	}
	s.killsKeeper()
	s.must("lab", "down")
	if _, err := os.Stat(filepath.Join(s.dir, lab.Root)); err == nil {
		t.Error("the lab's directory is left")
	}
}
