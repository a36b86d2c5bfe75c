package front

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"drydock/node/api"
	"drydock/node/host"
)

// Front answers clients. It is an http.Handler; see New.
type Front struct {
	host    *host.Host
	cluster uint64
	version string
	guard   Guard
	open    func() bool // whether the guard allows everything now
	direct  bool        // package direct may serve the keyspace
	links   Links
	origins []string // nil means all
	limits  Limits
	log     *slog.Logger

	exact map[string]*endpoint
	below []*endpoint // longest path first
	meter *metrics

	inFlight atomic.Int64 // requests that are carried out
	bodies   atomic.Int64 // bytes of their bodies

	closing context.Context // over when the watches have to end
	end     context.CancelFunc
}

// endpoint is what is at a path.
type endpoint struct {
	name, path string
	// allow lists the methods, as the Allow header does; empty if the endpoint
	// judges for itself.
	allow string
	serve func(w *writer, r *http.Request)
	// mount is set on handlers of others: they may take their time. free is set
	// on what operators look at while a server has too much to do.
	mount, free bool
	// private answers aren't for pages of other origins, unless those are listed.
	private bool
}

// New makes a Front over a running host.
func New(o Options) *Front {
	o.Limits.setDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	f := &Front{
		host: o.Host, cluster: o.Cluster, version: o.Version, guard: o.Guard, links: o.Links,
		limits: o.Limits, log: o.Log, exact: make(map[string]*endpoint), meter: newMetrics(o.Version),
	}
	f.open = func() bool { return false }
	if f.guard == nil {
		f.open = func() bool { return true }
	} else if g, ok := f.guard.(opener); ok {
		f.open = g.Open
	}
	f.direct = !o.OnlyNetHTTP && !slices.ContainsFunc(o.Mounts, func(m Mount) bool { return strings.HasPrefix(m.Path, "/v2/keys") })
	if o.CORS != "" && o.CORS != "*" {
		f.origins = strings.Split(strings.ReplaceAll(o.CORS, " ", ""), ",")
	}
	f.closing, f.end = context.WithCancel(context.Background())
	o.Registry.MustRegister(append(f.meter.all(), &collector{f: f})...)
	f.routes(o.Registry, o.Pprof)
	for _, m := range o.Mounts {
		f.add(&endpoint{name: m.Name, path: m.Path, mount: true, private: m.Private, serve: func(w *writer, r *http.Request) {
			m.Handler.ServeHTTP(w, r)
		}})
	}
	slices.SortStableFunc(f.below, func(a, b *endpoint) int { return len(b.path) - len(a.path) })
	return f
}

// EndWatches ends every watch that is open, and those to come. The server calls
// it when it stops.
func (f *Front) EndWatches() { f.end() }

func (f *Front) routes(reg *prometheus.Registry, pprof bool) {
	const get = "GET"
	for _, e := range []endpoint{
		{name: "keys", path: "/v2/keys", serve: f.keys},
		{name: "keys", path: "/v2/keys/", serve: f.keys},
		{name: "members", path: "/v2/members", serve: f.members},
		{name: "members", path: "/v2/members/", serve: f.members},
		{name: "machines", path: "/v2/machines", allow: "GET,HEAD", serve: f.machines},
		{name: "stats", path: "/v2/stats/self", allow: get, serve: f.statsSelf},
		{name: "stats", path: "/v2/stats/leader", allow: get, serve: f.statsLeader},
		{name: "stats", path: "/v2/stats/store", allow: get, serve: f.statsStore},
		{name: "health", path: "/health", allow: get, serve: f.health, free: true},
		{name: "version", path: "/version", allow: get, serve: f.versions, free: true},
		{name: "vars", path: "/debug/vars", allow: get, serve: f.vars, free: true},
		{name: "metrics", path: "/metrics", allow: "GET,HEAD", serve: scrape(reg), free: true},
	} {
		f.add(&e)
	}
	if pprof {
		f.add(&endpoint{name: "pprof", path: "/debug/pprof/", mount: true, serve: f.profile})
	}
}

// add enters an endpoint; one that comes later takes the place of an earlier one
// at the same path.
func (f *Front) add(e *endpoint) {
	f.exact[e.path] = e
	if strings.HasSuffix(e.path, "/") {
		f.below = slices.DeleteFunc(f.below, func(old *endpoint) bool { return old.path == e.path })
		f.below = append(f.below, e)
	}
}

