package lima

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"drydock/vmlab/lab"
	"drydock/vmlab/power"
	"drydock/vmlab/sshway"
)

// way is the way into a machine: a port of this host's loopback that leads to its sshd,
// and a client that goes through it to what else the machine serves.
type way struct {
	access lab.Access

	mu     sync.Mutex
	port   int // 0 while the machine is off
	client *ssh.Client
	login  *login // the one that is under way, or that has just failed
	// failed is how many attempts have failed since one has not.
	failed int
}

// login is an attempt that all wait for who need it.
type login struct {
	done   chan struct{}
	client *ssh.Client
	err    error
}

// How long a machine's sshd may take to say a word to who has connected, and then to
// let it in. The first is short to begin with, since the way to a machine that boots
// takes connections before there is anybody who answers, and grows: each costs a slow
// machine a process of sshd.
const (
	wordPatience  = 2 * time.Second
	mostPatience  = 30 * time.Second
	loginPatience = 60 * time.Second
	// knockRest is the rest after an attempt that has failed.
	knockRest = 200 * time.Millisecond
)

// patience is how long sshd may take to say a word after so many failures.
func patience(failed int) time.Duration {
	return min(wordPatience<<min(failed, 8), mostPatience)
}

// open says that the machine is behind a port.
func (w *way) open(port int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.port, w.failed, w.login = port, 0, nil
}

// close says that it is off.
func (w *way) close() {
	w.mu.Lock()
	client := w.client
	w.port, w.client, w.login = 0, nil, nil
	w.mu.Unlock()
	if client != nil {
		_ = client.Close() // its connection may be gone
	}
}

// connect connects to the machine's sshd.
func (w *way) connect() (net.Conn, error) {
	w.mu.Lock()
	port := w.port
	w.mu.Unlock()
	if port == 0 {
		return nil, power.ErrOff
	}
	return net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), wordPatience)
}

// dial connects to something that the machine can reach, from the machine.
func (w *way) dial(ctx context.Context, network, address string) (net.Conn, error) {
	client, err := w.enter(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := client.DialContext(ctx, network, address)
	var refused *ssh.OpenChannelError
	if err != nil && !errors.As(err, &refused) && ctx.Err() == nil {
		w.drop(client) // the machine has booted again, or is gone
	}
	return conn, err
}

// enter returns a client that is in.
func (w *way) enter(ctx context.Context) (*ssh.Client, error) {
	w.mu.Lock()
	if w.client != nil {
		defer w.mu.Unlock()
		return w.client, nil
	}
	l := w.login
	if l == nil {
		l = &login{done: make(chan struct{})}
		w.login = l
		go w.try(l)
	}
	w.mu.Unlock()
	select {
	case <-l.done:
		return l.client, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("its sshd has not answered: %w", ctx.Err())
	}
}

// try logs in. An attempt that fails stays for a while, so that who asks again and
// again has its error.
func (w *way) try(l *login) {
	w.mu.Lock()
	wait := patience(w.failed)
	w.mu.Unlock()
	l.client, l.err = w.knock(wait)
	w.mu.Lock()
	if w.login != l && l.client != nil { // the machine was switched off meanwhile
		_ = l.client.Close()
		l.client, l.err = nil, power.ErrOff
	}
	if w.login == l {
		w.client = l.client
	}
	if l.err == nil {
		w.failed, w.login = 0, nil
		go w.await(l.client)
	} else {
		w.failed++
		time.AfterFunc(knockRest, func() { w.forget(l) })
	}
	w.mu.Unlock()
	close(l.done)
}

// await drops a client once it is gone.
func (w *way) await(client *ssh.Client) {
	_ = client.Wait() // however it has ended
	w.drop(client)
}

// forget makes room for another attempt.
func (w *way) forget(l *login) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.login == l {
		w.login = nil
	}
}

// knock waits so long for a word, and logs in.
func (w *way) knock(wait time.Duration) (*ssh.Client, error) {
	conn, err := w.connect()
	if err != nil {
		return nil, err
	}
	first := make([]byte, 1)
	err = conn.SetDeadline(time.Now().Add(wait))
	if err == nil {
		_, err = conn.Read(first)
	}
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(loginPatience))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("its sshd has not answered: %w", err), conn.Close())
	}
	client, err := sshway.Login(&begun{Conn: conn, first: first}, w.access)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// drop gives up a client.
func (w *way) drop(client *ssh.Client) {
	w.mu.Lock()
	if w.client == client {
		w.client = nil
	}
	w.mu.Unlock()
	_ = client.Close() // its connection may be gone
}

// begun is a connection of which a piece was read.
type begun struct {
	net.Conn
	first []byte
}

// Read implements net.Conn.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}
