package lima

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"drydock/vmlab/image"
	"drydock/vmlab/lab"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDescribe: what drydock-lima reads. The other module's tests read the same file.
func TestDescribe(t *testing.T) {
	list := lab.Default(1).MachineList()
	i := &image.Image{Dir: "/images/coreos"}
	d := platform{"linux", "amd64"}.describe(&list[0], i, 1344<<20, "/labs/lab/lima")
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "machine.json")
	if *update {
		if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)+"\n"); diff != "" {
		t.Errorf("-want +got (-update rewrites it):\n%s", diff)
	}
	list[0].CPUs, list[0].MemoryMax = 4, 2<<30
	d = platform{"darwin", "arm64"}.describe(&list[0], i, 1, "/l")
	if d.VMType != "vz" || d.Arch != "aarch64" || d.CPUType != "" || d.CPUs != 4 || d.Memory != 2<<30 || !strings.HasPrefix(d.CmdLine, "console=hvc0 ") {
		t.Errorf("on a Mac: %+v", d)
	}
	if d = (platform{"linux", "arm64"}).describe(&list[0], i, 1, "/l"); d.VMType != "qemu" || !strings.HasPrefix(d.CmdLine, "console=ttyAMA0 ") {
		t.Errorf("on arm64: %+v", d)
	}
}

