package procs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shell is a place to type fleetctl in.
type shell struct {
	t       *testing.T
	ctx     context.Context
	program string
	dir     string
	env     []string
}

// run calls fleetctl and returns what it shows; it must succeed.
func (s *shell) run(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.ctx, s.program, args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("fleetctl %v: %v\n%s%s", args, err, out, said.String())
	}
	return string(out)
}

func (s *shell) file(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// TestArticle types what an article of March 2014 does, with a loop of the shell for its
// containers. The columns are those of then, the two apaches are on different machines.
func TestArticle(t *testing.T) {
	t.Parallel()
	ctx, c, _ := withUnits(t)
	s := &shell{t: t, ctx: ctx, program: filepath.Join(t.TempDir(), "fleetctl"), dir: t.TempDir()}
	if err := os.Symlink(binary(t), s.program); err != nil {
		t.Fatal(err)
	}
	s.env = []string{"FLEETCTL_ENDPOINT=" + c.URL(0) + "," + c.URL(1), "FLEETCTL_COMPAT=2014"}
	const loop = "\n[Service]\nExecStart=/bin/sh -c \"while true; do echo Hello World; sleep 1; done\"\n"
	s.file("hello.service", "[Unit]\nDescription=MyApp\n"+loop)
	for _, name := range []string{"apache.1.service", "apache.2.service"} {
		s.file(name, "[Unit]\nDescription=My Apache Frontend\n"+loop+"\n[X-Fleet]\nX-Conflicts=apache.*.service\n")
	}
	// A machine has its session a moment after its member is ready.
	var ids []string
	for len(ids) < c.Size() {
		if pause(ctx, probeEvery) != nil {
			t.Fatalf("machines: %v", ids)
		}
		ids = regexp.MustCompile(`(?m)^[0-9a-f]{8}\.\.\.\t[0-9a-f.:]+\t-$`).FindAllString(s.run("list-machines"), -1)
	}
	silent := func(args ...string) {
		t.Helper()
		if out := s.run(args...); out != "" {
			t.Errorf("%v says %q", args, out)
		}
	}
	const place = `[0-9a-f]{8}\.\.\./[0-9a-f.:]+`
	shows := func(lines ...string) []string {
		t.Helper()
		out := s.run("list-units")
		re := regexp.MustCompile(`^UNIT\t+LOAD\t+ACTIVE\t+SUB\t+DESC\t+MACHINE\n` + strings.Join(lines, "\n") + "\n$")
		if !re.MatchString(out) {
			t.Fatalf("list-units shows\n%s", out)
		}
		return regexp.MustCompile(place).FindAllString(out, -1)
	}
	const (
		none    = `\t+-\t-\t-\tMyApp\t+-`
		waits   = `\t+-\t-\t-\tMy Apache Frontend\t-`
		running = `\t+loaded\tactive\trunning\tMy Apache Frontend\t` + place
	)
	silent("submit", "hello.service")
	shows(`hello\.service` + none)
	silent("start", "hello.service")
	shows(`hello\.service\t+loaded\tactive\trunning\tMyApp\t` + place)
	silent("stop", "hello.service")
	shows(`hello\.service` + none)
	silent("submit", "apache.*")
	shows(`apache\.1\.service`+waits, `apache\.2\.service`+waits, `hello\.service`+none)
	silent("start", "apache.*")
	if on := shows(`apache\.1\.service`+running, `apache\.2\.service`+running, `hello\.service`+none); on[0] == on[1] {
		t.Errorf("both on %s", on[0])
	}
	s.env = s.env[:1]
	if out := s.run("list-units", "--fields", "unit,active,sub", "--no-legend"); out !=
		"apache.1.service\tactive\trunning\napache.2.service\tactive\trunning\n" {
		t.Errorf("today's columns: %q", out)
	}
	if out := s.run("journal", "--output", "cat", "--lines", "1", "apache.2"); out != "Hello World\n" {
		t.Errorf("journal: %q", out)
	}
	if out := s.run("destroy", "apache.*", "hello"); strings.Count(out, "Destroyed ") != 3 {
		t.Errorf("destroy: %q", out)
	}
}
