package discovery

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	codeNotFound = 100 // etcd's error "Key not found"
	codeExists   = 105 // etcd's error "Key already exists"
	codeCleared  = 401 // etcd's error "The event in requested index is outdated and cleared"

	// keysPrefix begins the path of a URL that names a directory of the keyspace.
	keysPrefix = "/v2/keys/"

	maxAnswerBytes = 1 << 20
	// askTimeout bounds a request that doesn't wait for an event. A server without
	// a majority answers after 7 s.
	askTimeout = 15 * time.Second
	// watchTimeout is how long one wait for an event may take before the directory
	// is read again: a connection may be dead without a sign.
	watchTimeout = 2 * time.Minute
	// blindTimeout is the same where an event may have been missed.
	blindTimeout = 5 * time.Second

	minPause = time.Second
	maxPause = 30 * time.Second
)

// errTrouble is matched by errors that time may heal: of the network, and of a
// server that couldn't answer.
var errTrouble = errors.New("the discovery service could not be asked")

// client reads and writes one discovery URL.
type client struct {
	base  string // scheme and host
	dir   string // path of the directory, without a slash at its end
	http  *http.Client
	log   *slog.Logger
	pause time.Duration // before the first retry
}

func newClient(o *Options) (*client, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: --discovery: %w", ErrOptions, err)
	}
	dir := strings.TrimRight(u.EscapedPath(), "/")
	switch {
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, fmt.Errorf("%w: --discovery %q: want http://HOST/v2/keys/DIR or a URL that /new?size=N answered", ErrOptions, o.URL)
	case dir == "" || dir+"/" == keysPrefix:
		return nil, fmt.Errorf("%w: --discovery %q: the path names no directory", ErrOptions, o.URL)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("%w: --discovery %q: only scheme, host and path are used", ErrOptions, u.Redacted())
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: o.TLS, MaxIdleConnsPerHost: 2}
	if o.TLS == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if o.Proxy != "" {
		proxy, err := url.Parse(o.Proxy)
		if err != nil || proxy.Host == "" {
			return nil, fmt.Errorf("%w: --discovery-proxy %q: want http://HOST:PORT", ErrOptions, o.Proxy)
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &client{
		base: u.Scheme + "://" + u.Host, dir: dir, pause: minPause,
		http: &http.Client{Transport: t}, log: log.With("discovery", o.URL),
	}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// answer is what the discovery's cluster said.
type answer struct {
	node  entry
	index uint64 // its etcd index
	code  int    // etcd's error code, 0 if none
	text  string // the error in words
}

// request is one question. key is the path below the directory, escaped.
type request struct {
	method, key string
	query, form url.Values
	limit       time.Duration
}

// once sends a request once. An error that matches errTrouble leaves open whether
// the server acted on it.
func (c *client) once(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	target := c.base + c.dir + r.key
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, strings.NewReader(r.form.Encode()))
	if err != nil {
		return answer{}, err
	}
	if r.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errTrouble, err)
	}
	defer func() {
		// What was read decides; nothing follows from a failed Close.
		_ = resp.Body.Close()
	}()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errTrouble, err)
	}
	index := resp.Header.Get("X-Etcd-Index")
	return parseAnswer(r.method+" "+target, resp.StatusCode, index, body)
}

// parseAnswer reads the body of an answer to what.
func parseAnswer(what string, status int, index string, body []byte) (answer, error) {
	if status >= 500 {
		return answer{}, fmt.Errorf("%w: %s: status %d: %s", errTrouble, what, status, excerpt(body))
	}
	var a answer
	// A server may lack the header; then a watch begins with what comes next.
	a.index, _ = strconv.ParseUint(index, 10, 64)
	if status == http.StatusOK || status == http.StatusCreated {
		if len(body) == 0 {
			return answer{}, fmt.Errorf("%w: %s: empty answer", errTrouble, what)
		}
		var ok struct {
			Node *entry `json:"node"`
		}
		if err := json.Unmarshal(body, &ok); err != nil || ok.Node == nil {
			return answer{}, fmt.Errorf("discovery: %s: no answer of an etcd v2 keyspace: %s", what, excerpt(body))
		}
		a.node = *ok.Node
		return a, nil
	}
	var refused struct {
		Code    int    `json:"errorCode"`
		Message string `json:"message"`
		Cause   string `json:"cause"`
	}
	if err := json.Unmarshal(body, &refused); err != nil || refused.Code == 0 {
		return answer{}, fmt.Errorf("discovery: %s: status %d: %s", what, status, excerpt(body))
	}
	a.code = refused.Code
	a.text = fmt.Sprintf("%s: error %d: %s (%s)", what, refused.Code, refused.Message, refused.Cause)
	return a, nil
}

// excerpt is the beginning of a body, for an error's text.
func excerpt(body []byte) string {
	const most = 200
	if len(body) > most {
		body = body[:most]
	}
	return strconv.Quote(strings.TrimSpace(string(body)))
}

// ask asks until there is an answer. It is for reads, and for writes whose
// repetition does no harm.
func (c *client) ask(ctx context.Context, r request) (answer, error) {
	for pause := c.pause; ; {
		a, err := c.once(ctx, r)
		if err == nil || !errors.Is(err, errTrouble) {
			return a, err
		}
		if err := c.wait(ctx, &pause, err); err != nil {
			return answer{}, err
		}
	}
}

// wait lets a pause pass after trouble and makes the next one longer.
func (c *client) wait(ctx context.Context, pause *time.Duration, trouble error) error {
	if ctx.Err() != nil {
		return errors.Join(trouble, ctx.Err())
	}
	// Members that failed together must not come back together.
	d := *pause/2 + rand.N(*pause)
	c.log.Warn("discovery: trying again", "err", trouble, "in", d.Round(time.Millisecond))
	*pause = min(2**pause, maxPause)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errors.Join(trouble, ctx.Err())
	}
}
