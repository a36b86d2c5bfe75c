package legacy

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"drydock/node/api"
	"drydock/node/host"
)

// Guard decides who may do what. Both methods return nil if the request is
// allowed, or else the answer to it.
type Guard interface {
	// Keys judges a call on the keyspace.
	Keys(r *http.Request, call *api.Call) *api.Response
	// Admin judges a request that only an administrator may make.
	Admin(r *http.Request) *api.Response
}

// Options are what the handlers need beside the host.
type Options struct {
	// Guard, if not nil, is asked before anything is done for a client.
	Guard Guard
	// Next serves /v2/stats/ for /v1/stats/. Without it there is none.
	Next http.Handler
	// Stop, if not nil, ends the requests that wait for a lock or an event when it
	// is over; they are answered 503.
	Stop context.Context
	// MaxWaiters bounds the requests that wait for a lock (default 10000).
	MaxWaiters int

	_ struct{}
}

const defaultMaxWaiters = 10000

// ClientPaths lists where Client belongs: below a path that ends in a slash, at
// exactly the others.
func ClientPaths() []string {
	return []string{"/v1/", "/mod/v2/", "/v2/leader", "/v2/peers", "/v2/speedTest"}
}

// PeerPaths is the same for Peer.
func PeerPaths() []string {
	return []string{"/v2/admin/", "/name", "/etcdURL", "/version", "/version/"}
}

// server answers clients.
type server struct {
	h       *host.Host
	guard   Guard
	next    http.Handler
	waiters atomic.Int64 // requests that wait for a lock
	most    int64
	testing atomic.Bool // a speed test runs
}

// Client serves the client port's part of the paths in ClientPaths.
func Client(h *host.Host, o Options) http.Handler {
	s := &server{h: h, guard: o.Guard, next: o.Next, most: int64(o.MaxWaiters)}
	if s.most == 0 {
		s.most = defaultMaxWaiters
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "OPTIONS" {
			return
		}
		if o.Stop != nil {
			ctx, end := context.WithCancel(r.Context())
			defer end()
			defer context.AfterFunc(o.Stop, end)()
			r = r.WithContext(ctx)
		}
		s.route(w, r)
	})
}

func (s *server) route(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	get := r.Method == "GET" || r.Method == "HEAD"
	switch path {
	case "/v2/leader", "/v1/leader":
		only(get, s.leader)(w, r)
		return
	case "/v2/peers", "/v1/machines", "/v1/peers":
		only(get, s.machines)(w, r)
		return
	case "/v2/speedTest":
		only(get, s.speedTest)(w, r)
		return
	}
	prefix, key := split(path, "/v1/keys/", "/v1/watch/", "/v1/stats/", "/mod/v2/lock/", "/mod/v2/leader/")
	switch {
	case prefix == "/v1/keys/":
		s.v1Keys(w, r, "/"+key)
	case prefix == "/v1/watch/":
		only(get || r.Method == "POST", func(w http.ResponseWriter, r *http.Request) { s.v1Watch(w, r, "/"+key) })(w, r)
	case prefix == "/v1/stats/":
		s.v1Stats(w, r, key)
	case prefix == "/mod/v2/lock/" && key != "":
		s.lock(w, r, key)
	case prefix == "/mod/v2/leader/" && key != "":
		s.leaderModule(w, r, key)
	default:
		http.NotFound(w, r)
	}
}

// split finds which prefix a path has and returns it with the rest, without the
// slash at its end.
func split(path string, prefixes ...string) (prefix, rest string) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(path, p); ok {
			return p, strings.TrimSuffix(rest, "/")
		}
	}
	return "", ""
}

// only is the handler if the method is right. Servers of the time didn't know the
// path otherwise.
func only(right bool, h http.HandlerFunc) http.HandlerFunc {
	if right {
		return h
	}
	return http.NotFound
}
