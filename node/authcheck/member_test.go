package authcheck_test

import (
	"errors"
	"net/http/httptest"
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

type noPeers struct{}

func (noPeers) Send(world.MemberID, []byte) {}

// testCost is the least that bcrypt takes.
const testCost = 4

const testCluster = 0xc1

// startMember serves a member of its own over HTTP on loopback.
func startMember(t *testing.T) (url string, h *host.Host) {
	t.Helper()
	disk, err := host.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{
		Cluster: testCluster, ID: 7, Name: "m", SegmentBytes: 1 << 20,
		Heartbeat: 20 * time.Millisecond, Election: 100 * time.Millisecond,
	}
	self := state.Member{ID: 7, Name: "m", PeerURLs: []string{"http://127.0.0.1:1"}, ClientURLs: []string{"http://127.0.0.1:2"}}
	if err := node.Found(disk, cfg, checkpoint.Store{}, []state.Member{self}); err != nil {
		t.Fatal(err)
	}
	h, err = host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: noPeers{}})
	if err != nil {
		t.Fatal(err)
	}
	guard := authcheck.New(h.Book, authcheck.Options{Cluster: testCluster, Cost: testCost})
	f := front.New(front.Options{
		Host: h, Cluster: testCluster, Guard: guard,
		Mounts: []front.Mount{{Name: "auth", Path: "/v2/auth/", Handler: authcheck.Handler(h, guard)}},
	})
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		f.EndWatches()
		server.Close()
		if err := errors.Join(h.Stop(), disk.Close()); err != nil {
			t.Error(err)
		}
	})
	await(t, "the cluster allows users", func() bool {
		allowed := false
		err := h.Look(func(n *node.Node) { allowed = n.State().Allows(state.KindAuth) == nil })
		return err == nil && allowed
	})
	return server.URL, h
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
