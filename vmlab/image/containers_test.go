package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/vmlab/lab"
)

// TestDockerFront: words of 2014 reach Docker as it takes them today, and all others
// as they are.
func TestDockerFront(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("skipped: no sh")
	}
	dir := t.TempDir()
	real, front := filepath.Join(dir, "real"), filepath.Join(dir, "docker")
	text := strings.Replace(dockerFront, "real="+realDocker, "real="+real, 1)
	if err := errors.Join(
		os.WriteFile(real, []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\n"), 0o755),
		os.WriteFile(front, []byte(text), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ in, want []string }{
		{
			[]string{"run", "-name", "apache", "-p", "80:80", "coreos/apache", "/usr/sbin/apache2ctl", "-D", "FOREGROUND"},
			[]string{"run", "--name", "apache", "-p", "80:80", "coreos/apache", "/usr/sbin/apache2ctl", "-D", "FOREGROUND"},
		},
		{[]string{"run", "-rm", "-i", "-t", "busybox", "sh", "-name"}, []string{"run", "--rm", "-i", "-t", "busybox", "sh", "-name"}},
		{[]string{"run", "-dit", "-name=a", "-link", "-name", "x", "-rm"}, []string{"run", "-dit", "--name=a", "--link", "-name", "x", "-rm"}},
		{[]string{"run", "--rm", "--name", "a b", "busybox", "find", "-name", "*"}, []string{"run", "--rm", "--name", "a b", "busybox", "find", "-name", "*"}},
		{[]string{"run", "busybox", "/bin/sh", "-c", "while true; do echo Hello World; sleep 1; done"}, nil},
		{[]string{"stop", "apache"}, nil},
		{[]string{"run"}, nil},
		{[]string{"run", "-e", "", "busybox", "-rm"}, nil},
		{[]string{"run", "-vname:/x", "busybox"}, nil},
	} {
		if test.want == nil {
			test.want = test.in
		}
		out, err := exec.Command(shell, append([]string{front}, test.in...)...).Output()
		if diff := cmp.Diff(strings.Join(test.want, "\n")+"\n", string(out)); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", test.in, err, diff)
		}
	}
}

func TestContainerTar(t *testing.T) {
	text, err := containerTar([]byte("program"), []string{"sh", "busybox"}, []rootFile{{"/var/www/index.html", "x", 0o644}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(h.Name+" "+h.Linkname))
	}
	want := []string{"bin/", "etc/", "root/", "tmp/", "var/", "var/www/", "bin/busybox", "bin/sh busybox", "etc/passwd", "var/www/index.html"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHold: what a lab boots from stays, however many hold it, and goes when nobody
// does.
func TestHold(t *testing.T) {
	s := Store{Dir: filepath.Join(t.TempDir(), "images")}
	dir := filepath.Join(s.Dir, Default)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := (&Image{Dir: dir, Manifest: Manifest{Version: manifestVersion, Name: Default}}).save(); err != nil {
		t.Fatal(err)
	}
	site := &lab.Site{Dir: filepath.Join(filepath.Dir(s.Dir), "labs", "a")}
	var one, two Taken
	for _, lab := range []*Taken{&one, &one, &two} {
		if i, err := lab.Take(site, ""); err != nil || i.Dir != dir {
			t.Fatalf("%v, %v", i, err)
		}
	}
	if len(one.held) != 1 {
		t.Errorf("one lab holds it %d times", len(one.held))
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(Default); !errors.Is(err, ErrInUse) {
		t.Errorf("removing what a lab holds: %v", err)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(Default); err != nil {
		t.Error(err)
	}
	if _, err := s.Remove(Default); !errors.Is(err, ErrNoImage) {
		t.Errorf("removing what is not there: %v", err)
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := one.Take(&lab.Site{Dir: "/a/labs/b", Images: s.Dir}, ""); !errors.Is(err, ErrNoImage) {
		t.Errorf("taking what is not there: %v", err)
	}
}

// TestOrdinary: an ordinary user who can't build hears what to do.
func TestOrdinary(t *testing.T) {
	there := func(string) (string, error) { return "/bin/x", nil }
	nobody := func(string) ([]byte, error) { return []byte("somebody-else:100000:65536\n"), nil }
	for name, test := range map[string]struct {
		look func(string) (string, error)
		read func(string) ([]byte, error)
		want string
	}{
		"tool":    {func(string) (string, error) { return "", exec.ErrNotFound }, nobody, "apt-get install "},
		"numbers": {there, nobody, "usermod --add-subuids"},
		"file":    {there, func(string) ([]byte, error) { return nil, fs.ErrNotExist }, "usermod --add-subuids"},
	} {
		if err := ordinary(test.look, test.read); !errors.Is(err, ErrOrdinary) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
