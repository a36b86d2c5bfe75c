package sshway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/term"

	"drydock/vmlab/lab"
)

// Run runs a command on a machine, with the command's streams, and returns what it
// has ended with. It has a terminal where its stdin is one.
func Run(ctx context.Context, a lab.Access, c lab.Command) (code int, err error) {
	client, err := connect(ctx, a)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", a.Machine, err)
	}
	defer func() { _ = client.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return 0, err
	}
	defer func() { _ = session.Close() }()
	if c.Stdin != nil {
		session.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		session.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		session.Stderr = c.Stderr
	}
	restore, err := terminal(session, c.Stdin)
	if err != nil {
		return 0, err
	}
	defer restore()
	err = session.Run(line(&c))
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && exit.Signal() == "":
		return exit.ExitStatus(), nil
	case ctx.Err() != nil:
		return 0, ctx.Err()
	}
	return 0, err
}

// connect speaks ssh to a machine as root. A machine that doesn't answer is waited for
// until ctx ends.
func connect(ctx context.Context, a lab.Access) (*ssh.Client, error) {
	conn, err := Connect("unix", a.Socket)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c, err := Login(conn, a)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("its sshd does not answer: %w", ctx.Err())
	}
	return c, err
}

// Login speaks ssh as root to the machine at the other end of a connection, which is
// closed with the client, or if that fails.
func Login(conn net.Conn, a lab.Access) (*ssh.Client, error) {
	text, err := os.ReadFile(a.Key)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c, channels, requests, err := ssh.NewClientConn(conn, a.Machine, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		// The way there is the lab's own, and a machine makes its key when it first boots.
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // see above
	})
	if err != nil {
		_ = conn.Close() // ssh has closed it
		return nil, fmt.Errorf("its sshd does not answer: %w", err)
	}
	return ssh.NewClient(c, channels, requests), nil
}

// terminal gives the session a terminal where stdin is one.
func terminal(session *ssh.Session, stdin *os.File) (restore func(), err error) {
	if stdin == nil || !term.IsTerminal(int(stdin.Fd())) {
		return func() {}, nil
	}
	width, height, err := term.GetSize(int(stdin.Fd()))
	if err != nil {
		return nil, err
	}
	name := os.Getenv("TERM")
	if name == "" {
		name = "vt100"
	}
	if err := session.RequestPty(name, height, width, ssh.TerminalModes{}); err != nil {
		return nil, err
	}
	old, err := term.MakeRaw(int(stdin.Fd()))
	if err != nil {
		return nil, err
	}
	return func() { _ = term.Restore(int(stdin.Fd()), old) }, nil
}

// line is a command as sshd's shell reads it.
func line(c *lab.Command) string {
	var b strings.Builder
	if c.Dir != "" {
		b.WriteString("cd " + quote(c.Dir) + " && ")
	}
	b.WriteString("exec")
	if len(c.Env) > 0 {
		b.WriteString(" env")
	}
	for _, word := range append(append([]string(nil), c.Env...), c.Args...) {
		b.WriteString(" " + quote(word))
	}
	return b.String()
}

// quote writes a word so that a shell takes it as it is.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
