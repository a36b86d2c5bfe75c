package fleetctl

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drydock/node/ui"
)

// TestForward: what comes in goes to the socket, and what the socket says comes out,
// until it ends.
func TestForward(t *testing.T) {
	// A path of a socket is short.
	dir, err := os.MkdirTemp("", "f")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			close(got)
			return
		}
		defer conn.Close()
		text, _ := io.ReadAll(conn)
		_, _ = conn.Write([]byte("pong"))
		got <- string(text)
	}()
	var out bytes.Buffer
	env := &ui.Env{
		Args: []string{"fd-forward", socket}, Getenv: func(string) string { return "" },
		Stdin: strings.NewReader("ping"), Stdout: &out, Stderr: &out,
	}
	if code := run(t.Context(), env, realSystem()); code != 0 || <-got != "ping" || out.String() != "pong" {
		t.Errorf("code %d, %q", code, out.String())
	}
	if !realSystem().isSocket(socket) || realSystem().isSocket(dir) {
		t.Error("what is a socket isn't seen as one, or what is none is")
	}
}

// TestRunProgram: a program has the streams, and its exit code is passed on.
func TestRunProgram(t *testing.T) {
	var out, errs bytes.Buffer
	code, err := runProgram(t.Context(), []string{"sh", "-c", "cat; echo no >&2; exit 7"}, strings.NewReader("in"), &out, &errs)
	if code != 7 || err != nil || out.String() != "in" || errs.String() != "no\n" {
		t.Errorf("code %d, %v, %q, %q", code, err, out.String(), errs.String())
	}
	if _, err := runProgram(t.Context(), []string{filepath.Join(t.TempDir(), "nothing")}, nil, &out, &errs); err == nil {
		t.Error("a program that isn't there has run")
	}
}

// TestKnownHosts: the folder of the file is made.
func TestKnownHosts(t *testing.T) {
	home := t.TempDir()
	s := &session{sys: system{home: func() (string, error) { return home, nil }}}
	s.global.knownHosts = "~/.fleetctl/known_hosts"
	file, err := s.knownHosts()
	if info, statErr := os.Stat(filepath.Join(home, ".fleetctl")); err != nil || statErr != nil || !info.IsDir() ||
		file != filepath.Join(home, ".fleetctl", "known_hosts") {
		t.Errorf("%s, %v, %v", file, err, statErr)
	}
	s.global.knownHosts = filepath.Join(home, "here")
	if file, err := s.knownHosts(); err != nil || file != filepath.Join(home, "here") {
		t.Errorf("%s, %v", file, err)
	}
}
