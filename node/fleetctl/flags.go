package fleetctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"drydock/node/client"
	"drydock/node/fleetclient"
)

// globals are the flags that all commands have.
type globals struct {
	endpoint, driver, tunnel, sshUser, knownHosts string
	ca, cert, key, username, password, compat     string
	requestTimeout, sshTimeout                    float64
	strict, debug, version                        bool
	ignored                                       string
	ignoredBool                                   bool
}

// register adds the flags to set, those of old releases too.
func (g *globals) register(set *pflag.FlagSet) {
	set.StringVar(&g.endpoint, "endpoint", "", "where the cluster's API is, several with commas: unix:///PATH, http://HOST:PORT or https://HOST:PORT"+
		" (default: "+fleetSocket+" if it is there, else "+strings.Join(defaultEndpoints, ",")+")")
	set.Float64Var(&g.requestTimeout, "request-timeout", 3, "seconds to wait for an answer")
	set.StringVar(&g.compat, "compat", "1.0", "whose columns and words to use: 1.0, 0.5 or 2014 (those of March)")
	set.StringVar(&g.username, "username", "", "user of the cluster, with a password after a colon")
	set.StringVar(&g.password, "password", "", "the user's password")
	set.StringVar(&g.ca, "ca-file", "", "certificates that the servers' are checked with")
	set.StringVar(&g.cert, "cert-file", "", "certificate to show to servers")
	set.StringVar(&g.key, "key-file", "", "key of the certificate")
	set.StringVar(&g.tunnel, "tunnel", "", "HOST[:PORT] of a machine to go through with ssh")
	set.StringVar(&g.sshUser, "ssh-username", "core", "user on the machines")
	set.Float64Var(&g.sshTimeout, "ssh-timeout", 10, "seconds to wait for a connection of ssh")
	set.BoolVar(&g.strict, "strict-host-key-checking", true, "check the keys of machines before connecting to them")
	set.StringVar(&g.knownHosts, "known-hosts-file", "~/.fleetctl/known_hosts", "file of the keys that are known")
	set.BoolVar(&g.debug, "debug", false, "show requests on stderr")
	set.BoolVar(&g.version, "version", false, "print the version and exit")
	set.StringVar(&g.driver, "driver", "API", "API; fleet's etcd is not spoken")
	// 2014's names, and what has no use here.
	set.StringVar(&g.ca, "etcd-cafile", "", "")
	set.StringVar(&g.cert, "etcd-certfile", "", "")
	set.StringVar(&g.key, "etcd-keyfile", "", "")
	set.StringVar(&g.ignored, "etcd-key-prefix", "/_coreos.com/fleet/", "")
	set.BoolVar(&g.ignoredBool, "experimental-api", true, "")
	for _, old := range []string{"driver", "etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-key-prefix", "experimental-api"} {
		set.Lookup(old).Hidden = true
	}
}

// fleetSocket is where fleet listens.
const fleetSocket = "/var/run/fleet.sock"

// defaultEndpoints are where a node listens by default, now and in 2014.
var defaultEndpoints = []string{"http://127.0.0.1:2379", "http://127.0.0.1:4001"}

// system is what of the machine a session uses beside its streams; tests have
// another.
type system struct {
	// transport carries requests; nil for sockets.
	transport http.RoundTripper
	// run runs a program with the session's streams until it ends, and returns its
	// exit code. The error says that it didn't run.
	run func(ctx context.Context, argv []string, in io.Reader, out, errs io.Writer) (int, error)
	// find tells where a program is.
	find func(program string) (string, error)
	// machineID is this machine's, or "".
	machineID func() string
	// isSocket tells whether a path is a Unix socket.
	isSocket func(path string) bool
	// home is the user's folder.
	home func() (string, error)
	now  func() time.Time
}

func realSystem() system {
	return system{
		run: runProgram, find: exec.LookPath, home: os.UserHomeDir, now: time.Now,
		machineID: func() string {
			text, err := os.ReadFile("/etc/machine-id")
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(text))
		},
		isSocket: func(path string) bool {
			info, err := os.Stat(path)
			return err == nil && info.Mode()&os.ModeSocket != 0
		},
	}
}

