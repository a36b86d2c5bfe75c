package daemon

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"drydock/node/api"
	"drydock/node/authcheck"
	"drydock/node/dashboard"
	"drydock/node/discovery"
	"drydock/node/fleetapi"
	"drydock/node/fleetapi/serve"
	"drydock/node/front"
	"drydock/node/legacy"
	"drydock/node/transport"
	"drydock/node/worker"
)

// newFront makes the face to clients: the API, the discovery service, the
// dashboard and what 2014 had beside them.
func (m *member) newFront() *front.Front {
	links := links{m.peers}
	m.guard = authcheck.New(m.host.Book, authcheck.Options{Cluster: m.identity.Cluster, Cost: int(m.cfg.BcryptCost), CertUsers: m.cfg.ClientTLS.ClientCertAuth})
	units := serve.Handler(m.fleetOptions(m.guard))
	board := dashboard.Handler(m.host, dashboard.Options{
		ClusterID: m.identity.Cluster, ClusterName: m.cfg.InitialClusterToken, Version: m.cfg.Version,
		Links: boardLinks{links}, Guard: m.guard, Journals: units, Stop: m.ending, Log: m.log,
	})
	var f *front.Front
	// Some of what is mounted goes through the face itself.
	self := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.ServeHTTP(w, r) })
	finder := discovery.Handler(self)
	users := authcheck.Handler(m.host, m.guard)
	old := legacy.Client(m.host, legacy.Options{Guard: m.guard, Next: self, Stop: m.ending})
	root := &rootFace{board: board, finder: finder}
	mounts := []front.Mount{
		{Name: "dashboard", Path: dashboard.Base, Handler: board},
		{Name: "dashboard", Path: strings.TrimSuffix(dashboard.Base, "/"), Handler: board},
		{Name: "discovery", Path: "/new", Handler: finder},
		{Name: "discovery", Path: discovery.Prefix, Handler: finder},
		{Name: "join", Path: worker.PathJoin, Handler: worker.JoinHandler(m.host, m.identity.Cluster, m.cfg.JoinToken)},
		{Name: "auth", Path: "/v2/auth", Handler: users},
		{Name: "auth", Path: "/v2/auth/", Handler: users},
		{Name: "root", Path: "/", Handler: root},
	}
	for _, prefix := range []string{fleetapi.Prefix, fleetapi.Alpha} {
		for _, path := range []string{prefix, prefix + "/"} {
			mounts = append(mounts, front.Mount{Name: "fleet", Path: path, Handler: units, Private: true})
		}
	}
	for _, path := range legacy.ClientPaths() {
		mounts = append(mounts, front.Mount{Name: "legacy", Path: path, Handler: old})
	}
	counters := prometheus.NewRegistry()
	counters.MustRegister(m.guard)
	f = front.New(front.Options{
		Host: m.host, Cluster: m.identity.Cluster, Version: m.cfg.Version, Registry: counters,
		Guard: m.guard, Links: links, Mounts: mounts, CORS: m.cfg.CORS, OnlyNetHTTP: !m.cfg.DirectHTTP, Pprof: m.cfg.Pprof, Log: m.log,
		Limits: front.Limits{FormBytes: int64(m.cfg.MaxRequestBytes), Connections: int(m.cfg.MaxConnections)},
	})
	return f
}

// rootFace answers what no other path does: tokens of the discovery service, and
// browsers that ask for /.
type rootFace struct{ board, finder http.Handler }

// ServeHTTP implements http.Handler.
func (f *rootFace) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case discovery.Owns(r.URL.Path):
		f.finder.ServeHTTP(w, r)
	case r.URL.Path == "/" && strings.Contains(r.Header.Get("Accept"), "text/html"):
		f.board.ServeHTTP(w, r)
	default:
		// What etcd says of a path that it doesn't have.
		_, resp := api.Decode(&api.Request{Method: r.Method, Target: r.URL.RequestURI()})
		if resp == nil {
			http.NotFound(w, r)
			return
		}
		for _, h := range resp.Headers {
			w.Header().Set(h.Name, h.Value)
		}
		w.WriteHeader(resp.Status)
		_, _ = w.Write(resp.Body)
	}
}

// links shows the transport's connections to the client face.
type links struct{ t *transport.Transport }

// Links implements front.Links.
func (l links) Links() []front.Link {
	var list []front.Link
	for _, s := range l.t.All() {
		if s.Guest {
			continue
		}
		list = append(list, front.Link{
			ID: s.ID, Connected: s.Connected,
			Sent: s.Success, Received: s.Received.Appends, SentBytes: s.Sent.Bytes, ReceivedBytes: s.Received.Bytes,
			Failed: s.Fail,
			Latency: front.Latency{
				Current: s.Latency.Current, Average: s.Latency.Average, Deviation: s.Latency.StdDev,
				Minimum: s.Latency.Min, Maximum: s.Latency.Max,
			},
		})
	}
	return list
}

// boardLinks shows them to the dashboard.
type boardLinks struct{ l links }

// Links implements dashboard.Links.
func (b boardLinks) Links() []dashboard.Link {
	var list []dashboard.Link
	for _, s := range b.l.t.All() {
		if !s.Guest {
			list = append(list, dashboard.Link{Peer: s.ID, Up: s.Connected, Latency: s.Latency.Current, Failure: s.Reason})
		}
	}
	return list
}
