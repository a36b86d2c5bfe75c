package fleetclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// TestMain is also a program that connects its streams with a socket, for tunnels.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "connect" {
		forward(os.Args[2], os.Args[3])
		return
	}
	goleak.VerifyTestMain(m)
}

func forward(network, address string) {
	conn, err := net.Dial(network, address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	go func() { _, _ = io.Copy(conn, os.Stdin) }()
	_, _ = io.Copy(os.Stdout, conn)
}

// servers carry requests by host; each says what it answers.
type servers map[string]func(*http.Request) (*http.Response, error)

func (s servers) RoundTrip(req *http.Request) (*http.Response, error) {
	serve := s[req.URL.Host]
	if serve == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	return serve(req)
}

func says(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return reply(status, body), nil }
}

func reply(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func open(t *testing.T, s http.RoundTripper, endpoints ...string) *Client {
	t.Helper()
	c, err := New(Config{Endpoints: endpoints, Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const noLeader = `{"error":{"code":503,"message":"fleet server unable to communicate with etcd"}}`

func TestEndpoints(t *testing.T) {
	for written, want := range map[string]string{
		"http://10.0.0.1:2379":       "http://10.0.0.1:2379 tcp 10.0.0.1:2379",
		"https://h/":                 "https://h tcp h:443",
		"h:4001":                     "http://h:4001 tcp h:4001",
		"[::1]:4001":                 "http://[::1]:4001 tcp [::1]:4001",
		"http://h/below/":            "http://h/below tcp h:80",
		"unix:///var/run/fleet.sock": "unix:///var/run/fleet.sock unix /var/run/fleet.sock",
		"unix://var/run/fleet.sock":  "unix:///var/run/fleet.sock unix /var/run/fleet.sock",
		"/var/run/fleet.sock":        "unix:///var/run/fleet.sock unix /var/run/fleet.sock",
		"unix://":                    "",
		"ftp://h":                    "",
		"http://":                    "",
		"http://h:x":                 "",
		"":                           "",
	} {
		e, err := parseEndpoint(written)
		got := ""
		if err == nil {
			got = e.name + " " + e.network + " " + e.address
		} else if !errors.Is(err, ErrEndpoint) {
			t.Errorf("%q: %v", written, err)
		}
		if got != want {
			t.Errorf("%q: %q (%v), want %q", written, got, err, want)
		}
	}
	if _, err := New(Config{}); !errors.Is(err, ErrEndpoint) {
		t.Errorf("no endpoint at all: %v", err)
	}
}

// TestFailover: an endpoint that isn't there, is silent or has trouble is passed over,
// and the one that answers is kept.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := map[string]int{}
		silent := func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
		s := servers{
			"silent": silent, "ill": says(500, ""),
			"well": says(200, `{"machines":[{"id":"a"}]}`),
		}
		for host, serve := range s {
			s[host] = func(r *http.Request) (*http.Response, error) { asked[host]++; return serve(r) }
		}
		c := open(t, s, "http://gone", "http://silent", "http://ill", "http://well")
		began := time.Now()
		for range 3 {
			list, _, err := c.Machines(t.Context(), Reading{})
			if err != nil || len(list) != 1 || list[0].ID != "a" {
				t.Fatalf("%v, %v", list, err)
			}
		}
		if diff := cmp.Diff(map[string]int{"silent": 1, "ill": 1, "well": 3}, asked); diff != "" {
			t.Errorf("asked (-want +got)\n%s", diff)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("waited %v for the silent one", took)
		}
		delete(s, "well")
		_, _, err := c.Machines(t.Context(), Reading{})
		var refused *Error
		if !errors.As(err, &refused) || refused.Code != 500 || refused.Error() != "googleapi: Error 500: Internal Server Error" {
			t.Errorf("trouble everywhere: %v", err)
		}
		delete(s, "ill")
		_, _, err = c.Machines(t.Context(), Reading{})
		var nobody *Unreachable
		if !errors.As(err, &nobody) || len(nobody.Errors) != 4 || !strings.Contains(err.Error(), "http://silent: no answer within 3s") {
			t.Errorf("nobody there: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err = c.Machines(ctx, Reading{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller that leaves: %v", err)
		}
	})
}

// TestNoLeader: a cluster without a leader is asked again, for as long as an answer
// may take.
func TestNoLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		until := time.Second
		s := servers{"a": func(*http.Request) (*http.Response, error) {
			if time.Since(began) < until {
				return reply(503, noLeader), nil
			}
			return reply(200, `{"name":"x.service"}`), nil
		}}
		c := open(t, s, "http://a", "http://b")
		u, _, err := c.Unit(t.Context(), "x.service", Reading{})
		if err != nil || u.Name != "x.service" || time.Since(began) != time.Second {
			t.Errorf("%v, %v after %v", u, err, time.Since(began))
		}
		until = time.Hour
		_, _, err = c.Unit(t.Context(), "x.service", Reading{})
		if err == nil || err.Error() != "googleapi: Error 503: fleet server unable to communicate with etcd" {
			t.Errorf("no leader for ever: %v", err)
		}
	})
}

