package etcdctl_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"drydock/node"
	"drydock/node/authcheck"
	"drydock/node/checkpoint"
	"drydock/node/etcdctl"
	"drydock/node/front"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/ui"
	"drydock/node/world"
)

// ourRun runs the command as a process would.
func ourRun(ctx context.Context, c call) int {
	return etcdctl.Run(ctx, &ui.Env{
		Args: c.args, Stdin: strings.NewReader(c.stdin), Stdout: c.stdout, Stderr: c.stderr, Width: 80,
		Getenv: func(name string) string {
			value := ""
			for _, e := range c.env {
				if n, v, _ := strings.Cut(e, "="); n == name {
					value = v
				}
			}
			return value
		},
	})
}

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

func (m *mesh) set(id world.MemberID, h *host.Host) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hosts[id] = h
}

// ourCluster starts n members in this process.
func ourCluster(t *testing.T, n int) *cluster {
	c := &cluster{}
	m := &mesh{hosts: make(map[world.MemberID]*host.Host)}
	handlers := make([]http.Handler, n)
	var founders []state.Member
	for i := range n {
		proxy := c.front(t, func() http.Handler { return handlers[i] })
		peer := fmt.Sprintf("http://127.0.0.1:%d", 18001+i)
		c.members = append(c.members, &member{proxy: proxy, peer: peer})
		founders = append(founders, state.Member{
			ID: world.MemberID(0x1234567890abc000 + i), Name: fmt.Sprintf("m%d", i+1),
			PeerURLs: []string{peer}, ClientURLs: []string{proxy.URL},
		})
	}
	for i, f := range founders {
		cfg := node.Config{Cluster: 0xc1, ID: f.ID, Name: f.Name, SegmentBytes: 1 << 20}
		handlers[i], c.members[i].stop = ourMember(t, t.TempDir(), m, cfg, founders)
		t.Cleanup(c.members[i].stop)
	}
	return c
}

// ourMember founds a member, starts it and returns its face to clients.
func ourMember(t *testing.T, dir string, m *mesh, cfg node.Config, founders []state.Member) (http.Handler, func()) {
	t.Helper()
	disk, err := host.OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Found(disk, cfg, checkpoint.Store{}, founders); err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: m})
	if err != nil {
		t.Fatal(err)
	}
	m.set(cfg.ID, h)
	guard := authcheck.New(h.Book, authcheck.Options{Cluster: cfg.Cluster, Cost: 4})
	f := front.New(front.Options{
		Host: h, Cluster: cfg.Cluster, Version: "test", Guard: guard,
		Mounts: []front.Mount{{Name: "auth", Path: "/v2/auth/", Handler: authcheck.Handler(h, guard)}},
	})
	return f, sync.OnceFunc(func() {
		m.set(cfg.ID, nil)
		f.EndWatches()
		if err := errors.Join(h.Stop(), disk.Close()); err != nil {
			t.Error(err)
		}
	})
}

func handlerIs(h http.Handler) func() http.Handler { return func() http.Handler { return h } }

// hanging answers nobody.
type hanging struct{}

// ServeHTTP implements http.Handler.
func (hanging) ServeHTTP(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// noting keeps the user, password and value of a request.
type noting struct{ got string }

// ServeHTTP implements http.Handler.
func (n *noting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	n.got = user + " " + password + " " + r.FormValue("value")
	fmt.Fprint(w, `{"action":"set","node":{"key":"/k"}}`)
}
