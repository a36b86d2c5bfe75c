package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
	"github.com/lima-vm/lima/pkg/limayaml"
	"github.com/lima-vm/lima/pkg/version"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestMain(m *testing.M) {
	version.Version = "1.2.3" // a test's program does not know what it was built of
	m.Run()
}

// described is what the driver writes; its own tests see to that.
const described = "../testdata/machine.json"

// run runs a command of the program.
func run(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := newRoot(strings.NewReader(stdin), &out)
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTemplate: the driver's description becomes a template that Lima finds right.
func TestTemplate(t *testing.T) {
	t.Setenv("LIMA_HOME", t.TempDir())
	got, err := run(t, readFile(t, described), "template")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "core-01.yaml")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := readFile(t, golden); got != want {
		t.Errorf("the template is not as %s says (-update rewrites it):\n%s", golden, got)
	}
	y, err := limayaml.Load([]byte(got), filepath.Join(t.TempDir(), "lima.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := limayaml.Validate(y, true); err != nil {
		t.Error(err)
	}
	if !*y.Plain || *y.VMType != limayaml.QEMU || *y.User.Name != "core" || y.Networks[0].MACAddress != "02:dd:bc:81:5e:ef" || len(y.Mounts) > 0 {
		t.Errorf("%+v", y)
	}
}

func TestTemplateForVZ(t *testing.T) {
	t.Setenv("LIMA_HOME", t.TempDir())
	m, err := readMachine(strings.NewReader(readFile(t, described)))
	if err != nil {
		t.Fatal(err)
	}
	m.VMType, m.CPUType = limayaml.VZ, ""
	if _, err := m.template(); err != nil {
		t.Error(err)
	}
	m.Arch = "pdp11"
	if _, err := m.template(); err == nil || !strings.Contains(err.Error(), "core-01: Lima refuses its template: field `arch`") {
		t.Errorf("%v", err)
	}
}

// wrongMachines are descriptions that are wrong, and what is said of them.
var wrongMachines = map[string]string{
	"":                            "EOF",
	"{":                           "unexpected EOF",
	"[]":                          "cannot unmarshal array",
	`{"color": "red"}`:            `unknown field "color"`,
	`{"cpus": "two"}`:             "cannot unmarshal string",
	`{"name": "core-01"}`:         "it is missing",
	`{"name": "core-01"} {"a":1}`: "more than one",
}

func TestReadMachineWrong(t *testing.T) {
	for text, want := range wrongMachines { // any order: each by itself
		if _, err := run(t, text, "template"); !errors.Is(err, errMachine) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	whole := readFile(t, described)
	for old, test := range map[string][2]string{
		`"02:dd:bc:81:5e:ef"`: {`"02:dd"`, "mac: address 02:dd"},
		`"cpus": 1`:           {`"cpus": 0`, "cpus: 0 is too small"},
		`"memory": 536870912`: {`"memory": -1`, "memory: -1 is too small"},
		`"name": "core-01"`:   {`"name": ""`, "name: it is missing"},
	} { // any order: each by itself
		text := strings.Replace(whole, old, test[0], 1)
		if _, err := run(t, text, "template"); !errors.Is(err, errMachine) || !strings.Contains(err.Error(), test[1]) || text == whole {
			t.Errorf("%s: %v", test[0], err)
		}
	}
}

func FuzzReadMachine(f *testing.F) {
	for text := range wrongMachines { // any order: seeds
		f.Add(text)
	}
	whole, err := os.ReadFile(described)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(whole))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := readMachine(strings.NewReader(text))
		if err == nil && (m.Name == "" || m.CPUs < 1 || m.Memory < 1 || m.MAC == "") {
			t.Errorf("%+v", m)
		}
	})
}

