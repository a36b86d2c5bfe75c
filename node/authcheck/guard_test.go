package authcheck_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/crypto/bcrypt"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/auth"
	"drydock/node/authcheck"
	"drydock/node/consensus"
	"drydock/node/state"
)

// testBook has a user for each of the names, whose password is "p".
func testBook(t *testing.T, names ...string) *auth.Book {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("p"), testCost)
	if err != nil {
		t.Fatal(err)
	}
	commands := []auth.Command{
		{Kind: auth.CreateRole, Name: "r", Permissions: auth.Permissions{Read: []string{"/a/*"}, Write: []string{"/a/*"}}},
		{Kind: auth.CreateRole, Name: "guest"},
	}
	for _, name := range names {
		commands = append(commands, auth.Command{Kind: auth.CreateUser, Name: name, Hash: string(hash), Roles: []string{"r"}})
	}
	b := new(auth.Book)
	for _, c := range append(commands, auth.Command{Kind: auth.Enable}) {
		if b, _, err = b.Apply(&c); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func guardOf(b *auth.Book, certs bool) *authcheck.Guard {
	return authcheck.New(func() *auth.Book { return b }, authcheck.Options{Cluster: testCluster, Cost: testCost, CertUsers: certs})
}

// certified is a request over TLS whose client has shown certificates for names:
// its own first, then that of who signed it.
func certified(target string, names ...string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	var chain []*x509.Certificate
	for _, name := range names {
		chain = append(chain, &x509.Certificate{Subject: pkix.Name{CommonName: name}})
	}
	r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{nil, chain}}
	return r
}

func TestCertificatesNameUsers(t *testing.T) {
	b := testBook(t, "root", "u")
	wrong := certified("/v2/keys/a/x", "u")
	wrong.SetBasicAuth("u", "q")
	for name, tc := range map[string]struct {
		r           *http.Request
		certs       bool
		keys, admin bool
	}{
		"a user":            {certified("/v2/keys/a/x", "u", "root"), true, true, false},
		"root":              {certified("/v2/keys/a/x", "root"), true, true, true},
		"an issuer":         {certified("/v2/keys/a/x", "server", "root"), true, false, false},
		"nobody":            {certified("/v2/keys/a/x", ""), true, false, false},
		"no certificate":    {certified("/v2/keys/a/x"), true, false, false},
		"not asked for":     {certified("/v2/keys/a/x", "root"), false, false, false},
		"a wrong password":  {wrong, true, false, false},
		"plain HTTP":        {httptest.NewRequest("GET", "/v2/keys/a/x", nil), true, false, false},
		"not in this chain": {certified("/v2/keys/b", "u"), true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := guardOf(b, tc.certs)
			path := strings.TrimPrefix(tc.r.URL.Path, "/v2/keys")
			if resp := g.Keys(tc.r, &api.Call{Path: path}); (resp == nil) != tc.keys {
				t.Errorf("keys: %+v", resp)
			}
			if resp := g.Admin(tc.r); (resp == nil) != tc.admin {
				t.Errorf("admin: %+v", resp)
			}
		})
	}
}

// Calls that come by other paths, as the dashboard's, are judged by their key.
func TestKeysOfOtherFaces(t *testing.T) {
	g := guardOf(testBook(t, "root", "u"), false)
	for target, want := range map[string]bool{
		"/mod/dashboard/": false, "/v2/keys/a": false, "/v2/keys/a/": true, "/v1/keys/a/": true, "/v2/keys/b/a/": false,
	} {
		r := httptest.NewRequest("GET", target, nil)
		r.SetBasicAuth("u", "p")
		if got := g.Keys(r, &api.Call{Path: "/a"}) == nil; got != want {
			t.Errorf("%s: %t", target, got)
		}
	}
}

// While it isn't known who there is, nobody gets through, and nobody is told
// that the credentials are wrong.
func TestNoBookYet(t *testing.T) {
	g := guardOf(nil, false)
	r := httptest.NewRequest("PUT", "/v2/keys/a", nil)
	resp := g.Keys(r, &api.Call{Path: "/a", Kind: api.Write})
	if resp == nil || resp.Status != 500 || resp.Get(api.HeaderOutcome) != "refused" {
		t.Errorf("keys: %+v", resp)
	}
	if resp := g.Admin(r); resp == nil || resp.Status != 503 {
		t.Errorf("admin: %+v", resp)
	}
	w := httptest.NewRecorder()
	authcheck.Handler(&fakeHost{}, g).ServeHTTP(w, httptest.NewRequest("GET", "/v2/auth/enable", nil))
	if w.Code != 503 {
		t.Errorf("the API answered %d %s", w.Code, w.Body)
	}
	if n := g.Counts(); n != (authcheck.Counts{}) {
		t.Errorf("counted %+v", n)
	}
}

