package legacy_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"drydock/node/api"
	"drydock/node/legacy"
)

// TestLockExcludes lets many contend for one lock, half of them with a name.
func TestLockExcludes(t *testing.T) {
	m := start(t, legacy.Options{})
	const contenders = 20
	lock := m.client + "/mod/v2/lock/deep/down"
	var held, got atomic.Int64
	var all sync.WaitGroup
	for i := range contenders {
		all.Go(func() {
			f := form("ttl", "60")
			if i%2 == 0 {
				f = form("ttl", "60", "value", fmt.Sprint("name", i))
			}
			a, err := try(t.Context(), "POST", lock, f)
			if err != nil || a.status != http.StatusOK {
				t.Errorf("contender %d: %v %+v", i, err, a)
				return
			}
			if n := held.Add(1); n != 1 {
				t.Errorf("%d hold the lock", n)
			}
			got.Add(1)
			if now := do(t, "GET", lock+"?field=index", ""); now.body != a.body {
				t.Errorf("%s was told that it holds the lock of %s", a.body, now.body)
			}
			held.Add(-1)
			if b := do(t, "DELETE", lock+"?index="+a.body, ""); b.status != http.StatusOK || b.body != "" {
				t.Errorf("release of %s: %+v", a.body, b)
			}
		})
	}
	all.Wait()
	if got.Load() != contenders {
		t.Errorf("%d got it", got.Load())
	}
	if a := do(t, "GET", lock, ""); a.status != http.StatusOK || a.body != "" {
		t.Errorf("a free lock: %+v", a)
	}
}

// queued waits until a lock's queue has n keys.
func (m *member) queued(t *testing.T, lock string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d in the queue of %s", n, lock), func() bool {
		return strings.Count(do(t, "GET", m.client+"/v2/keys/_etcd/mod/lock/"+lock, "").body, `"value"`) == n
	})
}

func TestLockWaiterThatGivesUp(t *testing.T) {
	m := start(t, legacy.Options{})
	lock := m.client + "/mod/v2/lock/l"
	do(t, "POST", lock, form("ttl", "60", "value", "one"))
	// At once, after a while, and by hanging up: its key goes with it.
	if a := do(t, "POST", lock, form("ttl", "60", "value", "two", "timeout", "0")); a.status != 500 || a.body != "failed to acquire lock\n" {
		t.Errorf("no time to wait: %+v", a)
	}
	m.queued(t, "l", 1)
	if a := do(t, "POST", lock, form("ttl", "60", "value", "two", "timeout", "1")); a.status != 500 || a.body != "failed to acquire lock\n" {
		t.Errorf("a second to wait: %+v", a)
	}
	m.queued(t, "l", 1)
	ctx, hangUp := context.WithCancel(t.Context())
	waits := make(chan error)
	go func() {
		_, err := try(ctx, "POST", lock, form("ttl", "60"))
		waits <- err
	}()
	m.queued(t, "l", 2)
	hangUp()
	if err := <-waits; err == nil {
		t.Error("answered a client that was gone")
	}
	m.queued(t, "l", 1)
	if a := do(t, "POST", lock, form("ttl", "60", "value", "one", "timeout", "0")); a.status != 200 {
		t.Errorf("its holder: %+v", a)
	}
}

// TestLockOutlivesItsTTLWhileItWaits holds a waiter longer than its ttl, and then
// lets the holder expire.
func TestLockOutlivesItsTTLWhileItWaits(t *testing.T) {
	m := start(t, legacy.Options{})
	lock := m.client + "/mod/v2/lock/l"
	do(t, "POST", lock, form("ttl", "60", "value", "one"))
	waits := make(chan answer)
	go func() {
		a, err := try(t.Context(), "POST", lock, form("ttl", "1", "value", "two"))
		if err != nil {
			t.Error(err)
		}
		waits <- a
	}()
	m.queued(t, "l", 2)
	began := time.Now()
	eventually(t, "two and a half seconds", func() bool {
		if !strings.Contains(do(t, "GET", m.client+"/v2/keys/_etcd/mod/lock/l", "").body, `"value":"two"`) {
			t.Fatal("the waiter expired")
		}
		return time.Since(began) > 2500*time.Millisecond
	})
	if a := do(t, "PUT", lock, form("ttl", "0", "value", "one")); a.status != 200 {
		t.Fatalf("renewal: %+v", a)
	}
	a := <-waits
	if a.status != 200 {
		t.Fatalf("the waiter got %+v", a)
	}
	if a := do(t, "GET", lock+"?field=index", ""); a.body == "" {
		t.Errorf("the lock is free again: %+v", a)
	}
	// Nobody keeps it alive any more.
	eventually(t, "expiry", func() bool { return do(t, "GET", lock, "").body == "" })
}

func TestLockWaiterWhoseKeyIsTakenAway(t *testing.T) {
	m := start(t, legacy.Options{})
	lock := m.client + "/mod/v2/lock/l"
	do(t, "POST", lock, form("ttl", "60", "value", "one"))
	waits := make(chan answer)
	go func() {
		a, err := try(t.Context(), "POST", lock, form("ttl", "60", "value", "two"))
		if err != nil {
			t.Error(err)
		}
		waits <- a
	}()
	m.queued(t, "l", 2)
	do(t, "DELETE", lock+"?value=two", "")
	do(t, "DELETE", lock+"?value=one", "")
	if a := <-waits; a.status != 500 || !strings.Contains(a.body, "lock lost") {
		t.Errorf("%+v", a)
	}
}

