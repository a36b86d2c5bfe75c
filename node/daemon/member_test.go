package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node/discovery"
	"drydock/node/machine/guard"
	"drydock/node/runtime/supervisor"
	"drydock/node/ui"
)

func TestMain(m *testing.M) {
	if supervisor.Become() || guard.Become() {
		return
	}
	if flags := os.Getenv(child); flags != "" {
		if err := runChild(flags); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m,
		// The dashboard looks at a member until it has stopped, and idle client
		// connections of the tests' own end by themselves.
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// place is where a test's member lives: its directory and its sockets, opened in
// advance so that every member can know every address.
type place struct {
	name, dir    string
	client, peer net.Listener
}

func (p *place) clientURL() string { return "http://" + p.client.Addr().String() }
func (p *place) peerURL() string   { return "http://" + p.peer.Addr().String() }

func newPlace(t *testing.T, name string) *place {
	t.Helper()
	open := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ln.Close() })
		return ln
	}
	return &place{name: name, dir: filepath.Join(tempDir(t), name), client: open(), peer: open()}
}

// tempDir is t.TempDir for directories in which a guard may still write that has
// outlived its node: it ends by itself soon.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "daemon")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		late := time.After(20 * time.Second)
		for {
			err := os.RemoveAll(dir)
			if err == nil {
				return
			}
			select {
			case <-tick.C:
			case <-late:
				t.Error(err)
				return
			}
		}
	})
	return dir
}

// reopen takes a place's addresses again after its member has closed them.
func (p *place) reopen(t *testing.T) {
	t.Helper()
	for _, ln := range []*net.Listener{&p.client, &p.peer} {
		again, err := net.Listen("tcp", (*ln).Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = again.Close() })
		*ln = again
	}
}

// load makes the configuration of a place; more flags may be given.
func (p *place) load(t *testing.T, more map[string]string) *Config {
	t.Helper()
	flags := map[string]string{
		"name": p.name, "data-dir": p.dir, "listen-client-urls": p.clientURL(), "listen-peer-urls": p.peerURL(),
		"initial-cluster-token": t.Name(), "bcrypt-cost": "4", "run-dir": filepath.Join(p.dir, "run"), "fleet": "false",
	}
	maps.Copy(flags, more)
	cfg, err := Load(flags, env())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// running is a member that a test has started.
type running struct {
	*place
	m    *member
	stop func() // in good order; may be called again
	done chan error
}

func (p *place) start(t *testing.T, more map[string]string) (*running, error) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	held := map[string]net.Listener{p.client.Addr().String(): p.client, p.peer.Addr().String(): p.peer}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	m, err := start(ctx, p.load(t, more), os.Getenv, log, held)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	r := &running{place: p, m: m, done: make(chan error, 1)}
	go func() { r.done <- m.run(life) }()
	ended := false
	r.stop = func() {
		if ended {
			return
		}
		ended = true
		end()
		select {
		case err := <-r.done:
			if err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s does not stop", p.name)
		}
	}
	t.Cleanup(r.stop)
	return r, nil
}

func (p *place) mustStart(t *testing.T, more map[string]string) *running {
	t.Helper()
	r, err := p.start(t, more)
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	return r
}

// testWriter puts a member's log into the test's.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

