package kv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"drydock/bench/load"
)

func newJob(conns int) job {
	return job{host: "127.0.0.1:1", conns: conns, keys: 10, value: newValue(64), seed: 3, dir: keyDir + "round-1", begun: 40}
}

// request reads what a work wants to send, as a server would.
func request(t *testing.T, w load.Work, conn int, now time.Duration) (method, target, value string) {
	t.Helper()
	b := w.Append(nil, conn, now)
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != max(0, r.ContentLength) || r.Host != "127.0.0.1:1" {
		t.Fatalf("%q: host %q, %d bytes, %v", b, r.Host, len(body), err)
	}
	return r.Method, r.RequestURI, strings.TrimPrefix(string(body), "value=")
}

// answer is what a server sends for an action.
func answer(action string, index int64, value string) *load.Answer {
	return &load.Answer{Status: 200, Body: fmt.Appendf(nil,
		`{"action":%q,"node":{"key":"/bench/x","value":%q,"modifiedIndex":%d,"createdIndex":1},"prevNode":{"value":"old","modifiedIndex":2}}`,
		action, value, index)}
}

func TestWorkloads(t *testing.T) {
	value := string(newValue(64))
	tests := []struct{ name, method, target, action string }{
		{"put", "PUT", "/v2/keys/bench/k", "set"},
		{"get", "GET", "/v2/keys/bench/k", "get"},
		{"linear-get", "GET", "?quorum=true", "get"},
		{"append", "POST", "/v2/keys/bench/round-1/queue", "create"},
	}
	for _, tt := range tests {
		w, err := workload(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		work := w.make(newJob(2))
		for conn := range 2 {
			method, target, sent := request(t, work, conn, 0)
			if method != tt.method || !strings.Contains(target, tt.target) || method != "GET" && sent != value {
				t.Errorf("%s: %s %s %q", tt.name, method, target, sent)
			}
			if v, err := work.Judge(conn, answer(tt.action, 50, value)); err != nil || v != (load.Verdict{}) {
				t.Errorf("%s: %+v, %v", tt.name, v, err)
			}
			for what, a := range map[string]*load.Answer{
				"another action": answer("delete", 50, value),
				"a short body":   {Status: 200, Body: []byte(`{"action":"` + tt.action + `"}`)},
				"a status":       {Status: 500, Body: answer(tt.action, 50, value).Body},
			} {
				if _, err := work.Judge(conn, a); !errors.Is(err, errAnswer) {
					t.Errorf("%s: %s passes: %v", tt.name, what, err)
				}
			}
		}
	}
	if _, err := workload("steal"); err == nil {
		t.Error("an unknown workload was found")
	}
}

func TestMixedIsNineToOne(t *testing.T) {
	w, err := workload("mixed")
	if err != nil {
		t.Fatal(err)
	}
	work, writes := w.make(newJob(1)), 0
	const requests = 5000
	for range requests {
		method, _, _ := request(t, work, 0, 0)
		action := "get"
		if method == "PUT" {
			action = "set"
			writes++
		}
		if _, err := work.Judge(0, answer(action, 50, string(newValue(64)))); err != nil {
			t.Fatal(err)
		}
	}
	if writes < requests/12 || writes > requests/8 {
		t.Errorf("%d writes of %d", writes, requests)
	}
}

func TestSwapsFollowTheIndex(t *testing.T) {
	w := &swaps{job: newJob(2), index: make([]int64, 2)}
	value := string(newValue(64))
	if _, target, _ := request(t, w, 1, 0); strings.Contains(target, "prevIndex") {
		t.Errorf("the first write compares: %s", target)
	}
	if v, err := w.Judge(1, answer("set", 77, value)); err != nil || !v.Silent {
		t.Errorf("the first write counts: %+v, %v", v, err)
	}
	if _, target, _ := request(t, w, 1, 0); !strings.HasSuffix(target, "/c1?prevIndex=77") {
		t.Errorf("target %s", target)
	}
	if v, err := w.Judge(1, answer("compareAndSwap", 80, value)); err != nil || v.Silent || w.index[1] != 80 {
		t.Errorf("%+v, index %d, %v", v, w.index[1], err)
	}
	if _, err := w.Judge(1, answer("set", 81, value)); !errors.Is(err, errAnswer) {
		t.Errorf("a plain write passes for a swap: %v", err)
	}
}

func TestFanWritesWhenAllHaveHeard(t *testing.T) {
	w := newFan(newJob(3))
	_, _, value := request(t, w, 0, 1234567*time.Nanosecond)
	if b := w.Append(nil, 0, 0); len(b) > 0 {
		t.Errorf("a second write before anybody has heard the first: %q", b)
	}
	for conn := 1; conn <= 2; conn++ {
		if _, target, _ := request(t, w, conn, 0); !strings.HasSuffix(target, "/watched?wait=true&waitIndex=41") {
			t.Errorf("watcher %d: %s", conn, target)
		}
		v, err := w.Judge(conn, answer("set", 55, value))
		if want := (load.Verdict{Since: 1234567, Wake: conn == 2}); err != nil || v != want {
			t.Errorf("watcher %d: %+v, %v; want %+v", conn, v, err, want)
		}
		if _, target, _ := request(t, w, conn, 0); !strings.HasSuffix(target, "waitIndex=56") {
			t.Errorf("watcher %d goes on at %s", conn, target)
		}
	}
	if v, err := w.Judge(0, answer("set", 55, value)); err != nil || !v.Silent {
		t.Errorf("the write counts as an event: %+v, %v", v, err)
	}
	if b := w.Append(nil, 0, 0); len(b) == 0 {
		t.Error("no second write though all have heard the first")
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(answer("set", 55, string(newValue(64))).Body)
	f.Add([]byte(`"modifiedIndex":99999999999999999999999999`))
	f.Add([]byte(`"value":"12`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if n, err := modified(body); err == nil && n <= 0 || err != nil && !errors.Is(err, errAnswer) {
			t.Errorf("index %d, %v", n, err)
		}
		if d, err := stamp(body); err == nil && d <= 0 || err != nil && !errors.Is(err, errAnswer) {
			t.Errorf("time %d, %v", d, err)
		}
	})
}
