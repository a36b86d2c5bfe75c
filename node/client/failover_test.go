package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"drydock/node/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const answer = `{"action":"set","node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":7}}` + "\n"

// server counts the requests that it gets.
func server(t *testing.T, h http.HandlerFunc) (url string, count *atomic.Int32) {
	t.Helper()
	count = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		h(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL, count
}

func say(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// cut ends the connection without an answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang answers when the client has gone, which a server notices once it has read
// the body.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func open(t *testing.T, o client.Config) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// operations are one of each kind; twice tells whether it may be sent a second time
// when its outcome is unknown.
var operations = []struct {
	name  string
	twice bool
	write bool
	run   func(ctx context.Context, c *client.Client) error
}{
	{"get", true, false, func(ctx context.Context, c *client.Client) error {
		_, err := c.Get(ctx, "/k", &client.GetOptions{Quorum: true})
		return err
	}},
	{"set", true, true, func(ctx context.Context, c *client.Client) error {
		_, err := c.Set(ctx, "/k", "v", nil)
		return err
	}},
	{"refresh", true, true, func(ctx context.Context, c *client.Client) error {
		_, err := c.Set(ctx, "/k", "", &client.SetOptions{Refresh: true, TTL: time.Second, PrevExist: client.MustExist})
		return err
	}},
	{"update", true, true, func(ctx context.Context, c *client.Client) error {
		_, err := c.Update(ctx, "/k", "v", 0)
		return err
	}},
	{"create", false, true, func(ctx context.Context, c *client.Client) error {
		_, err := c.Create(ctx, "/k", "v", 0)
		return err
	}},
	{"compare", false, true, func(ctx context.Context, c *client.Client) error {
		_, err := c.Set(ctx, "/k", "v", &client.SetOptions{PrevValue: "u"})
		return err
	}},
	{"compare index", false, true, func(ctx context.Context, c *client.Client) error {
		_, err := c.Set(ctx, "/k", "v", &client.SetOptions{PrevIndex: 3})
		return err
	}},
	{"in order", false, true, func(ctx context.Context, c *client.Client) error {
		_, err := c.CreateInOrder(ctx, "/q", "v", 0)
		return err
	}},
	{"delete", false, true, func(ctx context.Context, c *client.Client) error {
		_, err := c.Delete(ctx, "/k", nil)
		return err
	}},
	{"member", false, true, func(ctx context.Context, c *client.Client) error {
		return c.RemoveMember(ctx, "1")
	}},
}

// TestFailover holds every kind of operation against every way in which the first
// endpoint may fail.
func TestFailover(t *testing.T) {
	for _, failure := range []struct {
		name string
		// certain: the first endpoint can't have done it.
		certain bool
		first   http.HandlerFunc
	}{
		{"cut off", false, cut},
		{"too slow", false, hang},
		{"timed out", false, say(500, `{"errorCode":300}`)},
		{"outcome unknown", false, say(500, `{"errorCode":300}`, "X-Drydock-Outcome", "unknown")},
		{"refused", true, say(500, `{"errorCode":300}`, "X-Drydock-Outcome", "refused")},
		{"bad gateway", false, say(502, "")},
	} {
		for _, op := range operations {
			t.Run(failure.name+"/"+op.name, func(t *testing.T) {
				bad, tried := server(t, failure.first)
				good, reached := server(t, say(200, answer))
				c := open(t, client.Config{Endpoints: []string{bad, good}, HeaderTimeout: 100 * time.Millisecond})
				err := op.run(t.Context(), c)
				if tried.Load() != 1 {
					t.Errorf("the first endpoint was tried %d times", tried.Load())
				}
				if failure.certain || op.twice {
					if err != nil || reached.Load() != 1 || c.Endpoints()[0] != good {
						t.Fatalf("%v, %d requests at the second, which is pinned: %v", err, reached.Load(), c.Endpoints())
					}
					return
				}
				cluster := (*client.ClusterError)(nil)
				if !errors.As(err, &cluster) || !cluster.Unknown || !errors.Is(err, client.ErrUnavailable) {
					t.Fatalf("got %v (%+v), want a cluster error of unknown outcome", err, cluster)
				}
				if reached.Load() != 0 {
					t.Error("sent to a second endpoint although it may have been done at the first")
				}
			})
		}
	}
}

func TestNobodyThere(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	good, reached := server(t, say(200, answer))
	for i, op := range operations {
		// A connection that was refused is certain to have carried nothing.
		c := open(t, client.Config{Endpoints: []string{gone.URL, good}})
		if err := op.run(t.Context(), c); err != nil || int(reached.Load()) != i+1 {
			t.Errorf("%s: %v after %d requests", op.name, err, reached.Load())
		}
		c = open(t, client.Config{Endpoints: []string{gone.URL, gone.URL}})
		err := op.run(t.Context(), c)
		cluster := (*client.ClusterError)(nil)
		if !errors.As(err, &cluster) || len(cluster.Errors) != 2 || cluster.Unknown {
			t.Errorf("%s: %v (%+v)", op.name, err, cluster)
		}
		if want := "error #1: dial tcp"; !strings.Contains(cluster.Detail(), want) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q does not say %q", op.name, err, want)
		}
	}
	bad, _ := server(t, cut)
	err := operations[1].run(t.Context(), open(t, client.Config{Endpoints: []string{bad, gone.URL}}))
	if cluster := (*client.ClusterError)(nil); !errors.As(err, &cluster) || !cluster.Unknown {
		t.Errorf("one endpoint may have done it: %+v", cluster)
	}
}

func TestContextEnds(t *testing.T) {
	slow, _ := server(t, hang)
	other, reached := server(t, say(200, answer))
	c := open(t, client.Config{Endpoints: []string{slow, other}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Get(ctx, "/k", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx, "/k", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if reached.Load() != 0 {
		t.Error("the second endpoint was tried after the end")
	}
}

func TestEndpoints(t *testing.T) {
	if _, err := client.New(client.Config{}); !errors.Is(err, client.ErrNoEndpoints) {
		t.Errorf("without endpoints: %v", err)
	}
	for _, bad := range []string{"127.0.0.1:1", "http://[::1", "http://a b"} {
		if _, err := client.New(client.Config{Endpoints: []string{bad}}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	list := ""
	a, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, list) })
	c := open(t, client.Config{Endpoints: []string{"http://127.0.0.1:1", a}})
	sync := func(members string, want error) {
		t.Helper()
		list = `{"members":` + members + `}`
		if err := c.Sync(t.Context()); !errors.Is(err, want) {
			t.Errorf("sync with %s: %v", members, err)
		}
	}
	sync(`null`, client.ErrNoEndpoints)
	sync(`[{"id":"1","peerURLs":["http://p"]}]`, client.ErrNoEndpoints)
	sync(`[{"id":"1","clientURLs":["http://x:1"]},{"id":"2","clientURLs":["`+a+`","http://y:1"]},{"id":"3"}]`, nil)
	// The one that answered stays first.
	if diff := cmp.Diff([]string{a, "http://y:1", "http://x:1"}, c.Endpoints()); diff != "" {
		t.Error(diff)
	}
	list = "nonsense"
	if err := c.Sync(t.Context()); !errors.Is(err, client.ErrInvalidJSON) {
		t.Errorf("nonsense: %v", err)
	}
}

// TestPathAndLogin: an endpoint may have a path before the API's.
func TestPathAndLogin(t *testing.T) {
	var seen, user string
	a, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.URL.Path
		user, _, _ = r.BasicAuth()
		fmt.Fprint(w, answer)
	})
	traced := ""
	c := open(t, client.Config{
		Endpoints: []string{a + "/proxy/"}, Username: "jo", Password: "p",
		Trace: func(req *http.Request, _ []byte) { traced = req.URL.Path },
	})
	for key, want := range map[string]string{"/a b/c": "/proxy/v2/keys/a b/c", "d/": "/proxy/v2/keys/d/", "": "/proxy/v2/keys/"} {
		if _, err := c.Get(t.Context(), key, nil); err != nil || seen != want || user != "jo" || traced != want {
			t.Errorf("%q: %v, path %q, traced %q, user %q", key, err, seen, traced, user)
		}
	}
}

// TestRedirect: servers of 2014 send writers to the leader.
func TestRedirect(t *testing.T) {
	got := ""
	leader, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.FormValue("value")
		fmt.Fprint(w, answer)
	})
	follower, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, leader+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	})
	c := open(t, client.Config{Endpoints: []string{follower}})
	if _, err := c.Set(t.Context(), "/k", "v", nil); err != nil || got != "PUT v" {
		t.Errorf("%v, %q", err, got)
	}
}