// ask sends a request and returns status and body; an error of the connection is
// status 0.
func ask(method, target, form string) (int, string) {
	req, err := http.NewRequest(method, target, strings.NewReader(form))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Close = true
	c := http.Client{Timeout: 10 * time.Second}
	resp, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// put writes a key, and tries again while there is no leader.
func put(t *testing.T, at, key, value string) {
	t.Helper()
	eventually(t, "a write of "+key+" at "+at, func() bool {
		status, _ := ask("PUT", at+"/v2/keys"+key, "value="+url.QueryEscape(value))
		return status == 200 || status == 201
	})
}

func value(at, key string) string {
	_, body := ask("GET", at+"/v2/keys"+key+"?quorum=true", "")
	var j struct{ Node struct{ Value string } }
	_ = json.Unmarshal([]byte(body), &j)
	return j.Node.Value
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func memberNames(at string) string {
	_, body := ask("GET", at+"/v2/members", "")
	var j struct {
		Members []struct {
			Name       string
			ClientURLs []string
		}
	}
	_ = json.Unmarshal([]byte(body), &j)
	var names []string
	for _, m := range j.Members {
		if len(m.ClientURLs) > 0 {
			names = append(names, m.Name)
		}
	}
	return fmt.Sprint(len(names))
}

// three starts three founders.
func three(t *testing.T, more map[string]string) []*running {
	t.Helper()
	places := []*place{newPlace(t, "n1"), newPlace(t, "n2"), newPlace(t, "n3")}
	var list []string
	for _, p := range places {
		list = append(list, p.name+"="+p.peerURL())
	}
	flags := map[string]string{"initial-cluster": strings.Join(list, ",")}
	maps.Copy(flags, more)
	var members []*running
	for _, p := range places {
		members = append(members, p.mustStart(t, flags))
	}
	return members
}

func TestThreeMembers(t *testing.T) {
	members := three(t, nil)
	put(t, members[0].clientURL(), "/a", "1")
	for _, m := range members {
		if got := value(m.clientURL(), "/a"); got != "1" {
			t.Errorf("%s reads %q", m.name, got)
		}
		eventually(t, "all published", func() bool { return memberNames(m.clientURL()) == "3" })
	}
	// One after the other is stopped in good order and started again.
	for i, m := range members {
		m.stop()
		other := members[(i+1)%3]
		put(t, other.clientURL(), "/life", m.name)
		m.reopen(t)
		members[i] = m.mustStart(t, map[string]string{"initial-cluster": "n1=http://127.0.0.1:1," + m.name + "=" + m.peerURL()})
		eventually(t, m.name+" is back", func() bool { return value(members[i].clientURL(), "/life") == m.name })
	}
}

// TestLostDisk: a founder whose disk is gone must not come back under its id.
func TestLostDisk(t *testing.T) {
	members := three(t, nil)
	put(t, members[0].clientURL(), "/a", "1")
	eventually(t, "all published", func() bool { return memberNames(members[0].clientURL()) == "3" })
	last := members[2]
	list := last.m.cfg.InitialCluster
	last.stop()
	last.reopen(t)
	last.dir += "-new"
	if _, err := last.start(t, map[string]string{"initial-cluster": list}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "member remove") {
		t.Fatalf("started on an empty disk: %v", err)
	}
	// What the error says to do.
	id := fmt.Sprintf("%x", uint64(last.m.identity.ID))
	if status, body := ask("DELETE", members[0].clientURL()+"/v2/members/"+id, ""); status != 204 {
		t.Fatalf("removal: %d %s", status, body)
	}
	add := func() (int, string) {
		req, err := http.Post(members[0].clientURL()+"/v2/members", "application/json", strings.NewReader(`{"peerURLs":["`+last.peerURL()+`"]}`))
		if err != nil {
			t.Fatal(err)
		}
		defer req.Body.Close()
		body, _ := io.ReadAll(req.Body)
		return req.StatusCode, string(body)
	}
	eventually(t, "addition", func() bool { status, body := add(); t.Log(status, body); return status == 201 })
	last.reopen(t)
	again := last.mustStart(t, map[string]string{"initial-cluster": list, "initial-cluster-state": "existing"})
	eventually(t, "the new member reads", func() bool { return value(again.clientURL(), "/a") == "1" })
	if again.m.identity.ID == last.m.identity.ID {
		t.Fatal("it has its old id")
	}
}

// TestDiscovery founds a cluster of two by a discovery URL of another cluster's,
// and shows a third that it is full.
func TestDiscovery(t *testing.T) {
	finder := newPlace(t, "finder").mustStart(t, nil)
	put(t, finder.clientURL(), "/ready", "1")
	status, token := ask("GET", finder.clientURL()+"/new?size=2", "")
	if status != 200 {
		t.Fatalf("new token: %d %s", status, token)
	}
	flags := map[string]string{"discovery": token}
	first := make(chan *running, 1)
	go func() {
		r, err := newPlace(t, "d1").start(t, flags)
		if err != nil {
			t.Error(err)
		}
		first <- r
	}()
	two := newPlace(t, "d2").mustStart(t, flags)
	one := <-first
	if one == nil {
		return
	}
	put(t, one.clientURL(), "/a", "1")
	eventually(t, "both read", func() bool { return value(two.clientURL(), "/a") == "1" })
	if _, err := newPlace(t, "d3").start(t, flags); !errors.Is(err, discovery.ErrFull) || !strings.Contains(err.Error(), "cluster is full") {
		t.Fatalf("one too many: %v", err)
	}
}

// TestDiscoveryOf2014 grows a cluster by members that join, as the URL has no
// size.
func TestDiscoveryOf2014(t *testing.T) {
	finder := newPlace(t, "finder").mustStart(t, nil)
	put(t, finder.clientURL(), "/ready", "1")
	flags := map[string]string{"discovery": finder.clientURL() + "/v2/keys/discovery/2014"}
	one := newPlace(t, "o1").mustStart(t, flags)
	put(t, one.clientURL(), "/a", "1")
	two := newPlace(t, "o2").mustStart(t, flags)
	three := newPlace(t, "o3").mustStart(t, flags)
	for _, m := range []*running{two, three} {
		eventually(t, m.name+" reads", func() bool { return value(m.clientURL(), "/a") == "1" })
	}
	eventually(t, "all vote", func() bool {
		members, err := (&peerServer{host: one.m.host}).list()
		voters := 0
		for _, m := range members {
			if !m.Learner {
				voters++
			}
		}
		return err == nil && voters == 3
	})
}

func TestDirectoryInUse(t *testing.T) {
	one := newPlace(t, "one").mustStart(t, nil)
	other := newPlace(t, "one")
	other.dir = one.dir
	if _, err := other.start(t, nil); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Fatalf("a second process on the directory: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	p := newPlace(t, "one")
	cfg := p.load(t, nil)
	_, err := start(t.Context(), cfg, os.Getenv, slog.New(slog.DiscardHandler), nil)
	if !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), "--listen-client-urls") {
		t.Fatalf("a port that is taken: %v", err)
	}
}

// TestWorker lets a node without a vote in, and passes its clients on.
func TestWorker(t *testing.T) {
	one := newPlace(t, "one").mustStart(t, map[string]string{"join-token": "open sesame"})
	put(t, one.clientURL(), "/a", "1")
	for _, tc := range []struct{ token, want string }{{"open sesame", "1"}, {"let me in", ""}} {
		p := newPlace(t, "worker-"+tc.want)
		_ = p.client.Close()
		cfg := p.load(t, map[string]string{"join": one.clientURL(), "join-token": tc.token})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- Run(ctx, cfg, &ui.Env{Stdout: io.Discard, Stderr: testWriter{t}, Getenv: env()})
		}()
		if tc.want == "" {
			if err := <-done; err == nil {
				t.Error("a worker with a wrong token was let in")
			}
		} else {
			eventually(t, "the worker's answer", func() bool { return value(p.clientURL(), "/a") == tc.want })
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			_ = p.peer.Close()
			p.reopen(t)
			if _, err := p.start(t, nil); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "a worker's directory") {
				t.Errorf("a member in a worker's directory: %v", err)
			}
		}
		stop()
	}
}