func TestBusy(t *testing.T) {
	b := testBook(t, "root")
	g := authcheck.New(func() *auth.Book { return b }, authcheck.Options{Cost: testCost, Wait: time.Nanosecond})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequest("GET", "/v2/keys/a", nil).WithContext(ctx)
	r.SetBasicAuth("root", "p")
	// Whether a place or the end of the request is seen first is up to chance.
	for range 100 {
		if resp := g.Keys(r, &api.Call{Path: "/a"}); resp != nil {
			if resp.Status != 500 {
				t.Errorf("%+v", resp)
			}
			return
		}
		b = testBook(t, "root") // another hash, not yet remembered
	}
	t.Error("a request that is over was always served")
}

func TestCounts(t *testing.T) {
	g := guardOf(testBook(t, "root", "u"), false)
	for _, password := range []string{"p", "p", "q"} {
		r := httptest.NewRequest("GET", "/v2/keys/a/x", nil)
		r.SetBasicAuth("u", password)
		g.Keys(r, &api.Call{Path: "/a/x"})
		g.Admin(r)
	}
	// Each wrong password is looked at twice, the right one once.
	if got, want := g.Counts(), (authcheck.Counts{Hashes: 3, Remembered: 3, Refused: 4}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	counters := prometheus.NewPedanticRegistry()
	counters.MustRegister(g)
	w := httptest.NewRecorder()
	promhttp.HandlerFor(counters, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`drydock_auth_passwords_total{how="hashed"} 3`, `drydock_auth_passwords_total{how="remembered"} 3`,
		`drydock_auth_passwords_total{how="turned away"} 0`, `drydock_auth_refused_total 4`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("/metrics lacks %s:\n%s", line, w.Body.String())
		}
	}
}

// fakeHost answers every change alike.
type fakeHost struct {
	book   *auth.Book
	answer node.Answer
	asked  []auth.Command
}

func (h *fakeHost) Book() *auth.Book { return h.book }

func (h *fakeHost) Auth(_ context.Context, c *auth.Command) node.Answer {
	h.asked = append(h.asked, *c)
	return h.answer
}

func TestChangesThatAreNotMade(t *testing.T) {
	put := func() io.Reader { return strings.NewReader(`{"user":"u","password":"secret"}`) }
	for name, tc := range map[string]struct {
		answer  node.Answer
		body    io.Reader
		status  int
		outcome string
	}{
		"unknown":        {node.Answer{Status: consensus.Unknown, Reason: "late"}, put(), 500, "unknown"},
		"refused":        {node.Answer{Status: consensus.Refused, Reason: "no leader"}, put(), 500, "refused"},
		"not yet":        {node.Answer{Status: consensus.Refused, Refusal: state.ErrNotYet}, put(), 500, ""},
		"by the book":    {node.Answer{Status: consensus.Done, Refusal: auth.NoUser("u")}, put(), 404, ""},
		"for its own":    {node.Answer{Status: consensus.Done, Refusal: errors.New("why")}, put(), 500, "refused"},
		"a broken body":  {node.Answer{Status: consensus.Done, Auth: new(auth.Outcome)}, iotest.ErrReader(io.ErrUnexpectedEOF), 400, ""},
		"done, as it is": {node.Answer{Status: consensus.Done, Auth: &auth.Outcome{Created: true}}, put(), 201, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &fakeHost{book: new(auth.Book), answer: tc.answer}
			g := authcheck.New(h.Book, authcheck.Options{Cluster: testCluster, Cost: testCost})
			w := httptest.NewRecorder()
			authcheck.Handler(h, g).ServeHTTP(w, httptest.NewRequest("PUT", "/v2/auth/users/u", tc.body))
			if w.Code != tc.status || w.Header().Get(api.HeaderOutcome) != tc.outcome {
				t.Errorf("answered %d %v %s", w.Code, w.Header(), w.Body)
			}
			for _, c := range h.asked {
				if c.Hash == "" || strings.Contains(c.Hash, "secret") {
					t.Errorf("proposed the hash %q", c.Hash)
				}
			}
		})
	}
}
