package dashboard

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"drydock/node/api"
)

// event is a server-sent event.
type event struct{ name, id, data string }

// subscribe opens a stream; next waits for an event of it. An empty event is the
// end.
func (s *site) subscribe(target string, headers ...string) (resp *http.Response, next func() event) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 15*time.Second)
	s.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+Base+target, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err = s.Client().Transport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return resp, func() (e event) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data += value + "\n"
			case "":
				if e.name != "" {
					return e
				}
			}
		}
		return event{}
	}
}

func TestOverviewIsKeptCurrent(t *testing.T) {
	s := newSite(t, Options{})
	resp, next := s.subscribe("live")
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatal(got)
	}
	if e := next(); e.name != "live" || !strings.Contains(e.data, "<dt>etcd index</dt><dd>0</dd>") {
		t.Fatalf("%+v", e)
	}
	s.set("/a", "1")
	for {
		e := next()
		if e.name != "live" {
			t.Fatalf("%+v", e)
		}
		if strings.Contains(e.data, "<dt>etcd index</dt><dd>1</dd>") {
			break
		}
	}
	if err := s.h.Stop(); err != nil {
		t.Fatal(err)
	}
	for {
		e := next()
		if strings.Contains(e.data, "m1 has stopped") {
			break
		}
		if e.name == "" {
			t.Fatal("the stream ended before it said that the member has stopped")
		}
	}
	if e := next(); e.name != "" {
		t.Errorf("after the end: %+v", e)
	}
	s.ask("GET", Base, nil).has(t, "m1 has stopped: host: stopped.", "<dd>1</dd>")
	if a := s.ask("GET", Base+"keys/a", nil); a.Status != 503 {
		t.Errorf("a stopped member showed a key: %d", a.Status)
	}
}

func TestChangesAreTold(t *testing.T) {
	s := newSite(t, Options{})
	first := s.set("/d/a", "<i>one</i>")
	_, next := s.subscribe("changes/d?since=1")
	if e := next(); e.name != "begin" {
		t.Fatalf("%+v", e)
	}
	e := next()
	if e.name != "change" || e.id != fmt.Sprint(first) || !strings.Contains(e.data, "&lt;i&gt;one&lt;/i&gt;") {
		t.Fatalf("%+v", e)
	}
	s.set("/elsewhere", "x")
	s.set("/d/deep/b", "two")
	if e := next(); e.name != "change" || !strings.Contains(e.data, `href="/mod/dashboard/keys/d/deep/b"`) {
		t.Fatalf("%+v", e)
	}
	s.write("DELETE", "/d", url.Values{"recursive": {"true"}})
	if e := next(); !strings.Contains(e.data, `class="delete gone"`) {
		t.Fatalf("%+v", e)
	}
	s.set("/d/after", "three")
	if e := next(); !strings.Contains(e.data, "/d/after") {
		t.Fatalf("told again: %+v", e)
	}
	// Whoever comes back gets what it missed, and no more.
	_, again := s.subscribe("changes/d?since=1", "Last-Event-ID", fmt.Sprint(first))
	if e := again(); e.name != "begin" {
		t.Fatalf("%+v", e)
	}
	if e := again(); !strings.Contains(e.data, "/d/deep/b") {
		t.Fatalf("%+v", e)
	}
	// A page about a key hears of what it shows.
	_, brief := s.subscribe("changes/d?since=1&brief=1")
	for _, want := range []event{{"begin", "", "\n"}, {"change", fmt.Sprint(first), "\n"}, {"change", "4", "\n"}} {
		if e := brief(); e != want {
			t.Fatalf("%+v, want %+v", e, want)
		}
	}
}

func TestChangesLongAgo(t *testing.T) {
	s := newSite(t, Options{})
	var writers sync.WaitGroup
	for w := range 20 {
		writers.Go(func() {
			for i := range 60 {
				s.set(fmt.Sprintf("/k/%d/%d", w, i), "v")
			}
		})
	}
	writers.Wait()
	_, next := s.subscribe("changes/k?since=1")
	if e := next(); e.name != "over" || !strings.Contains(e.data, "Reload the page") {
		t.Fatalf("%+v", e)
	}
	a := s.ask("GET", Base+"watch/k", nil)
	a.has(t, "all since index 1101,", "since=1201", ">1200</span>")
	if n := strings.Count(a.Body, "class=\"index\""); n != maxRecent {
		t.Errorf("%d changes are listed", n)
	}
	s.ask("GET", Base+"watch/k/3/59", nil).has(t, "/k/3/59", "all since index 250,")
}

func TestStreamsAreBounded(t *testing.T) {
	s := newSite(t, Options{Streams: 2})
	first, next := s.subscribe("live")
	_, other := s.subscribe("changes/")
	next()
	other()
	if a := s.ask("GET", Base+"live", nil); a.Status != 503 || a.Header.Get("Retry-After") == "" {
		t.Fatalf("%+v", a)
	}
	first.Body.Close()
	eventually(t, "a free place", func() bool {
		resp, _ := s.subscribe("live")
		return resp.StatusCode == 200
	})
}

