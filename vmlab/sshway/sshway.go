// Package sshway runs commands on machines that have a kernel of their own, by their
// sshd: the lab's keeper leads a Unix socket to it, and has made a key for the lab.
//
// Invariant: the key is good for this lab's machines alone, and nobody but the lab's
// owner can read it.
//
// Files: sshway.go keys and sockets; run.go a command.
package sshway

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// MakeKey makes a key in a file, and returns its line for authorized_keys.
func MakeKey(path string) (line string, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "lab")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " lab", nil
}

// short is a path of a file that a socket's address has room for, and what to close
// when it was used. (unix(7): 108 bytes)
func short(path string) (string, func(), error) {
	if len(path) < 100 {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { _ = dir.Close() }, nil
}

// Address is that of a Unix socket, however long its path, and what to call when it
// was used.
func Address(path, network string) (*net.UnixAddr, func(), error) {
	at, done, err := short(path)
	if err != nil {
		return nil, nil, err
	}
	return &net.UnixAddr{Name: at, Net: network}, done, nil
}

// Connect connects to a Unix socket, however long its path.
func Connect(network, path string) (*net.UnixConn, error) {
	at, done, err := Address(path, network)
	if err != nil {
		return nil, err
	}
	defer done()
	return net.DialUnix(network, nil, at)
}

// Gate is a Unix socket that leads to a machine.
type Gate struct {
	listener *net.UnixListener
	wait     sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool // nil when it is closed
}

// Lead opens a socket whose connections are handed on to where dial leads.
func Lead(path string, dial func() (net.Conn, error)) (*Gate, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	at, done, err := short(path)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // by then the short name may be another's
	g := &Gate{listener: l, open: map[net.Conn]bool{}}
	g.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			g.wait.Go(func() { g.carry(conn, dial) })
		}
	})
	return g, os.Chmod(path, 0o600)
}

// carry hands a connection's bytes on, both ways.
func (g *Gate) carry(conn net.Conn, dial func() (net.Conn, error)) {
	defer g.drop(conn)
	if !g.keep(conn) {
		return
	}
	far, err := dial()
	if err != nil {
		return
	}
	defer g.drop(far)
	if !g.keep(far) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { copyHalf(far, conn) })
	both.Go(func() { copyHalf(conn, far) })
	both.Wait()
}

// copyHalf copies one way, and passes the end on.
func copyHalf(to, from net.Conn) {
	_, _ = io.Copy(to, from) // either side may go at any time
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

func (g *Gate) keep(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		return false
	}
	g.open[conn] = true
	return true
}

func (g *Gate) drop(conn net.Conn) {
	g.mu.Lock()
	delete(g.open, conn)
	g.mu.Unlock()
	_ = conn.Close()
}

// Close ends the socket and all its connections.
func (g *Gate) Close() error {
	err := g.listener.Close()
	g.mu.Lock()
	for conn := range g.open { // any order: each by itself
		_ = conn.Close()
	}
	g.open = nil
	g.mu.Unlock()
	g.wait.Wait()
	return err
}
