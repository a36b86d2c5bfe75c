package etcdctl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// plain keeps no connections, so that none are left when a test ends.
var plain = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

// member is one server of a cluster under test, behind a proxy whose URL is the
// one it advertises, so that watches can be seen to begin.
type member struct {
	proxy *httptest.Server
	peer  string
	stop  func()
	// stopped is set when the transcript has stopped it.
	stopped bool
}

// cluster is what a transcript is played against.
type cluster struct {
	members []*member
	// watches counts those that have begun.
	watches atomic.Int64
}

// front puts a proxy before target, which may be known later.
func (c *cluster) front(t *testing.T, target func() http.Handler) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Query().Get("wait") == "true" {
			w = &noticing{ResponseWriter: w, c: c}
		}
		target().ServeHTTP(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// noticing counts an answer whose head has been sent.
type noticing struct {
	http.ResponseWriter
	c *cluster
}

func (n *noticing) Flush() {
	n.ResponseWriter.(http.Flusher).Flush()
	n.c.watches.Add(1)
}

func (n *noticing) Unwrap() http.ResponseWriter { return nil }

func (c *cluster) names(t *testing.T) *names {
	n := &names{tmp: t.TempDir()}
	for _, m := range c.members {
		n.clients = append(n.clients, m.proxy.URL)
		n.peers = append(n.peers, m.peer)
	}
	eventually(t, "the members are known", func() error {
		var list struct {
			Members []struct {
				ID, Name   string
				ClientURLs []string
			}
		}
		if err := json.Unmarshal(get(n.clients[0], "/v2/members"), &list); err != nil {
			return err
		}
		n.ids = make([]string, len(c.members))
		for _, m := range list.Members {
			if i, err := strconv.Atoi(strings.TrimPrefix(m.Name, "m")); err == nil && len(m.ClientURLs) > 0 {
				n.ids[i-1] = m.ID
			}
		}
		for i, id := range n.ids {
			if id == "" {
				return fmt.Errorf("m%d is not there: %v", i+1, list)
			}
		}
		return nil
	})
	return n
}

// learnIndex takes the index that indexes are counted from. It is not 0, which
// means something else to watches.
func (n *names) learnIndex(t *testing.T) {
	t.Helper()
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		req, err := http.NewRequest(method, n.clients[0]+"/v2/keys/first", nil)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the first write is done", func() error {
			resp, err := plain.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			return err
		})
	}
	resp, err := plain.Get(n.clients[0] + "/v2/keys/?quorum=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n.base, err = strconv.ParseUint(resp.Header.Get("X-Etcd-Index"), 10, 64); err != nil {
		t.Fatal(err)
	}
}

func get(base, path string) []byte {
	resp, err := plain.Get(base + path)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return body
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	err := errors.New("not tried")
	for ; err != nil; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		err = try()
	}
}

// realCluster starts n processes of the original.
func realCluster(t *testing.T, program string, n int) *cluster {
	c := &cluster{}
	type addrs struct{ client, peer string }
	var at []addrs
	var initial []string
	for i := range n {
		a := addrs{freePort(t), freePort(t)}
		at = append(at, a)
		initial = append(initial, fmt.Sprintf("m%d=%s", i+1, a.peer))
		target, err := url.Parse(a.client)
		if err != nil {
			t.Fatal(err)
		}
		rp := httputil.NewSingleHostReverseProxy(target)
		rp.FlushInterval = -1
		rp.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
		c.members = append(c.members, &member{proxy: c.front(t, func() http.Handler { return rp }), peer: a.peer})
	}
	for i, a := range at {
		dir := filepath.Join(t.TempDir(), "data")
		cmd := exec.Command(program, "--enable-v2", "--data-dir", dir, "--name", fmt.Sprintf("m%d", i+1),
			"--listen-client-urls", a.client, "--advertise-client-urls", c.members[i].proxy.URL,
			"--listen-peer-urls", a.peer, "--initial-advertise-peer-urls", a.peer,
			"--initial-cluster", strings.Join(initial, ","), "--log-level", "error")
		cmd.Env = append(os.Environ(), "ETCD_UNSUPPORTED_ARCH=arm64")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		m := c.members[i]
		m.stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
		t.Cleanup(m.stop)
	}
	eventually(t, "the cluster has a version", func() error {
		var v struct{ Etcdcluster string }
		if err := json.Unmarshal(get(at[0].client, "/version"), &v); err != nil {
			return err
		}
		if !strings.HasPrefix(v.Etcdcluster, "3.4") {
			return fmt.Errorf("it is %q", v.Etcdcluster)
		}
		return nil
	})
	return c
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// realRun runs the original's program.
func realRun(program string) runFunc {
	return func(ctx context.Context, c call) int {
		cmd := exec.CommandContext(ctx, program, c.args...)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.Env = []string{"ETCDCTL_API=2", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
		cmd.Env = append(cmd.Env, c.env...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), c.stdout, c.stderr
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode()
	}
}
