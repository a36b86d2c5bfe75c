package fleetclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxAnswerBytes bounds what is read of one answer; a page of units is far smaller.
const maxAnswerBytes = 256 << 20

// pause lies between two rounds while a cluster has no leader.
const pause = 250 * time.Millisecond

// prefix is of all paths of the API.
const prefix = "/fleet/v1"

// Config says where the cluster is and how to talk to it.
type Config struct {
	// Endpoints are tried in this order: unix:///PATH, http://HOST:PORT, https://…
	Endpoints []string
	// TLS is for endpoints with https; nil takes the system's authorities.
	TLS *tls.Config
	// Username and Password, unless the name is empty, go with every request.
	Username, Password string
	// Timeout bounds the wait for an answer from one endpoint, and for a leader to be
	// there; 0 is 3 s, as in fleet.
	Timeout time.Duration
	// Dial opens connections; nil dials directly. Tunnel makes one that goes through
	// a command.
	Dial dialFunc
	// Transport carries all requests, instead of sockets; for tests.
	Transport http.RoundTripper
	// Trace, unless nil, is shown every request before it is sent.
	Trace func(req *http.Request, body []byte)

	_ struct{}
}

// Client talks to one cluster. It may be used by several goroutines.
type Client struct {
	cfg Config

	mu        sync.Mutex
	endpoints []*endpoint
	// pinned is the place of the endpoint that answered last.
	pinned   int
	extended bool
}

// New returns a client. Nothing is sent yet.
func New(cfg Config) (*Client, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 3 * time.Second
	}
	c := &Client{cfg: cfg}
	for _, written := range cfg.Endpoints {
		e, err := parseEndpoint(strings.TrimSpace(written))
		if err != nil {
			return nil, err
		}
		if e.transport = cfg.Transport; e.transport == nil {
			e.transport = newTransport(e, cfg.TLS, cfg.Dial)
		}
		c.endpoints = append(c.endpoints, e)
	}
	if len(c.endpoints) == 0 {
		return nil, fmt.Errorf("%w: none is given", ErrEndpoint)
	}
	return c, nil
}

// Close lets idle connections go.
func (c *Client) Close() {
	for _, e := range c.endpoints {
		if t, ok := e.transport.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
	}
}

// Extended tells whether the server that answered last has what is in extended.go.
func (c *Client) Extended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extended
}

// Error is the cluster's refusal, in fleet's form.
type Error struct {
	// Code is the HTTP status.
	Code    int
	Message string
	// Unknown is set if what was asked for may have been done all the same.
	Unknown bool
}

// Error writes the refusal as fleetctl's library does.
func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("googleapi: got HTTP response code %d with body: ", e.Code)
	}
	return fmt.Sprintf("googleapi: Error %d: %s", e.Code, e.Message)
}

// IsNotFound says whether the cluster doesn't have what was asked for.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == http.StatusNotFound
}

// Unreachable says that no endpoint has answered.
type Unreachable struct {
	// Errors has what happened at each endpoint, in the order in which they were tried.
	Errors []error
}