func TestStopEndsStreams(t *testing.T) {
	stop, end := context.WithCancel(t.Context())
	s := newSite(t, Options{Stop: stop})
	_, live := s.subscribe("live")
	_, changes := s.subscribe("changes/")
	if live().name != "live" || changes().name != "begin" {
		t.Fatal("the streams did not begin")
	}
	end()
	for _, next := range []func() event{live, changes} {
		for e := next(); e.name != ""; e = next() {
			if e.name != "live" {
				t.Errorf("%+v", e)
			}
		}
	}
	if a := s.ask("GET", Base+"live", nil); a.Status != 200 && a.Status != 503 {
		t.Errorf("%+v", a)
	}
	s.ask("GET", Base, nil).has(t, "as the only voter")
}

// guard lets nobody write or see below /secret without the password.
type guard struct{}

func (guard) Keys(r *http.Request, call *api.Call) *api.Response {
	if _, password, _ := r.BasicAuth(); password == "open" || (call.Kind != api.Write && !strings.HasPrefix(call.Path, "/secret") &&
		!strings.Contains(call.Path, "/_secret")) {
		return nil
	}
	return &api.Response{Status: 401, Body: []byte(`{"errorCode":110,"message":"no","cause":"Insufficient credentials","index":0}`)}
}

func (guard) Admin(r *http.Request) *api.Response {
	switch _, password, _ := r.BasicAuth(); password {
	case "open":
		return nil
	case "later":
		return &api.Response{Status: 503}
	}
	return &api.Response{Status: 401}
}

func TestGuard(t *testing.T) {
	s := newSite(t, Options{Guard: guard{}})
	s.set("/secret/k", "hush")
	s.set("/open", "all")
	s.set("/_secret", "hush")
	s.set("/_open", "all")
	login := []string{"Authorization", "Basic Ym9iOm9wZW4="} // bob:open
	for _, tc := range []struct {
		method, target string
		form           url.Values
		headers        []string
		status         int
	}{
		{"GET", "keys/open", nil, nil, 200},
		{"GET", "keys/secret/k", nil, nil, 401},
		{"GET", "keys/secret", nil, nil, 401},
		{"GET", "keys/secret/k", nil, login, 200},
		{"GET", "watch/secret/k", nil, nil, 401},
		{"GET", "watch/secret/k", nil, login, 200},
		{"GET", "changes/secret/k", nil, nil, 401},
		{"POST", "keys/open", url.Values{"op": {"save"}, "index": {"2"}, "value": {"mine"}}, nil, 401},
		{"POST", "keys/open", url.Values{"op": {"save"}, "index": {"2"}, "value": {"mine"}}, login, 303},
		{"POST", "keys/secret/k", url.Values{"op": {"delete"}, "index": {"1"}}, nil, 401},
	} {
		a := s.ask(tc.method, Base+tc.target, tc.form, tc.headers...)
		if asks := a.Header.Get("WWW-Authenticate") != ""; a.Status != tc.status || asks != (tc.status == 401) {
			t.Errorf("%s %s: %d, asks for a login: %v", tc.method, tc.target, a.Status, asks)
		}
		if strings.Contains(a.Body, "hush") != (tc.status == 200 && strings.Contains(tc.target, "secret")) {
			t.Errorf("%s %s: %s", tc.method, tc.target, a.Body)
		}
	}
	s.ask("POST", Base+"keys/open", url.Values{"op": {"save"}, "index": {"5"}, "value": {"typed"}}).has(t, ">\ntyped</textarea>", "needs a login")
	hidden := s.ask("GET", Base+"keys/?hidden=1", nil)
	hidden.has(t, ">_open</a>")
	if strings.Contains(hidden.Body, "_secret") {
		t.Error("a hidden name is shown to who may not see it")
	}
}

func TestWithoutMajority(t *testing.T) {
	m, hosts := cluster(t, 3)
	lead := leader(t, hosts)
	s := serve(t, hosts[lead], Options{Links: linksOf{m, hosts[lead].ID()}})
	index := s.set("/k", "one")
	eventually(t, "all is well", func() bool {
		return strings.Contains(s.ask("GET", Base, nil).Body, "hears all 3 voters")
	})
	for i, h := range hosts {
		if i != lead {
			m.isolate(h.ID(), true)
		}
	}
	a := s.ask("POST", Base+"keys/k", url.Values{"op": {"save"}, "index": {fmt.Sprint(index)}, "value": {"two"}})
	if a.Status != 503 && a.Status != 504 {
		t.Errorf("a write without a majority: %d", a.Status)
	}
	a.has(t, ">\ntwo</textarea>", "\none</pre>")
	if a.Status == 504 {
		a.has(t, "It is not known whether this was done")
	}
	eventually(t, "no leader", func() bool {
		return strings.Contains(s.ask("GET", Base, nil).Body, "A leader needs the votes of 2 of the 3 voters")
	})
	s.ask("GET", Base, nil).has(t, "connection refused", ">down</text>")
	for _, h := range hosts {
		m.isolate(h.ID(), false)
	}
	eventually(t, "all is well again", func() bool {
		return strings.Contains(s.ask("GET", Base, nil).Body, "pill\">healthy")
	})
}
