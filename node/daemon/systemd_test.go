package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"drydock/node/state"
	"drydock/node/ui"
)

// child is set in the environment of processes that this test starts in systemd's
// stead. It holds the flags of the node to run, one "name=value" a line.
const child = "DRYDOCK_TEST_NODE"

// runChild is the process of a node.
func runChild(flags string) error {
	// A parent can't know the id in advance; systemd sets it between fork and exec.
	if os.Getenv("LISTEN_FDS") != "" {
		_ = os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	set := make(map[string]string)
	for line := range strings.Lines(flags) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		set[name] = value
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg, err := Load(set, env())
	if err == nil {
		err = Run(ctx, cfg, ui.OSEnv())
	}
	return err
}

// unit is a node as systemd runs it: with sockets that outlive it, and somebody who
// hears what it has to say.
type unit struct {
	*place
	notes   *net.UnixConn
	sockets []*os.File
	flags   map[string]string
}

func newUnit(t *testing.T) *unit {
	t.Helper()
	dir, err := os.MkdirTemp("", "unit") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	u := &unit{place: newPlace(t, "unit")}
	if u.notes, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.notes.Close() })
	for _, ln := range []net.Listener{u.client, u.peer} {
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		u.sockets = append(u.sockets, f)
	}
	u.flags = map[string]string{
		"name": "unit", "data-dir": u.dir, "run-dir": filepath.Join(u.dir, "run"), "listen-client-urls": u.clientURL(), "listen-peer-urls": u.peerURL(), "log-format": "json",
	}
	return u
}

// start runs the node as a process; stop ends it in good order and returns what it
// has written.
func (u *unit) start(t *testing.T) (stop func() string) {
	t.Helper()
	var lines []string
	for name, value := range u.flags {
		lines = append(lines, name+"="+value)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := exec.Command(self)
	c.Stderr, c.ExtraFiles = &out, u.sockets
	c.Env = append(os.Environ(), child+"="+strings.Join(lines, "\n"), "LISTEN_FDS="+strconv.Itoa(len(u.sockets)),
		"NOTIFY_SOCKET="+u.notes.LocalAddr().String(), "WATCHDOG_USEC=200000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceValue(func() string {
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("the node ended: %v\n%s", err, out.String())
		}
		return out.String()
	})
	t.Cleanup(func() { stop() })
	return stop
}

// hear waits for a notification.
func (u *unit) hear(t *testing.T, want string) {
	t.Helper()
	b := make([]byte, 100)
	_ = u.notes.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		n, err := u.notes.Read(b)
		if err != nil {
			t.Fatalf("waiting for %q: %v", want, err)
		}
		if string(b[:n]) == want {
			return
		}
	}
}

// TestUnderSystemd: a node takes the sockets that are open already, says when it is
// ready, that it is alive and that it ends; requests that come while it is away wait
// for its next life.
func TestUnderSystemd(t *testing.T) {
	u := newUnit(t)
	stop := u.start(t)
	u.hear(t, "READY=1")
	put(t, u.clientURL(), "/a", "1")
	u.hear(t, "WATCHDOG=1")
	u.hear(t, "WATCHDOG=1")
	stop()
	u.hear(t, "STOPPING=1")
	got := make(chan string, 1)
	go func() { got <- value(u.clientURL(), "/a") }()
	u.start(t)
	u.hear(t, "READY=1")
	select {
	case v := <-got:
		if v != "1" {
			t.Errorf("read %q", v)
		}
	case <-time.After(20 * time.Second):
		t.Error("a request of the time between is not answered")
	}
}

// TestWorkerUnderSystemd: a node that a discovery makes a worker keeps its sockets,
// and the watchdog hears of it too.
func TestWorkerUnderSystemd(t *testing.T) {
	finder := newPlace(t, "finder").mustStart(t, nil)
	put(t, finder.clientURL(), "/ready", "1")
	_, token := ask("GET", finder.clientURL()+"/new?size=1", "")
	one := newPlace(t, "one").mustStart(t, map[string]string{"discovery": token})
	put(t, one.clientURL(), "/a", "1")
	u := newUnit(t)
	u.flags["discovery"] = token
	stop := u.start(t)
	u.hear(t, "READY=1")
	u.hear(t, "WATCHDOG=1")
	if got := value(u.clientURL(), "/a"); got != "1" {
		t.Errorf("the worker reads %q", got)
	}
	if out := stop(); !strings.Contains(out, "not used") || !strings.Contains(out, u.peer.Addr().String()) {
		t.Errorf("nothing is said of the socket that a worker has no use for:\n%s", out)
	}
	u.hear(t, "STOPPING=1")
}