func TestCheck(t *testing.T) {
	if err := refuse(0); !errors.Is(err, ErrRoot) || !strings.Contains(err.Error(), "ordinary user") {
		t.Errorf("root: %v", err)
	}
	if err := refuse(1000); err != nil {
		t.Errorf("an ordinary user: %v", err)
	}
	for text, want := range map[string]string{
		"driver: lima":                               "",
		"machines: [{cpus: 2, memory: 256MiB}]":      "",
		"network: {path: kernel}":                    `network.path: kernel: the driver lima can't: it lacks the capability "root"`,
		"machines: [{cpus: 0.5}]":                    "cpus of core: 0.5: the driver lima can't: its machines have whole processors",
		"machines: [{cpus: 65}]":                     "cpus of core: 65: the driver lima can't: its machines have at most 64",
		"machines: [{memory: 64MiB}]":                "memory of core-01: 64 MiB: the driver lima can't: its machines need 128 MiB",
		"machines: [{shares: [\"./site:/srv:ro\"]}]": "shares of core: the driver lima can't: the image's kernel has no file system",
	} { // any order: each by itself
		s, err := lab.Parse("lab.yaml", []byte(text+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		err = driver{}.check(s)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		if missing := new(lab.MissingError); err != nil && !errors.As(err, &missing) {
			t.Errorf("%s: %T", text, err)
		}
	}
}

func TestHome(t *testing.T) {
	list := lab.Default(3).MachineList()
	long := "/srv/somebody/" + strings.Repeat("long/", 20) + ".drydock/labs/lab"
	for _, test := range []struct{ dir, user, want string }{
		{"/srv/jo/x/.drydock/labs/lab", "/h/jo", "/srv/jo/x/.drydock/labs/lab/lima"},
		{long, "/h/jo", "/h/jo/.drydock/lima-"},
		{long, "", ""},
		{long, "/h/" + strings.Repeat("jo", 40), ""},
	} {
		got, err := homeOf(test.dir, test.user, list)
		switch {
		case test.want == "" && (!errors.Is(err, errLong) || !strings.Contains(err.Error(), test.dir)):
			t.Errorf("%s, %s: got %q, %v", test.dir, test.user, got, err)
		case test.want != "" && (err != nil || !strings.HasPrefix(got, test.want)):
			t.Errorf("%s, %s: got %q, %v; want %s", test.dir, test.user, got, err, test.want)
		case test.want != "":
			again, _ := homeOf(test.dir, test.user, list)
			if again != got || len(filepath.Join(got, "core-01", longestName)) > maxAddress || len(socketOf(got, "core-01")) > maxAddress {
				t.Errorf("%s, then %s", got, again)
			}
		}
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{"A=1", "LIMA_HOME=/theirs", "LIMA_INSTANCE=x", "QEMU_SYSTEM_X86_64=q", "DRYDOCK_LIMA=/x", "DRYDOCK_LAB=lab", "PATH=/bin"}, "/ours")
	if diff := cmp.Diff([]string{"A=1", "DRYDOCK_LAB=lab", "PATH=/bin", "LIMA_HOME=/ours"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLastWords(t *testing.T) {
	for said, want := range map[string]string{
		"":         "",
		"a\n\nb\n": ": a; b",
		`time="2026-11-22T18:57:29Z" level=info msg="Starting the instance \"core-01\""` + "\n" + `{"level":"error","msg":"no \"qemu\"","time":"x"}`: `: Starting the instance "core-01"; no "qemu"`,
		"1\n2\n3\n4\n": ": 2; 3; 4",
	} { // any order: each by itself
		if got := lastWords(said); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}

// program writes a program of the shell.
func program(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFindTools: the user's limactl keeps instances, unless it is too old or broken.
func TestFindTools(t *testing.T) {
	dir, path := t.TempDir(), t.TempDir()
	t.Setenv("PATH", path+string(os.PathListSeparator)+"/bin")
	t.Setenv(envOwn, "")
	if _, err := findTools(t.Context(), dir); !errors.Is(err, ErrOwn) || !strings.Contains(err.Error(), "make lima") {
		t.Errorf("without any: %v", err)
	}
	if _, err := (driver{}).Companion(); !errors.Is(err, ErrOwn) {
		t.Errorf("without any: %v", err)
	}
	t.Setenv(envOwn, filepath.Join(dir, "nothing"))
	if _, err := findTools(t.Context(), dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "$DRYDOCK_LIMA") {
		t.Errorf("a variable for nothing: %v", err)
	}
	own := program(t, dir, ownName, "echo drydock-lima with Lima 1.2.3; test $LIMA_HOME = "+dir)
	t.Setenv(envOwn, own)
	for text, want := range map[string]string{
		"":                                  own + " 1.2.3", // there is none
		"echo limactl version 0.23.2":       own + " 1.2.3",
		"echo who knows":                    own + " 1.2.3",
		"exit 1":                            own + " 1.2.3",
		"echo limactl version 1.0.7-6-gabc": filepath.Join(path, ctlName) + " 1.0.7-6-gabc",
		"echo limactl version 2.0.1":        filepath.Join(path, ctlName) + " 2.0.1",
	} { // any order: each by itself
		if text != "" {
			program(t, path, ctlName, text+"\n")
		} else if err := os.Remove(filepath.Join(path, ctlName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		tools, err := findTools(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := tools.ctl + " " + tools.version; got != want || tools.own != own {
			t.Errorf("%s: got %s", text, got)
		}
	}
	program(t, dir, ownName, "echo nothing is right >&2; exit 3")
	if _, err := findTools(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "exit status 3: nothing is right") {
		t.Errorf("a broken one: %v", err)
	}
}

// TestReap: instances that a dead keeper has left are deleted, and Lima is not asked
// where there is none.
func TestReap(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", "/bin")
	t.Setenv(envOwn, program(t, dir, ownName, `case $1 in --version) echo Lima 1.2.3;; *) echo "$@" >> `+dir+`/asked; test -d $LIMA_HOME/core-01;; esac`))
	site := lab.Site{Lab: "lab", Dir: filepath.Join(dir, "labs", "lab"), Machines: lab.Default(2).MachineList()}
	if found, err := (driver{}).Reap(site); found != nil || err != nil {
		t.Errorf("nothing: %v, %v", found, err)
	}
	for _, name := range []string{"core-01", "core-02", wireDir, diskDir} {
		if err := os.MkdirAll(filepath.Join(site.Dir, "lima", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	found, err := driver{}.Reap(site)
	if diff := cmp.Diff([]string{"Lima's instance core-01", "Lima's instance core-02"}, found); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil || string(asked) != "delete --tty=false --force core-01 core-02\n" {
		t.Errorf("%q, %v", asked, err)
	}
	if _, err := os.Stat(filepath.Join(site.Dir, "lima")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LIMA_HOME stays: %v", err)
	}
}

func TestOutputEnds(t *testing.T) {
	tools := &tools{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tools.output(ctx, nil, "/bin/sh", "-c", "sleep 100"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestSSHPort(t *testing.T) {
	for told, want := range map[string]int{
		"": 0,
		`{"time":"2026-11-22T18:58:57Z","status":{"sshLocalPort":33093}}` + "\n": 33093,
		`{"status":{}}` + "\n" + `{"status":{"sshLocalPort":70000}}`:             0,
		`{"status":{"sshLocalPort":1}}` + "\n" + `{"status":{"sshLoc`:            1,
		"This log file is not used\n":                                            0,
	} { // any order: each by itself
		if got := sshPort([]byte(told)); got != want {
			t.Errorf("%s: got %d", told, got)
		}
	}
}

func FuzzSSHPort(f *testing.F) {
	f.Add([]byte(`{"status":{"sshLocalPort":33093}}`))
	f.Fuzz(func(t *testing.T, told []byte) {
		if port := sshPort(told); port < 0 || port > 65535 {
			t.Errorf("%d", port)
		}
	})
}

func TestPid(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]bool{"": false, "x": false, "1": false, "-5": false, "0": false} { // any order: each by itself
		path := filepath.Join(dir, "pid")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := pid(path) != 0; got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if pid(filepath.Join(dir, "none")) != 0 {
		t.Error("a number without a file")
	}
}
