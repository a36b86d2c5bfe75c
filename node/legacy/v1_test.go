package legacy_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"drydock/node/legacy"
)

// step is a request and what is wanted of the answer; want is a pattern that all
// of the body must fit.
type step struct {
	method, path, form string
	status             int
	want               string
}

func (m *member) play(t *testing.T, base string, steps []step) {
	t.Helper()
	for _, s := range steps {
		a := do(t, s.method, base+s.path, s.form)
		if a.status != s.status || !regexp.MustCompile(`(?s)^`+s.want+`$`).MatchString(a.body) {
			t.Errorf("%s %s %s: %d %q; want %d %s", s.method, s.path, s.form, a.status, a.body, s.status, s.want)
		}
	}
}

func TestV1(t *testing.T) {
	m := start(t, legacy.Options{})
	m.play(t, m.client+"/v1", []step{
		{"PUT", "/keys/d/a", form("value", "1", "ttl", "100"), 200, `\{"action":"set","key":"/d/a","value":"1","newKey":true,"expiration":"[^"]*Z","ttl":100,"index":1\}`},
		{"POST", "/keys/d/a", form("value", "2"), 200, `\{"action":"set","key":"/d/a","prevValue":"1","value":"2","index":2\}`},
		{"POST", "/keys/d/b", form("value", "3", "prevValue", ""), 200, `\{"action":"testAndSet","key":"/d/b","value":"3","index":3\}`},
		{"POST", "/keys/d/b", form("value", "3", "prevValue", ""), 412, `\{"errorCode":105,"message":"Key already exists","cause":"/d/b","index":3\}` + "\n"},
		{"POST", "/keys/d/b", form("value", "4", "prevValue", "3"), 200, `\{"action":"testAndSet","key":"/d/b","prevValue":"3","value":"4","index":4\}`},
		{"GET", "/keys/d/a", "", 200, `\{"action":"get","key":"/d/a","value":"2","index":4\}`}, // where the store stands
		{"GET", "/keys/d", "", 200, `\[\{"action":"get","key":"/d/a","value":"2","index":2\},\{"action":"get","key":"/d/b","value":"4","index":4\}\]`},
		{"GET", "/keys/", "", 200, `\[\{"action":"get","key":"/d","dir":true,"index":1\}\]`},
		{"HEAD", "/keys/d", "", 200, ``},
		{"DELETE", "/keys/d/b", "", 200, `\{"action":"delete","key":"/d/b","prevValue":"4","index":5\}`},
		{"DELETE", "/keys/d", "", 403, `.*"errorCode":102.*`},
		{"POST", "/keys/d/a", form("value", ""), 400, `\{"errorCode":200,"message":"Value is Required in POST form","cause":"Set","index":5\}` + "\n"},
		{"POST", "/keys/d/a", form("value", "1", "ttl", "x"), 400, `\{"errorCode":202,.*"cause":"Set","index":5\}` + "\n"},
		{"POST", "/keys/d/a", "value=%zz", 400, `.*"errorCode":210.*`},
		{"POST", "/keys/d", form("value", "1"), 403, `.*"errorCode":102.*`},
		{"PATCH", "/keys/d", "", 404, `404 page not found\n`},
		{"GET", "/keys/d/none", "", 404, `\{"errorCode":100,"message":"Key not found","cause":"/d/none","index":5\}` + "\n"},
		{"GET", "/keys/none", "", 404, `404 page not found\n`},
		{"GET", "/keys/none/deep", "", 404, `404 page not found\n`},
		{"DELETE", "/keys/none", "", 404, `\{"errorCode":100,.*`},
		{"POST", "/watch/d/a", form("index", "2"), 200, `\{"action":"set","key":"/d/a","prevValue":"1","value":"2","index":2\}`},
		{"POST", "/watch/d/b", form("index", "5"), 200, `\{"action":"delete","key":"/d/b","prevValue":"4","index":5\}`},
		{"POST", "/watch/d/a", form("index", "x"), 400, `.*"errorCode":203.*"cause":"Watch From Index".*`},
		{"DELETE", "/watch/d/a", "", 404, `404 page not found\n`},
		{"GET", "/stats/store", "", 200, `\{"getsSuccess".*`},
		{"GET", "/stats/self", "", 200, `\{.*"name":"one".*`},
		{"GET", "/stats/none", "", 404, `404 page not found\n`},
		{"GET", "/machines", "", 200, `http://10\.0\.0\.1:4001`},
		{"GET", "/peers", "", 200, `http://10\.0\.0\.1:4001`},
		{"GET", "/leader", "", 200, `http://10\.0\.0\.1:7001`},
		{"POST", "/leader", "", 404, `404 page not found\n`},
		{"GET", "/none", "", 404, `404 page not found\n`},
	})
	if a := do(t, "GET", m.client+"/v1/keys/d/none", ""); a.head.Get("X-Etcd-Index") != "5" || a.head.Get("Content-Type") != "application/json" {
		t.Errorf("headers of an error: %v", a.head)
	}
}

