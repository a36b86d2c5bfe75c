package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxAnswerBytes bounds what is read of an answer: more than a whole keyspace that
// a member would hold in memory.
const maxAnswerBytes = 1 << 30

// headerOutcome tells of a failed operation whether it certainly had no effect.
// (package api)
const headerOutcome = "X-Drydock-Outcome"

// Config says where the cluster is and how to talk to it.
type Config struct {
	// Endpoints are members' client URLs. They are tried in this order.
	Endpoints []string
	// Username and Password, unless the name is empty, go with every request.
	Username, Password string
	// HeaderTimeout bounds the wait for the head of an answer from one endpoint; 0
	// is no bound. Contexts bound the whole.
	HeaderTimeout time.Duration
	// Transport carries requests; nil makes one. TLS is the transport's affair: see
	// NewTransport.
	Transport http.RoundTripper
	// Trace, unless nil, is shown every request before it is sent, and its body.
	Trace func(req *http.Request, body []byte)

	_ struct{}
}

// Client talks to one cluster. It may be used by several goroutines.
type Client struct {
	cfg  Config
	http *http.Client

	mu        sync.Mutex
	endpoints []*url.URL
	// pinned is the place of the endpoint that answered last.
	pinned int
}

// New returns a client. Nothing is sent yet; a URL that can't be read is an error.
func New(cfg Config) (*Client, error) {
	if cfg.Transport == nil {
		cfg.Transport = NewTransport(nil)
	}
	c := &Client{cfg: cfg, http: &http.Client{Transport: cfg.Transport}}
	if err := c.SetEndpoints(cfg.Endpoints); err != nil {
		return nil, err
	}
	return c, nil
}

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Endpoints returns the endpoints in the order in which they would be tried.
func (c *Client) Endpoints() []string {
	var out []string
	for _, u := range c.order() {
		out = append(out, u.String())
	}
	return out
}

// SetEndpoints changes where requests go. The endpoint that answered last stays
// first if it is among them.
func (c *Client) SetEndpoints(endpoints []string) error {
	if len(endpoints) == 0 {
		return ErrNoEndpoints
	}
	var urls []*url.URL
	for _, e := range endpoints {
		u, err := url.Parse(e)
		if err != nil {
			return err
		}
		urls = append(urls, u)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	pinned := 0
	if len(c.endpoints) > 0 {
		last := strings.TrimSuffix(c.endpoints[c.pinned].String(), "/")
		same := func(u *url.URL) bool { return strings.TrimSuffix(u.String(), "/") == last }
		pinned = max(0, slices.IndexFunc(urls, same))
	}
	c.endpoints, c.pinned = urls, pinned
	return nil
}

// Sync asks the cluster for its members and takes their client URLs for endpoints.
// Members that have not published any are left out.
func (c *Client) Sync(ctx context.Context) error {
	members, err := c.Members(ctx)
	if err != nil {
		return err
	}
	var urls []string
	for _, m := range members {
		urls = append(urls, m.ClientURLs...)
	}
	if len(urls) == 0 {
		return ErrNoEndpoints
	}
	return c.SetEndpoints(urls)
}

// order returns the endpoints, the pinned one first.
func (c *Client) order() []*url.URL {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Concat(c.endpoints[c.pinned:], c.endpoints[:c.pinned])
}

// pin keeps to an endpoint that answered.
func (c *Client) pin(u *url.URL) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.endpoints, u); i >= 0 {
		c.pinned = i
	}
}

// call is one request, wherever it goes.
type call struct {
	method, path, query string
	contentType         string
	body                []byte
	// again is set if a request whose outcome is unknown may be sent again.
	again bool
}

// do sends a request to one endpoint after the other until one answers it. The
// answer's body, bounded, is the caller's to close.
func (c *Client) do(ctx context.Context, call *call) (*http.Response, error) {
	failed := &ClusterError{}
	for _, u := range c.order() {
		resp, err := c.send(ctx, u, call)
		if err == nil && resp.StatusCode < 500 {
			c.pin(u)
			resp.Body = &boundedBody{resp.Body, maxAnswerBytes}
			return resp, nil
		}
		if ctx.Err() != nil {
			if err == nil {
				resp.Body.Close()
			}
			return nil, context.Cause(ctx)
		}
		certain := err != nil && neverSent(err)
		if err == nil {
			certain = resp.Header.Get(headerOutcome) == "refused"
			err = serverError(u, resp)
		}
		failed.Errors = append(failed.Errors, err)
		if !certain && !call.again {
			failed.Unknown = call.method != http.MethodGet
			return nil, failed
		}
		failed.Unknown = failed.Unknown || !certain && call.method != http.MethodGet
	}
	return nil, failed
}

// send makes one attempt at one endpoint.
func (c *Client) send(ctx context.Context, u *url.URL, call *call) (*http.Response, error) {
	target := *u
	target.Path, target.RawQuery = path.Join(u.Path, call.path), call.query
	if strings.HasSuffix(call.path, "/") {
		target.Path += "/"
	}
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, call.method, target.String(), bytes.NewReader(call.body))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	if call.contentType != "" {
		req.Header.Set("Content-Type", call.contentType)
	}
	if c.cfg.Username != "" {
		req.SetBasicAuth(c.cfg.Username, c.cfg.Password)
	}
	if c.cfg.Trace != nil {
		c.cfg.Trace(req, call.body)
	}
	resp, err := c.await(ctx, cancel, u, req)
	if err != nil {
		cancel(nil)
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, err
	}
	resp.Body = &endingBody{resp.Body, cancel}
	return resp, nil
}

// await sends a request and waits for the answer's head, for as long as the
// configuration allows.
func (c *Client) await(
	ctx context.Context, cancel context.CancelCauseFunc, u *url.URL, req *http.Request,
) (*http.Response, error) {
	if c.cfg.HeaderTimeout <= 0 {
		return c.http.Do(req)
	}
	late := fmt.Errorf("client: endpoint %s exceeded header timeout", u)
	timer := time.AfterFunc(c.cfg.HeaderTimeout, func() { cancel(late) })
	resp, err := c.http.Do(req)
	if !timer.Stop() && err == nil {
		resp.Body.Close()
		err = late
	}
	if err != nil && errors.Is(context.Cause(ctx), late) {
		err = late
	}
	return resp, err
}

// serverError reads a 5xx answer. The first two say that nobody leads, or that
// the leader was not heard in time.
func serverError(u *url.URL, resp *http.Response) error {
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		return fmt.Errorf("client: etcd member %s has no leader", u)
	}
	return fmt.Errorf("client: etcd member %s returns server error [%s]", u, http.StatusText(resp.StatusCode))
}

// neverSent tells of an error whether the request can't have arrived: the
// connection was never there.
func neverSent(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	return strings.Contains(err.Error(), "unsupported protocol scheme")
}

// endingBody ends its request's context with it.
type endingBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Close implements io.Closer.
func (b *endingBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// boundedBody fails instead of giving more than left bytes.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}
