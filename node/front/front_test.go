package front_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"drydock/node/api"
	"drydock/node/front"
)

// record has a handler answer a request without a connection.
func record(h http.Handler, method, target, form string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	x := cluster(t, 1, func(x *member) {
		x.options = front.Options{
			Pprof: true,
			Mounts: []front.Mount{
				{Name: "v1", Path: "/v1/", Handler: says("v1")},
				{Name: "leader", Path: "/v2/leader", Handler: says("leader")},
				{Name: "dashboard", Path: "/mod/dashboard/", Handler: says("dashboard")},
				{Name: "mod", Path: "/mod/", Handler: says("mod")},
			},
		}
	})[0]
	h := x.handler.Load()
	for _, tc := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/", 404, "404 page not found\n"},
		{"GET", "/v1/keys/a", 200, "v1"},
		{"GET", "/v1", 404, "404 page not found\n"},
		{"GET", "/v2/leader", 200, "leader"},
		{"GET", "/v2/leader/x", 404, "404 page not found\n"},
		{"GET", "/mod/dashboard/x", 200, "dashboard"},
		{"GET", "/mod/v2/lock", 200, "mod"},
		{"GET", "/mod//v2/lock", 301, "<a href=\"/mod/v2/lock\">Moved Permanently</a>.\n\n"},
		{"OPTIONS", "/v2/keys/a", 200, ""},
		{"OPTIONS", "/nowhere", 200, ""},
		{"HEAD", "/health", 405, "Method Not Allowed\n"},
		{"POST", "/version", 405, "Method Not Allowed\n"},
		{"GET", "/version", 200, `{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}`},
		{"GET", "/health", 200, `{"health":"true"}`},
		{"GET", "/debug/pprof/cmdline", 200, "front.test"},
		{"GET", "http://h/v2/keys/none", 404, `{"errorCode":100,"message":"Key not found","cause":"/none","index":0}` + "\n"},
		{"GET", "/v2/members/", 200, `{"members":[{"id":"1cd09db950fa1747","name":"m0","peerURLs":["http://127.0.0.1:1"],"clientURLs":["` + x.url + `"]}]}` + "\n"},
	} {
		w := record(h, tc.method, tc.target, "")
		if w.Code != tc.status || w.Body.String() != tc.body {
			t.Errorf("%s %s: %d %q", tc.method, tc.target, w.Code, w.Body)
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: no CORS headers", tc.method, tc.target)
		}
	}
	if got := record(h, "GET", "/version", "").Header().Get(front.HeaderVersion); got != "test" {
		t.Errorf("own version %q", got)
	}
	if w := record(h, "GET", "/debug/pprof/goroutine?debug=1", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "goroutine profile") {
		t.Errorf("pprof: %d", w.Code)
	}
	if w := record(cluster(t, 1, nil)[0].handler.Load(), "GET", "/debug/pprof/", ""); w.Code != 404 {
		t.Errorf("pprof that nobody asked for: %d", w.Code)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	eachWay(t, testMetrics)
}

