package lima

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"drydock/vmlab/lab"
	"drydock/vmlab/power"
	"drydock/vmlab/sshway"
)

// sshd is a machine's: whoever connects through it gets back what is sent.
type sshd struct {
	listener net.Listener
	config   *ssh.ServerConfig
	wait     sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	// deaf ones take connections and say nothing.
	deaf int
}

func newSSHD(t *testing.T, deaf int) *sshd {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := &sshd{deaf: deaf, config: &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, _ ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() != "root" {
			return nil, errors.New("not root")
		}
		return nil, nil
	}}}
	s.config.AddHostKey(signer)
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.wait.Go(s.accept)
	t.Cleanup(func() {
		_ = s.listener.Close() // a test may have
		s.cut()
		s.wait.Wait()
	})
	return s
}

func (s *sshd) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// cut ends all connections, as a machine that boots again.
func (s *sshd) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

func (s *sshd) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		deaf := s.deaf > 0
		s.deaf--
		s.mu.Unlock()
		if !deaf {
			s.wait.Go(func() { s.serve(conn) })
		}
	}
}

func (s *sshd) serve(conn net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	s.wait.Go(func() { ssh.DiscardRequests(requests) })
	for one := range channels {
		if one.ChannelType() != "direct-tcpip" {
			_ = one.Reject(ssh.UnknownChannelType, "no")
			continue
		}
		if string(one.ExtraData()[4:16]) == "172.17.8.102" {
			_ = one.Reject(ssh.ConnectionFailed, "refused")
			continue
		}
		ch, asked, err := one.Accept()
		if err != nil {
			return
		}
		s.wait.Go(func() { ssh.DiscardRequests(asked) })
		s.wait.Go(func() {
			_, _ = io.Copy(ch, ch)
			_ = ch.Close()
		})
	}
}

func newWay(t *testing.T) *way {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if _, err := sshway.MakeKey(key); err != nil {
		t.Fatal(err)
	}
	w := &way{access: lab.Access{Machine: "core-01", Key: key}}
	t.Cleanup(w.close)
	return w
}

// echo dials, and hears what it says.
func echo(ctx context.Context, w *way) error {
	conn, err := w.dial(ctx, "tcp", "172.17.8.101:2379")
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
		return errors.Join(err, errors.New(string(got)))
	}
	return conn.Close()
}

func TestWay(t *testing.T) {
	w, s := newWay(t), newSSHD(t, 0)
	if err := echo(t.Context(), w); !errors.Is(err, power.ErrOff) {
		t.Errorf("a machine that is off: %v", err)
	}
	w.open(s.port())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := echo(t.Context(), w); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.mu.Lock()
	if len(s.conns) != 1 {
		t.Errorf("%d logins for four", len(s.conns))
	}
	s.mu.Unlock()
	var refused *ssh.OpenChannelError
	if _, err := w.dial(t.Context(), "tcp", "172.17.8.102:2379"); !errors.As(err, &refused) {
		t.Errorf("what nobody serves: %v", err)
	}
	if err := echo(t.Context(), w); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
	s.cut()
	deadline := time.Now().Add(20 * time.Second)
	for err := echo(t.Context(), w); err != nil; err = echo(t.Context(), w) {
		if time.Now().After(deadline) {
			t.Fatalf("the machine has booted again: %v", err)
		}
	}
	w.close()
	if err := echo(t.Context(), w); !errors.Is(err, power.ErrOff) {
		t.Errorf("a machine that was switched off: %v", err)
	}
}

func TestPatience(t *testing.T) {
	for failed, want := range map[int]time.Duration{0: 2 * time.Second, 1: 4 * time.Second, 4: 30 * time.Second, 1000: 30 * time.Second} { // any order: each by itself
		if got := patience(failed); got != want {
			t.Errorf("after %d failures: %s", failed, got)
		}
	}
}

// TestWayPatience: a machine that takes connections before it has an sshd isn't waited
// for, and who waits no longer is let go.
func TestWayPatience(t *testing.T) {
	w, s := newWay(t), newSSHD(t, 1)
	w.open(s.port())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := echo(ctx, w); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a deaf machine: %v", err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for err := echo(t.Context(), w); err != nil; err = echo(t.Context(), w) {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
