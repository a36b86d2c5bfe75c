package tlsconf

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lab is a directory with two authorities' certificates.
type lab struct {
	dir        string
	own, other *Authority
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{dir: t.TempDir()}
	var err error
	if l.own, err = NewAuthority("own"); err != nil {
		t.Fatal(err)
	}
	if l.other, err = NewAuthority("else"); err != nil {
		t.Fatal(err)
	}
	l.write(t, "ca.crt", l.own.CertPEM())
	l.write(t, "else-ca.crt", l.other.CertPEM())
	return l
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) write(t testing.TB, name string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(l.path(name), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return l.path(name)
}

// issue writes NAME.crt and NAME.key.
func (l *lab) issue(t testing.TB, name string, by *Authority, o Order) (cert []byte) {
	t.Helper()
	cert, key, err := by.Issue(o)
	if err != nil {
		t.Fatal(err)
	}
	l.write(t, name+".key", key)
	l.write(t, name+".crt", cert)
	return cert
}

// peer is the peer options with the named certificate.
func (l *lab) peer(name string) Config {
	return Config{Prefix: ForPeers, CertFile: l.path(name + ".crt"), KeyFile: l.path(name + ".key"), TrustedCAFile: l.path("ca.crt")}
}

func load(t testing.TB, c Config) *Pair {
	t.Helper()
	p, err := Load(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// talk connects client to server over loopback and returns what each end makes of
// it, once a byte has gone both ways.
func talk(t testing.TB, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			s := tls.Server(conn, server)
			if _, err = io.CopyN(io.Discard, s, 1); err == nil {
				_, err = s.Write([]byte("x"))
			}
		}
		done <- err
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	config := client.Clone()
	config.ServerName = "127.0.0.1"
	c := tls.Client(conn, config)
	if _, clientErr = c.Write([]byte("x")); clientErr == nil {
		_, clientErr = io.ReadFull(c, make([]byte, 1))
	}
	_ = conn.Close()
	return <-done, clientErr
}

func TestMutual(t *testing.T) {
	l := newLab(t)
	both := Order{CommonName: "member", Hosts: []string{"127.0.0.1", "m.example"}, Serves: true, Calls: true}
	l.issue(t, "server", l.own, both)
	l.issue(t, "good", l.own, both)
	l.issue(t, "foreign", l.other, both)
	past, unborn, elsewhere, serves := both, both, both, both
	past.From, past.Until = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	unborn.From = time.Now().Add(24 * time.Hour)
	elsewhere.CommonName, elsewhere.Hosts = "stranger", []string{"127.0.0.2"}
	serves.Calls = false
	l.issue(t, "past", l.own, past)
	l.issue(t, "unborn", l.own, unborn)
	l.issue(t, "elsewhere", l.own, elsewhere)
	l.issue(t, "serves", l.own, serves)
	revoked := l.issue(t, "revoked", l.own, both)
	list, err := l.own.Revoke(revoked)
	if err != nil {
		t.Fatal(err)
	}
	l.write(t, "crl.pem", list)

	for _, tc := range []struct {
		caller string
		change func(*Config) // of the server
		want   string        // in the server's error; empty for none
	}{
		{"good", nil, ""},
		{"", nil, "didn't provide a certificate"},
		{"foreign", nil, "unknown authority"},
		{"past", nil, "expired"},
		{"unborn", nil, "not yet valid"},
		{"serves", nil, "incompatible key usage"},
		{"elsewhere", nil, ""},
		{"good", func(c *Config) { c.AllowedCN = "member" }, ""},
		{"elsewhere", func(c *Config) { c.AllowedCN = "member" }, `common name is "stranger", and --peer-cert-allowed-cn is "member"`},
		{"good", func(c *Config) { c.AllowedHostname = "m.example" }, ""},
		{"elsewhere", func(c *Config) { c.AllowedHostname = "m.example" }, "--peer-cert-allowed-hostname"},
		{"good", func(c *Config) { c.CRLFile = l.path("crl.pem") }, ""},
		{"revoked", func(c *Config) { c.CRLFile = l.path("crl.pem") }, "was revoked"},
	} {
		c := l.peer("server")
		if tc.change != nil {
			tc.change(&c)
		}
		caller := Config{Prefix: ForPeers, TrustedCAFile: l.path("ca.crt")}
		if tc.caller != "" {
			caller = l.peer(tc.caller)
		}
		serverErr, clientErr := talk(t, load(t, c).Server(), load(t, caller).Client())
		if tc.want == "" {
			if serverErr != nil || clientErr != nil {
				t.Errorf("%s: server %v, client %v", tc.caller, serverErr, clientErr)
			}
			continue
		}
		if serverErr == nil || !strings.Contains(serverErr.Error(), tc.want) || clientErr == nil {
			t.Errorf("%s: server %v (want %q), client %v", tc.caller, serverErr, tc.want, clientErr)
		}
	}
}

// TestServerIsVerified: who calls looks at the other's certificate as closely.
func TestServerIsVerified(t *testing.T) {
	l := newLab(t)
	both := Order{CommonName: "member", Hosts: []string{"127.0.0.1"}, Serves: true, Calls: true}
	l.issue(t, "good", l.own, both)
	l.issue(t, "foreign", l.other, both)
	elsewhere, past := both, both
	elsewhere.Hosts = []string{"127.0.0.2"}
	past.From, past.Until = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	l.issue(t, "elsewhere", l.own, elsewhere)
	l.issue(t, "past", l.own, past)
	for name, want := range map[string]string{"good": "", "foreign": "unknown authority", "elsewhere": "127.0.0.2, not 127.0.0.1", "past": "expired"} {
		c := l.peer(name)
		c.TrustedCAFile = "" // the server itself takes anyone
		_, err := talk(t, load(t, c).Server(), load(t, l.peer("good")).Client())
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	c := l.peer("good")
	c.AllowedCN = "other"
	if _, err := talk(t, load(t, l.peer("good")).Server(), load(t, c).Client()); !errors.Is(err, ErrRefused) {
		t.Errorf("another common name: %v", err)
	}
}

func TestLeastVersion(t *testing.T) {
	l := newLab(t)
	l.issue(t, "server", l.own, Order{CommonName: "s", Hosts: []string{"127.0.0.1"}, Serves: true})
	c := Config{CertFile: l.path("server.crt"), KeyFile: l.path("server.key")}
	client := load(t, Config{TrustedCAFile: l.path("ca.crt")}).Client()
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config := client.Clone()
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, version
		serverErr, _ := talk(t, load(t, c).Server(), config)
		if (serverErr == nil) != ok {
			t.Errorf("version %x: %v", version, serverErr)
		}
	}
}

func TestBadOptions(t *testing.T) {
	l := newLab(t)
	l.issue(t, "a", l.own, Order{CommonName: "a", Serves: true, Calls: true})
	l.issue(t, "b", l.own, Order{CommonName: "b", Serves: true, Calls: true})
	junk := l.write(t, "junk", []byte("junk"))
	a, key, ca := l.path("a.crt"), l.path("a.key"), l.path("ca.crt")
	for _, tc := range []struct {
		c    Config
		want string
	}{
		{Config{CertFile: a}, "--cert-file is \"" + a + "\" and its key is missing: give --key-file too"},
		{Config{Prefix: ForPeers, KeyFile: key}, "--peer-key-file is \"" + key + "\" and its certificate is missing: give --peer-cert-file too"},
		{Config{CertFile: l.path("none.crt"), KeyFile: key}, "--cert-file " + l.path("none.crt") + ": no such file or directory"},
		{Config{Prefix: ForPeers, CertFile: a, KeyFile: l.path("none.key")}, "--peer-key-file " + l.path("none.key") + ": no such file"},
		{Config{CertFile: a, KeyFile: l.path("b.key")}, "--cert-file " + a + " with key " + l.path("b.key") + ": tls: private key does not match"},
		{Config{CertFile: junk, KeyFile: key}, "failed to find any PEM data"},
		{Config{TrustedCAFile: l.path("none")}, "--trusted-ca-file " + l.path("none") + ": no such file"},
		{Config{TrustedCAFile: junk}, "--trusted-ca-file " + junk + ": no certificate in it (want PEM)"},
		{Config{Prefix: ForPeers, CAFile: junk}, "--peer-trusted-ca-file " + junk},
		{Config{CAFile: ca, TrustedCAFile: junk}, "give one of them"},
		{Config{CertFile: a, KeyFile: key, ClientCertAuth: true}, "--client-cert-auth needs the authority"},
		{Config{Prefix: ForPeers, AllowedCN: "x"}, "--peer-cert-allowed-cn looks at certificates that nobody has verified"},
		{Config{Prefix: ForPeers, AllowedCN: "x", AllowedHostname: "y", TrustedCAFile: ca}, "can't be given together"},
		{Config{Prefix: ForPeers, CRLFile: junk}, "--peer-crl-file looks at"},
		{Config{CRLFile: junk, TrustedCAFile: ca}, "--client-crl-file " + junk + ": "},
		{Config{Auto: true}, "--auto-tls has no directory"},
		{Config{Auto: true, AutoDir: junk}, "--auto-tls mkdir " + junk},
		{Config{Prefix: ForPeers, Auto: true, TrustedCAFile: ca}, "--peer-auto-tls makes certificates that --peer-trusted-ca-file has not signed"},
	} {
		_, err := Load(tc.c)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v:\n got %v\nwant %s", tc.c, err, tc.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	l := newLab(t)
	l.issue(t, "good", l.own, Order{CommonName: "a", Serves: true, Calls: true})
	l.issue(t, "serves", l.own, Order{CommonName: "a", Serves: true})
	l.issue(t, "past", l.own, Order{CommonName: "a", Serves: true, From: time.Now().Add(-48 * time.Hour), Until: time.Now().Add(-time.Hour)})
	auto := l.peer("good")
	auto.Auto, auto.AutoDir = true, l.dir
	for _, tc := range []struct {
		c    Config
		want string
	}{
		{l.peer("good"), ""},
		{l.peer("past"), "expired on"},
		{l.peer("serves"), "can't call members that trust --peer-trusted-ca-file"},
		{auto, "--peer-auto-tls is without effect"},
		{Config{Prefix: ForPeers, Auto: true, AutoDir: l.path("auto")}, "does not show who the other side is"},
	} {
		got := strings.Join(load(t, tc.c).Warnings, "\n")
		if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%+v: %q, want %q", tc.c, got, tc.want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	l := newLab(t)
	l.issue(t, "good", l.own, Order{CommonName: "a", Serves: true, Calls: true})
	with, without := load(t, l.peer("good")), load(t, Config{})
	for _, tc := range []struct {
		p            *Pair
		url          string
		warning, err string
	}{
		{with, "https://a:1", "", ""},
		{with, "http://a:1", "without TLS although", ""},
		{without, "http://a:1", "", ""},
		{without, "https://a:1", "", "to serve https://a:1 give --cert-file and --key-file, or --auto-tls"},
		{without, "http://a b", "", "invalid character"},
	} {
		warning, err := tc.p.CheckURL(tc.url)
		if (tc.warning == "") != (warning == "") || !strings.Contains(warning, tc.warning) {
			t.Errorf("%s: warning %q", tc.url, warning)
		}
		if (tc.err == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tc.err)) {
			t.Errorf("%s: %v", tc.url, err)
		}
	}
}

func TestNothingGiven(t *testing.T) {
	p := load(t, Config{})
	if p.Server() != nil || p.Serves() || p.Verifies() || p.Client().InsecureSkipVerify {
		t.Fatal("a pair of nothing serves, or trusts anyone")
	}
}

func TestReload(t *testing.T) {
	l := newLab(t)
	order := Order{CommonName: "first", Hosts: []string{"127.0.0.1"}, Serves: true, Calls: true}
	l.issue(t, "server", l.own, order)
	var log bytes.Buffer
	c := l.peer("server")
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	p := load(t, c)
	p.source.every = 0
	config := p.Server()
	name := func() string {
		cert, err := config.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return cert.Leaf.Subject.CommonName
	}
	if name() != "first" {
		t.Fatal(name())
	}
	// Half of a new pair, then all of it.
	order.CommonName = "the second"
	cert, key, err := l.own.Issue(order)
	if err != nil {
		t.Fatal(err)
	}
	l.write(t, "server.crt", cert)
	for range 2 { // and complained of once
		if name() != "first" {
			t.Fatal("half a pair was taken")
		}
	}
	l.write(t, "server.key", key)
	if name() != "the second" {
		t.Fatal("the new pair was not taken")
	}
	if err := os.Remove(l.path("server.crt")); err != nil {
		t.Fatal(err)
	}
	if name() != "the second" {
		t.Fatal("a removed file took the certificate away")
	}
	if n := strings.Count(log.String(), "can't be read"); n != 2 {
		t.Fatalf("%d complaints:\n%s", n, &log)
	}
	// Between looks the files are left alone.
	p.source.every = time.Hour
	l.write(t, "server.crt", []byte("junk"))
	if name() != "the second" {
		t.Fatal("looked too often")
	}
}

func TestAuto(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "auto")
	c := Config{Prefix: ForPeers, Auto: true, AutoDir: dir, AutoHosts: []string{"127.0.0.1", "localhost"}}
	first := load(t, c)
	if serverErr, clientErr := talk(t, first.Server(), first.Client()); serverErr != nil || clientErr != nil {
		t.Fatal(serverErr, clientErr)
	}
	serial := func(p *Pair) string { return p.source.leaf().SerialNumber.String() }
	again := load(t, c)
	if serial(first) != serial(again) {
		t.Error("a certificate was not kept")
	}
	c.AutoHosts = append(c.AutoHosts, "n1.example")
	more := load(t, c)
	if serial(first) == serial(more) || more.source.leaf().VerifyHostname("n1.example") != nil {
		t.Error("a new host got no new certificate")
	}
	info, err := os.Stat(filepath.Join(dir, "key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if err := os.Remove(filepath.Join(dir, "cert.pem")); err != nil {
		t.Fatal(err)
	}
	load(t, c) // half a pair is replaced
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(c); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

func TestWriteCA(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	for _, host := range []string{"127.0.0.1", "n2.example"} {
		if err := WriteCA(dir, []string{host}); err != nil {
			t.Fatal(err)
		}
	}
	// The second call kept the authority and made certificates for its hosts.
	file := func(name string) string { return filepath.Join(dir, name) }
	p := load(t, Config{Prefix: ForPeers, CertFile: file("peer.crt"), KeyFile: file("peer.key"), TrustedCAFile: file("ca.crt")})
	if len(p.Warnings) != 0 || p.source.leaf().VerifyHostname("n2.example") != nil {
		t.Fatal(p.Warnings)
	}
	if err := WriteCA(dir, []string{"127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	server := load(t, Config{CertFile: file("server.crt"), KeyFile: file("server.key"), CAFile: file("ca.crt")})
	client := load(t, Config{CertFile: file("client.crt"), KeyFile: file("client.key"), TrustedCAFile: file("ca.crt")})
	if !server.Verifies() {
		t.Fatal("2014's ca-file verifies nobody")
	}
	if serverErr, clientErr := talk(t, server.Server(), client.Client()); serverErr != nil || clientErr != nil {
		t.Fatal(serverErr, clientErr)
	}
	for _, spoil := range []string{"ca.crt", "ca.key"} {
		if err := os.WriteFile(file(spoil), []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := WriteCA(dir, nil); err == nil {
			t.Errorf("a spoilt %s was taken", spoil)
		}
	}
}

func FuzzParseAuthority(f *testing.F) {
	a, err := NewAuthority("a")
	if err != nil {
		f.Fatal(err)
	}
	key, err := a.KeyPEM()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a.CertPEM(), key)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), key)
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		a, err := ParseAuthority(cert, key)
		if err != nil {
			return
		}
		// Some keys are too weak to sign with: that is an error, no panic.
		if cert, _, err := a.Issue(Order{CommonName: "x", Serves: true}); err == nil && len(cert) == 0 {
			t.Error("signed nothing")
		}
	})
}