func testMetrics(t *testing.T, serve server) {
	s := serve(t, front.Options{})
	x := s.member
	s.put(t, "a", "1")
	ask(t, "GET", x.url+"/v2/keys/a", "")
	ask(t, "GET", x.url+"/v2/keys/none", "")
	ask(t, "GET", x.url+"/nowhere", "")
	ask(t, "BREW", x.url+"/nowhere", "")
	for name, want := range map[string]string{
		"etcd_server_has_leader":                                                  "1",
		`etcd_server_version{server_version="3.4.23"}`:                            "1",
		`etcd_http_received_total{method="GET"}`:                                  "2",
		`etcd_http_failed_total{code="404",method="GET"}`:                         "1",
		`etcd_http_successful_duration_seconds_count{method="GET"}`:               "1",
		"etcd_server_is_leader":                                                   "1",
		"etcd_server_leader_changes_seen_total":                                   "1",
		"drydock_node_members":                                                    "1",
		"drydock_fleet_units":                                                     "0",
		`drydock_build_info{version="test"}`:                                      "1",
		`drydock_keys_operations_total{operation="set",result="success"}`:         "1",
		`drydock_http_requests_total{code="200",endpoint="keys",method="GET"}`:    "1",
		`drydock_http_requests_total{code="201",endpoint="keys",method="PUT"}`:    "1",
		`drydock_http_requests_total{code="404",endpoint="other",method="GET"}`:   "1",
		`drydock_http_requests_total{code="404",endpoint="other",method="other"}`: "1",
		`drydock_http_request_seconds_count{endpoint="other"}`:                    "2",
		`etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"}`:                  s.figure(t, "etcd_disk_wal_fsync_duration_seconds_count"),
		`drydock_http_refused_total{limit="connections"}`:                         "0",
	} {
		if got := s.figure(t, name); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
	if s.figure(t, "etcd_disk_wal_fsync_duration_seconds_count") == "0" {
		t.Error("a write without a sync")
	}
	x.stop()
	w := record(x.handler.Load(), "GET", "/metrics", "")
	if w.Code != 200 || strings.Contains(w.Body.String(), "etcd_server_has_leader") {
		t.Errorf("of a node that has stopped: %d", w.Code)
	}
}

func TestCORSOfSomeOrigins(t *testing.T) {
	t.Parallel()
	h := cluster(t, 1, func(x *member) { x.options.CORS = "http://a.example, http://b.example" })[0].handler.Load()
	for origin, want := range map[string]string{
		"": "", "http://a.example": "http://a.example", "http://b.example": "http://b.example", "http://c.example": "", "*": "",
	} {
		for _, target := range []string{"/v2/keys/a", "/v2/keys/a?ttl=x", "/version", "/nowhere"} {
			w := record(h, "GET", target, "", "Origin", origin)
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s from %q: %q", target, origin, got)
			}
			if got := w.Header().Get("Access-Control-Allow-Headers"); (got == "") != (want == "") {
				t.Errorf("%s from %q: allows headers %q", target, origin, got)
			}
		}
	}
}

// TestCORSOfPrivateMounts: what isn't for everybody's pages is for those that are
// listed.
func TestCORSOfPrivateMounts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ cors, path, want string }{
		{"*", "/private", ""},
		{"*", "/open", "*"},
		{"http://a.example", "/private", "http://a.example"},
		{"http://b.example", "/private", ""},
	} {
		h := cluster(t, 1, func(x *member) {
			x.options.CORS = tc.cors
			x.options.Mounts = []front.Mount{
				{Name: "p", Path: "/private", Handler: http.NotFoundHandler(), Private: true},
				{Name: "o", Path: "/open", Handler: http.NotFoundHandler()},
			}
		})[0].handler.Load()
		if got := record(h, "GET", tc.path, "", "Origin", "http://a.example").Header().Get("Access-Control-Allow-Origin"); got != tc.want {
			t.Errorf("--cors=%s %s: %q, want %q", tc.cors, tc.path, got, tc.want)
		}
	}
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func TestPanicsAreAnswered(t *testing.T) {
	t.Parallel()
	var logged journal
	x := serve(t, front.Options{
		Log: slog.New(slog.NewTextHandler(&logged, nil)),
		Mounts: []front.Mount{
			{Name: "bad", Path: "/bad", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug") })},
			{Name: "worse", Path: "/worse", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(200)
				_ = http.NewResponseController(w).Flush()
				panic("a bug")
			})},
		},
	})
	if code, body := ask(t, "GET", x.url+"/bad", ""); code != 500 || !strings.Contains(body, "internal error") {
		t.Errorf("%d %s", code, body)
	}
	_, r := x.dial(t, "GET /worse HTTP/1.1\r\nHost: h\r\n\r\n")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("half an answer looks whole")
	}
	if n := strings.Count(logged.String(), "a bug"); n != 2 {
		t.Errorf("%d panics were logged: %s", n, &logged)
	}
}

func TestShutdownWaitsForRequests(t *testing.T) {
	t.Parallel()
	eachWay(t, testShutdownWaitsForRequests)
}

