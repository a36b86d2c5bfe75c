package dashboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/fleet"
	"drydock/node/host"
	"drydock/node/world"
)

// Base is the path that all pages are below.
const Base = "/mod/dashboard/"

const (
	// defaultStreams is how many pages may be kept current at once.
	defaultStreams = 256
	// streamWrite is how long a reader of a stream may take for one piece.
	streamWrite = 10 * time.Second
)

// Guard says who may do what. node/front's is one.
type Guard interface {
	// Keys returns nil if whoever sent r may carry out call, or else the answer
	// to a client of the keys API. It may block: passwords take long to check.
	Keys(r *http.Request, call *api.Call) *api.Response
	// Admin returns nil if whoever sent r may do what only administrators may, or
	// else an answer. It may block, too.
	Admin(r *http.Request) *api.Response
}

// Links tells how the connections to other members do.
type Links interface {
	// Links returns a connection for each other member, in any order. It must
	// not block.
	Links() []Link
}

// Link is this member's connection to another.
type Link struct {
	Peer world.MemberID
	// Up says whether frames go through.
	Up bool
	// Latency is a recent round trip; zero if none was measured.
	Latency time.Duration
	// Failure is why the link is down, if it is known.
	Failure string
}

// Options are what the dashboard is told beside its host.
type Options struct {
	// ClusterID is shown as the API shows it. ClusterName, for people, may be
	// empty, as may Version, the program's.
	ClusterID            uint64
	ClusterName, Version string
	// Links may be nil: then nothing is said about them.
	Links Links
	// Guard may be nil: then everything is allowed.
	Guard Guard
	// Journals is the fleet API, which is asked for what units have written; nil if
	// that isn't to be shown.
	Journals http.Handler
	// Stop, if not nil, ends the streams when it is done: a server that waits for
	// its requests would wait for them as well.
	Stop context.Context
	// Streams bounds the pages that are kept current at once (default 256).
	Streams int
	// Log takes what goes wrong in serving; nil for slog.Default.
	Log *slog.Logger

	_ struct{}
}

// member is what the dashboard needs of a host.Host.
type member interface {
	Do(ctx context.Context, call *api.Call) node.Answer
	Watch(ctx context.Context, call *api.Call) (*host.Watch, error)
	Look(fn func(*node.Node)) error
	Fleet(ctx context.Context, c *fleet.Command) node.Answer
	ReadFleet(ctx context.Context, stale bool, look func(*fleet.Store)) node.Answer
	AskFleet(ctx context.Context, units []string) node.Answer
	WaitFleet(ctx context.Context, after uint64)
	Done() <-chan struct{}
	Err() error
}

type dashboard struct {
	h       member
	o       Options
	feed    *feed
	live    liveCache
	streams atomic.Int64
	roster  rosterCache
}

// Handler serves the dashboard of a member at Base, and leads to it from "/" and
// from Base without its slash; anything else is 404. It looks at the member once
// a second until that stops.
func Handler(h *host.Host, o Options) http.Handler { return newHandler(h, o, time.Second) }