// TestRefusals: what isn't done is told in fleet's words, whatever the answer looks
// like.
func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		status     int
		body, want string
	}{
		{404, `{"error":{"code":404,"message":"unit does not exist"}}`, "googleapi: Error 404: unit does not exist"},
		{404, `{"error":{"code":404,"message":""}}`, "googleapi: Error 404: Not Found"},
		{400, `<html>no</html>`, "googleapi: Error 400: <html>no</html>"},
		{400, "\xff", "googleapi: Error 400: ?"},
		{401, ``, "googleapi: Error 401: Unauthorized"},
		{200, `<html>what?</html>`, "the answer is not one of fleet's API: "},
		{200, ``, "the answer is not one of fleet's API: "},
	} {
		c := open(t, servers{"a": says(tc.status, tc.body)}, "http://a")
		_, _, err := c.Unit(t.Context(), "x.service", Reading{})
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%d %q: %v, want %s", tc.status, tc.body, err, tc.want)
		}
		if IsNotFound(err) != (tc.status == 404) {
			t.Errorf("%d: not found is %v", tc.status, IsNotFound(err))
		}
	}
}

// TestDestroyTwice: a unit that the first attempt has destroyed, whose answer was
// lost, isn't missed by the second.
func TestDestroyTwice(t *testing.T) {
	lost := func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
	missing := says(404, `{"error":{"code":404,"message":"unit does not exist"}}`)
	if err := open(t, servers{"a": lost, "b": missing}, "http://a", "http://b").Destroy(t.Context(), "x.service"); err != nil {
		t.Errorf("after a lost answer: %v", err)
	}
	if err := open(t, servers{"b": missing}, "http://a", "http://b").Destroy(t.Context(), "x.service"); !IsNotFound(err) {
		t.Errorf("after nothing was sent: %v", err)
	}
}

// TestPages: all pages are read, with the same details, and only the first is waited
// for.
func TestPages(t *testing.T) {
	var asked []string
	s := servers{"a": func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.RequestURI())
		resp := reply(200, `{"units":[{"name":"b.service"}]}`)
		if r.URL.Query().Get("nextPageToken") == "" {
			resp = reply(200, `{"units":[{"name":"a.service"}],"nextPageToken":"ZAACAA=="}`)
		}
		resp.Header.Set("X-Fleet-Revision", fmt.Sprint(40+len(asked)))
		resp.Header.Set("X-Drydock-Fleet", "1")
		return resp, nil
	}}
	c := open(t, s, "http://a")
	list, revision, err := c.Units(t.Context(), Reading{Details: true, After: 40, Wait: time.Second})
	if err != nil || len(list) != 2 || revision != 41 || !c.Extended() {
		t.Errorf("%v, %d, %v", list, revision, err)
	}
	want := []string{"/fleet/v1/units?after=40&details=true&timeout=1&wait=true", "/fleet/v1/units?details=true&nextPageToken=ZAACAA%3D%3D"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
}

