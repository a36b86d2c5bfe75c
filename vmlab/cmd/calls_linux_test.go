package cmd_test

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drydock/vmlab/lab"
)

// TestWrongCalls: what can't be done is said before anything is, with what would do, and
// by the exit status of a wrong call.
func TestWrongCalls(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.write("bad.yaml", "lab: t\nmachines: [{name: core, count: 3, memry: 1}]\n")
	s.write("share.yaml", "machines: [{name: core, shares: [\"./nowhere:/srv/x\"]}]\n")
	s.write("data.yaml", "machines: [{name: core, cloud_config: nowhere}]\n")
	s.write("image.yaml", "machines: [{name: core, image: small}]\n")
	s.write("control.yaml", "driver: uml\ncontrol: true\n")
	for call, want := range map[string]string{
		"lab up --nodes 0":             "--nodes 0: 1 to 9 members are possible",
		"lab up --nodes 10":            "workers, in a lab file",
		"lab up --driver nets":         "did you mean netns?",
		"lab up --config nowhere.yaml": "nowhere.yaml: no such file",
		"lab up --nodes 3 -c bad.yaml": "leave one out",
		"lab up --lab ../x":            `--lab "../x" is not a name`,
		"lab up -c bad.yaml":           "bad.yaml:2:35: machines: unknown key `memry`",
		"lab up -c share.yaml":         "shares of core-01",
		"lab up -c data.yaml":          "cloud_config of core",
		"lab up -c image.yaml":         "image of core: the driver netns can't",
		"lab up -c control.yaml":       `control: the driver uml can't: it lacks the capability "control"`,
		"lab up core-01":               `unknown command "core-01"`,
		"lab apply --nodes 0":          "1 to 9 members",
		"lab status":                   "drydock lab up makes one",
		"lab status --lab x":           "x: no such lab",
		"lab down --lab x":             "x: no such lab",
		"lab exec":                     "a machine and a command are needed",
		"lab exec --all":               "a command is needed",
		"lab ssh":                      "a machine is needed",
		"lab fault":                    "a fault is needed",
		"lab heal x":                   "there is no lab",
		"lab doctor nets":              "did you mean netns?",
		"lab status --json":            `{"error":"there is no lab here`,
	} {
		if out, code := s.run(strings.Fields(call)...); code != 2 || !strings.Contains(out, want) {
			t.Errorf("%s: exit status %d, no %q in\n%s", call, code, want, out)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, ".drydock")); err == nil {
		t.Error("wrong calls have left something")
	}
	if out := s.must("lab", "down"); !strings.Contains(out, "there is no lab here") {
		t.Errorf("down of nothing: %q", out)
	}
}

