package netns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"drydock/vmlab/lab"
	"drydock/vmlab/parts"
	"drydock/vmlab/power"
)

// TestMain lets this test's program be a machine's first process, what enters one, and
// a machine's node.
func TestMain(m *testing.M) {
	if code, became := Become(); became {
		syscall.Exit(code) // a command's, whose status is the test's to see
	}
	if len(os.Args) > 1 && os.Args[1] == "node" {
		syscall.Exit(beNode(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// beNode is the node of the test's machines: it says how it was called, and does what
// it is asked.
func beNode(flags []string) int {
	fmt.Println("the node runs")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("/flags", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(flags) })
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		client := http.Client{Timeout: briefly}
		resp, err := client.Get(r.URL.Query().Get("url"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		_, _ = io.Copy(w, resp.Body)
	})
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		if err := os.WriteFile(r.URL.Query().Get("path"), []byte("mine"), 0o644); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	ear, err := net.ListenPacket("udp4", ":9999")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	mux.HandleFunc("/heard", func(w http.ResponseWriter, _ *http.Request) {
		b := make([]byte, 100)
		_ = ear.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		n, _, err := ear.ReadFrom(b)
		if err != nil {
			b, n = []byte("-"), 1
		}
		_, _ = w.Write(b[:n])
	})
	mux.HandleFunc("/say", func(_ http.ResponseWriter, r *http.Request) {
		if c, err := net.Dial("udp4", r.URL.Query().Get("to")+":9999"); err == nil {
			_, _ = c.Write([]byte("hello"))
			_ = c.Close()
		}
	})
	srv := &http.Server{Addr: fmt.Sprintf(":%d", lab.ClientPort), Handler: mux}
	go func() { <-ctx.Done(); _ = srv.Close() }()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Println(err)
		return 1
	}
	return 0
}

// briefly is how long somebody waits who is not to get an answer.
const briefly = 300 * time.Millisecond

// patience is for what a loaded machine may take its time to do.
const patience = 20 * time.Second

// town is a lab of the test's.
type town struct {
	*ground
	t    *testing.T
	site lab.Site
	http *http.Client
}

// found makes a lab of a lab file, and skips the test where it can't be made.
func found(t *testing.T, text string) *town {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped: labs of namespaces need root: sudo make test")
	}
	if _, err := parts.FindHierarchies(); err != nil {
		t.Skipf("skipped: %v: mount -t cgroup2 none /sys/fs/cgroup/unified", err)
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("skipped: no tap devices: %v: modprobe tun", err)
	}
	spec, err := lab.Parse("lab.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	site := lab.Site{Lab: spec.Name, Dir: t.TempDir(), Binary: binary, Spec: spec, Machines: spec.MachineList(), Token: "t", JoinToken: "t"}
	for i := range site.Machines {
		if err := os.MkdirAll(site.MachineDir(site.Machines[i].Name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	g, err := New().Open(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}
	tw := &town{ground: g.(*ground), t: t, site: site}
	tw.http = &http.Client{Transport: &http.Transport{DialContext: g.Dial, DisableKeepAlives: true}}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if found, err := New().Reap(site); err != nil || len(found) > 0 {
			t.Errorf("left: %v, %v", found, err)
		}
	})
	return tw
}

// boot switches machines on.
func (tw *town) boot(names ...string) {
	tw.t.Helper()
	for _, name := range names {
		if err := tw.Boot(tw.t.Context(), tw.site.Machine(name)); err != nil {
			tw.t.Fatal(err)
		}
	}
	for _, name := range names {
		tw.until(name+" answers", func() bool { return tw.get(name, "/flags") != "" })
	}
}

// until polls until it is so.
func (tw *town) until(what string, so func() bool) {
	tw.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !so(); {
		select {
		case <-tick.C:
		case <-end:
			tw.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// get asks a machine's node; "" is no answer, or none that is good.
func (tw *town) get(name, path string) string { return tw.getWithin(patience, name, path) }

func (tw *town) getWithin(d time.Duration, name, path string) string {
	ctx, cancel := context.WithTimeout(tw.t.Context(), d)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, tw.ground.Site().Machine(name).ClientURL()+path, nil)
	if err != nil {
		return ""
	}
	resp, err := tw.http.Do(req)
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// reaches says whether one machine's node gets an answer of another's.
func (tw *town) reaches(from, to string) bool {
	return strings.Contains(tw.get(from, "/get?url="+tw.ground.Site().Machine(to).ClientURL()+"/flags"), "--name")
}

// run runs a command on a machine and returns its output and code.
func (tw *town) run(name string, args ...string) (string, int) {
	tw.t.Helper()
	a, err := tw.Access(name)
	if err != nil {
		tw.t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		tw.t.Fatal(err)
	}
	code, err := New().Exec(tw.t.Context(), a, lab.Command{Args: args, Stdout: w, Stderr: w})
	if err = errors.Join(err, w.Close()); err != nil {
		tw.t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		tw.t.Fatal(err)
	}
	return string(text), code
}

// TestALifeOfMachines takes two machines through all that can be done to one.
func TestALifeOfMachines(t *testing.T) {
	t.Parallel()
	share := t.TempDir()
	if err := os.WriteFile(filepath.Join(share, "file"), []byte("shared"), 0o644); err != nil {
		t.Fatal(err)
	}
	tw := found(t, "lab: life\nmachines: [{name: core, count: 2, metadata: [a=b], shares: [\""+share+":/srv/share:ro\"], memory: 256MiB, cpus: 1}]\n")
	tw.boot("core-01", "core-02")
	if flags := tw.get("core-01", "/flags"); !strings.Contains(flags, `"--metadata","a=b"`) || !strings.Contains(flags, "core-02=http://172.17.8.102:2380") {
		t.Errorf("its node's flags: %s", flags)
	}
	tw.until("the machines reach each other", func() bool { return tw.reaches("core-01", "core-02") && tw.reaches("core-02", "core-01") })
	tw.insides()
	tw.lives("core-02")
	tw.powers("core-02")
}

// insides looks at a machine from within.
func (tw *town) insides() {
	tw.t.Helper()
	for script, want := range map[string]string{
		"hostname":                                   "core-01\n",
		"cat /etc/machine-id":                        tw.site.Machines[0].ID + "\n",
		"grep core-02 /etc/hosts":                    "172.17.8.102 core-02 n2\n",
		"cat /srv/share/file":                        "shared",
		"echo x > /srv/share/file || echo read-only": "sh: 1: cannot create /srv/share/file: Read-only file system\nread-only\n",
		"echo x > /usr/x || echo read-only":          "sh: 1: cannot create /usr/x: Read-only file system\nread-only\n",
		"echo $PPID $$; kill -9 1; echo lives":       "",
		"ls /sys/class/net":                          "eth0\nlo\n",
		"[ -w /proc/sysrq-trigger ] || echo refused": "refused\n",
		"ip route": "172.17.8.0/24 dev eth0 proto kernel scope link src 172.17.8.101 \n",
	} {
		got, _ := tw.run("core-01", "sh", "-c", script)
		if want == "" {
			if !strings.HasSuffix(got, "lives\n") {
				tw.t.Errorf("%s: %q", script, got)
			}
		} else if got != want {
			tw.t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
	// A command's, that of the first process, and the node's.
	powers, _ := tw.run("core-01", "sh", "-c", "grep -hs CapBnd /proc/[0-9]*/status")
	for line := range strings.Lines(powers) {
		bits, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(line, "CapBnd:")), 16, 64)
		if err != nil || bits&(1<<unix.CAP_SYS_TIME) != 0 || bits&(1<<unix.CAP_SYS_ADMIN) == 0 {
			tw.t.Errorf("powers over the host's clock, or not even over the machine: %q, %v", line, err)
		}
	}
	if strings.Count(powers, "CapBnd") < 3 {
		tw.t.Errorf("powers: %q", powers)
	}
	if _, code := tw.run("core-01", "sh", "-c", "exit 7"); code != 7 {
		tw.t.Errorf("exit 7 ended with %d", code)
	}
	if _, code := tw.run("core-01", "sh", "-c", "kill -KILL $$"); code != 128+9 {
		tw.t.Errorf("a killed command ended with %d", code)
	}
	if text, code := tw.run("core-01", "nonsense"); code != notRun || !strings.Contains(text, "nonsense") {
		tw.t.Errorf("a program that isn't there: %d, %q", code, text)
	}
}

// lives pauses, kills and starts a machine's node.
func (tw *town) lives(name string) {
	tw.t.Helper()
	for _, step := range []struct {
		what    string
		do      func(string) error
		answers bool
		want    lab.Vitals
	}{
		{"pause", tw.PauseNode, false, lab.Vitals{Power: lab.PowerOn, NodeUp: true, NodePaused: true}},
		{"resume", tw.ResumeNode, true, lab.Vitals{Power: lab.PowerOn, NodeUp: true}},
		{"freeze", tw.Freeze, false, lab.Vitals{Power: lab.PowerPaused, NodeUp: true}},
		{"thaw", tw.Thaw, true, lab.Vitals{Power: lab.PowerOn, NodeUp: true}},
		{"kill", tw.KillNode, false, lab.Vitals{Power: lab.PowerOn, Ended: "killed"}},
		{"start", tw.StartNode, true, lab.Vitals{Power: lab.PowerOn, NodeUp: true, Ended: "killed"}},
	} {
		if err := step.do(name); err != nil {
			tw.t.Fatalf("%s: %v", step.what, err)
		}
		v := tw.Vitals(name)
		if v.Power != step.want.Power || v.NodeUp != step.want.NodeUp || v.NodePaused != step.want.NodePaused || v.Ended != step.want.Ended || v.Processes == 0 || v.MemoryBytes == 0 {
			tw.t.Errorf("after %s: %+v", step.what, v)
		}
		if !step.answers {
			if got := tw.getWithin(briefly, name, "/flags"); got != "" {
				tw.t.Errorf("after %s it answers %q", step.what, got)
			}
			continue
		}
		tw.until(name+" answers after "+step.what, func() bool { return tw.get(name, "/flags") != "" })
	}
	if err := errors.Join(tw.PauseNode("core-09")); !errors.Is(err, lab.ErrNoMachine) {
		tw.t.Errorf("a machine that isn't there: %v", err)
	}
}

// powers switches a machine off and on: what it has written stays, what it had given to
// others does not.
func (tw *town) powers(name string) {
	tw.t.Helper()
	tw.until("it writes", func() bool {
		tw.get(name, "/write?path=/var/lib/kept")
		out, _ := tw.run(name, "cat", "/var/lib/kept")
		return out == "mine"
	})
	old, err := tw.Access(name)
	if err != nil {
		tw.t.Fatal(err)
	}
	if err := tw.Cut(name); err != nil {
		tw.t.Fatal(err)
	}
	if v := tw.Vitals(name); v.Power != lab.PowerOff || v.Processes != 0 {
		tw.t.Errorf("without power: %+v", v)
	}
	if _, err := New().Exec(tw.t.Context(), old, lab.Command{Args: []string{"true"}}); !errors.Is(err, ErrGone) {
		tw.t.Errorf("a command on a machine that is off: %v", err)
	}
	for what, err := range map[string]error{"kill": tw.KillNode(name), "pause": tw.PauseNode(name), "freeze": tw.Freeze(name), "halt": tw.Halt(tw.t.Context(), name)} {
		if !errors.Is(err, power.ErrOff) {
			tw.t.Errorf("%s of a machine that is off: %v", what, err)
		}
	}
	tw.boot(name)
	if err := tw.Boot(tw.t.Context(), tw.site.Machine(name)); !errors.Is(err, power.ErrOn) {
		tw.t.Errorf("switched on twice: %v", err)
	}
	if out, _ := tw.run(name, "cat", "/var/lib/kept"); out != "mine" {
		tw.t.Errorf("kept: %q", out)
	}
	if err := tw.Halt(tw.t.Context(), name); err != nil {
		tw.t.Error(err)
	}
	text, err := os.ReadFile(tw.site.Console(name))
	if err != nil || strings.Count(string(text), "the node runs") != 3 || !strings.HasSuffix(string(text), "halts\ninit: the node has ended: exit status 0\n") {
		tw.t.Errorf("its console: %v\n%s", err, text)
	}
}

// TestGivenUpWhileItBoots gives a machine up, or replaces it, when its boot begins and in
// the midst of it: nothing of it is left when the lab is closed.
func TestGivenUpWhileItBoots(t *testing.T) {
	t.Parallel()
	tw := found(t, "lab: gone\nmachines: [{name: core, count: 2}]\n")
	m := tw.site.Machine("core-02")
	console := tw.site.Console(m.Name)
	for i := range 8 {
		if err := os.Remove(console); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		booted := make(chan error, 1)
		go func() { booted <- tw.Boot(t.Context(), m) }()
		if i >= 4 {
			tw.until("it has a console", func() bool { _, err := os.Stat(console); return err == nil })
		}
		if i%2 == 0 {
			if err := tw.Dismiss(tw.site, m.Name); err != nil {
				t.Fatal(err)
			}
		}
		if err := tw.Admit(t.Context(), tw.site, m); err != nil {
			t.Fatal(err)
		}
		<-booted // of the old machine, of the new one, or of none
		if err := tw.Cut(m.Name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLinks cuts links one way on both paths, over a reboot, and mends them.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, path := range []string{lab.PathWire, lab.PathKernel} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			tw := found(t, "lab: "+path+"\nnetwork: {path: "+path+"}\nmachines: [{name: core, count: 3}]\n")
			tw.boot("core-01", "core-02", "core-03")
			links := lab.LinksOf(tw.ground)
			if links == nil {
				t.Fatal("no links")
			}
			tw.oneWay(links)
		})
	}
}

// TestMachinesComeAndGo: new machines reach all others and are reached, on both paths.
func TestMachinesComeAndGo(t *testing.T) {
	t.Parallel()
	for _, path := range []string{lab.PathWire, lab.PathKernel} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			tw := found(t, "lab: come\nnetwork: {path: "+path+"}\nmachines: [{name: core, count: 2}]\n")
			tw.boot("core-01", "core-02")
			site := tw.site
			gone := site.Machines[1]
			if err := tw.Cut(gone.Name); err != nil {
				t.Fatal(err)
			}
			site.Machines = slices.Clone(site.Machines[:1])
			if err := tw.Dismiss(site, gone.Name); err != nil {
				t.Fatal(err)
			}
			if err := tw.Boot(t.Context(), &gone); !errors.Is(err, lab.ErrNoMachine) {
				t.Errorf("a machine that was given up boots: %v", err)
			}
			fresh := gone
			fresh.Name, fresh.MAC, fresh.Metadata = "new-01", "02:dd:12:34:56:78", []string{"c=d"}
			fresh.Address = netip.MustParseAddr("172.17.8.103")
			site.Machines = append(site.Machines, fresh)
			if err := os.MkdirAll(site.MachineDir(fresh.Name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := tw.Admit(t.Context(), site, &fresh); err != nil {
				t.Fatal(err)
			}
			tw.site = site
			tw.boot("new-01")
			tw.until("the new machine is reached, and reaches", func() bool { return tw.reaches("core-01", "new-01") && tw.reaches("new-01", "core-01") })
			if flags := tw.get("new-01", "/flags"); !strings.Contains(flags, `"c=d"`) {
				t.Errorf("its flags: %s", flags)
			}
		})
	}
}

// TestBadGrounds: what a machine can't be is an error that names it, and leaves nothing.
func TestBadGrounds(t *testing.T) {
	t.Parallel()
	tw := found(t, "lab: bad\nmachines: [{name: core, shares: [\"/nowhere/at/all:/srv/x\"]}]\n")
	err := tw.Boot(t.Context(), &tw.site.Machines[0])
	if err == nil || !strings.Contains(err.Error(), "core-01: share /srv/x") {
		t.Errorf("got %v", err)
	}
	if v := tw.Vitals("core-01"); v.Power != lab.PowerOff {
		t.Errorf("it is %+v", v)
	}
	ctx, cancel := context.WithTimeout(t.Context(), briefly)
	defer cancel()
	if _, err := tw.Dial(ctx, "tcp", "172.17.8.101:2379"); err == nil {
		t.Error("nobody is there, and answers")
	}
}
