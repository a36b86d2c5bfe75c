package discovery

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/checkpoint"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type noPeers struct{}

func (noPeers) Send(world.MemberID, []byte) {}

// keyspace serves /v2/keys of a cluster of one.
func keyspace(t *testing.T) http.Handler {
	t.Helper()
	disk, err := host.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{
		Cluster: 1, ID: 7, Name: "one", SegmentBytes: 1 << 20,
		Heartbeat: 20 * time.Millisecond, Election: 100 * time.Millisecond,
	}
	if err := node.Found(disk, cfg, checkpoint.Store{}, []state.Member{{ID: 7, Name: "one"}}); err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(disk, host.Options{Config: cfg, Store: checkpoint.Store{}, Peers: noPeers{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serveKeys(h, w, r) })
}

func serveKeys(h *host.Host, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	call, at := api.Decode(&api.Request{
		Method: r.Method, Target: r.URL.RequestURI(), ContentType: r.Header.Get("Content-Type"), Body: body,
	})
	switch {
	case at != nil:
		send(w, *at)
	case call.Kind != api.Watch:
		a := h.Do(r.Context(), &call)
		send(w, a.Response(&call))
	default:
		watch, err := h.Watch(r.Context(), &call)
		if err != nil {
			return
		}
		defer watch.Close()
		for {
			n, err := watch.Next(r.Context())
			if err != nil {
				return
			}
			if n.Err != nil {
				send(w, api.Encode(&call, nil, n.Err, n.Meta, n.Now))
				return
			}
			if n.Head {
				send(w, api.EncodeWatchHead(&call, n.Meta))
			}
			if n.Event != nil {
				_, _ = w.Write(api.EncodeWatchEvent(n.Event))
			}
			w.(http.Flusher).Flush()
			if n.Last {
				return
			}
		}
	}
}

func send(w http.ResponseWriter, resp api.Response) {
	for _, h := range resp.Headers {
		w.Header().Set(h.Name, h.Value)
	}
	w.WriteHeader(resp.Status)
	_, _ = w.Write(resp.Body)
}

// service is a member that serves discovery and its keyspace.
func service(t *testing.T) *httptest.Server {
	t.Helper()
	keys := keyspace(t)
	found := Handler(keys)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Owns(r.URL.Path) {
			found.ServeHTTP(w, r)
			return
		}
		keys.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// do sends a request and returns status and body.
func do(t *testing.T, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// options are those of the nth member.
func options(url string, n int) Options {
	return Options{
		URL: url, ID: uint64(0xa0 + n), Name: fmt.Sprintf("n%d", n),
		PeerURLs: []string{fmt.Sprintf("http://10.0.0.%d:7001", n)},
	}
}