// runProgram runs a program that may talk to the terminal. An interruption reaches it
// by itself there, so that it is the one to end.
func runProgram(ctx context.Context, argv []string, in io.Reader, out, errs io.Writer) (int, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// connect makes the client.
func (s *session) connect() error {
	files := client.TLSFiles{CA: s.global.ca, Cert: s.global.cert, Key: s.global.key}
	tls, err := files.Config()
	if err != nil {
		return err
	}
	name, password, _ := strings.Cut(s.global.username, ":")
	if s.global.password != "" {
		password = s.global.password
	}
	if s.global.requestTimeout <= 0 {
		return fmt.Errorf("--request-timeout: %v isn't more than 0 s", s.global.requestTimeout)
	}
	cfg := fleetclient.Config{
		Endpoints: s.endpoints(), TLS: tls, Username: name, Password: password,
		Timeout: seconds(s.global.requestTimeout), Transport: s.sys.transport,
	}
	if s.global.tunnel != "" {
		cfg.Dial, err = s.throughTunnel()
		if err != nil {
			return err
		}
		cfg.Timeout += seconds(s.global.sshTimeout)
	}
	if s.global.debug {
		cfg.Trace = func(req *http.Request, body []byte) { s.errf("DEBUG: %s %s %s", req.Method, req.URL, body) }
	}
	s.client, err = fleetclient.New(cfg)
	return err
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// endpoints returns where the API may be.
func (s *session) endpoints() []string {
	var list []string
	for e := range strings.SplitSeq(s.global.endpoint, ",") {
		if e = strings.TrimSpace(e); e != "" {
			list = append(list, e)
		}
	}
	switch {
	case len(list) > 0:
		return list
	case s.sys.isSocket(fleetSocket):
		return append([]string{"unix://" + fleetSocket}, defaultEndpoints...)
	}
	return defaultEndpoints
}

// throughTunnel dials by way of another machine: ssh forwards to a port by itself,
// and the fleetctl there to a socket.
func (s *session) throughTunnel() (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	begin, err := s.sshCommand(s.global.tunnel, 0, false)
	if err != nil {
		return nil, err
	}
	host := begin[len(begin)-1]
	begin = begin[:len(begin)-1]
	return fleetclient.Tunnel(func(network, address string) []string {
		if network == "unix" {
			return append(begin[:len(begin):len(begin)], host, "fleetctl", "fd-forward", address)
		}
		return append(begin[:len(begin):len(begin)], "-W", address, host)
	}), nil
}

// sshPort is ssh's own.
const sshPort = 22

// sshCommand returns the call of ssh that reaches a host[:port]; port, unless 0, is
// the default one.
func (s *session) sshCommand(host string, port int, forward bool) ([]string, error) {
	ssh, err := s.sys.find("ssh")
	if err != nil {
		return nil, errors.New("there is no ssh here: install OpenSSH's client (status and journal can do without)")
	}
	argv := []string{ssh, "-l", s.global.sshUser, "-o", fmt.Sprintf("ConnectTimeout=%d", max(1, int(s.global.sshTimeout)))}
	if name, number, err := net.SplitHostPort(host); err == nil {
		host, argv = name, append(argv, "-p", number)
	} else if port != 0 && port != sshPort {
		argv = append(argv, "-p", fmt.Sprint(port))
	}
	if s.global.strict {
		file, err := s.knownHosts()
		if err != nil {
			return nil, err
		}
		argv = append(argv, "-o", "UserKnownHostsFile="+file)
	} else {
		argv = append(argv, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile="+os.DevNull, "-o", "LogLevel=ERROR")
	}
	if forward {
		argv = append(argv, "-A")
	}
	return append(argv, host), nil
}

// knownHosts returns the file of known keys, in a folder that is there.
func (s *session) knownHosts() (string, error) {
	file := s.global.knownHosts
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		home, err := s.sys.home()
		if err != nil {
			return "", err
		}
		file = filepath.Join(home, rest)
	}
	return file, os.MkdirAll(filepath.Dir(file), 0o700)
}
