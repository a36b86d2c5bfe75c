package front_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/front"
	"drydock/node/host"
	"drydock/node/world"
)

// tell sends JSON about a member.
func tell(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestMemberRequestsAreChecked(t *testing.T) {
	t.Parallel()
	x := cluster(t, 1, nil)[0]
	h := x.handler.Load()
	for _, tc := range []struct {
		method, below, body string
		status              int
		want                string
	}{
		{"POST", "", ``, 400, `unexpected end of JSON input`},
		{"POST", "", `{"peerURLs":["http://h:1","http://127.0.0.1:1"]}`, 409, `membership: peerURL exists`},
		{"POST", "", `{"peerURLs":["` + strings.Repeat("x", 70000) + `"]}`, 413, `larger than 65536 bytes`},
		{"POST", "", `{"peerURLs":["http://` + strings.Repeat("h", 2000) + `:1"]}`, 500, `Internal Server Error`},
		{"PUT", "/zz", `{"peerURLs":["http://h:1"]}`, 404, `No such member: zz`},
		{"PUT", "/1", `{"peerURLs":["http://h:1"]}`, 404, `No such member: 1`},
		{"PUT", "/1", `{}`, 400, `no valid URLs given`},
		{"PUT", "", `{"peerURLs":["http://h:1"]}`, 405, `Method Not Allowed`},
		{"DELETE", "", ``, 405, `Method Not Allowed`},
		{"DELETE", "/1", ``, 404, `No such member: 1`},
		{"DELETE", "/x/y", ``, 404, `No such member: x/y`},
		{"DELETE", "/1cd09db950fa1747", ``, 500, `Internal Server Error`}, // the last one
		{"HEAD", "", ``, 405, `Method Not Allowed`},
		{"PUT", "/1cd09db950fa1747", `{"peerURLs":[" http://b:2","http://a:1 "]}`, 204, ``},
	} {
		w := tell(h, tc.method, "/v2/members"+tc.below, tc.body)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
			t.Errorf("%s %s %.60s: %d %s", tc.method, tc.below, tc.body, w.Code, w.Body)
		}
		if (w.Header().Get("X-Etcd-Cluster-Id") == "c1") != (tc.method != "HEAD") {
			t.Errorf("%s %s: no cluster id", tc.method, tc.below)
		}
	}
	if w := record(h, "POST", "/v2/members", "peerURLs=x"); w.Code != 415 ||
		w.Body.String() != `{"message":"Bad Content-Type application/x-www-form-urlencoded, accept application/json"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	var v node.View
	if err := x.host.Look(func(n *node.Node) { v = n.View() }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"http://a:1", "http://b:2"}, v.Members[0].PeerURLs); diff != "" {
		t.Error(diff)
	}
}

// TestMemberJoins adds a member, starts it, and sees that it votes.
func TestMemberJoins(t *testing.T) {
	t.Parallel()
	x := cluster(t, 1, nil)[0]
	h := x.handler.Load()
	w := tell(h, "POST", "/v2/members", `{"peerURLs":["http://127.0.0.1:7"]}`)
	var added struct {
		ID       string
		PeerURLs []string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &added); err != nil || w.Code != 201 {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if w := tell(h, "POST", "/v2/members", `{"peerURLs":["http://127.0.0.1:8"]}`); w.Code != 500 {
		t.Errorf("a second that has not started: %d %s", w.Code, w.Body)
	}
	var id world.MemberID
	if err := x.host.Look(func(n *node.Node) {
		for _, m := range n.State().Members() {
			if m.Learner {
				id = m.ID
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	joiner := join(t, x, id)
	await(t, "the joiner votes and has told its name", func() bool {
		votes := false
		err := x.host.Look(func(n *node.Node) {
			m, ok := n.State().Member(id)
			votes = ok && !m.Learner && m.Name == "joiner"
		})
		return err == nil && votes
	})
	if w := tell(h, "DELETE", "/v2/members/"+added.ID, ""); w.Code != 204 {
		t.Errorf("removal: %d %s", w.Code, w.Body)
	}
	if w := tell(h, "DELETE", "/v2/members/"+added.ID, ""); w.Code != 410 || !strings.Contains(w.Body.String(), "permanently removed") {
		t.Errorf("again: %d %s", w.Code, w.Body)
	}
	joiner()
}

// join starts a member that was added to the cluster of x.
func join(t *testing.T, x *member, id world.MemberID) (stop func()) {
	t.Helper()
	cfg := x.cfg
	cfg.ID, cfg.Name = id, "joiner"
	disk, err := host.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Join(disk, cfg); err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: x.mesh})
	if err != nil {
		t.Fatal(err)
	}
	x.mesh.set(id, h)
	return func() {
		x.mesh.set(id, nil)
		if err := errors.Join(h.Stop(), disk.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestRemovalKeepsAMajority has one of three that is down, and removes another.
func TestRemovalKeepsAMajority(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, func(x *member) {
		x.options.Links = links{{ID: ids[1], Connected: true}, {ID: ids[2]}}
	})
	all[2].stop()
	h := all[0].handler.Load()
	w := tell(h, "DELETE", "/v2/members/2bbb", "")
	if w.Code != 500 || !strings.Contains(w.Header().Get(front.HeaderReason), "no majority") {
		t.Errorf("a second: %d %s %v", w.Code, w.Body, w.Header())
	}
	if w := tell(h, "DELETE", "/v2/members/3ccc", ""); w.Code != 204 {
		t.Errorf("the one that is down: %d %s", w.Code, w.Body)
	}
}

// links are what a test says of other members.
type links []front.Link

func (l links) Links() []front.Link { return l }

func TestStatisticsOfLinks(t *testing.T) {
	t.Parallel()
	x := cluster(t, 1, func(x *member) {
		x.options.Links = links{
			{ID: 0x2bbb, Connected: true, Sent: 5, Received: 7, SentBytes: 50, ReceivedBytes: 70, Failed: 2, Latency: front.Latency{
				Current: time.Millisecond, Average: 2 * time.Millisecond, Deviation: time.Microsecond,
				Minimum: 500 * time.Microsecond, Maximum: 3 * time.Millisecond,
			}},
			{ID: 0x3ccc, Sent: 1, Received: 1},
		}
	})[0]
	h := x.handler.Load()
	const want = `{"leader":"1cd09db950fa1747","followers":{` +
		`"2bbb":{"latency":{"current":1,"average":2,"standardDeviation":0.001,"minimum":0.5,"maximum":3},"counts":{"fail":2,"success":5}},` +
		`"3ccc":{"latency":{"current":0,"average":0,"standardDeviation":0,"minimum":0,"maximum":0},"counts":{"fail":0,"success":1}}}}`
	if got := record(h, "GET", "/v2/stats/leader", "").Body.String(); got != want {
		t.Error(got)
	}
	var self struct{ RecvAppendRequestCnt, SendAppendRequestCnt int }
	if err := json.Unmarshal(record(h, "GET", "/v2/stats/self", "").Body.Bytes(), &self); err != nil {
		t.Fatal(err)
	}
	if self.RecvAppendRequestCnt != 8 || self.SendAppendRequestCnt != 6 {
		t.Errorf("%+v", self)
	}
	s := served{member: x}
	for name, value := range map[string]string{
		`etcd_network_peer_sent_bytes_total{To="2bbb"}`:       "50",
		`etcd_network_peer_received_bytes_total{From="2bbb"}`: "70",
		`etcd_network_active_peers{To="3ccc"}`:                "0",
		`drydock_peer_round_trip_seconds{To="2bbb"}`:          "0.001",
	} {
		if got := s.figure(t, name); got != value {
			t.Errorf("%s is %s", name, got)
		}
	}
}

// TestCausesOfTimeOuts takes a majority away and looks at what is said of it.
func TestCausesOfTimeOuts(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3, func(x *member) { x.cfg.RequestTimeout = 700 * time.Millisecond })
	x := all[0]
	all[1].stop()
	all[2].stop()
	const refusal = `{"errorCode":300,"message":"Raft Internal Error","cause":"etcdserver: request timed out","index":0}` + "\n"
	await(t, "no leader is known", func() bool { return x.host.Leadership().Role.Lead == 0 })
	for _, r := range [][2]string{{"PUT", "/v2/keys/a"}, {"GET", "/v2/keys/a?quorum=true"}} {
		w := record(x.handler.Load(), r[0], r[1], "")
		if w.Code != 500 || w.Body.String() != refusal || w.Header().Get("X-Etcd-Index") != "0" {
			t.Errorf("%s: %d %s", r, w.Code, w.Body)
		}
		if got := w.Header().Get("X-Drydock-Outcome"); r[0] == "PUT" && got != "refused" {
			t.Errorf("%s: outcome %q", r, got)
		}
	}
	if w := tell(x.handler.Load(), "DELETE", "/v2/members/2bbb", ""); w.Code != 500 {
		t.Errorf("removal: %d %s", w.Code, w.Body)
	}
}
