package legacy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/front"
	"drydock/node/host"
	"drydock/node/legacy"
	"drydock/node/state"
	"drydock/node/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mesh joins the members of one process.
type mesh struct {
	mu    sync.RWMutex
	hosts map[world.MemberID]*host.Host
}

// Send implements world.Peers.
func (m *mesh) Send(to world.MemberID, frame []byte) {
	m.mu.RLock()
	h := m.hosts[to]
	m.mu.RUnlock()
	if h != nil {
		h.Receive(frame)
	}
}

// member is a running member with its two faces.
type member struct {
	host         *host.Host
	client, peer string // URLs
}

// start starts a cluster of one.
func start(t *testing.T, o legacy.Options) *member { return cluster(t, 1, o)[0] }

// cluster starts members that are called one, two, ... and waits until all know who
// leads.
func cluster(t *testing.T, n int, o legacy.Options) []*member {
	t.Helper()
	founders := []state.Member{
		{ID: 7, Name: "one", PeerURLs: []string{"http://10.0.0.1:7001"}, ClientURLs: []string{"http://10.0.0.1:4001"}},
		{ID: 8, Name: "two", PeerURLs: []string{"http://10.0.0.2:7001"}, ClientURLs: []string{"http://10.0.0.2:4001"}},
		{ID: 9, Name: "three", PeerURLs: []string{"http://10.0.0.3:7001"}, ClientURLs: []string{"http://10.0.0.3:4001"}},
	}[:n]
	net := &mesh{hosts: make(map[world.MemberID]*host.Host)}
	var all []*member
	for _, f := range founders {
		all = append(all, boot(t, f, founders, net, o))
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for _, m := range all {
		eventually(t, "a leader", func() bool { return do(t, "GET", m.client+"/v2/leader", "").status == http.StatusOK })
	}
	return all
}

func boot(t *testing.T, self state.Member, founders []state.Member, net *mesh, o legacy.Options) *member {
	t.Helper()
	disk, err := host.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{
		Cluster: 1, ID: self.ID, Name: self.Name, SegmentBytes: 1 << 20,
		Heartbeat: 20 * time.Millisecond, Election: 200 * time.Millisecond,
	}
	if err := node.Found(disk, cfg, checkpoint.Store{}, founders); err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: net})
	if err != nil {
		t.Fatal(err)
	}
	net.mu.Lock()
	net.hosts[self.ID] = h
	net.mu.Unlock()
	t.Cleanup(func() {
		if err := errors.Join(h.Stop(), disk.Close()); err != nil {
			t.Error(err)
		}
	})
	var f *front.Front
	o.Next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.ServeHTTP(w, r) })
	old := legacy.Client(h, o)
	var mounts []front.Mount
	for _, path := range legacy.ClientPaths() {
		mounts = append(mounts, front.Mount{Name: "legacy", Path: path, Handler: old})
	}
	f = front.New(front.Options{Host: h, Cluster: cfg.Cluster, Mounts: mounts})
	client := httptest.NewServer(f)
	peer := httptest.NewServer(legacy.Peer(h, o))
	t.Cleanup(func() {
		f.EndWatches()
		client.Close()
		peer.Close()
	})
	return &member{host: h, client: client.URL, peer: peer.URL}
}

// answer is what came back.
type answer struct {
	status int
	head   http.Header
	body   string
}

// do sends a request with a form, if it isn't empty.
func do(t *testing.T, method, target, form string) answer {
	t.Helper()
	a, err := try(t.Context(), method, target, form)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func try(ctx context.Context, method, target, form string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form))
	if err != nil {
		return answer{}, err
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = io.Copy(&body, resp.Body)
	return answer{resp.StatusCode, resp.Header, body.String()}, err
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

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}