func TestV1WatchWaits(t *testing.T) {
	m := start(t, legacy.Options{})
	seen := make(chan answer)
	go func() {
		a, err := try(t.Context(), "GET", m.client+"/v1/watch/k", "")
		if err != nil {
			t.Error(err)
		}
		seen <- a
	}()
	eventually(t, "a watch", func() bool {
		return strings.Contains(do(t, "GET", m.client+"/v2/stats/store", "").body, `"watchers":1`)
	})
	do(t, "PUT", m.client+"/v2/keys/k/below?value=1", "") // not the key itself
	do(t, "DELETE", m.client+"/v2/keys/k?recursive=true", "")
	if a := <-seen; a.status != 200 || a.body != `[]` {
		t.Errorf("%+v", a)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	var gone sync.WaitGroup
	gone.Go(func() { _, _ = try(ctx, "GET", m.client+"/v1/watch/k", "") })
	hangUp()
	gone.Wait()
	eventually(t, "no watch", func() bool {
		return strings.Contains(do(t, "GET", m.client+"/v2/stats/store", "").body, `"watchers":0`)
	})
}

func TestSpeedTestOneAtATime(t *testing.T) {
	m := start(t, legacy.Options{})
	ctx, hangUp := context.WithCancel(t.Context())
	var gone sync.WaitGroup
	gone.Go(func() { _, _ = try(ctx, "GET", m.client+"/v2/speedTest", "") })
	eventually(t, "its first write", func() bool { return do(t, "GET", m.client+"/v2/keys/foo", "").status == 200 })
	if a := do(t, "GET", m.client+"/v2/speedTest", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("a second one: %+v", a)
	}
	hangUp()
	gone.Wait()
	// It ends with its client, and then another may begin.
	eventually(t, "another test", func() bool { return do(t, "GET", m.client+"/v2/speedTest", "").status == 200 })
}

func TestPeerPort(t *testing.T) {
	m := start(t, legacy.Options{})
	one := `\{"name":"one","state":"leader","clientURL":"http://10\.0\.0\.1:4001","peerURL":"http://10\.0\.0\.1:7001"\}`
	m.play(t, m.peer, []step{
		{"GET", "/v2/admin/machines", "", 200, `\[` + one + `\]` + "\n"},
		{"GET", "/v2/admin/machines/", "", 200, `\[` + one + `\]` + "\n"},
		{"GET", "/v2/admin/machines/one", "", 200, one + "\n"},
		{"GET", "/v2/admin/machines/two", "", 200, "null\n"},
		{"DELETE", "/v2/admin/machines/two", "", 404, `no member is called two.*`},
		{"DELETE", "/v2/admin/machines/one", "", 500, `.*no voter would be left.*`},
		{"GET", "/v2/admin/config", "", 200, `\{"activeSize":9,"removeDelay":1800,"syncInterval":5\}` + "\n"},
		{"PUT", "/v2/admin/config", `{"activeSize":1,"removeDelay":0.5,"other":1}`, 200, `\{"activeSize":3,"removeDelay":2,"syncInterval":5\}` + "\n"},
		{"PUT", "/v2/admin/config", `{"syncInterval":7}`, 200, `\{"activeSize":3,"removeDelay":2,"syncInterval":7\}` + "\n"},
		{"PUT", "/v2/admin/config", `{"activeSize":"five"}`, 400, "activeSize: want a number, not string\n"},
		{"PUT", "/v2/admin/config", `activeSize=5`, 400, "want a JSON object.*"},
		{"GET", "/v2/admin/config", "", 200, `\{"activeSize":3,"removeDelay":2,"syncInterval":7\}` + "\n"},
		{"GET", "/name", "", 200, `one`},
		{"GET", "/etcdURL", "", 200, `http://10\.0\.0\.1:4001`},
		{"GET", "/version", "", 200, `2`},
		{"GET", "/version/2/check", "", 200, ``},
		{"GET", "/version/1/check", "", 403, ``},
	})
	m.play(t, m.client, []step{{"GET", "/v2/keys/_etcd/config", "", 200, `.*\{\\"activeSize\\":3,\\"removeDelay\\":2,\\"syncInterval\\":7\}.*`}})
}