func newHandler(h member, o Options, every time.Duration) http.Handler {
	if o.Streams == 0 {
		o.Streams = defaultStreams
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	d := &dashboard{h: h, o: o, feed: newFeed(h, o.Links, every)}
	go d.feed.run()
	mux := http.NewServeMux()
	toBase := http.RedirectHandler(Base, http.StatusFound)
	mux.Handle("GET /{$}", toBase)
	mux.Handle(strings.TrimSuffix(Base, "/"), toBase)
	mux.HandleFunc("GET "+Base+"{$}", d.overview)
	mux.HandleFunc("GET "+Base+"live", d.overviewStream)
	mux.HandleFunc("GET "+Base+"keys/{path...}", d.showKey)
	mux.HandleFunc("POST "+Base+"keys/{path...}", d.changeKey)
	mux.HandleFunc("GET "+Base+"goto", d.goTo)
	mux.HandleFunc("GET "+Base+"watch/{path...}", d.showWatch)
	mux.HandleFunc("GET "+Base+"changes/{path...}", d.changeStream)
	mux.HandleFunc("GET "+Base+"units/{$}", d.forFleet(d.showUnits))
	mux.HandleFunc("GET "+Base+"units-live", d.forFleet(d.unitsStream))
	mux.HandleFunc("GET "+Base+"units/{name}", d.forFleet(d.showUnit))
	mux.HandleFunc("POST "+Base+"units/{name}", d.forFleet(d.changeUnit))
	mux.HandleFunc("GET "+Base+"unit-live/{name}", d.forFleet(d.unitStream))
	mux.HandleFunc("GET "+Base+"machines/{$}", d.forFleet(d.showMachines))
	mux.HandleFunc("GET "+Base+"machines-live", d.forFleet(d.machinesStream))
	mux.HandleFunc("POST "+Base+"machines/{id}", d.forFleet(d.changeMachine))
	for name, a := range assets {
		mux.Handle("GET "+Base+"static/"+name, a)
	}
	return d.protect(mux)
}

// protect puts the headers on every answer and turns away what another origin's
// page sends.
func (d *dashboard) protect(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if err := origin.Check(r); err != nil {
			d.fail(w, http.StatusForbidden, trouble{
				Title: "This change came from a page of another site",
				Text:  "Nothing was done. Open the dashboard itself and make the change there.",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

//go:embed templates
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages are the templates, each with the frame around it.
var pages = map[string]*template.Template{
	"overview": parse("overview.html"),
	"keys":     parse("keys.html", "change.html"),
	"watch":    parse("watch.html", "change.html"),
	"units":    parse("units.html"),
	"unit":     parse("unit.html"),
	"machines": parse("machines.html"),
	"trouble":  parse("trouble.html"),
}

func parse(names ...string) *template.Template {
	t := template.New("frame.html").Funcs(funcs)
	template.Must(t.ParseFS(templateFiles, "templates/frame.html"))
	for _, name := range names {
		template.Must(t.ParseFS(templateFiles, "templates/"+name))
	}
	return t
}

// place is an entry of the navigation.
type place struct {
	Name, Href string
	Here       bool
}

// places are the parts of the dashboard, in order.
var places = []place{
	{Name: "Overview", Href: Base},
	{Name: "Keys", Href: Base + "keys/"},
	{Name: "Units", Href: Base + "units/"},
	{Name: "Machines", Href: Base + "machines/"},
}

// frame is what surrounds every page.
type frame struct {
	Title string
	// Place is the Name of the part that the page belongs to.
	Place string
	// Cluster and Member say where the reader is.
	Cluster, Member, Version string
	// Page is the page's own.
	Page any
}

// Places returns the navigation as this page shows it.
func (f *frame) Places() []place {
	list := make([]place, len(places))
	for i, p := range places {
		p.Here = p.Name == f.Place
		list[i] = p
	}
	return list
}

// render writes a whole page, or, if its template fails, says so: nothing goes
// out before it is complete.
func (d *dashboard) render(w http.ResponseWriter, status int, name string, f *frame) {
	f.Cluster, f.Version = d.o.clusterName(), d.o.Version
	if s := d.feed.last(); s.view != nil {
		f.Member = s.view.Name
	}
	var b bytes.Buffer
	if err := pages[name].Execute(&b, f); err != nil {
		d.o.Log.Error("dashboard: cannot render a page", "page", name, "err", err)
		http.Error(w, "the page cannot be shown; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(b.Bytes()); err != nil {
		d.o.Log.Debug("dashboard: a reader went away", "err", err)
	}
}

func (o *Options) clusterName() string {
	if o.ClusterName != "" {
		return o.ClusterName
	}
	return strconv.FormatUint(o.ClusterID, 16)
}

// trouble is a page that says what went wrong and what to do.
type trouble struct {
	Title, Text string
	// Href and Link lead on, if there is a way.
	Href, Link string
}

func (d *dashboard) fail(w http.ResponseWriter, status int, t trouble) {
	if t.Href == "" {
		t.Href, t.Link = Base+"keys/", "Back to the keys"
	}
	d.render(w, status, "trouble", &frame{Title: t.Title, Place: "Keys", Page: &t})
}

// asset is an embedded file with a name for its content, by which browsers know
// whether they have it already.
type asset struct {
	body      []byte
	kind, tag string
}

var assets = loadAssets()

func loadAssets() map[string]asset {
	kinds := map[string]string{
		"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
	}
	list := make(map[string]asset)
	entries, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		body, err := fs.ReadFile(staticFiles, "static/"+e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		_, suffix, _ := strings.Cut(e.Name(), ".")
		list[e.Name()] = asset{body: body, kind: kinds[suffix], tag: hex.EncodeToString(sum[:6])}
	}
	return list
}

// ServeHTTP implements http.Handler.
func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", `"`+a.tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
