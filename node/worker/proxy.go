package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"drydock/node/api"
	"drydock/node/fleetapi"
	"drydock/node/fleetapi/serve"
)

const (
	// maxKept is how much of a request's body is kept to send it again. What is
	// longer than any form that members take is sent once.
	maxKept = api.MaxFormBytes
	// maxRequests bounds those that are passed on at a time, watches too.
	maxRequests = 20000
)

// Errors of passing on.
var (
	errNobody  = errors.New("no member could be reached")
	errUnknown = errors.New("a member took the request and didn't answer: it may or may not have been carried out")
	errSlow    = errors.New("no answer in time")
)

// How long a member may take to begin its answer. Its own bound is shorter: 5 s
// and two elections.
const (
	readPatience  = 10 * time.Second
	writePatience = 30 * time.Second
)

// How long a client may take to send a body; each bodyRate bytes add a second.
const (
	bodyTime = 30 * time.Second
	bodyRate = 64 << 10
)

// proxy passes requests on to members.
type proxy struct {
	balance *balance
	via     http.RoundTripper
	log     *slog.Logger
	flight  atomic.Int64
	reverse httputil.ReverseProxy
	closing context.Context // over when the watches have to end
	// endWatches ends those that are open, and those to come.
	endWatches context.CancelFunc

	readPatience, writePatience time.Duration
	bodyTime                    time.Duration
}

func newProxy(b *balance, via http.RoundTripper, log *slog.Logger) *proxy {
	p := &proxy{balance: b, via: via, log: log, readPatience: readPatience, writePatience: writePatience, bodyTime: bodyTime}
	p.closing, p.endWatches = context.WithCancel(context.Background())
	p.reverse = httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			// As the client sent it: what it got wrong is for the member to say.
			pr.Out.URL.RawQuery = pr.In.URL.RawQuery
			pr.Out.Host = pr.In.Host
			pr.Out.Header["X-Forwarded-For"] = pr.In.Header["X-Forwarded-For"]
			pr.SetXForwarded()
		},
		Transport:     p,
		FlushInterval: -1,
		ErrorHandler:  fail,
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return p
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.flight.Add(1) > maxRequests {
		p.flight.Add(-1)
		w.Header().Set("Retry-After", "1")
		fail(w, r, errors.New("too many requests at a time"))
		return
	}
	defer p.flight.Add(-1)
	if r.ContentLength != 0 {
		r.Body = newTimedBody(w, r, p.bodyTime)
	}
	if isWatch(r) {
		ctx, end := context.WithCancel(r.Context())
		defer end()
		defer context.AfterFunc(p.closing, end)()
		r = r.WithContext(ctx)
	}
	p.reverse.ServeHTTP(w, r)
}

// RoundTrip implements http.RoundTripper: it tries one endpoint after another for
// as long as that does no harm.
func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := keep(r)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, endpoint := range p.balance.order() {
		resp, sent, err := p.attempt(r, endpoint, body)
		if err == nil {
			p.judge(r, endpoint, resp.StatusCode)
			return resp, nil
		}
		failures = append(failures, err)
		if r.Context().Err() == nil && p.balance.failed(endpoint, err) {
			p.log.Warn("a member doesn't answer", "endpoint", endpoint, "err", err)
		}
		switch {
		case sent && (!reads(r) || body.more):
			return nil, because(errUnknown, failures)
		case r.Context().Err() != nil:
			return nil, because(errNobody, failures)
		}
	}
	return nil, because(errNobody, failures)
}

// because is err with what was found out on the way, on one line.
func because(err error, failures []error) error {
	texts := make([]string, len(failures))
	for i, f := range failures {
		texts[i] = f.Error()
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(texts, "; "))
}

// judge takes note of an answer: a member that can't reach its cluster answers the
// keyspace's requests with a 5xx, and another may be able to.
func (p *proxy) judge(r *http.Request, endpoint string, status int) {
	if status < http.StatusInternalServerError {
		p.balance.answered(endpoint)
		return
	}
	// A fleet's 502 is about a machine that can't be reached, not about the member.
	if strings.HasPrefix(r.URL.Path, "/v2/keys") || isFleet(r.URL.Path) && status == http.StatusServiceUnavailable {
		p.balance.failed(endpoint, fmt.Errorf("it answered with status %d", status))
	}
}

// attempt sends r to one endpoint. sent says whether it may have got there.
func (p *proxy) attempt(r *http.Request, endpoint string, b *body) (resp *http.Response, sent bool, err error) {
	to, err := url.Parse(endpoint)
	if err != nil {
		return nil, false, err
	}
	ctx, end := context.WithCancelCause(r.Context())
	var connected atomic.Bool
	out := r.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	out.URL.Scheme, out.URL.Host = to.Scheme, to.Host
	b.fill(out)
	var late *time.Timer
	if patience := p.patience(r); patience > 0 {
		late = time.AfterFunc(patience, func() { end(errSlow) })
		defer late.Stop()
	}
	resp, err = p.via.RoundTrip(out)
	if err == nil && late != nil && !late.Stop() {
		// Its body can't be read any more.
		err = errors.Join(errSlow, resp.Body.Close())
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), errSlow) {
			err = fmt.Errorf("%s: %w", endpoint, errSlow)
		}
		end(nil)
		return nil, connected.Load() || b.touched.Load(), err
	}
	resp.Body = &answerBody{ReadCloser: resp.Body, end: end, watch: isWatch(r)}
	return resp, true, nil
}

