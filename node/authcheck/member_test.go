package authcheck_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node"
	"drydock/node/authcheck"
	"drydock/node/checkpoint"
	"drydock/node/front"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testCost is the least that bcrypt takes.
const testCost = 4

const testCluster = 0xc1

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

// member is a member that serves HTTP on loopback.
type member struct {
	url  string
	host *host.Host
}

// startMember starts a cluster of one.
func startMember(t *testing.T) (url string, h *host.Host) {
	t.Helper()
	m := startCluster(t, 1)[0]
	return m.url, m.host
}

// startCluster starts members that form a cluster, and waits until it has users.
func startCluster(t *testing.T, n int) []member {
	t.Helper()
	peers := &mesh{hosts: make(map[world.MemberID]*host.Host)}
	all := make([]member, n)
	handlers := make([]atomic.Pointer[front.Front], n)
	var founders []state.Member
	for i := range all {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handlers[i].Load().ServeHTTP(w, r) }))
		t.Cleanup(server.Close)
		all[i].url = server.URL
		founders = append(founders, state.Member{
			ID: world.MemberID(7 + i), Name: fmt.Sprintf("m%d", i),
			PeerURLs: []string{fmt.Sprintf("http://127.0.0.1:%d", 1+i)}, ClientURLs: []string{server.URL},
		})
	}
	for i := range all {
		h := boot(t, founders[i], founders, peers)
		guard := authcheck.New(h.Book, authcheck.Options{Cluster: testCluster, Cost: testCost})
		f := front.New(front.Options{
			Host: h, Cluster: testCluster, Guard: guard,
			Mounts: []front.Mount{{Name: "auth", Path: "/v2/auth/", Handler: authcheck.Handler(h, guard)}},
		})
		t.Cleanup(f.EndWatches)
		handlers[i].Store(f)
		all[i].host = h
	}
	for i := range all {
		await(t, "the cluster allows users", func() bool {
			allowed := false
			err := all[i].host.Look(func(n *node.Node) { allowed = n.State().Allows(state.KindAuth) == nil })
			return err == nil && allowed
		})
	}
	return all
}

// boot founds and starts a member.
func boot(t *testing.T, self state.Member, founders []state.Member, peers *mesh) *host.Host {
	t.Helper()
	disk, err := host.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{
		Cluster: testCluster, ID: self.ID, Name: self.Name, ClientURLs: self.ClientURLs, SegmentBytes: 1 << 20,
		Heartbeat: 20 * time.Millisecond, Election: 100 * time.Millisecond,
	}
	if err := node.Found(disk, cfg, checkpoint.Store{}, founders); err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: peers})
	if err != nil {
		t.Fatal(err)
	}
	peers.mu.Lock()
	peers.hosts[self.ID] = h
	peers.mu.Unlock()
	t.Cleanup(func() {
		if err := errors.Join(h.Stop(), disk.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// await polls until cond holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
