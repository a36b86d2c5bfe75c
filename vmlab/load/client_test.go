package load

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"drydock/node/api"
	"drydock/scenarios/checker"
	"drydock/scenarios/checker/linear"
	"drydock/sim/history"
)

// members is a cluster of URLs, named n1, n2, ….
type members []string

func (m members) Size() int         { return len(m) }
func (m members) Name(i int) string { return fmt.Sprintf("n%d", i+1) }
func (m members) URL(i int) string  { return m[i] }

// serving is a cluster of handlers in the place of processes.
func serving(t *testing.T, handlers ...http.HandlerFunc) members {
	t.Helper()
	var c members
	for _, h := range handlers {
		if h != nil {
			s := httptest.NewServer(h)
			t.Cleanup(s.Close)
			c = append(c, s.URL)
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:0") // nobody listens
		if err != nil {
			t.Fatal(err)
		}
		c = append(c, "http://"+l.Addr().String())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// reply answers with headers, as "Name: value", and a body.
func reply(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// TestHowAnOperationEnds: what is written down must be no more than what the
// client can know.
func TestHowAnOperationEnds(t *testing.T) {
	const good = `{"action":"set","node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":6},"prevNode":{"key":"/k","value":"u"}}`
	revision, index := api.HeaderRevision+": 9", "X-Etcd-Index: 7"
	hang := func(w http.ResponseWriter, r *http.Request) {
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.Close() // the request was read, and no answer comes
		}
	}
	for _, tc := range []struct {
		name     string
		member   http.HandlerFunc
		done     bool
		fails    string // in the error
		nonsense bool
	}{
		{"an answer", reply(200, good, revision, index), true, "", false},
		{"an error of the store", reply(404, `{"errorCode":100,"cause":"/k"}`, revision, index), true, "", false},
		{"a refusal", reply(500, "no leader", api.HeaderOutcome+": refused"), false, "refused: no leader", false},
		{"an unknown outcome", reply(500, "timed out", api.HeaderOutcome+": unknown"), true, "outcome unknown", false},
		{"nobody", nil, false, "connection refused", false},
		{"a connection that is cut", hang, true, "EOF", false},
		{"no JSON", reply(200, "<html>", revision, index), true, "invalid character", true},
		{"no revision", reply(200, good, index), true, api.HeaderRevision, true},
		{"no index", reply(200, good, revision), true, "X-Etcd-Index", true},
		{"no node", reply(200, `{"action":"set"}`, revision, index), true, "without a node", true},
		{"an error that nobody asked for", reply(400, `{"errorCode":209}`, revision, index), true, "209", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := NewRecorder(time.Now(), nil)
			cl := NewClient("c1", serving(t, tc.member), rec, Options{Seed: 1})
			defer cl.http.CloseIdleConnections()
			op := &history.Op{Kind: history.Put, Key: "/k", Value: "v", Token: "c1-1"}
			done, err := cl.attempt(t.Context(), op)
			if done != tc.done || (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("done %v, %v", done, err)
			}
			if (len(rec.nonsense) > 0) != tc.nonsense {
				t.Errorf("nonsense: %v", rec.nonsense)
			}
			if tc.name == "an answer" && (op.Revision != 9 || op.Index != 7 || op.Modified != 7 || op.Created != 6 || *op.Out != "u" || op.Node != "n1") {
				t.Errorf("%+v", op)
			}
		})
	}
}

// TestARefusedOperationIsAskedElsewhere: and ends refused only if nobody does it.
func TestARefusedOperationIsAskedElsewhere(t *testing.T) {
	no := reply(500, "no leader", api.HeaderOutcome+": refused")
	yes := reply(200, `{"action":"set","node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":6}}`, api.HeaderRevision+": 9", "X-Etcd-Index: 7")
	rec := NewRecorder(time.Now(), nil)
	cl := NewClient("c1", serving(t, no, nil, yes), rec, Options{Seed: 1})
	defer cl.http.CloseIdleConnections()
	op := &history.Op{Kind: history.Put, Key: "/k", Value: "v"}
	cl.Do(t.Context(), op)
	if op.Status != history.OK || op.Node != "n3" || op.ID != 1 || op.Token != "c1-1" || op.Return < op.Call {
		t.Errorf("%+v", op)
	}
}

// store is a keyspace of files on one machine, as a cluster would serve it. It
// forgets every write that forgets says.
type store struct {
	mu       sync.Mutex
	revision int
	index    int
	files    map[string]string
	modified map[string]int
	forgets  func(write int) bool
}

func (s *store) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/v2/keys")
	status, body := 200, ""
	if r.Method == http.MethodPut {
		s.revision++
		s.index++
		was := ""
		if old, ok := s.files[key]; ok {
			was = fmt.Sprintf(`,"prevNode":{"key":%q,"value":%q}`, key, old)
		}
		if !s.forgets(s.index) {
			s.files[key], s.modified[key] = r.FormValue("value"), s.index
		}
		body = fmt.Sprintf(`{"action":"set","node":{"key":%q,"value":%q,"modifiedIndex":%d,"createdIndex":%d}%s}`, key, r.FormValue("value"), s.index, s.index, was)
	} else if value, ok := s.files[key]; ok {
		body = fmt.Sprintf(`{"action":"get","node":{"key":%q,"value":%q,"modifiedIndex":%d,"createdIndex":%d}}`, key, value, s.modified[key], s.modified[key])
	} else {
		status, body = 404, `{"errorCode":100}`
	}
	reply(status, body, fmt.Sprintf("%s: %d", api.HeaderRevision, s.revision+1), fmt.Sprintf("X-Etcd-Index: %d", s.index))(w, r)
}

// TestALyingStoreIsFoundOut shows that what is recorded is enough to accuse a
// store that loses what it acknowledged, and acquits one that doesn't.
func TestALyingStoreIsFoundOut(t *testing.T) {
	for name, tc := range map[string]struct {
		forgets func(int) bool
		want    checker.Status
	}{
		"honest":    {func(int) bool { return false }, checker.Held},
		"forgetful": {func(write int) bool { return write == 30 }, checker.Violated},
	} {
		s := &store{files: map[string]string{}, modified: map[string]int{}, forgets: tc.forgets}
		c, rec := serving(t, s.serve), NewRecorder(time.Now(), nil)
		var group sync.WaitGroup
		for i := range 3 {
			cl := NewClient(fmt.Sprintf("c%d", i+1), c, rec, Options{Seed: 7})
			group.Go(func() {
				defer cl.http.CloseIdleConnections()
				for n := range 60 {
					op := &history.Op{Kind: history.Get, Key: "/k"}
					if n%3 == 0 {
						op.Kind, op.Value = history.Put, fmt.Sprintf("%s.%d", cl.name, n)
					}
					cl.Do(t.Context(), op)
				}
			})
		}
		group.Wait()
		ops := rec.Operations()
		for i := range ops {
			if ops[i].Status != history.OK || ops[i].ID != i+1 {
				t.Fatalf("%s: %+v", name, ops[i])
			}
		}
		if v := linear.Check(ops, linear.Options{}); v.Status != tc.want {
			t.Errorf("%s: %s, %s", name, v.Status, v.Summary)
		}
	}
}

// TestHowAWatchEnds gives a watcher the answers that there are.
func TestHowAWatchEnds(t *testing.T) {
	const event = `{"action":"set","node":{"key":"/k","value":"v","modifiedIndex":8,"createdIndex":8},"prevNode":{"key":"/k","value":"u"}}` + "\n"
	index := "X-Etcd-Index: 7"
	for _, tc := range []struct {
		name           string
		member         http.HandlerFunc
		stream         bool
		why            string
		events, code   int
		headed, absurd bool
	}{
		{"a long poll", reply(200, event, index), false, history.WatchDone, 1, 0, true, false},
		{"a stream that is cut", reply(200, event+event, index), true, history.WatchCut, 2, 0, true, false},
		{"no history", reply(400, `{"errorCode":401}`, index), false, history.WatchGone, 0, 401, false, false},
		{"another error", reply(400, `{"errorCode":400}`, index), false, history.WatchRefused, 0, 400, false, false},
		{"nobody", nil, false, history.WatchCut, 0, 0, false, false},
		{"no JSON", reply(200, "<html>", index), true, history.WatchCut, 0, 0, true, true},
		{"no node", reply(200, `{"action":"set"}`, index), true, history.WatchCut, 0, 0, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := NewRecorder(time.Now(), nil)
			w := NewWatcher("w1", serving(t, tc.member), rec, Options{Seed: 1})
			defer w.http.CloseIdleConnections()
			w.path, w.stream = "/k", tc.stream
			s := w.session(t.Context(), 5, 0)
			if s.Why != tc.why || len(s.Events) != tc.events || s.Code != tc.code || (s.Headed > 0) != tc.headed {
				t.Errorf("%+v", s)
			}
			if (len(rec.nonsense) > 0) != tc.absurd {
				t.Errorf("nonsense: %v", rec.nonsense)
			}
			if tc.events > 0 && (s.Last() != 8 || *s.Events[0].Prev != "u" || s.Index != 7) {
				t.Errorf("%+v", s)
			}
		})
	}
}
