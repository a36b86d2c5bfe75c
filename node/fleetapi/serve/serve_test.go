package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/fleet"
	"drydock/node/fleetapi"
	"drydock/node/fleetapi/serve"
	"drydock/node/runtime"
	"drydock/node/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const term = 3

// fakeHost is a cluster of one that carries commands out at once.
type fakeHost struct {
	mu       sync.Mutex
	store    *fleet.Store
	revision uint64
	changed  chan struct{} // closed at the next change
	why      map[string]string
	// fails is what the node answers instead.
	fails *node.Answer
}

func newFakeHost() *fakeHost {
	return &fakeHost{store: fleet.New(), changed: make(chan struct{}), why: make(map[string]string)}
}

// Fleet implements serve.Host.
func (h *fakeHost) Fleet(_ context.Context, c *fleet.Command) node.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails != nil {
		return *h.fails
	}
	h.revision++
	out, err := h.store.Apply(fleet.Env{Revision: h.revision, Term: term, Now: time.Second}, c)
	close(h.changed)
	h.changed = make(chan struct{})
	return node.Answer{Status: consensus.Done, Fleet: &out, Refusal: err}
}

// ReadFleet implements serve.Host.
func (h *fakeHost) ReadFleet(_ context.Context, stale bool, look func(*fleet.Store)) node.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails != nil && !stale {
		return *h.fails
	}
	look(h.store)
	return node.Answer{Status: consensus.Done}
}

// AskFleet implements serve.Host.
func (h *fakeHost) AskFleet(_ context.Context, units []string) node.Answer {
	a := node.Answer{Status: consensus.Done}
	for _, u := range units {
		a.Why = append(a.Why, h.why[u])
	}
	return a
}

