package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/client"
)

// TestRequests: what each call puts on the wire.
func TestRequests(t *testing.T) {
	var got string
	a, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = strings.TrimSpace(r.Method + " " + r.URL.RequestURI() + " " + string(body))
		fmt.Fprint(w, answer)
	})
	c := open(t, client.Config{Endpoints: []string{a}})
	ctx := t.Context()
	for want, run := range map[string]func() error{
		"GET /v2/keys/k?quorum=false&recursive=false&sorted=false": func() error {
			_, err := c.Get(ctx, "k", nil)
			return err
		},
		"GET /v2/keys/k/?quorum=true&recursive=true&sorted=true": func() error {
			_, err := c.Get(ctx, "/k/", &client.GetOptions{Recursive: true, Sort: true, Quorum: true})
			return err
		},
		"PUT /v2/keys/k value=a%26b": func() error { _, err := c.Set(ctx, "/k", "a&b", nil); return err },
		"PUT /v2/keys/k?prevExist=true&prevIndex=4&prevValue=u ttl=2&value=v": func() error {
			_, err := c.Set(ctx, "/k", "v", &client.SetOptions{
				PrevValue: "u", PrevIndex: 4, PrevExist: client.MustExist, TTL: 1001 * time.Millisecond,
			})
			return err
		},
		"PUT /v2/keys/k?dir=true&prevExist=false": func() error {
			_, err := c.Set(ctx, "/k", "v", &client.SetOptions{Dir: true, PrevExist: client.MustNotExist, TTL: -time.Second})
			return err
		},
		"PUT /v2/keys/k refresh=true&ttl=9": func() error {
			_, err := c.Set(ctx, "/k", "v", &client.SetOptions{Refresh: true, TTL: 9 * time.Second})
			return err
		},
		"POST /v2/keys/q ttl=1&value=v": func() error { _, err := c.CreateInOrder(ctx, "/q", "v", time.Second); return err },
		"DELETE /v2/keys/k?dir=true&prevIndex=5&prevValue=u&recursive=true": func() error {
			_, err := c.Delete(ctx, "/k", &client.DeleteOptions{PrevValue: "u", PrevIndex: 5, Recursive: true, Dir: true})
			return err
		},
		`POST /v2/members {"peerURLs":["http://p:1"]}`:   func() error { _, err := c.AddMember(ctx, "http://p:1"); return err },
		`PUT /v2/members/1f {"peerURLs":["http://p:1"]}`: func() error { return c.UpdateMember(ctx, "1f", []string{"http://p:1"}) },
		"DELETE /v2/members/1f":                          func() error { return c.RemoveMember(ctx, "1f") },
		`PUT /v2/auth/users/sp%20ace {"user":"sp ace","password":"p"}`: func() error {
			return c.AddUser(ctx, "sp ace", "p")
		},
		`PUT /v2/auth/users/jo {"user":"jo","revoke":["r"]}`: func() error { return c.RevokeUser(ctx, "jo", []string{"r"}) },
		`PUT /v2/auth/roles/r {"role":"r","grant":{"kv":{"read":["/a"],"write":null}}}`: func() error {
			return c.GrantRole(ctx, "r", client.Paths{Read: []string{"/a"}})
		},
		"DELETE /v2/auth/enable": func() error { return c.SetAuth(ctx, false) },
	} {
		if err := run(); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name string
		h    http.HandlerFunc
		want error // nil: any error that is not of the others
		ok   bool
	}{
		{"done", say(201, answer, "X-Etcd-Index", "7"), nil, true},
		{"not found", say(404, `{"errorCode":100,"message":"Key not found","cause":"/k","index":9}`), client.ErrKeyNotFound, false},
		{"exists", say(412, `{"errorCode":105}`), client.ErrNodeExist, false},
		{"no json", say(200, "<html>"), client.ErrInvalidJSON, false},
		{"no node", say(200, `{"action":"get"}`), client.ErrInvalidJSON, false},
		{"empty", say(200, ""), client.ErrInvalidJSON, false},
		{"text refusal", say(404, "404 page not found\n"), client.ErrInvalidJSON, false},
		{"other json", say(400, `{"message":"x"}`), client.ErrInvalidJSON, false},
		{"bad index", say(200, answer, "X-Etcd-Index", "seven"), nil, false},
	} {
		a, _ := server(t, tc.h)
		resp, err := open(t, client.Config{Endpoints: []string{a}}).Get(t.Context(), "/k", nil)
		switch {
		case tc.ok && (err != nil || resp.Node.Value != "v" || resp.Index != 7):
			t.Errorf("%s: %+v, %v", tc.name, resp, err)
		case !tc.ok && (err == nil || tc.want != nil && !errors.Is(err, tc.want)):
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
	e := &client.Error{Code: 100, Message: "Key not found", Cause: "/k", Index: 9}
	if got, want := e.Error(), "100: Key not found (/k) [9]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if errors.Is(e, client.ErrNodeExist) {
		t.Error("one code matches another")
	}
}

// TestShortAnswer: a write's answer that breaks off leaves its outcome unknown.
func TestShortAnswer(t *testing.T) {
	a, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "{")
	})
	c := open(t, client.Config{Endpoints: []string{a}})
	_, err := c.Delete(t.Context(), "/k", nil)
	if cluster := (*client.ClusterError)(nil); !errors.As(err, &cluster) || !cluster.Unknown {
		t.Errorf("write: %v", err)
	}
	_, err = c.Get(t.Context(), "/k", nil)
	if cluster := (*client.ClusterError)(nil); !errors.As(err, &cluster) || cluster.Unknown {
		t.Errorf("read: %v", err)
	}
}

