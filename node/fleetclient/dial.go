package fleetclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path"
	"strings"
	"sync"
	"time"
)

// ErrEndpoint is matched by the refusal of an endpoint that can't be one.
var ErrEndpoint = errors.New("not an endpoint")

// endpoint is one place that serves the API.
type endpoint struct {
	// name is how users write it; base is what requests are sent to.
	name, base string
	// network and address are what is dialled.
	network, address string
	transport        http.RoundTripper
}

// parseEndpoint reads what users write: unix:///PATH, /PATH, http://HOST:PORT,
// https://HOST:PORT, or HOST:PORT.
func parseEndpoint(written string) (*endpoint, error) {
	if strings.HasPrefix(written, "/") {
		written = "unix://" + written
	}
	if !strings.Contains(written, "://") {
		written = "http://" + written
	}
	u, err := url.Parse(written)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEndpoint, err)
	}
	switch u.Scheme {
	case "unix", "file":
		socket := path.Join("/", u.Host, u.Path)
		if socket == "/" {
			return nil, fmt.Errorf("%w: %s names no socket, as unix:///var/run/fleet.sock does", ErrEndpoint, written)
		}
		return &endpoint{name: "unix://" + socket, base: "http://domain-sock", network: "unix", address: socket}, nil
	case "http", "https":
		if u.Host == "" {
			return nil, fmt.Errorf("%w: %s names no host", ErrEndpoint, written)
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		base := u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/")
		return &endpoint{name: base, base: base, network: "tcp", address: net.JoinHostPort(u.Hostname(), port)}, nil
	}
	return nil, fmt.Errorf("%w: %s has the scheme %s, not unix, http or https", ErrEndpoint, written, u.Scheme)
}

// dialFunc opens a connection to where an endpoint is.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newTransport carries requests to one endpoint. Proxies are for the network at
// large: a socket and a tunnel have none.
func newTransport(e *endpoint, cfg *tls.Config, tunnel dialFunc) *http.Transport {
	dial := tunnel
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	t := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, e.network, e.address)
		},
		TLSClientConfig:     cfg,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     90 * time.Second,
	}
	if tunnel == nil && e.network == "tcp" {
		t.Proxy = http.ProxyFromEnvironment
		t.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	return t
}

// Tunnel returns a way to open connections by a command that carries them on its
// standard streams. argv returns the command for where a connection is to lead.
func Tunnel(argv func(network, address string) []string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(_ context.Context, network, address string) (net.Conn, error) {
		words := argv(network, address)
		// The connection outlives the request that it was opened for.
		cmd := exec.Command(words[0], words[1:]...)
		in, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		complaint := &tail{}
		cmd.Stderr = complaint
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("tunnel: %w", err)
		}
		return &pipe{cmd: cmd, in: in, out: out, complaint: complaint, to: address}, nil
	}
}

// tail keeps the beginning of what a command complains of.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	const limit = 2048
	t.text = append(t.text, p[:min(len(p), limit-len(t.text))]...)
	return len(p), nil
}

// pipe is a connection on a command's standard streams.
type pipe struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	out       io.Reader
	complaint *tail
	to        string
	// ended waits for the command, once.
	ended sync.Once
}

func (p *pipe) wait() { p.ended.Do(func() { _ = p.cmd.Wait() }) }

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err == nil || n > 0 {
		return n, nil
	}
	// All of stderr is in only when the command has been waited for.
	p.wait()
	if said := strings.TrimSpace(string(p.complaint.text)); said != "" {
		return 0, fmt.Errorf("%s: %s", p.cmd.Args[0], said)
	}
	return 0, err
}

func (p *pipe) Write(b []byte) (int, error) { return p.in.Write(b) }

// Close ends the command. A read that waits for it returns.
func (p *pipe) Close() error {
	_ = p.in.Close()
	_ = p.cmd.Process.Kill()
	p.wait()
	return nil
}

// address stands for the ends of a pipe.
type address string

func (address) Network() string  { return "pipe" }
func (a address) String() string { return string(a) }

func (p *pipe) LocalAddr() net.Addr              { return address("here") }
func (p *pipe) RemoteAddr() net.Addr             { return address(p.to) }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