// Error names every endpoint, with what went wrong there.
func (u *Unreachable) Error() string {
	parts := make([]string, len(u.Errors))
	for i, err := range u.Errors {
		parts[i] = err.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap lets errors.Is look at each of them.
func (u *Unreachable) Unwrap() []error { return u.Errors }

// call is one request, wherever it goes.
type call struct {
	method, path string
	query        url.Values
	body         any
	// extra is how much longer than usual the answer may take.
	extra time.Duration
	// stream leaves the answer's body to the caller, for as long as it takes.
	stream bool
	// maybe is set once an endpoint may have done what was asked, and hasn't said so.
	maybe bool
}

// answer is what came back, with the body read unless it is a stream.
type answer struct {
	status int
	header http.Header
	body   []byte
	stream io.ReadCloser
}

// do sends a call to one endpoint after the other until one carries it out or
// refuses it. While a cluster is without a leader, it is asked again.
func (c *Client) do(ctx context.Context, call *call) (*answer, error) {
	var body []byte
	if call.body != nil {
		var err error
		if body, err = json.Marshal(call.body); err != nil {
			return nil, err
		}
	}
	deadline := time.Now().Add(c.cfg.Timeout)
	for {
		got, err := c.round(ctx, call, body)
		var refused *Error
		if err == nil || !errors.As(err, &refused) || refused.Code != http.StatusServiceUnavailable {
			return got, err
		}
		if time.Now().Add(pause).After(deadline) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// round tries each endpoint once, the one that answered last first. A refusal says
// more than silence, so that is what is returned if both were met.
func (c *Client) round(ctx context.Context, call *call, body []byte) (*answer, error) {
	silent := &Unreachable{}
	var refused *Error
	c.mu.Lock()
	first := c.pinned
	c.mu.Unlock()
	for i := range c.endpoints {
		at := (first + i) % len(c.endpoints)
		e := c.endpoints[at]
		got, err := c.send(ctx, e, call, body)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			call.maybe = call.maybe || !neverSent(err)
			silent.Errors = append(silent.Errors, fmt.Errorf("%s: %w", e.name, err))
			continue
		}
		if got.status < http.StatusInternalServerError {
			c.mu.Lock()
			c.pinned, c.extended = at, got.header.Get("X-Drydock-Fleet") != ""
			c.mu.Unlock()
			if got.status >= http.StatusBadRequest {
				return nil, got.refusal()
			}
			return got, nil
		}
		refused = got.refusal()
		call.maybe = call.maybe || refused.Code != http.StatusServiceUnavailable
	}
	if refused != nil {
		return nil, refused
	}
	return nil, silent
}

// neverSent tells of an error whether the request can't have arrived: the
// connection was never there.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// send makes one attempt at one endpoint.
func (c *Client) send(ctx context.Context, e *endpoint, call *call, body []byte) (*answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, call.method, e.base+prefix+call.path, bytes.NewReader(body))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	req.URL.RawQuery = call.query.Encode()
	if call.method != http.MethodGet {
		// Also without a body: it tells a server that no page of a browser's sends this.
		req.Header.Set("Content-Type", "application/json")
	}
	if c.cfg.Username != "" {
		req.SetBasicAuth(c.cfg.Username, c.cfg.Password)
	}
	if c.cfg.Trace != nil {
		c.cfg.Trace(req, body)
	}
	limit := c.cfg.Timeout + call.extra
	late := fmt.Errorf("no answer within %v", limit)
	timer := time.AfterFunc(limit, func() { cancel(late) })
	resp, err := e.transport.RoundTrip(req)
	if err == nil && call.stream && resp.StatusCode < http.StatusBadRequest && timer.Stop() {
		return &answer{status: resp.StatusCode, header: resp.Header, stream: &ending{resp.Body, cancel}}, nil
	}
	defer cancel(nil)
	defer timer.Stop()
	var read []byte
	if err == nil {
		defer resp.Body.Close()
		read, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	}
	switch {
	case err != nil && context.Cause(ctx) == late:
		return nil, late
	case err != nil:
		return nil, err
	case len(read) > maxAnswerBytes:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswerBytes)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: read}, nil
}

// refusal reads an answer that is none of what was asked for.
func (a *answer) refusal() *Error {
	if a.stream != nil {
		a.stream.Close()
	}
	var body struct {
		Error *struct{ Message string } `json:"error"`
	}
	e := &Error{Code: a.status, Unknown: a.header.Get("X-Drydock-Outcome") == "unknown"}
	if err := json.Unmarshal(a.body, &body); err == nil && body.Error != nil {
		e.Message = body.Error.Message
	} else {
		const enough = 200
		e.Message = strings.ToValidUTF8(strings.TrimSpace(string(a.body[:min(len(a.body), enough)])), "?")
	}
	if e.Message == "" {
		e.Message = http.StatusText(a.status)
	}
	return e
}

// ending is a stream that ends its request's context with it.
type ending struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (e *ending) Close() error {
	defer e.cancel(nil)
	return e.ReadCloser.Close()
}
