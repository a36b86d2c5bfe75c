package etcdctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"drydock/node/client"
)

// defaultEndpoints are where a member listens by default, now and in 2014.
const defaultEndpoints = "http://127.0.0.1:2379,http://127.0.0.1:4001"

// maxInputBytes bounds what is read from standard input; a member takes less.
const maxInputBytes = 64 << 20

// connect makes the client and, if sync is set and --no-sync is not, has it ask for
// the members. It returns an exit code; 0 means go on.
func (inv *invocation) connect(sync bool) int {
	endpoints, err := inv.endpoints()
	if err != nil {
		return inv.refuse(err)
	}
	files := client.TLSFiles{
		CA: inv.global.text("ca-file"), Cert: inv.global.text("cert-file"), Key: inv.global.text("key-file"),
	}
	tls, err := files.Config()
	if err != nil {
		return inv.refuse(err)
	}
	name, password, err := inv.login()
	if err != nil {
		return inv.refuse(err)
	}
	inv.client, err = client.New(client.Config{
		Endpoints: endpoints, Username: name, Password: password,
		HeaderTimeout: inv.global.span("timeout"), Transport: client.NewTransport(tls), Trace: inv.trace(),
	})
	if err != nil {
		return inv.refuse(err)
	}
	if sync && !inv.global.bool("no-sync") {
		if code := inv.sync(); code != exitOK {
			return code
		}
	}
	inv.debugf("Cluster-Endpoints: %s\n", strings.Join(inv.client.Endpoints(), ", "))
	return exitOK
}

// sync takes the members' own URLs for endpoints. A server that does not tell them
// is used as it is.
func (inv *invocation) sync() int {
	given := strings.Join(inv.client.Endpoints(), ", ")
	inv.debugf("start to sync cluster using endpoints(%s)\n", given)
	ctx, cancel := inv.bounded()
	defer cancel()
	err := inv.client.Sync(ctx)
	switch {
	case errors.Is(err, client.ErrNoEndpoints):
		fmt.Fprintf(inv.env.Stderr, "No member has published a client URL. To use %s all the same: --no-sync\n", given)
		return inv.fail(exitServer, err)
	case unreachable(err):
		return inv.fail(exitBadConn, err)
	}
	inv.debugf("got endpoints(%s) after sync\n", strings.Join(inv.client.Endpoints(), ", "))
	return exitOK
}

// unreachable tells whether nobody was there to answer, so that it is no use to go
// on. A server that refuses, or is slow, may yet do what it is asked for.
func unreachable(err error) bool {
	cluster := (*client.ClusterError)(nil)
	if !errors.As(err, &cluster) {
		return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	}
	for _, e := range cluster.Errors {
		if op := (*net.OpError)(nil); !errors.As(e, &op) {
			return false
		}
	}
	return true
}

// bounded is the time that one request may take.
func (inv *invocation) bounded() (context.Context, context.CancelFunc) {
	if d := inv.global.span("total-timeout"); d > 0 {
		return context.WithTimeout(inv.ctx, d)
	}
	return context.WithCancel(inv.ctx)
}

// endpoints returns where to begin: the flags of today and of old, then DNS, then
// the default.
func (inv *invocation) endpoints() ([]string, error) {
	list := ""
	for _, name := range endpointFlags {
		if list == "" {
			list = inv.global.text(name)
		}
	}
	if domain := inv.global.text("discovery-srv"); domain != "" {
		return discover(inv.ctx, net.DefaultResolver, domain, inv.global.bool("insecure-discovery"))
	}
	if list == "" {
		list = defaultEndpoints
	}
	var out []string
	for _, e := range strings.Split(list, ",") {
		e = strings.TrimSpace(e)
		if e != "" && !strings.Contains(e, "://") {
			e = "http://" + e
		}
		if e != "" {
			out = append(out, e)
		}
	}
	return out, nil
}

// resolver is the part of net.Resolver that finds endpoints.
type resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// discover finds endpoints by a domain's SRV records, those with TLS first; those
// without only if insecure is set. (etcd, DNS discovery)
func discover(ctx context.Context, r resolver, domain string, insecure bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, secured, err1 := r.LookupSRV(ctx, "etcd-client-ssl", "tcp", domain)
	_, plain, err2 := r.LookupSRV(ctx, "etcd-client", "tcp", domain)
	if err1 != nil && err2 != nil {
		return nil, fmt.Errorf("dns lookup errors: %w and %w", err1, err2)
	}
	var out []string
	add := func(scheme string, records []*net.SRV) {
		for _, srv := range records {
			host := strings.TrimSuffix(srv.Target, ".")
			out = append(out, scheme+"://"+net.JoinHostPort(host, fmt.Sprint(srv.Port)))
		}
	}
	add("https", secured)
	if insecure {
		add("http", plain)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("--discovery-srv: %s has no endpoint with TLS; --insecure-discovery takes the others", domain)
	}
	return out, nil
}

// login returns the user and password to send, which may have to be asked for.
func (inv *invocation) login() (name, password string, err error) {
	name, password, given := strings.Cut(inv.global.text("username"), ":")
	switch {
	case name == "":
		return "", "", nil
	case given:
		return name, password, nil
	case inv.global.text("password") != "":
		return name, inv.global.text("password"), nil
	}
	password, err = inv.ask("Password: ")
	return name, password, err
}

// ask prompts for a password: on a terminal without showing it, else a line of
// standard input.
func (inv *invocation) ask(prompt string) (string, error) {
	fmt.Fprint(inv.env.Stderr, prompt)
	defer fmt.Fprintln(inv.env.Stderr)
	if f, ok := inv.env.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		word, err := term.ReadPassword(int(f.Fd()))
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		return string(word), nil
	}
	return readLine(inv.env.Stdin)
}

// readLine reads up to a newline and not a byte beyond: what follows may be a value.
func readLine(in io.Reader) (string, error) {
	var line []byte
	buf := make([]byte, 1)
	for len(line) < 4096 {
		n, err := in.Read(buf)
		if n == 1 && buf[0] == '\n' || err == io.EOF {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		line = append(line, buf[:n]...)
	}
	return "", errors.New("reading the password: more than 4096 bytes on a line")
}

// trace shows requests if --debug asks for it.
func (inv *invocation) trace() func(*http.Request, []byte) {
	if !inv.global.bool("debug") {
		return nil
	}
	return func(req *http.Request, body []byte) {
		line := fmt.Sprintf("cURL Command: curl -X %s %s", req.Method, req.URL)
		if req.Method == http.MethodPut || req.Method == http.MethodPost {
			line += fmt.Sprintf(" -d %q", body)
		}
		fmt.Fprintln(inv.env.Stderr, line)
	}
}

func (inv *invocation) debugf(format string, args ...any) {
	if inv.global.bool("debug") {
		fmt.Fprintf(inv.env.Stderr, format, args...)
	}
}
