package kv

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain makes this program a server where it is started as one, so that tests
// have real processes to measure and kill without building any.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "fake-server" {
		if err := serveFake(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err) // and ends, which is what is noticed
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeSystem is this program as a system; flags are for the fake.
func fakeSystem(name string, flags ...string) System {
	return System{Name: name, Version: "0", path: os.Args[0], args: func(p place) []string {
		return append([]string{"fake-server", "--client=" + p.client, "--peer=" + p.peer, "--founders=" + p.founders}, flags...)
	}}
}

// fake is one member of a cluster without replication: the first that is alive, as
// their peer ports tell, leads.
type fake struct {
	peer     string
	founders []string
	delay    time.Duration
	every    int // every so many writes fail; 0 none

	mu    sync.Mutex
	index int
	nodes map[string]fakeNode
	moved chan struct{} // closed and replaced with each write
}

type fakeNode struct {
	Key           string `json:"key"`
	Value         string `json:"value"`
	ModifiedIndex int    `json:"modifiedIndex"`
}

func serveFake(args []string) error {
	f := &fake{nodes: make(map[string]fakeNode), moved: make(chan struct{}), index: 10}
	flags := flag.NewFlagSet("fake-server", flag.ContinueOnError)
	client := flags.String("client", "", "")
	flags.StringVar(&f.peer, "peer", "", "")
	founders := flags.String("founders", "", "")
	flags.DurationVar(&f.delay, "delay", 0, "")
	flags.IntVar(&f.every, "fail-every", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	f.founders = strings.Split(*founders, ",")
	alive, err := net.Listen("tcp", f.peer)
	if err != nil {
		return err
	}
	defer func() { _ = alive.Close() }()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s := &http.Server{Addr: *client, Handler: f, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

// leads tells whether all members before this one are gone.
func (f *fake) leads() bool {
	for _, founder := range f.founders {
		_, url, _ := strings.Cut(founder, "=http://")
		if url == f.peer {
			break
		}
		if c, err := net.Dial("tcp", url); err == nil {
			_ = c.Close()
			return false
		}
	}
	return true
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/health":
		_, _ = w.Write([]byte(`{"health":"true"}`))
	case "/v2/stats/self":
		state := "StateFollower"
		if f.leads() {
			state = "StateLeader"
		}
		_, _ = fmt.Fprintf(w, `{"state":%q}`, state)
	default:
		f.keys(w, r)
	}
}

func (f *fake) keys(w http.ResponseWriter, r *http.Request) {
	if f.delay > 0 {
		<-time.After(f.delay)
	}
	value, action := r.FormValue("value"), ""
	f.mu.Lock()
	node, there := f.nodes[r.URL.Path]
	after, _ := strconv.Atoi(r.FormValue("waitIndex"))
	for r.FormValue("wait") == "true" && node.ModifiedIndex < after && r.Context().Err() == nil {
		moved := f.moved
		f.mu.Unlock()
		select {
		case <-moved:
		case <-r.Context().Done():
		}
		f.mu.Lock()
		node = f.nodes[r.URL.Path]
	}
	defer f.mu.Unlock()
	switch {
	case r.Method == http.MethodDelete:
		action = "delete"
	case r.FormValue("wait") == "true":
		action = "set"
	case r.Method == http.MethodGet && !there, r.FormValue("prevIndex") != "" && r.FormValue("prevIndex") != strconv.Itoa(node.ModifiedIndex):
		http.Error(w, "no", http.StatusPreconditionFailed)
		return
	case r.Method == http.MethodGet:
		action = "get"
	default:
		action = map[bool]string{true: "compareAndSwap", false: map[bool]string{true: "create", false: "set"}[r.Method == http.MethodPost]}[r.FormValue("prevIndex") != ""]
		f.index++
		if f.every > 0 && f.index%f.every == 0 {
			http.Error(w, "as told", http.StatusInternalServerError)
			return
		}
		node = fakeNode{Key: r.URL.Path, Value: value, ModifiedIndex: f.index}
		f.nodes[r.URL.Path] = node
		close(f.moved)
		f.moved = make(chan struct{})
	}
	_ = json.NewEncoder(w).Encode(struct {
		Action string   `json:"action"`
		Node   fakeNode `json:"node"`
	}{action, node})
}