func testShutdownWaitsForRequests(t *testing.T, serve server) {
	x := serve(t, front.Options{})
	c, r := x.dial(t, "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nval")
	x.awaitFigure(t, "etcd_server_proposals_pending", "1")
	done := make(chan error, 1)
	go func() { done <- x.srv.Shutdown(context.Background()) }()
	await(t, "nobody is let in", func() bool {
		other, err := net.Dial("tcp", x.addr)
		if err == nil {
			other.Close()
		}
		return err != nil
	})
	if _, err := io.WriteString(c, "ue=1"); err != nil {
		t.Fatal(err)
	}
	if resp, body := answer(t, r, "PUT"); resp.StatusCode != 201 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsOffInTheEnd(t *testing.T) {
	t.Parallel()
	eachWay(t, testShutdownCutsOffInTheEnd)
}

func testShutdownCutsOffInTheEnd(t *testing.T, serve server) {
	x := serve(t, front.Options{})
	_, r := x.dial(t, "PUT /v2/keys/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nval")
	x.awaitFigure(t, "etcd_server_proposals_pending", "1")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := x.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shut down: %v", err)
	}
	if _, err := http.ReadResponse(r, nil); err == nil {
		t.Error("half a request was answered")
	}
}

// keyGuard refuses one key and all administration.
type keyGuard struct{}

func (keyGuard) Keys(_ *http.Request, call *api.Call) *api.Response {
	if call.Path != "/secret" {
		return nil
	}
	return &api.Response{Status: 401, Body: []byte("not for you")}
}

func (keyGuard) Admin(*http.Request) *api.Response {
	return &api.Response{Status: 401, Body: []byte("not by you")}
}

func TestGuardIsAsked(t *testing.T) {
	t.Parallel()
	h := cluster(t, 1, func(x *member) { x.options.Guard = keyGuard{} })[0].handler.Load()
	for _, tc := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/v2/keys/secret", 401},
		{"GET", "/v2/keys/secret?wait=true", 401},
		{"PUT", "/v2/keys/secret", 401},
		{"PUT", "/v2/keys/secret?ttl=x", 400}, // malformed requests are told so first
		{"PUT", "/v2/keys/open", 201},
		{"POST", "/v2/members", 401},
		{"PUT", "/v2/members/1", 401},
		{"DELETE", "/v2/members/1", 401},
		{"PATCH", "/v2/members/1", 405},
		{"GET", "/v2/members", 200},
		{"GET", "/v2/stats/self", 200},
		{"GET", "/health", 200},
	} {
		if w := record(h, tc.method, tc.target, ""); w.Code != tc.status {
			t.Errorf("%s %s: %d %s", tc.method, tc.target, w.Code, w.Body)
		}
	}
}

func TestStoppedNode(t *testing.T) {
	t.Parallel()
	x := cluster(t, 1, nil)[0]
	h := x.handler.Load()
	x.stop()
	for target, status := range map[string]int{
		"/v2/keys/a": 500, "/v2/keys/a?wait=true": 500, "/v2/members": 503, "/v2/machines": 503, "/v2/stats/self": 503,
		"/v2/stats/leader": 503, "/v2/stats/store": 503, "/health": 503, "/debug/vars": 503, "/version": 200,
	} {
		if w := record(h, "GET", target, ""); w.Code != status {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestTLSListener(t *testing.T) {
	t.Parallel()
	x := cluster(t, 1, nil)[0]
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	config := certificate.TLS
	client := certificate.Client()
	certificate.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := x.handler.Load().Serve(front.Listener{Listener: l, TLS: config})
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	resp, err := client.Get("https://" + l.Addr().String() + "/version")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.ProtoMajor != 1 || resp.TLS.Version < tls.VersionTLS12 {
		t.Errorf("%d by HTTP/%d", resp.StatusCode, resp.ProtoMajor)
	}
	client.CloseIdleConnections()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case err := <-srv.Err():
		t.Error(err)
	case <-time.After(0):
	}
}