// patience is how long to wait for the beginning of an answer; 0 is for ever.
func (p *proxy) patience(r *http.Request) time.Duration {
	for _, long := range []string{"/mod/", "/v1/watch/", "/v2/speedTest"} {
		if strings.HasPrefix(r.URL.Path, long) {
			return 0
		}
	}
	switch {
	case isFleet(r.URL.Path) && isWatch(r):
		return 0
	case reads(r):
		return p.readPatience
	}
	return p.writePatience
}

// isFleet says whether a path is of the fleet API.
func isFleet(path string) bool {
	return strings.HasPrefix(path, fleetapi.Prefix+"/") || strings.HasPrefix(path, fleetapi.Alpha+"/")
}

// reads says whether a request changes nothing, however often it is sent.
func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// isWatch says whether a request waits for events. A GET's parameters are in its
// query, and what can't be read there is no watch.
func isWatch(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/v1/watch/") {
		return true
	}
	if r.Method != http.MethodGet {
		return false
	}
	query := r.URL.Query()
	wait := query.Get("wait")
	if isFleet(r.URL.Path) && wait == "" {
		wait = query.Get("follow")
	}
	switch wait {
	case "true", "t", "T", "1", "TRUE", "True":
		return true
	}
	return false
}

// timedBody is a client's body with a time limit. When it has come the limit goes:
// the connection is then read to notice that the client has gone.
type timedBody struct {
	io.ReadCloser
	done func()
}

func newTimedBody(w http.ResponseWriter, r *http.Request, limit time.Duration) *timedBody {
	rc := http.NewResponseController(w)
	if r.ContentLength > 0 {
		limit += time.Duration(r.ContentLength/bodyRate) * time.Second
	}
	// A connection without deadlines is a test's.
	_ = rc.SetReadDeadline(time.Now().Add(limit))
	return &timedBody{ReadCloser: r.Body, done: func() { _ = rc.SetReadDeadline(time.Time{}) }}
}

// Read implements io.Reader.
func (t *timedBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		t.done()
	}
	return n, err
}

// body is what a request carries, kept so that it can be sent again.
type body struct {
	kept    []byte
	rest    io.Reader // what is beyond, if there is more
	more    bool
	touched atomic.Bool // an attempt has begun to send the rest
}

// Read implements io.Reader: it reads the rest.
func (b *body) Read(p []byte) (int, error) {
	b.touched.Store(true)
	return b.rest.Read(p)
}

func keep(r *http.Request) (*body, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return &body{}, nil
	}
	kept, err := io.ReadAll(io.LimitReader(r.Body, maxKept+1))
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	b := &body{kept: kept, more: len(kept) > maxKept}
	if b.more {
		b.rest = r.Body
	}
	return b, nil
}

// fill gives an attempt the body.
func (b *body) fill(out *http.Request) {
	switch {
	case b.more:
		// It isn't closed with the attempt: the next one may read it.
		out.Body, out.GetBody = io.NopCloser(io.MultiReader(bytes.NewReader(b.kept), b)), nil
	case len(b.kept) == 0:
		out.Body, out.GetBody, out.ContentLength = http.NoBody, nil, 0
	default:
		out.Body = io.NopCloser(bytes.NewReader(b.kept))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.kept)), nil }
		out.ContentLength, out.TransferEncoding = int64(len(b.kept)), nil
	}
}

// answerBody is a member's answer on its way to the client. A watch's ends where
// its member went away, if that is between two events.
type answerBody struct {
	io.ReadCloser
	end    context.CancelCauseFunc
	watch  bool
	within bool // an event has begun and not ended
}

// Read implements io.Reader.
func (a *answerBody) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if n > 0 {
		a.within = p[n-1] != '\n'
	}
	if err != nil && a.watch && !a.within {
		err = io.EOF
	}
	return n, err
}

// Close implements io.Closer.
func (a *answerBody) Close() error {
	err := a.ReadCloser.Close()
	a.end(nil)
	return err
}

// fail answers a request that no member has answered, in the form that etcd's
// proxy has for it, or fleet's server.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	status, outcome := http.StatusServiceUnavailable, api.Refused
	if errors.Is(err, errUnknown) {
		status, outcome = http.StatusBadGateway, api.Unknown
	}
	if isFleet(r.URL.Path) {
		serve.Write(w, fleetapi.Failed(outcome == api.Unknown, err.Error()))
		return
	}
	text, jerr := json.Marshal(map[string]string{"message": err.Error()})
	if jerr != nil {
		text = nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set(api.HeaderOutcome, outcome.String())
	w.WriteHeader(status)
	// A client that is gone misses nothing by it.
	_, _ = w.Write(text)
}

// newTransport is how a worker talks to members.
func newTransport(o *Options) *http.Transport {
	return &http.Transport{
		TLSClientConfig: o.TLS,
		DialContext:     dialer.DialContext,
		// Members are named by the cluster, not by the environment: no proxies.
		Proxy:               nil,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 128,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: 5 * time.Second,
	}
}
