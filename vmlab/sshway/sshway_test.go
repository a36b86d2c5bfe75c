package sshway

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"drydock/vmlab/lab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLine(t *testing.T) {
	for want, c := range map[string]lab.Command{
		"exec 'a' 'b c'":                  {Args: []string{"a", "b c"}},
		`exec 'it'\''s' '$x' ''`:          {Args: []string{"it's", "$x", ""}},
		"cd '/a b' && exec env 'A=1' 'a'": {Args: []string{"a"}, Dir: "/a b", Env: []string{"A=1"}},
	} {
		if got := line(&c); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// serve is a machine's sshd for one connection: it lets the key in, prints the
// command and its input, and ends with 7.
func serve(conn net.Conn, key string) error {
	defer func() { _ = conn.Close() }()
	_, host, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(host)
	if err != nil {
		return err
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() == "root" && strings.HasPrefix(key, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))) {
			return nil, nil
		}
		return nil, errors.New("another key")
	}}
	config.AddHostKey(signer)
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(requests)
	for one := range channels {
		ch, asked, err := one.Accept()
		if err != nil {
			return err
		}
		for r := range asked {
			if r.Type != "exec" {
				_ = r.Reply(false, nil)
				continue
			}
			_ = r.Reply(true, nil)
			input, err := io.ReadAll(ch)
			_, writeErr := ch.Write(append(r.Payload[4:], input...))
			_, statusErr := ch.SendRequest("exit-status", false, []byte{0, 0, 0, 7})
			if err := errors.Join(err, writeErr, statusErr, ch.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestRun runs a command through a gate whose path is longer than a socket's
// address.
func TestRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep", 30))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	a := lab.Access{Machine: "core-01", Socket: filepath.Join(dir, "ssh.sock"), Key: filepath.Join(dir, "key")}
	key, err := MakeKey(a.Key)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	gate, err := Lead(a.Socket, func() (net.Conn, error) {
		near, far := net.Pipe()
		go func() { served <- serve(far, key) }()
		return near, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	input := filepath.Join(dir, "input")
	if err := os.WriteFile(input, []byte(" and input"), 0o644); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	code, err := Run(t.Context(), a, lab.Command{Args: []string{"echo", "hi"}, Stdin: in, Stdout: w})
	said, readErr := io.ReadAll(io.LimitReader(r, int64(len("exec 'echo' 'hi' and input"))))
	if err != nil || readErr != nil || code != 7 || string(said) != "exec 'echo' 'hi' and input" {
		t.Errorf("exit status %d, %q, %v, %v", code, said, err, readErr)
	}
	if err := errors.Join(in.Close(), w.Close(), r.Close(), gate.Close()); err != nil {
		t.Error(err)
	}
	<-served // whatever it has to say of the end
	if info, err := os.Stat(a.Key); err != nil || info.Mode() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
}

// TestGateCloses: connections through a gate end with it, and a gate that leads
// nowhere refuses.
func TestGateCloses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	nowhere, err := Lead(path, func() (net.Conn, error) { return nil, errors.New("off") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), lab.Access{Socket: path, Key: "/nonexistent"}, lab.Command{Args: []string{"a"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a key: %v", err)
	}
	conn, err := Connect("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a machine that is off: %v", err)
	}
	if err := errors.Join(conn.Close(), nowhere.Close()); err != nil {
		t.Error(err)
	}
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	gate, err := Lead(path, func() (net.Conn, error) { return near, nil })
	if err != nil {
		t.Fatal(err)
	}
	if conn, err = Connect("unix", path); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = conn.Write([]byte("x")) }()
	if _, err := far.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if err := gate.Close(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlives its gate")
	}
	_ = conn.Close()
}