// TestWrites: what is sent is what fleet's API takes.
func TestWrites(t *testing.T) {
	var got string
	s := servers{"a": func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		got = fmt.Sprintf("%s %s %s %s:%s %s", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), user, password, body)
		resp := reply(204, "")
		resp.Header.Add("X-Fleet-Remark", "careful")
		return resp, nil
	}}
	c, err := New(Config{Endpoints: []string{"a"}, Transport: s, Username: "root", Password: "pw"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	u := Unit{Name: "a@1.service", Options: []Option{{"Service", "ExecStart", "/bin/true"}}, DesiredState: Inactive}
	for _, tc := range []struct {
		do   func() error
		want string
	}{
		{func() error {
			remarks, err := c.Create(ctx, u, false)
			if len(remarks) != 1 {
				t.Errorf("remarks %v", remarks)
			}
			return err
		}, `PUT /fleet/v1/units/a@1.service?createOnly=true application/json root:pw {"name":"a@1.service","options":[{"section":"Service","name":"ExecStart","value":"/bin/true"}],"desiredState":"inactive"}`},
		{func() error { return c.SetDesired(ctx, "a.service", Launched) }, `PUT /fleet/v1/units/a.service application/json root:pw {"name":"a.service","desiredState":"launched"}`},
		{func() error { return c.Destroy(ctx, "a.service") }, `DELETE /fleet/v1/units/a.service application/json root:pw `},
		{func() error { return c.Restart(ctx, "a.service") }, `POST /fleet/v1/units/a.service/restart application/json root:pw `},
		{func() error { return c.Drain(ctx, "abc", true) }, `PUT /fleet/v1/machines/abc/drain application/json root:pw `},
		{func() error { return c.Drain(ctx, "abc", false) }, `DELETE /fleet/v1/machines/abc/drain application/json root:pw `},
		{func() error {
			return c.PatchMachines(ctx, []Patch{{Machine: "m", Key: "a", Value: "1"}, {Machine: "m", Key: "b", Remove: true}})
		}, `PATCH /fleet/v1/machines application/json root:pw [{"op":"add","path":"/m/metadata/a","value":{"value":"1"}},{"op":"remove","path":"/m/metadata/b"}]`},
	} {
		if err := tc.do(); err != nil {
			t.Error(err)
		}
		if got != tc.want {
			t.Errorf("sent\n%s, want\n%s", got, tc.want)
		}
	}
}

// TestSockets: TCP, TLS, a Unix socket, and each through a command.
func TestSockets(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"machines": []Machine{{ID: "m"}}})
	})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewTLSServer(handler)
	defer secure.Close()
	// A path of a socket is short.
	dir, err := os.MkdirTemp("", "f")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	local := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = local.Serve(l) }()
	defer local.Close()
	pool := x509.NewCertPool()
	pool.AddCert(secure.Certificate())
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tunnel := Tunnel(func(network, address string) []string { return []string{program, "connect", network, address} })
	for _, endpoint := range []string{plain.URL, secure.URL, "unix://" + socket} {
		for _, dial := range []dialFunc{nil, tunnel} {
			c, err := New(Config{Endpoints: []string{endpoint}, TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, Dial: dial, Timeout: 20 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if list, _, err := c.Machines(t.Context(), Reading{}); err != nil || len(list) != 1 {
				t.Errorf("%s: %v, %v", endpoint, list, err)
			}
			c.Close()
		}
	}
	for _, argv := range [][]string{{program, "connect", "unix", "/nowhere/at/all"}, {"/nowhere/at/all"}} {
		c, err := New(Config{Endpoints: []string{plain.URL}, Timeout: 20 * time.Second, Dial: Tunnel(func(string, string) []string { return argv })})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Machines(t.Context(), Reading{}); err == nil || !strings.Contains(err.Error(), "/nowhere/at/all") {
			t.Errorf("a tunnel that fails: %v", err)
		}
		c.Close()
	}
}

// TestJournal: lines come one by one, and the reading ends with the context.
func TestJournal(t *testing.T) {
	r, w := io.Pipe()
	s := servers{"a": func(req *http.Request) (*http.Response, error) {
		if want := "/fleet/v1/units/a.service/journal?after=3&follow=true&lines=5&machine=m"; req.URL.RequestURI() != want {
			t.Errorf("asked %s", req.URL.RequestURI())
		}
		context.AfterFunc(req.Context(), func() { r.CloseWithError(context.Canceled) })
		return &http.Response{StatusCode: 200, Header: http.Header{"X-Fleet-Machine": {"mm"}}, Body: r}, nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	j, err := open(t, s, "a").Journal(ctx, "a.service", JournalOptions{Machine: "m", Lines: 5, After: 3, Follow: true})
	if err != nil || j.Machine != "mm" {
		t.Fatal(j, err)
	}
	defer j.Close()
	go func() { _, _ = io.WriteString(w, "\n{\"number\":4,\"text\":\"x\"}\n{") }()
	if l, err := j.Next(); err != nil || l.Number != 4 || l.Text != "x" {
		t.Errorf("%v, %v", l, err)
	}
	cancel()
	if l, err := j.Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, %v", l, err)
	}
}

// FuzzAnswers: whatever a server says, something is made of it or it is refused.
func FuzzAnswers(f *testing.F) {
	f.Add(200, `{"units":[{"name":"a.service","options":[{"section":"Unit","name":"A","value":"b"}]}],"nextPageToken":""}`)
	f.Add(404, noLeader)
	f.Add(200, `{"number":1,"time":"2000-01-01T00:00:00Z","text":"x"}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 503 {
			return
		}
		s := servers{"a": says(status, body)}
		c := open(t, s, "http://a")
		// A page that names another would be read for ever.
		if !strings.Contains(strings.ToLower(body), "token") {
			list, _, err := c.Units(t.Context(), Reading{})
			if err == nil && status >= 400 {
				t.Errorf("%d is no error", status)
			}
			for i := range list {
				_, _ = list[i].File()
			}
		}
		_, _, _ = c.Unit(t.Context(), "a.service", Reading{})
		_, _ = c.Status(t.Context(), "a.service", "")
		j, err := c.Journal(t.Context(), "a.service", JournalOptions{})
		for err == nil {
			_, err = j.Next()
		}
		if j != nil {
			j.Close()
		}
	})
}
