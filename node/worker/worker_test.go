package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/front"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type noPeers struct{}

func (noPeers) Send(world.MemberID, []byte) {}

const cluster = 0xc1

// member is a cluster of one, with workers let in on both ports.
type member struct {
	url, peer string
	down      atomic.Bool // it breaks every connection
}

func newMember(t *testing.T, secret string) *member {
	t.Helper()
	m := new(member)
	var serve, servePeer atomic.Pointer[http.Handler]
	gate := func(h *atomic.Pointer[http.Handler]) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m.down.Load() {
				panic(http.ErrAbortHandler)
			}
			(*h.Load()).ServeHTTP(w, r)
		}))
		return s
	}
	client, peer := gate(&serve), gate(&servePeer)
	m.url, m.peer = client.URL, peer.URL
	founder := state.Member{ID: 7, Name: "one", PeerURLs: []string{peer.URL}, ClientURLs: []string{client.URL}}
	disk, err := host.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{
		Cluster: cluster, ID: 7, Name: "one", SegmentBytes: 1 << 20,
		Heartbeat: 20 * time.Millisecond, Election: 100 * time.Millisecond,
	}
	if err := node.Found(disk, cfg, checkpoint.Store{}, []state.Member{founder}); err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: noPeers{}})
	if err != nil {
		t.Fatal(err)
	}
	join := JoinHandler(h, cluster, secret)
	f := front.New(front.Options{Host: h, Cluster: cluster, Mounts: []front.Mount{{Name: "join", Path: PathJoin, Handler: join}}})
	mux := http.NewServeMux()
	mux.Handle(PathJoin, join)
	mux.HandleFunc("GET /members", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Etcd-Cluster-ID", "00c1")
		_ = json.NewEncoder(w).Encode([]memberJSON{{ID: "7", Name: "one", ClientURLs: founder.ClientURLs}})
	})
	var clientHandler, peerHandler http.Handler = f, mux
	serve.Store(&clientHandler)
	servePeer.Store(&peerHandler)
	t.Cleanup(func() {
		f.EndWatches()
		client.Close()
		peer.Close()
		if err := errors.Join(h.Stop(), disk.Close()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// running is a worker that runs.
type running struct {
	url   string
	ready chan Status
	stop  context.CancelFunc
	over  chan error
}

func run(t *testing.T, o Options) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r := &running{url: "http://" + l.Addr().String(), ready: make(chan Status, 1), stop: stop, over: make(chan error, 1)}
	o.Name, o.Listeners = "w", []net.Listener{l}
	o.Ready = func(s Status) { r.ready <- s }
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	if o.Refresh == 0 {
		o.Refresh = 50 * time.Millisecond
	}
	go func() { r.over <- Run(ctx, o) }()
	t.Cleanup(func() {
		stop()
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

func (r *running) wait(t *testing.T) Status {
	t.Helper()
	select {
	case s := <-r.ready:
		return s
	case err := <-r.over:
		t.Fatalf("it ended: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("not ready in time")
	}
	return Status{}
}

func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.over; err != nil {
		t.Error(err)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

func TestJoinServeAndStartAgain(t *testing.T) {
	m := newMember(t, "secret")
	dir := t.TempDir()
	w := run(t, Options{DataDir: dir, Join: []string{nowhere(t), m.url + "/"}, Token: "secret"})
	first := w.wait(t)
	if first.Cluster != "c1" || first.Worker == "" || first.Name != "w" || !cmp.Equal(first.Members, []string{"one"}) {
		t.Errorf("status %+v", first)
	}
	eventually(t, "a write", func() bool { return do(t, "PUT", w.url+"/v2/keys/a", "value=1").status == 201 })
	if a := do(t, "GET", w.url+"/v2/keys/a?quorum=true", ""); a.status != 200 || a.head.Get("X-Etcd-Index") == "" {
		t.Errorf("%+v", a)
	}
	resp, err := http.DefaultClient.Get(w.url + "/v2/keys/a?wait=true&stream=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	do(t, "PUT", w.url+"/v2/keys/a", "value=2")
	events := bufio.NewReader(resp.Body)
	if line, err := events.ReadString('\n'); err != nil || !strings.Contains(line, `"value":"2"`) {
		t.Errorf("event %q, %v", line, err)
	}
	if status := do(t, "GET", w.url+PathWorker, ""); !strings.Contains(status.body, `"state":"current"`) {
		t.Errorf("%s", status.body)
	}
	// Another on the same directory, and none after this one has stopped.
	twin := run(t, Options{DataDir: dir, Join: []string{m.url}, Token: "secret"})
	if err := <-twin.over; !errors.Is(err, host.ErrLocked) {
		t.Errorf("a directory in use: %v", err)
	}
	w.end(t)
	if _, err := events.ReadString('\n'); err == nil {
		t.Error("a watch goes on after the worker's end")
	}
	// It starts while the cluster is away, as who it was, and serves when that is
	// back.
	m.down.Store(true)
	w = run(t, Options{DataDir: dir, Join: []string{m.url}, Token: "secret"})
	if again := w.wait(t); again.Worker != first.Worker || again.Cluster != first.Cluster || !cmp.Equal(again.Members, first.Members) {
		t.Errorf("it was %+v and is %+v", first, again)
	}
	if a := do(t, "GET", w.url+"/v2/keys/a", ""); a.status != 503 || a.head.Get("X-Drydock-Outcome") != "refused" {
		t.Errorf("%+v", a)
	}
	if a := do(t, "PUT", w.url+"/v2/keys/a", "value=3"); a.status != 502 {
		t.Errorf("%+v", a)
	}
	m.down.Store(false)
	if a := do(t, "GET", w.url+"/v2/keys/a", ""); a.status != 200 || !strings.Contains(a.body, `"value":"2"`) {
		t.Errorf("%+v", a)
	}
	w.end(t)
	// What it remembers is way in enough.
	w = run(t, Options{DataDir: dir, Token: "secret"})
	w.wait(t)
	w.end(t)
}

func TestWaysIn(t *testing.T) {
	m := newMember(t, "secret")
	for _, tt := range []struct {
		name   string
		o      Options
		worker bool
	}{
		{"a client port", Options{Join: []string{m.url}, Token: "secret"}, true},
		{"a peer port", Options{Join: []string{m.peer}, Token: "secret"}, true},
		{"what a discovery told", Options{Peers: []string{nowhere(t), m.peer}, Token: "secret"}, true},
		{"without a token", Options{Join: []string{m.url}}, false},
		{"without a token, a peer port", Options{Join: []string{m.peer}}, false},
		{"without a token, a discovery", Options{Peers: []string{m.peer}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := run(t, tt.o)
			if s := w.wait(t); (s.Worker != "") != tt.worker || s.Cluster != "c1" || len(s.Endpoints) != 1 || s.Endpoints[0].URL != m.url {
				t.Errorf("%+v", s)
			}
			if a := do(t, "GET", w.url+"/version", ""); a.status != 200 {
				t.Errorf("%+v", a)
			}
			w.end(t)
		})
	}
	// A worker's own port leads to the members.
	w := run(t, Options{Join: []string{m.url}, Token: "secret"})
	w.wait(t)
	next := run(t, Options{Join: []string{w.url}, Token: "secret"})
	if s := next.wait(t); len(s.Endpoints) != 1 || s.Endpoints[0].URL != m.url {
		t.Errorf("%+v", s)
	}
	next.end(t)
	w.end(t)
}

func TestRefused(t *testing.T) {
	m := newMember(t, "secret")
	closed := newMember(t, "")
	dir := t.TempDir()
	if err := (&memory{Version: memoryVersion, Cluster: "c2", Worker: "a7", Members: []memberJSON{{ClientURLs: []string{m.url}}}}).write(dir); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		o    Options
		text string
	}{
		{"wrong token", Options{Join: []string{m.url}, Token: "wrong"}, "the join token is wrong"},
		{"no workers here", Options{Join: []string{closed.url}, Token: "secret"}, "lets no workers in"},
		{"of another cluster", Options{DataDir: dir, Join: []string{m.url}, Token: "secret"}, "this is cluster c1"},
	} {
		if err := <-run(t, tt.o).over; !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for name, change := range map[string]func(*Options){
		"no way in":     func(o *Options) { o.Join = nil },
		"not a URL":     func(o *Options) { o.Join = []string{"example.com:2379"} },
		"URL with path": func(o *Options) { o.Join = []string{"http://example.com/v2/keys"} },
		"no directory":  func(o *Options) { o.DataDir = "" },
		"no name":       func(o *Options) { o.Name = "" },
		"no listener":   func(o *Options) { o.Listeners = nil },
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Name: "w", DataDir: t.TempDir(), Join: []string{m.url}, Listeners: []net.Listener{l}}
		change(&o)
		if err := Run(t.Context(), o); !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), "--") {
			t.Errorf("%s: %v", name, err)
		}
		_ = l.Close()
	}
}

func TestListOfMembersIsKeptFresh(t *testing.T) {
	type list struct {
		cluster string
		urls    []string
	}
	var now atomic.Pointer[list]
	member := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		l := now.Load()
		w.Header().Set("X-Etcd-Cluster-Id", l.cluster)
		_ = json.NewEncoder(w).Encode(map[string]any{"members": []memberJSON{{ID: "1", Name: "n", ClientURLs: l.urls}}})
	})
	other := newFake(t, says("other"))
	now.Store(&list{"c1", []string{member.URL}})
	dir := t.TempDir()
	if err := (&memory{Version: memoryVersion, Cluster: "c1", Worker: "a7", Members: []memberJSON{{ClientURLs: []string{member.URL}}}}).write(dir); err != nil {
		t.Fatal(err)
	}
	w := run(t, Options{DataDir: dir, Join: []string{member.URL}})
	w.wait(t)
	endpoints := func() string { return do(t, "GET", w.url+PathWorker, "").body }
	now.Store(&list{"c1", []string{member.URL, other.URL, "ftp://x"}})
	eventually(t, "the new member", func() bool { return strings.Contains(endpoints(), other.URL) })
	if strings.Contains(endpoints(), "ftp") {
		t.Error("an endpoint that can't be asked")
	}
	asked := member.asked.Load()
	now.Store(&list{"c2", []string{"http://127.0.0.1:1"}})
	eventually(t, "some looks", func() bool { return member.asked.Load() > asked+3 })
	if strings.Contains(endpoints(), "http://127.0.0.1:1\"") {
		t.Error("another cluster's list was taken")
	}
	if text, err := readMemory(dir, "w"); err != nil || len(clientURLs(text.Members)) != 2 {
		t.Errorf("kept: %+v, %v", text, err)
	}
	w.end(t)
}

func TestStopWhileTheClusterIsAway(t *testing.T) {
	w := run(t, Options{Join: []string{nowhere(t)}, Token: "secret"})
	select {
	case err := <-w.over:
		t.Fatalf("it ended: %v", err)
	case <-w.ready:
		t.Fatal("it serves, and knows nobody")
	case <-time.After(100 * time.Millisecond):
	}
	w.end(t)
}