// find returns what is at a path, or nil.
func (f *Front) find(p string) *endpoint {
	if !isClean(p) {
		return nil
	}
	if e := f.exact[p]; e != nil {
		return e
	}
	for _, e := range f.below {
		if strings.HasPrefix(p, e.path) {
			return e
		}
	}
	return nil
}

// isClean says whether a path is one that no client is led away from.
func isClean(p string) bool {
	clean := path.Clean(p)
	return clean == p || (strings.HasSuffix(p, "/") && clean+"/" == p)
}

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &writer{ResponseWriter: rw, f: f, began: time.Now()}
	w.rc = http.NewResponseController(rw)
	if c, ok := r.Context().Value(connKey{}).(*gatedConn); ok {
		c.used.Store(true)
	}
	e := f.find(r.URL.Path)
	name := "other"
	if e != nil {
		name = e.name
	}
	defer func() {
		if bug := recover(); bug != nil {
			f.failed(w, r, bug)
		}
		f.finish(w, r, name)
	}()
	f.serve(w, r, e)
}

// failed ends a request whose handler panicked.
func (f *Front) failed(w *writer, r *http.Request, bug any) {
	if bug == http.ErrAbortHandler {
		panic(bug) // how a handler cuts a connection off
	}
	f.bug(r.Method, r.URL.Path, bug)
	if w.status != 0 {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	w.text(http.StatusInternalServerError, internalErrorText)
}

// finish does what comes after every answer.
func (f *Front) finish(w *writer, r *http.Request, name string) {
	if w.long {
		w.deadline(largeAnswer) // for what is buffered still
	}
	if r.Body != nil && r.Body != http.NoBody && !w.timed {
		// Nobody wanted the body. Net/http reads past it, and would wait.
		w.readBy(f.limits.HeaderTime)
	}
	f.meter.served(name, r.Method, w)
	if f.log.Enabled(r.Context(), slog.LevelDebug) {
		f.log.Debug("answered", "method", r.Method, "path", r.URL.Path, "status", w.status,
			"took", time.Since(w.began), "from", r.RemoteAddr)
	}
}

func (f *Front) serve(w *writer, r *http.Request, e *endpoint) {
	f.cors(w.Header(), r, e != nil && e.private)
	if f.refuseHead(w, r) {
		return
	}
	switch {
	case e == nil, r.Method == "OPTIONS" && !e.mount:
		// What needs no node: pre-flights, unclean and unknown paths.
		_, resp := api.Decode(&api.Request{Method: r.Method, Target: target(r)})
		if resp == nil {
			resp = &api.Response{Status: http.StatusNotFound}
		}
		w.answer(resp)
		return
	case e.mount:
		w.long = true
		r.Body = &timedBody{ReadCloser: http.MaxBytesReader(w, r.Body, f.limits.FormBytes), w: w}
		e.serve(w, r)
		return
	}
	if !w.enter(r, e) {
		return
	}
	defer w.leave()
	if e.allow != "" && !slices.Contains(strings.Split(e.allow, ","), r.Method) {
		w.notAllowed(e.allow)
		return
	}
	e.serve(w, r)
}

// refuseHead answers a request whose head is too large.
func (f *Front) refuseHead(w *writer, r *http.Request) bool {
	if len(r.RequestURI) > f.limits.TargetBytes {
		f.meter.refuse(limitTarget)
		const why = "the request's path and query are too long; send parameters as a form in the body\n"
		w.text(http.StatusRequestURITooLong, why)
		return true
	}
	size := len(r.RequestURI)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	if size <= f.limits.HeaderBytes {
		return false
	}
	f.meter.refuse(limitHeader)
	w.text(http.StatusRequestHeaderFieldsTooLarge, "the request's headers are too large\n")
	return true
}

// enter counts a request in, or refuses it.
func (w *writer) enter(r *http.Request, e *endpoint) bool {
	f := w.f
	if e.free {
		return true
	}
	if f.inFlight.Add(1) <= int64(f.limits.Requests) {
		w.entered = true
		return true
	}
	f.inFlight.Add(-1)
	f.meter.refuse(limitRequests)
	if e.name == "keys" {
		resp := f.tooMany(&api.Call{Head: r.Method == "HEAD"})
		w.answer(&resp)
		return false
	}
	w.Header().Set("Retry-After", "1")
	w.text(http.StatusServiceUnavailable, "too many requests at a time; try again\n")
	return false
}

// leave counts a request out, once.
func (w *writer) leave() {
	if w.entered {
		w.entered = false
		w.f.inFlight.Add(-1)
	}
}

// target is the path and query of the request line.
func target(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
