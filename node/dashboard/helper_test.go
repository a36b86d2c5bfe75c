package dashboard

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/checkpoint"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/world"
)

var update = flag.Bool("update", false, "rewrite the expected outputs")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares with testdata, or rewrites it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s, rewrite it with -update (-want +got):\n%s", name, diff)
	}
}

// mail carries frames between the members of one test.
type mail struct {
	mu    sync.Mutex
	boxes map[world.MemberID]*host.Host
	cut   map[world.MemberID]bool
}

// peers is a member's end of the mail.
type peers struct {
	m    *mail
	from world.MemberID
}

func (p peers) Send(to world.MemberID, frame []byte) {
	p.m.mu.Lock()
	h, cut := p.m.boxes[to], p.m.cut[to] || p.m.cut[p.from]
	p.m.mu.Unlock()
	if h != nil && !cut {
		h.Receive(append([]byte(nil), frame...))
	}
}

func (m *mail) isolate(id world.MemberID, cut bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut[id] = cut
}

// linksOf is what a member of the mail would be told of its links.
type linksOf struct {
	m    *mail
	self world.MemberID
}

func (l linksOf) Links() (list []Link) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	for id := range l.m.boxes {
		if id != l.self {
			link := Link{Peer: id, Up: !l.m.cut[id] && !l.m.cut[l.self], Latency: 420 * time.Microsecond}
			if !link.Up {
				link.Failure = "connection refused"
			}
			list = append(list, link)
		}
	}
	return list
}

// cluster starts n members, numbered from 1 and named m1 and so on.
func cluster(t *testing.T, n int) (*mail, []*host.Host) {
	t.Helper()
	m := &mail{boxes: make(map[world.MemberID]*host.Host), cut: make(map[world.MemberID]bool)}
	var members []state.Member
	for i := 1; i <= n; i++ {
		members = append(members, state.Member{
			ID: world.MemberID(i), Name: fmt.Sprintf("m%d", i),
			PeerURLs: []string{fmt.Sprintf("http://10.0.0.%d:2380", i)}, ClientURLs: []string{fmt.Sprintf("http://10.0.0.%d:2379", i)},
		})
	}
	var hosts []*host.Host
	for _, self := range members {
		disk, err := host.OpenDisk(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		cfg := node.Config{Cluster: 0xc1, ID: self.ID, Name: self.Name, SegmentBytes: 1 << 20, RequestTimeout: 800 * time.Millisecond}
		if err := node.Found(disk, cfg, checkpoint.Store{}, members); err != nil {
			t.Fatal(err)
		}
		h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: peers{m: m, from: self.ID}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := errors.Join(h.Stop(), disk.Close()); err != nil {
				t.Error(err)
			}
		})
		hosts = append(hosts, h)
		m.mu.Lock()
		m.boxes[self.ID] = h
		m.mu.Unlock()
	}
	return m, hosts
}

// leader waits for a leader of whom all know, and returns its place.
func leader(t *testing.T, hosts []*host.Host) int {
	t.Helper()
	lead := -1
	eventually(t, "a leader", func() bool {
		lead = -1
		known := 0
		for i, h := range hosts {
			if err := h.Look(func(n *node.Node) {
				v := n.View()
				if v.Role.Leader {
					lead = i
				}
				if v.Role.Lead != 0 {
					known++
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		return lead >= 0 && known == len(hosts)
	})
	return lead
}

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// site is a dashboard in front of a sole member.
type site struct {
	t *testing.T
	h *host.Host
	*httptest.Server
}

func newSite(t *testing.T, o Options) *site {
	t.Helper()
	_, hosts := cluster(t, 1)
	leader(t, hosts)
	return serve(t, hosts[0], o)
}

func serve(t *testing.T, h *host.Host, o Options) *site {
	t.Helper()
	o.ClusterID, o.Log = 0xc1, slog.New(slog.DiscardHandler)
	s := httptest.NewServer(newHandler(h, o, 50*time.Millisecond))
	t.Cleanup(s.Close)
	return &site{t: t, h: h, Server: s}
}

// write carries out a write as a client of the API would, and returns the index.
func (s *site) write(method, key string, form url.Values) uint64 {
	s.t.Helper()
	req := api.Request{Method: method, Target: "/v2/keys/" + escapeKey(key)}
	if method == "DELETE" {
		req.Target += "?" + form.Encode()
	} else {
		req.ContentType, req.Body = "application/x-www-form-urlencoded", []byte(form.Encode())
	}
	call, resp := api.Decode(&req)
	if resp != nil {
		s.t.Fatalf("%s %s: %s", method, key, resp.Body)
	}
	a := s.h.Do(s.t.Context(), &call)
	if a.Status != consensus.Done || a.Err != nil {
		s.t.Fatalf("%s %s: %v %s %v", method, key, a.Status, a.Reason, a.Err)
	}
	return a.Event.EtcdIndex
}

func (s *site) set(key, value string) uint64 {
	s.t.Helper()
	return s.write("PUT", key, url.Values{"value": {value}})
}

// value reads a key; ok is false if it isn't there.
func (s *site) value(key string) (v string, ok bool) {
	s.t.Helper()
	call, resp := api.Decode(&api.Request{Method: "GET", Target: "/v2/keys/" + escapeKey(key)})
	if resp != nil {
		s.t.Fatalf("get %s: %s", key, resp.Body)
	}
	a := s.h.Do(s.t.Context(), &call)
	if a.Status != consensus.Done {
		s.t.Fatalf("get %s: %v %s", key, a.Status, a.Reason)
	}
	if a.Err != nil {
		return "", false
	}
	return a.Event.Node.Value, true
}

// answer is what a page said.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// ask sends a request and doesn't follow where it leads. Headers come in pairs.
func (s *site) ask(method, target string, form url.Values, headers ...string) answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 15*time.Second)
	defer cancel()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+target, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.Client().Transport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: string(text)}
}

// has fails the test if a page lacks a piece of text.
func (a answer) has(t *testing.T, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		if !strings.Contains(a.Body, p) {
			t.Errorf("status %d: the page lacks %q:\n%s", a.Status, p, a.Body)
			return
		}
	}
}
