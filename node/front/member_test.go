package front_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/front"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/world"
)

func TestMain(m *testing.M) {
	if helper() {
		return
	}
	goleak.VerifyTestMain(m)
}

// mesh joins the members of one process: frames are handed over as they are.
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

func (m *mesh) set(id world.MemberID, h *host.Host) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hosts[id] = h
}

// member is a member that serves HTTP on loopback.
type member struct {
	t        testing.TB
	dir, url string
	cfg      node.Config
	founders []state.Member
	mesh     *mesh
	options  front.Options

	handler atomic.Pointer[front.Front]
	server  *http.Server
	disk    *host.Disk
	host    *host.Host
}

// ids are those of the members: the first is the one of whom the recordings
// tell.
var ids = []world.MemberID{0x1cd09db950fa1747, 0x2bbb, 0x3ccc}

// cluster starts members that form a cluster.
func cluster(t testing.TB, n int, prepare func(*member)) []*member {
	t.Helper()
	m := &mesh{hosts: make(map[world.MemberID]*host.Host)}
	var founders []state.Member
	var all []*member
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		x := &member{
			t: t, dir: t.TempDir(), url: "http://" + l.Addr().String(), mesh: m,
			cfg: node.Config{Cluster: 0xc1, ID: ids[i], Name: "m" + string(rune('0'+i)), SegmentBytes: 1 << 20, AutoPromote: true},
		}
		// The listener stays while the member restarts behind it.
		x.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x.handler.Load().ServeHTTP(w, r)
		})}
		done := make(chan struct{})
		go func() { defer close(done); _ = x.server.Serve(l) }()
		t.Cleanup(func() { x.server.Close(); <-done })
		founders = append(founders, state.Member{
			ID: ids[i], Name: x.cfg.Name, PeerURLs: []string{"http://127.0.0.1:1"}, ClientURLs: []string{x.url},
		})
		all = append(all, x)
	}
	for i, x := range all {
		founders[i].PeerURLs = []string{"http://127.0.0.1:" + string(rune('1'+i))}
		x.founders = founders
		if prepare != nil {
			prepare(x)
		}
	}
	for _, x := range all {
		x.start()
		t.Cleanup(x.stop)
	}
	settled(t, all)
	return all
}

func (x *member) start() {
	x.t.Helper()
	disk, err := host.OpenDisk(x.dir)
	if err != nil {
		x.t.Fatal(err)
	}
	o := host.Options{Config: x.cfg, Store: checkpoint.Store{}, Peers: x.mesh}
	h, err := host.Start(disk, o)
	if errors.Is(err, node.ErrNotFounded) {
		if err = node.Found(disk, x.cfg, checkpoint.Store{}, x.founders); err == nil {
			h, err = host.Start(disk, o)
		}
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.disk, x.host = disk, h
	x.mesh.set(x.cfg.ID, h)
	fo := x.options
	fo.Host, fo.Cluster, fo.Version = h, x.cfg.Cluster, "test"
	x.handler.Store(front.New(fo))
}

// stop ends the member as a crash would; it may be called again.
func (x *member) stop() {
	if x.host == nil {
		return
	}
	x.mesh.set(x.cfg.ID, nil)
	x.handler.Load().EndWatches()
	if err := errors.Join(x.host.Stop(), x.disk.Close()); err != nil {
		x.t.Error(err)
	}
	x.host = nil
}

// settled waits until the members agree on a leader and on what they speak.
func settled(t testing.TB, all []*member) {
	t.Helper()
	await(t, "a leader that all know", func() bool {
		for _, x := range all {
			ok := false
			err := x.host.Look(func(n *node.Node) {
				ok = n.View().Role.Lead != 0 && n.State().Allows(state.KindPublish) == nil
			})
			if err != nil || !ok {
				return false
			}
		}
		return true
	})
}

// ask sends a request, with a form if there is one, and returns the answer.
func ask(t *testing.T, method, url, form string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// await polls until cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