// WaitFleet implements serve.Host.
func (h *fakeHost) WaitFleet(ctx context.Context, after uint64) {
	for {
		h.mu.Lock()
		changed, revision := h.changed, h.store.Revision()
		h.mu.Unlock()
		if revision > after {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func id(s string) string { return s + strings.Repeat("0", 32-len(s)) }

// up has a machine come up whose node is at url.
func (h *fakeHost) up(t *testing.T, machine string, urls ...string) {
	t.Helper()
	m := fleet.Machine{ID: id(machine), Name: machine, Boot: id("b"), URLs: urls}
	if a := h.Fleet(t.Context(), &fleet.Command{Open: &fleet.Open{Term: term, Machine: m}}); a.Refusal != nil {
		t.Fatal(a.Refusal)
	}
}

// place puts a unit on machines.
func (h *fakeHost) place(t *testing.T, name string, on ...string) {
	t.Helper()
	for _, machine := range on {
		u, _ := h.store.Unit(name)
		m, _ := h.store.Machine(id(machine))
		a := h.Fleet(t.Context(), &fleet.Command{Place: &fleet.Place{Term: term, Moves: []fleet.Move{
			{Unit: name, Changed: u.Changed, To: m.ID, Session: m.Session},
		}}})
		if a.Refusal != nil || len(a.Fleet.Refused) > 0 {
			t.Fatalf("%+v", a)
		}
	}
}

// local is a machine whose units have written lines.
type local struct {
	machine string
	mu      sync.Mutex
	lines   map[string][]runtime.Line
	more    chan struct{}
}

func newLocal(machine string) *local {
	return &local{machine: id(machine), lines: make(map[string][]runtime.Line), more: make(chan struct{})}
}

func (l *local) say(unit string, texts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range texts {
		n := len(l.lines[unit])
		l.lines[unit] = append(l.lines[unit], runtime.Line{Number: uint64(n + 1), Time: time.Unix(int64(n), 0), Source: "sh", Text: text})
	}
	close(l.more)
	l.more = make(chan struct{})
}

// MachineID implements serve.Local.
func (l *local) MachineID() string { return l.machine }

// Journal implements serve.Local.
func (l *local) Journal(name string, after uint64, n int) ([]runtime.Line, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, ok := l.lines[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, runtime.ErrNotFound)
	}
	all = all[min(int(after), len(all)):]
	return all[max(0, len(all)-n):], nil
}

// Follow implements serve.Local.
func (l *local) Follow(ctx context.Context, name string, after uint64) error {
	for {
		l.mu.Lock()
		n, more := len(l.lines[name]), l.more
		l.mu.Unlock()
		if uint64(n) > after {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// State implements serve.Local.
func (l *local) State(name string) (runtime.State, error) {
	if _, err := l.Journal(name, 0, 1); err != nil {
		return runtime.State{}, err
	}
	return runtime.State{Name: name, Load: "loaded", Active: "active", Sub: "running", Result: "success", MainPID: 7, Since: time.Unix(9, 0)}, nil
}

// site is a handler on loopback.
type site struct {
	t   *testing.T
	url string
}

func open(t *testing.T, h http.Handler) site {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return site{t, s.URL}
}

// do makes a request and returns its answer, whole.
func (s site) do(method, path, body string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" || method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(text)
}

// want makes a request and compares status and body.
func (s site) want(method, path, body string, status int, text string) *http.Response {
	s.t.Helper()
	resp, got := s.do(method, path, body)
	if resp.StatusCode != status || got != text {
		s.t.Errorf("%s %s: %d %s\nwant %d %s", method, path, resp.StatusCode, got, status, text)
	}
	return resp
}

func failed(status int, message string) string {
	return string(fleetapi.Fail(status, message).Body)
}

const sleep = `{"desiredState":"launched","options":[{"section":"Service","name":"ExecStart","value":"/bin/sleep 1"}]}`

func TestUnits(t *testing.T) {
	t.Parallel()
	h := newFakeHost()
	s := open(t, serve.Handler(serve.Options{Host: h}))
	resp := s.want("GET", "/fleet/v1/units", "", 200, "{}")
	for name, want := range map[string]string{"Server": "fleetd/v1.0.0", "Content-Type": "application/json", fleetapi.HeaderOurs: "1", fleetapi.HeaderRevision: "0"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	s.want("PUT", "/fleet/v1/units/a.service", sleep, 201, "")
	s.want("PUT", "/fleet/v1/units/a.service", sleep, 204, "")
	h.why["a.service"] = "no machine is up"
	_, text := s.do("GET", "/v1-alpha/units/a.service?details=true", "")
	if !strings.Contains(text, `"why":"no machine is up"`) {
		t.Error(text)
	}
	s.want("POST", "/fleet/v1/units/a.service/restart", "", 202, "")
	s.want("PATCH", "/fleet/v1/machines", "[]", 204, "")
	s.want("DELETE", "/fleet/v1/units/a.service", "", 204, "")
	s.want("DELETE", "/fleet/v1/units/a.service", "", 404, failed(404, "unit does not exist"))
	s.want("GET", "/", "", 405, failed(405, ""))
	s.want("GET", "/other", "", 404, failed(404, ""))
	if _, text := s.do("GET", "/fleet/v1/discovery", ""); !json.Valid([]byte(text)) {
		t.Error("the description isn't JSON")
	}
	s.want("PUT", "/fleet/v1/units/a.service", strings.Repeat("x", fleetapi.MaxBodyBytes+1), 413, failed(413, "request body too large: at most 1048576 bytes"))
	resp, _ = s.do("PUT", "/fleet/v1/units/a.service", `{"desiredState":"inactive","options":[{"section":"X-Fleet","name":"Foo","value":"ü\nx"}]}`)
	if remark := resp.Header.Get(fleetapi.HeaderRemark); resp.StatusCode/100 != 4 && !strings.Contains(remark, "Foo") {
		t.Errorf("%d, remark %q", resp.StatusCode, remark)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		answer  node.Answer
		status  int
		message string
		outcome string
	}{
		{node.Answer{Status: consensus.Refused, Reason: consensus.ReasonNoLeader}, 503, fleetapi.Unavailable, "refused"},
		{node.Answer{Status: consensus.Unknown, Reason: "gone"}, 500, "no answer from the cluster: this may or may not have been done", "unknown"},
		{node.Answer{Status: consensus.Refused, Refusal: fmt.Errorf("x: %w", state.ErrNotYet)}, 503, "some member of the cluster runs a release that has no fleet yet", ""},
		{node.Answer{Status: consensus.Done, Refusal: errors.New("new")}, 500, "new", ""},
	} {
		h := newFakeHost()
		h.fails = &tc.answer
		s := open(t, serve.Handler(serve.Options{Host: h}))
		resp := s.want("PUT", "/fleet/v1/units/a.service", sleep, tc.status, failed(tc.status, tc.message))
		if got := resp.Header.Get(api.HeaderOutcome); got != tc.outcome {
			t.Errorf("%+v: outcome %q", tc.answer, got)
		}
		s.want("GET", "/fleet/v1/units?quorum=false", "", 200, "{}")
	}
	h := newFakeHost()
	h.fails = &node.Answer{Status: consensus.Unknown, Reason: "no answer"}
	// A read has no effect: there is nothing unknown about one that failed.
	open(t, serve.Handler(serve.Options{Host: h})).want("GET", "/fleet/v1/units", "", 503, failed(503, fleetapi.Unavailable))
}

func TestWait(t *testing.T) {
	t.Parallel()
	h := newFakeHost()
	s := open(t, serve.Handler(serve.Options{Host: h}))
	s.want("PUT", "/fleet/v1/units/a.service", sleep, 201, "")
	// What is new already is answered at once, and nothing new at the latest in time.
	if resp, _ := s.do("GET", "/fleet/v1/units?wait=true&after=0&timeout=300", ""); resp.Header.Get(fleetapi.HeaderRevision) != "1" {
		t.Error(resp.Header)
	}
	if resp, _ := s.do("GET", "/fleet/v1/units?wait=true&after=1&timeout=0", ""); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	got := make(chan string, 1)
	go func() {
		resp, _ := s.do("GET", "/fleet/v1/units/a.service?wait=true&after=1&timeout=300", "")
		got <- resp.Header.Get(fleetapi.HeaderRevision)
	}()
	select {
	case r := <-got:
		t.Fatalf("answered with revision %s before anything happened", r)
	case <-time.After(20 * time.Millisecond):
	}
	s.want("PUT", "/fleet/v1/units/a.service", `{"desiredState":"loaded"}`, 204, "")
	select {
	case r := <-got:
		if r != "2" {
			t.Errorf("revision %s", r)
		}
	case <-time.After(10 * time.Second):
		t.Error("no answer after a change")
	}
}

// TestStopEndsWaiting shows that a server that stops lets go of who waits.
func TestStopEndsWaiting(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s := open(t, serve.Handler(serve.Options{Host: newFakeHost(), Stop: ctx}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.do("GET", "/fleet/v1/units?wait=true&after=1&timeout=300", "")
	}()
	stop()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("still waits")
	}
}

// onlyRoot lets through who says root.
type onlyRoot struct{ status int }

// Admin implements serve.Guard.
func (g onlyRoot) Admin(r *http.Request) *api.Response {
	if user, _, _ := r.BasicAuth(); user == "root" {
		return nil
	}
	return &api.Response{Status: g.status, Body: []byte(`{"message":"Insufficient credentials"}`)}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	h := newFakeHost()
	s := open(t, serve.Handler(serve.Options{Host: h, Guard: onlyRoot{401}}))
	const only = "only users with the role root may do this"
	s.want("GET", "/fleet/v1/units", "", 401, failed(401, only))
	s.want("PUT", "/fleet/v1/units/a.service", sleep, 401, failed(401, only))
	if h.store.Units() != 0 {
		t.Error("a stranger has made a unit")
	}
	as := site{t, strings.Replace(s.url, "http://", "http://root:x@", 1)}
	as.want("PUT", "/fleet/v1/units/a.service", sleep, 201, "")
	later := open(t, serve.Handler(serve.Options{Host: h, Guard: onlyRoot{503}}))
	later.want("GET", "/fleet/v1/units", "", 503, failed(503, "the user can't be judged now; try again"))
}

// TestPages: what comes from a page in a browser changes nothing, even if the page
// believes to be this node's.
func TestPages(t *testing.T) {
	t.Parallel()
	h := newFakeHost()
	s := open(t, serve.Handler(serve.Options{Host: h}))
	for method, status := range map[string]int{"PUT": 403, "GET": 404, "OPTIONS": 405} {
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+"/fleet/v1/units/a.service", strings.NewReader(sleep))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", s.url)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != status {
			t.Errorf("%s: %s", method, resp.Status)
		}
	}
	if h.store.Units() != 0 {
		t.Error("a page has made a unit")
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	h, m := newFakeHost(), newLocal("11")
	s := open(t, serve.Handler(serve.Options{Host: h, Local: m}))
	s.want("GET", "/fleet/v1/units/a.service/journal", "", 404, failed(404, "unit does not exist"))
	s.want("PUT", "/fleet/v1/units/a.service", sleep, 201, "")
	s.want("GET", "/fleet/v1/units/a.service/journal", "", 404, failed(404, "unit is not on any machine"))
	h.up(t, "11")
	h.place(t, "a.service", "11")
	s.want("GET", "/fleet/v1/units/a.service/journal", "", 404, failed(404, "unit is not on machine "+id("11")))
	s.want("GET", "/fleet/v1/units/a.service/journal?machine=9", "", 404, failed(404, "machine does not exist"))
	m.say("a.service", "one", "two", "three")
	resp := s.want("GET", "/fleet/v1/units/a.service/journal?lines=2", "", 200,
		`{"number":2,"time":"1970-01-01T00:00:01Z","source":"sh","text":"two"}`+"\n"+`{"number":3,"time":"1970-01-01T00:00:02Z","source":"sh","text":"three"}`+"\n")
	if resp.Header.Get(fleetapi.HeaderMachine) != id("11") || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Error(resp.Header)
	}
	s.want("GET", "/fleet/v1/units/a.service/journal?after=3", "", 200, "")
	s.want("GET", "/fleet/v1/units/a.service/status?lines=1&machine=11", "", 200,
		`{"active":"active","hash":"0000000000000000000000000000000000000000","lines":[{"number":3,"time":"1970-01-01T00:00:02Z","source":"sh","text":"three"}],`+
			`"load":"loaded","machineID":"`+id("11")+`","mainPID":7,"name":"a.service","result":"success","since":"1970-01-01T00:00:09Z","sub":"running"}`)
	// A node that is cut off can still tell what its own machine has.
	h.fails = &node.Answer{Status: consensus.Refused}
	s.want("GET", "/fleet/v1/units/a.service/journal", "", 503, failed(503, fleetapi.Unavailable))
	s.want("GET", "/fleet/v1/units/a.service/journal?lines=0&machine="+id("11"), "", 200, "")
}

// follow reads the texts of a journal that goes on.
func follow(t *testing.T, url string) (next func() string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	return func() string {
		t.Helper()
		var l struct{ Text string }
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &l) != nil {
			t.Fatalf("the journal ended: %v", lines.Err())
		}
		return l.Text
	}, func() { cancel(); resp.Body.Close() }
}

// TestJournalElsewhere asks one member for what two other nodes' machines know: a
// member's and a worker's.
func TestJournalElsewhere(t *testing.T) {
	t.Parallel()
	h, here, there, worker := newFakeHost(), newLocal("11"), newLocal("22"), newLocal("33")
	judged := 0
	atWorker := &serve.Machine{Local: worker, Judge: func(*http.Request) *api.Response { judged++; return nil }}
	a := open(t, serve.Handler(serve.Options{Host: h, Local: here}))
	b := open(t, serve.Handler(serve.Options{Host: h, Local: there}))
	c := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !atWorker.Owns(r) {
			t.Error("a request has come to a worker that isn't for it")
		}
		atWorker.ServeHTTP(w, r)
	}))
	h.up(t, "11", a.url)
	h.up(t, "22", "http://127.0.0.1:1", b.url)
	h.up(t, "33", c.url)
	h.up(t, "44", "http://127.0.0.1:1")
	h.up(t, "55")
	h.up(t, "66", a.url) // what another machine said before this one came to its address
	a.want("PUT", "/fleet/v1/units/a.service", sleep, 201, "")
	h.place(t, "a.service", "22")
	there.say("a.service", "there")
	worker.say("a.service", "at the worker")
	const line = `{"number":1,"time":"1970-01-01T00:00:00Z","source":"sh","text":"%s"}` + "\n"
	resp := a.want("GET", "/fleet/v1/units/a.service/journal", "", 200, fmt.Sprintf(line, "there"))
	if got := resp.Header.Get(fleetapi.HeaderMachine); got != id("22") {
		t.Errorf("from machine %q", got)
	}
	a.want("GET", "/fleet/v1/units/a.service/journal?machine=33", "", 200, fmt.Sprintf(line, "at the worker"))
	if judged != 1 {
		t.Errorf("the worker had credentials judged %d times", judged)
	}
	a.want("GET", "/fleet/v1/units/b.service/status?machine=33", "", 404, failed(404, "unit is not on machine "+id("33")))
	a.want("GET", "/fleet/v1/units/a.service/journal?machine=55", "", 502, failed(502, "machine "+id("55")+" can't be reached: it has told of no URL"))
	a.want("GET", "/fleet/v1/units/a.service/journal?machine=66", "", 502, failed(502, "machine "+id("66")+" isn't at this node any more; try again"))
	if resp, text := a.do("GET", "/fleet/v1/units/a.service/journal?machine=44", ""); resp.StatusCode != 502 || !strings.Contains(text, "refused") {
		t.Errorf("%s %s", resp.Status, text)
	}

	next, end := follow(t, a.url+"/fleet/v1/units/a.service/journal?follow=true")
	if got := next(); got != "there" {
		t.Errorf("first %q", got)
	}
	there.say("a.service", "more", "and more")
	if got := next() + ", " + next(); got != "more, and more" {
		t.Errorf("then %q", got)
	}
	end()
}
