package worker

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"drydock/node/fleetapi"
	"drydock/node/fleetapi/serve"
	"drydock/node/runtime"
)

// TestFleetPassesOn has the fleet API's requests go to members: those that wait for
// as long as they wait, and failures in fleet's words.
func TestFleetPassesOn(t *testing.T) {
	slow := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(200 * time.Millisecond):
			_, _ = io.WriteString(w, "news")
		case <-r.Context().Done():
		}
	})
	p, s := serveProxy(t, slow.URL)
	p.readPatience = 20 * time.Millisecond
	for target, want := range map[string]string{
		"/fleet/v1/units?wait=true&after=1":             "news",
		"/v1-alpha/units/a.service/journal?follow=true": "news",
		"/fleet/v1/units":                               string(fleetapi.Fail(503, fleetapi.Unavailable).Body),
	} {
		if got := do(t, "GET", s.URL+target, ""); got.body != want || got.status == 503 && !strings.Contains(got.head.Get(fleetapi.HeaderReason), "no answer") {
			t.Errorf("%s: %+v", target, got)
		}
	}
	// A member without its cluster is asked last.
	sick := newFake(t, func(w http.ResponseWriter, _ *http.Request) { serve.Write(w, fleetapi.Failed(false, "no leader")) })
	p, s = serveProxy(t, sick.URL, slow.URL)
	if got := do(t, "GET", s.URL+"/fleet/v1/units", ""); got.status != 503 || p.balance.order()[0] != slow.URL {
		t.Errorf("%+v, then %s", got, p.balance.order())
	}
}

// idle is a machine without units.
type idle struct{}

func (idle) MachineID() string { return "11" }

func (idle) Journal(string, uint64, int) ([]runtime.Line, error) { return nil, runtime.ErrNotFound }

func (idle) Follow(context.Context, string, uint64) error { return runtime.ErrNotFound }

func (idle) State(string) (runtime.State, error) { return runtime.State{}, runtime.ErrNotFound }

// TestFleetAtThisMachine has a member ask a worker for what only its machine knows,
// in the name of users that the worker doesn't know.
func TestFleetAtThisMachine(t *testing.T) {
	root := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		switch user, _, _ := r.BasicAuth(); {
		case r.URL.Path != "/fleet/v1/discovery":
			t.Errorf("a member is asked for %s", r.URL)
		case user == "root":
			serve.Write(w, fleetapi.Describe())
		default:
			serve.Write(w, fleetapi.Fail(401, ""))
		}
	})
	w := &worker{balance: &balance{now: time.Now}, ask: asker{client: http.DefaultClient}}
	w.balance.set([]string{nowhere(t), root.URL})
	s := httptest.NewServer(&serve.Machine{Local: idle{}, Judge: w.judge})
	defer s.Close()
	ask := func(user, target string) string {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			r.SetBasicAuth(user, "x")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const journal = "/fleet/v1/units/a.service/journal?machine="
	for _, tc := range []struct{ user, target, want string }{
		{"root", journal + "11", "unit is not on machine 11"},
		{"", journal + "11", "only users with the role root may do this"},
		{"mallory", journal + "11", "only users with the role root may do this"},
		{"root", journal + "12", "machine 12 isn't at this node any more; try again"},
		{"root", "/fleet/v1/units", "this node answers for its own machine only"},
		{"root", "/fleet/v1/bogus", ""},
	} {
		if got := ask(tc.user, tc.target); !strings.Contains(got, `"message":"`+tc.want+`"`) {
			t.Errorf("%s asks for %s: %s", tc.user, tc.target, got)
		}
	}
	w.balance.set([]string{nowhere(t)})
	if got := ask("root", journal+"11"); !strings.Contains(got, "the user can't be judged now: ") {
		t.Errorf("no member to ask: %s", got)
	}
	http.DefaultClient.CloseIdleConnections()
}
