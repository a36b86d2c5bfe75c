package initrd

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run runs a program on this machine.
func run(t *testing.T, p *Program) (out string, code int) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skipf("skipped: programs are for linux/amd64, this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, p.Executable(), 0o755); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(path)
	cmd.Stderr = &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return said.String(), cmd.ProcessState.ExitCode()
}

// sysExit ends the program.
const sysExit = 60

// TestProgram: programs do on this kernel what they say.
func TestProgram(t *testing.T) {
	p := new(Program)
	p.say("begin")
	p.Call(sysChdir, p.Text("/nowhere"))
	p.IfFailed(func() { p.say("no such directory") })
	p.Call(sysChdir, p.Text("/"))
	p.IfFailed(func() { p.say("no root") })
	p.Retry(3, func() { p.Call(sysChdir, p.Text("/nowhere")) }, func() {
		p.say("again")
		p.sleep(millisecond)
	})
	p.IfFailed(func() { p.say("given up") })
	p.Retry(3, func() { p.Call(sysOpen, p.Text("/dev/null"), Number(0), Number(0)) }, func() { p.say("no null device") })
	p.IfFailed(func() { p.say("failed") })
	p.Keep()
	p.Call(sysClose, Result())
	p.IfFailed(func() { p.say("not kept") })
	p.Call(sysClose, Result()) // it is closed: the number is what matters
	p.IfFailed(func() { p.say("closed") })
	p.Call(sysExit, Number(7))
	out, code := run(t, p)
	want := "init: begin\ninit: no such directory\ninit: again\ninit: again\ninit: again\ninit: given up\ninit: closed\n"
	if out != want || code != 7 {
		t.Errorf("exit status %d, %q; want 7, %q", code, out, want)
	}
}

// read takes an archive apart, by the kernel's own description of the format.
func read(t *testing.T, a []byte) (list []Entry) {
	t.Helper()
	const head, fields = 110, 13
	for {
		if len(a) < head || string(a[:6]) != "070701" {
			t.Fatalf("no entry: %.20q", a)
		}
		var field [fields]uint64
		for i := range field {
			var err error
			if field[i], err = strconv.ParseUint(string(a[6+8*i:14+8*i]), 16, 32); err != nil {
				t.Fatal(err)
			}
		}
		size, name := int(field[6]), int(field[11])
		from := (head + name + 3) / 4 * 4
		e := Entry{Path: string(a[head : head+name-1]), Mode: uint32(field[1]), Major: uint32(field[9]), Minor: uint32(field[10])}
		if size > 0 {
			e.Data = a[from : from+size]
		}
		if e.Path == trailer {
			return list
		}
		list = append(list, e)
		a = a[(from+size+3)/4*4:]
	}
}

func TestArchive(t *testing.T) {
	modules := []Module{{Name: "a.ko", Data: []byte("one")}, {Name: "b.ko", Data: []byte("three")}}
	a := Boot(modules)
	list := read(t, a)
	if n := len(list); n == 0 || !bytes.HasPrefix(list[n-1].Data, []byte("\x7fELF")) {
		t.Fatalf("no program: %v", list)
	}
	list[len(list)-1].Data = nil
	want := []Entry{
		{Path: "dev", Mode: 0o40755},
		{Path: "dev/console", Mode: 0o20600, Major: 5, Minor: 1},
		{Path: "modules", Mode: 0o40755},
		{Path: "root", Mode: 0o40755},
		{Path: "modules/a.ko", Mode: 0o100644, Data: []byte("one")},
		{Path: "modules/b.ko", Mode: 0o100644, Data: []byte("three")},
		{Path: "init", Mode: 0o100755},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if !bytes.Equal(a, Boot(modules)) {
		t.Error("two archives of the same differ")
	}
}

// TestExecutable: others can read the executables, too.
func TestExecutable(t *testing.T) {
	list := read(t, Probe())
	f, err := elf.NewFile(bytes.NewReader(list[len(list)-1].Data))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != elf.EM_X86_64 || len(f.Progs) != 2 {
		t.Fatalf("head: %+v", f.FileHeader)
	}
	text, err := io.ReadAll(f.Progs[1].Open())
	if err != nil || !bytes.Contains(text, []byte(Said)) {
		t.Errorf("what it has to say: %q, %v", text, err)
	}
}