// TestDrive: a drive has the directory's files with their names and modes, and its
// label.
func TestDrive(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"openstack/latest/meta_data.json": "{}\n", "drydock/program": strings.Repeat("x", 5000)} { // any order: each a file
		path := filepath.Join(dir, "from", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "drive.iso")
	if _, err := run(t, "", "drive", filepath.Join(dir, "from"), path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	drive, err := iso9660.Read(file.New(f, true), info.Size(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if label := strings.TrimRight(drive.Label(), " \x00"); label != "config-2" {
		t.Errorf("label %q", label)
	}
	in, err := drive.OpenFile("/openstack/latest/meta_data.json", os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(in); err != nil || string(text) != "{}\n" {
		t.Errorf("%q, %v", text, err)
	}
	list, err := drive.ReadDir("/drydock")
	if err != nil || len(list) != 1 || list[0].Name() != "program" || list[0].Size() != 5000 || list[0].Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", list, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".drive-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := run(t, "", "drive", filepath.Join(dir, "nothing"), path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	if err := os.Symlink("x", filepath.Join(dir, "from", "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "", "drive", filepath.Join(dir, "from"), path); err == nil || !strings.Contains(err.Error(), "files and directories alone") {
		t.Errorf("of a link: %v", err)
	}
}

// TestMend: what Lima gives QEMU, and what QEMU gets.
func TestMend(t *testing.T) {
	for _, test := range []struct {
		args, accel string
		closed      bool
		want        string
	}{
		{"-M none -accel help", "tcg", true, "-M none -accel help"},
		{"-machine help", "tcg", true, "-machine help"},
		{"--version", "tcg", true, "--version"},
		{"-m 512 -machine q35,accel=kvm -netdev user,id=net0,net=192.168.5.0/24", "tcg,tb-size=64", true, "-m 512 -machine q35 -accel tcg,tb-size=64 -netdev user,id=net0,net=192.168.5.0/24,restrict=on"},
		{"-machine q35,accel=kvm,vmport=off -accel kvm -nodefaults", "tcg", false, "-machine q35,vmport=off -accel tcg -nodefaults"},
		{"-machine q35,accel=kvm -netdev socket,id=net1,fd=3", "", true, "-machine q35,accel=kvm -netdev socket,id=net1,fd=3"},
		{"-machine", "tcg", true, "-machine"},
	} {
		got := mend(strings.Fields(test.args), test.accel, test.closed)
		if !slices.Equal(got, strings.Fields(test.want)) {
			t.Errorf("%s\ngot  %s\nwant %s", test.args, strings.Join(got, " "), test.want)
		}
	}
}

// TestInstance: an instance's life but for its being on.
func TestInstance(t *testing.T) {
	home := t.TempDir()
	t.Setenv("LIMA_HOME", home)
	// Lima makes a key at the first instance, unless there is one.
	for name, text := range map[string]string{"user": "", "user.pub": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOi+qdYSuheJPI69fne70YWCUG5uk0Ul80mvaul7h169 lima\n"} { // any order: each a file
		path := filepath.Join(home, "_config", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	template := filepath.Join(t.TempDir(), "core-01.yaml")
	text, err := run(t, readFile(t, described), "template")
	if err := errors.Join(err, os.WriteFile(template, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "", "create", "--tty=false", "--name=core-01", template); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "", "create", "--name=core-01", template); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("a second one: %v", err)
	}
	if _, err := run(t, "", "create", template); err == nil || !strings.Contains(err.Error(), "--name is missing") {
		t.Errorf("without a name: %v", err)
	}
	if _, err := run(t, "", "create", "--name=a b", template); err == nil {
		t.Error("a name that is none")
	}
	out, err := run(t, "", "list")
	if err != nil || !strings.Contains(out, `"name":"core-01","status":"Stopped"`) || !strings.Contains(out, `"memory":536870912`) {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := run(t, "", "stop", "--tty=false", "--force", "core-01"); err != nil {
		t.Errorf("one that is off: %v", err)
	}
	if _, err := run(t, "", "start", "nobody"); err == nil || !strings.Contains(err.Error(), `there is no instance "nobody"`) {
		t.Errorf("%v", err)
	}
	if _, err := run(t, "", "hostagent", "core-01"); err == nil || !strings.Contains(err.Error(), "--pidfile or --socket is missing") {
		t.Errorf("%v", err)
	}
	if _, err := run(t, "", "delete", "--tty=false", "--force", "core-01", "nobody"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(home, "core-01")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it stays: %v", err)
	}
}

// TestHold: a program ends by itself, or with what it is held by.
func TestHold(t *testing.T) {
	var exit *exec.ExitError
	r, w := io.Pipe()
	if err := hold(r, []string{"sh", "-c", "exit 7"}); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("one that ends: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := hold(r, []string{"sleep", "1000"}); !errors.Is(err, errHeld) {
		t.Errorf("one that nobody holds: %v", err)
	}
	if err := hold(r, []string{filepath.Join(t.TempDir(), "nothing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}

func TestVersion(t *testing.T) {
	out, err := run(t, "", "--version")
	if err != nil || out != "drydock-lima with Lima 1.2.3\n" {
		t.Errorf("%q, %v", out, err)
	}
}
