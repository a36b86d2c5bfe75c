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

type noPeers struct{}

func (noPeers) Send(world.MemberID, []byte) {}

var founder = state.Member{
	ID: 7, Name: "one", PeerURLs: []string{"http://10.0.0.1:7001"}, ClientURLs: []string{"http://10.0.0.1:4001"},
}

// member is a cluster of one with its two faces.
type member struct {
	host         *host.Host
	client, peer string // URLs
}

func start(t *testing.T, o legacy.Options) *member {
	t.Helper()
	disk, err := host.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{
		Cluster: 1, ID: founder.ID, Name: founder.Name, SegmentBytes: 1 << 20,
		Heartbeat: 20 * time.Millisecond, Election: 100 * time.Millisecond,
	}
	if err := node.Found(disk, cfg, checkpoint.Store{}, []state.Member{founder}); err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: noPeers{}})
	if err != nil {
		t.Fatal(err)
	}
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
		http.DefaultClient.CloseIdleConnections()
	})
	m := &member{host: h, client: client.URL, peer: peer.URL}
	m.untilLed(t)
	return m
}

// untilLed waits until the member leads.
func (m *member) untilLed(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; {
		if a := do(t, "GET", m.client+"/v2/leader", ""); a.status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody leads")
		}
	}
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