// TestWarnOpen: whoever listens for everybody is told once.
func TestWarnOpen(t *testing.T) {
	tls := TLS{CertFile: "c", KeyFile: "k", TrustedCAFile: "ca", ClientCertAuth: true}
	for name, tc := range map[string]struct {
		clients, peers string
		tls            TLS
		users          bool
		want           []string
	}{
		"loopback":             {"http://127.0.0.1:1", "http://localhost:2", TLS{}, false, nil},
		"both open":            {"http://0.0.0.0:1", "http://10.0.0.1:2", TLS{}, false, []string{"http://0.0.0.0:1", "a client", "http://10.0.0.1:2", "a member", "--cert-file", "--peer-cert-file"}},
		"users":                {"http://0.0.0.0:1", "http://127.0.0.1:2", TLS{}, true, nil},
		"users, not members":   {"http://0.0.0.0:1", "http://10.0.0.1:2", TLS{}, true, []string{"http://10.0.0.1:2"}},
		"certificates":         {"https://0.0.0.0:1", "https://10.0.0.1:2", tls, false, nil},
		"certificates in vain": {"http://0.0.0.0:1", "https://10.0.0.1:2", tls, false, []string{"http://0.0.0.0:1"}},
	} {
		var out bytes.Buffer
		cfg := &Config{ListenClientURLs: []string{tc.clients}, ListenPeerURLs: []string{tc.peers}, ClientTLS: tc.tls, PeerTLS: tc.tls}
		warnOpen(cfg, slog.New(slog.NewTextHandler(&out, nil)), tc.users)
		if lines := strings.Count(out.String(), "\n"); lines != min(len(tc.want), 1) {
			t.Errorf("%s: %d lines: %s", name, lines, out.String())
		}
		for _, w := range tc.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: %q is missing in %s", name, w, out.String())
			}
		}
	}
}

// TestStrayed: a flag alone moves no member.
func TestStrayed(t *testing.T) {
	cfg := &Config{AdvertisePeerURLs: []string{"http://b:2", "http://a:1"}}
	other := state.Member{ID: 2, PeerURLs: []string{"http://c:1"}}
	for _, tc := range []struct{ known, want string }{
		{"http://a:1,http://b:2", ""},
		{"http://a:1", "the others reach this member at http://a:1, and --initial-advertise-peer-urls says http://a:1,http://b:2"},
		{"http://z:1", "member update ab http://a:1,http://b:2"},
	} {
		own := state.Member{ID: 0xab, PeerURLs: strings.Split(tc.known, ",")}
		if got := strayed(cfg, 0xab, []state.Member{other, own}); !strings.Contains(got, tc.want) || (tc.want == "") != (got == "") {
			t.Errorf("known at %s: %q, want %q", tc.known, got, tc.want)
		}
	}
	if got := strayed(cfg, 0xab, []state.Member{other}); got != "" {
		t.Errorf("not a member: %q", got)
	}
}

// TestBanner: what it says to type next can be typed.
func TestBanner(t *testing.T) {
	tls := TLS{CertFile: "s.crt", KeyFile: "s.key", TrustedCAFile: "ca.crt", ClientCertAuth: true}
	for _, tc := range []struct {
		listen, advertise string
		tls               TLS
		want              []string
	}{
		{"http://127.0.0.1:2379,http://127.0.0.1:4001", "http://127.0.0.1:2379", TLS{}, []string{"curl -L http://127.0.0.1:4001/v2/keys/message -XPUT", "etcdctl --endpoints http://127.0.0.1:2379 get"}},
		{"http://0.0.0.0:4001", "http://10.0.0.1:4001", TLS{}, []string{"curl -L http://10.0.0.1:4001/"}},
		{"https://0.0.0.0:4001", "https://10.0.0.1:4001", tls, []string{"curl -L --cacert ca.crt --cert CLIENT.crt --key CLIENT.key https://10.0.0.1:4001/", "--ca-file ca.crt --cert-file CLIENT.crt"}},
	} {
		var out bytes.Buffer
		banner(&out, &Config{Name: "n", ListenClientURLs: strings.Split(tc.listen, ","), AdvertiseClientURLs: []string{tc.advertise}, ClientTLS: tc.tls}, new(member))
		for _, w := range tc.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%q is missing in:\n%s", w, out.String())
			}
		}
	}
}