// TestApply follows a lab file that changes, and leaves alone what is as it should be.
func TestApply(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	links := hostLinks(t)
	s.write("lab.yaml", "lab: left\nmachines: [{name: core, count: 2}]\n")
	if out := s.must("lab", "apply", "--dry-run"); out != "  add core-01\n  add core-02\n" {
		t.Errorf("a plan of a lab that isn't there:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(s.dir, ".drydock")); err == nil {
		t.Error("a dry run has left something")
	}
	s.must("lab", "apply")
	s.write("lab.yaml", "lab: left\nmachines: [{name: core, count: 3, metadata: [disk=ssd]}, {name: work, role: worker}]\nlinks: [{delay: 1ms}]\n")
	plan := "  reboot core-01 (metadata)\n  reboot core-02 (metadata)\n  add core-03\n  add work-01\n  change what links are like\n"
	if out, code := s.run("lab", "up"); code != 2 || !strings.Contains(out, plan) || !strings.Contains(out, "drydock lab apply") {
		t.Errorf("up of another lab: exit status %d\n%s", code, out)
	}
	if out := s.must("lab", "apply", "--dry-run"); out != plan {
		t.Errorf("the plan:\n%s", out)
	}
	tr := s.traces()
	s.must("lab", "apply")
	if out := s.must("lab", "apply"); !strings.Contains(out, "nothing to do") {
		t.Errorf("a second apply:\n%s", out)
	}
	list := s.must("lab", "exec", "work-01", "--", "fleetctl", "list-machines", "--no-legend")
	if strings.Count(list, "disk=ssd") != 3 || strings.Count(list, "172.17.8.10") != 4 {
		t.Errorf("machines:\n%s", list)
	}
	if out := s.must("lab", "exec", "core-03", "--", "etcdctl", "member", "list"); strings.Count(out, "name=core-") != 3 {
		t.Errorf("members:\n%s", out)
	}
	s.write("lab.yaml", "lab: left\nmachines: [{name: core, metadata: [disk=ssd]}]\n")
	s.must("lab", "apply")
	if st := s.status(); len(st.Machines) != 1 || !st.Machines[0].Healthy {
		t.Errorf("after all others went: %+v", st.Machines)
	}
	if out := s.must("lab", "exec", "core-01", "--", "etcdctl", "set", "/alone", "yes"); out != "yes\n" {
		t.Errorf("one that was three: %q", out)
	}
	s.must("lab", "down")
	tr.check(t, links)
}

// TestEnv: with what env prints, the clients on the host reach the lab; with a port that
// was taken, too.
func TestEnv(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.write("lab.yaml", "lab: left\nmachines: [{name: core, ports: [\""+port+":2379\"]}]\n")
	if out := s.must("lab", "up"); !strings.Contains(out, "port "+port+" of 127.0.0.1 is taken") {
		t.Errorf("up says nothing of the port %s:\n%s", port, out)
	}
	for line := range strings.Lines(s.must("lab", "env")) {
		s.env = append(s.env, strings.TrimPrefix(strings.TrimSpace(line), "export "))
	}
	if out := s.must("etcdctl", "set", "/message", "Hello"); out != "Hello\n" {
		t.Errorf("set: %q", out)
	}
	if out := s.must("fleetctl", "list-machines", "--no-legend"); !strings.Contains(out, "172.17.8.101") {
		t.Errorf("list-machines: %q", out)
	}
	var vars map[string]string
	if err := json.Unmarshal([]byte(s.must("lab", "env", "--json")), &vars); err != nil || vars["DRYDOCK_LAB"] != "left" {
		t.Errorf("%v, %v", vars, err)
	}
	s.must("lab", "halt", "core-01")
	if st := s.status(); st.Machines[0].Power != lab.PowerOff {
		t.Errorf("halted: %+v", st.Machines[0])
	}
	s.must("lab", "up")
	s.must("lab", "restart", "--now", "core-01")
	if out := s.must("etcdctl", "get", "/message"); out != "Hello\n" {
		t.Errorf("after two reboots: %q", out)
	}
}

// TestAHostThatLacksSomething names what is missing, and leaves nothing.
func TestAHostThatLacksSomething(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for without, want := range map[string]string{
		"mount -t tmpfs none /dev/net":            "/dev/net/tun: no such file or directory",
		"mount -t tmpfs -o size=1m none " + s.dir: "no space left on device",
	} {
		script := without + " && cd " + s.dir + " && " + s.bin + " lab up --nodes 1; code=$?; ls -A .drydock; exit $code"
		cmd := exec.Command("unshare", "--mount", "sh", "-c", script)
		cmd.Dir = s.dir
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 4 || !strings.Contains(string(out), want) || !strings.Contains(string(out), "cannot access '.drydock'") {
			t.Errorf("%s: %v, exit status %d, no %q in\n%s", without, err, code, want, out)
		}
	}
	if err := os.Chmod(filepath.Dir(s.bin), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := s.command("lab", "up", "--driver", "netns")
	cmd.Dir = "/" // which nobody may write to
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 4 || !strings.Contains(string(out), "needs root: sudo drydock lab up") {
		t.Errorf("not root: exit status %d\n%s", cmd.ProcessState.ExitCode(), out)
	}
}

// TestDoctor: here, where the other tests run, machines of namespaces boot.
func TestDoctor(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	out := s.must("lab", "doctor", "netns", "--json")
	var d struct {
		Driver   string
		Works    bool
		Findings []lab.Finding
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil || d.Driver != "netns" || !d.Works || len(d.Findings) < 5 {
		t.Errorf("%v: %s", err, out)
	}
	if out := s.must("lab", "doctor", "netns"); !strings.Contains(out, "a machine boots") || !strings.Contains(out, "netem") {
		t.Errorf("the doctor says\n%s", out)
	}
}