func TestResponseJSON(t *testing.T) {
	in := `{"action":"get","node":{"key":"/d","dir":true,"nodes":[{"key":"/d/a","value":"<1>","expiration":"2026-01-02T03:04:05.5Z","ttl":3,"modifiedIndex":2,"createdIndex":1}],"modifiedIndex":1,"createdIndex":1}}`
	want := `{"action":"get","node":{"key":"/d","dir":true,"value":"","nodes":[{"key":"/d/a","value":"\u003c1\u003e","nodes":null,"createdIndex":1,"modifiedIndex":2,"expiration":"2026-01-02T03:04:05.5Z","ttl":3}],"createdIndex":1,"modifiedIndex":1},"prevNode":null}`
	a, _ := server(t, say(200, in))
	resp, err := open(t, client.Config{Endpoints: []string{a}}).Get(t.Context(), "/d", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(resp)
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestStatsAndHealth(t *testing.T) {
	mux := http.NewServeMux()
	for path, body := range map[string]string{
		"/v2/stats/self":     `{"name":"m","id":"1","state":"StateLeader","startTime":"2026-01-02T03:04:05Z","leaderInfo":{"leader":"1"}}`,
		"/v2/stats/leader":   `{"leader":"1","followers":{"2":{"latency":{"current":1.5},"counts":{"success":3}}}}`,
		"/v2/stats/store":    `{"getsSuccess":3,"watchers":1}`,
		"/version":           `{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}`,
		"/v2/members/leader": `{"id":"1","name":"m"}`,
		"/v2/auth/enable":    `{"enabled":true}`,
		"/health":            `{"health":"true"}`,
		"/old/health":        `{"health":true}`,
		"/ill/health":        `{"health":"false"}`,
		"/odd/health":        `nonsense`,
	} {
		mux.HandleFunc(path, say(200, body))
	}
	a, _ := server(t, mux.ServeHTTP)
	c := open(t, client.Config{Endpoints: []string{a}})
	ctx := t.Context()
	if s, err := c.SelfStats(ctx); err != nil || s.LeaderInfo.Leader != "1" || s.State != "StateLeader" {
		t.Errorf("self: %+v, %v", s, err)
	}
	if s, err := c.LeaderStats(ctx); err != nil || s.Followers["2"].Latency.Current != 1.5 || s.Followers["2"].Counts.Success != 3 {
		t.Errorf("leader: %+v, %v", s, err)
	}
	if s, err := c.StoreStats(ctx); err != nil || s["getsSuccess"] != 3 {
		t.Errorf("store: %+v, %v", s, err)
	}
	if v, err := c.Version(ctx); err != nil || v.Server != "3.4.23" {
		t.Errorf("version: %+v, %v", v, err)
	}
	if m, err := c.Leader(ctx); err != nil || m.Name != "m" {
		t.Errorf("leader: %+v, %v", m, err)
	}
	if on, err := c.AuthEnabled(ctx); err != nil || !on {
		t.Errorf("auth: %v, %v", on, err)
	}
	for path, want := range map[string]bool{"": true, "/old": true, "/ill": false} {
		if got, err := c.Health(ctx, a+path); err != nil || got != want {
			t.Errorf("health at %q: %v, %v", path, got, err)
		}
	}
	if _, err := c.Health(ctx, a+"/odd"); err == nil {
		t.Error("nonsense is taken for health")
	}
}

func TestRefusals(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"auth: User jo does not exist."}`: "auth: User jo does not exist.",
		"Not Found": "unexpected status code 404",
	} {
		a, _ := server(t, say(404, body))
		_, err := open(t, client.Config{Endpoints: []string{a}}).User(t.Context(), "jo")
		refusal := (*client.HTTPError)(nil)
		if !errors.As(err, &refusal) || refusal.Status != 404 || err.Error() != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// certificate makes one that vouches for itself, and the files of it.
func certificate(t *testing.T, dir, name string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(suffix, kind string, raw []byte) string {
		path := filepath.Join(dir, name+suffix)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write(".crt", "CERTIFICATE", der), write(".key", "EC PRIVATE KEY", keyDER)
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, "server")
	mine, myKey := certificate(t, dir, "client")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	raw, err := os.ReadFile(mine)
	if err != nil || !pool.AppendCertsFromPEM(raw) {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(say(200, answer))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	s.StartTLS()
	defer s.Close()
	for _, tc := range []struct {
		name  string
		files client.TLSFiles
		want  string // part of the error; empty for none
	}{
		{"both", client.TLSFiles{CA: cert, Cert: mine, Key: myKey}, ""},
		{"no certificate of ours", client.TLSFiles{CA: cert}, "certificate required"},
		{"a stranger's", client.TLSFiles{CA: cert, Cert: cert, Key: key}, "unknown certificate authority"},
		{"not knowing the server", client.TLSFiles{Cert: mine, Key: myKey}, "x509"},
		{"half a pair", client.TLSFiles{Cert: mine}, "must both be present"},
		{"not of a pair", client.TLSFiles{Cert: mine, Key: key}, "private key does not match"},
		{"no such file", client.TLSFiles{CA: dir + "/none"}, "no such file"},
		{"not PEM", client.TLSFiles{CA: myKey}, "no certificate in PEM"},
	} {
		cfg, err := tc.files.Config()
		if err == nil {
			c := open(t, client.Config{Endpoints: []string{s.URL}, Transport: client.NewTransport(cfg)})
			_, err = c.Get(t.Context(), "/k", nil)
			c.Close()
		}
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
	if cfg, err := (client.TLSFiles{}).Config(); cfg != nil || err != nil {
		t.Errorf("without files: %v, %v", cfg, err)
	}
}