func TestLockRequests(t *testing.T) {
	m := start(t, legacy.Options{MaxWaiters: 1})
	lock := m.client + "/mod/v2/lock/l"
	first := do(t, "POST", lock+"?ttl=60&value=one", "").body
	for _, tt := range []struct {
		method, target, form string
		status               int
		body                 string
	}{
		{"GET", lock + "?field=name", "", 400, `{"errorCode":209,"message":"Invalid field","cause":"Get","index":0}`},
		{"GET", lock + "?field=index", "", 200, first},
		{"PUT", lock, form("ttl", "60", "index", first), 200, ""},
		{"PUT", lock, form("ttl", "60", "index", "0000"+first, "value", "uno"), 200, ""},
		{"GET", lock, "", 200, "uno"},
		{"PUT", lock, form("ttl", "60", "index", "999"), 500, "100: Key not found (/_etcd/mod/lock/l/999)"},
		{"PUT", lock, form("ttl", "60", "index", "x"), 500, "100: Key not found (/_etcd/mod/lock/l/x)"},
		{"PUT", lock, form("ttl", "-1", "value", "uno"), 400, `"errorCode":202`},
		{"POST", lock, form("ttl", "99999999999999999999"), 400, `"errorCode":202`},
		{"DELETE", lock + "?index=999", "", 500, "100: Key not found"},
		{"DELETE", m.client + "/mod/v2/lock/never?value=x", "", 500, "100: Key not found (/_etcd/mod/lock/never)"},
		{"DELETE", lock, form("value", "uno"), 400, `"errorCode":207`}, // the body of a DELETE is none
		{"PATCH", lock, "", 404, "404"},
		{"GET", m.client + "/mod/v2/lock/", "", 404, "404"},
		{"GET", m.client + "/mod/v2/", "", 404, "404"},
		{"POST", lock + "?ttl=%zz", "", 400, `"errorCode":210`},
		{"PUT", m.client + "/mod/v2/leader/l", form("name", "two", "ttl", "60", "timeout", "0"), 500, "failed to acquire lock"},
		{"GET", m.client + "/mod/v2/leader/l", "", 200, "uno"},
		{"PATCH", m.client + "/mod/v2/leader/l", "", 404, "404"},
		{"OPTIONS", lock, "", 200, ""},
		{"DELETE", lock + "?index=" + first, "", 200, ""},
	} {
		a := do(t, tt.method, tt.target, tt.form)
		if a.status != tt.status || !strings.Contains(a.body, tt.body) || (tt.body == "" && a.body != "") {
			t.Errorf("%s %s %s: %d %q; want %d %q", tt.method, tt.target, tt.form, a.status, a.body, tt.status, tt.body)
		}
	}
	do(t, "POST", lock, form("ttl", "60", "value", "one"))
	ctx, hangUp := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = try(ctx, "POST", lock, form("ttl", "60"))
	}()
	m.queued(t, "l", 2)
	if a := do(t, "POST", m.client+"/mod/v2/lock/other", form("ttl", "60")); a.status != 503 {
		t.Errorf("more waiters than are let in: %+v", a)
	}
	hangUp()
	<-gone
	eventually(t, "a place", func() bool { return do(t, "POST", m.client+"/mod/v2/lock/other", form("ttl", "60")).status == 200 })
}

// guard lets nobody write below a prefix, nor administrate.
type guard struct{ prefix string }

var no = &api.Response{Status: 401, Headers: []api.Header{{Name: "X-No", Value: "1"}}, Body: []byte("no")}

func (g guard) Keys(_ *http.Request, call *api.Call) *api.Response {
	if call.Kind == api.Write && strings.HasPrefix(call.Path, g.prefix) {
		return no
	}
	return nil
}

func (g guard) Admin(r *http.Request) *api.Response {
	if r.Header.Get("Authorization") == "" {
		return no
	}
	return nil
}

func TestGuardIsAsked(t *testing.T) {
	m := start(t, legacy.Options{Guard: guard{prefix: "/"}})
	for _, tt := range []struct{ method, target, form string }{
		{"POST", m.client + "/mod/v2/lock/l", form("ttl", "60")},
		{"PUT", m.client + "/mod/v2/leader/l", form("ttl", "60", "name", "x")},
		{"POST", m.client + "/v1/keys/k", form("value", "1")},
		{"DELETE", m.client + "/v1/keys/k", ""},
		{"GET", m.client + "/v2/speedTest", ""},
		{"DELETE", m.peer + "/v2/admin/machines/one", ""},
		{"PUT", m.peer + "/v2/admin/config", `{"activeSize":5}`},
	} {
		if a := do(t, tt.method, tt.target, tt.form); a.status != 401 || a.body != "no" || a.head.Get("X-No") != "1" {
			t.Errorf("%s %s: %+v", tt.method, tt.target, a)
		}
	}
}

func TestWaitersEndWhenTheMemberStops(t *testing.T) {
	stop, end := context.WithCancel(t.Context())
	m := start(t, legacy.Options{Stop: stop})
	lock := m.client + "/mod/v2/lock/l"
	do(t, "POST", lock, form("ttl", "60", "value", "one"))
	answers := make(chan answer, 2)
	for _, ask := range [][3]string{{"POST", lock, form("ttl", "60")}, {"GET", m.client + "/v1/watch/k", ""}} {
		go func() {
			a, err := try(t.Context(), ask[0], ask[1], ask[2])
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
	}
	m.queued(t, "l", 2)
	eventually(t, "both to watch", func() bool {
		return strings.Contains(do(t, "GET", m.client+"/v2/stats/store", "").body, `"watchers":2`)
	})
	end()
	for range 2 {
		if a := <-answers; a.status != http.StatusServiceUnavailable {
			t.Errorf("%+v", a)
		}
	}
	m.queued(t, "l", 1)
}
