package discovery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options are what a node needs to find its cluster.
type Options struct {
	// URL is the discovery URL: a directory of some cluster's keyspace
	// (http://HOST/v2/keys/DIR), or what /new?size=N answered.
	URL string
	// ID is the id under which this member is to found the cluster.
	ID uint64
	// Again says that a start of this very node may have registered the id before:
	// it was to found the cluster and has not done so. Without it an id that is
	// registered is another's, whatever the value.
	Again bool
	// Name is the member's name; no two may have the same.
	Name string
	// PeerURLs are where other members reach this one. 2014's protocol knows of
	// the first only.
	PeerURLs []string
	// TLS is for https URLs; nil trusts the system's authorities.
	TLS *tls.Config
	// Proxy is the URL of an HTTP proxy; "" takes the environment's.
	Proxy string
	// Logger hears of retries and progress; nil discards them.
	Logger *slog.Logger

	_ struct{}
}

// Result is what a discovery has told.
type Result struct {
	// Token is the last component of the URL: what founders have in common.
	Token string
	// Founders found the cluster together, this member among them, in the same
	// order on all. With ErrFull they are the members of the cluster that is full.
	Founders []Peer
	// Join, if not empty, are members of a running cluster that this member is to
	// be added to (2014's protocol). Any of them may be gone.
	Join []Peer
	// Renew says that the registration ends by itself unless Keep renews it.
	Renew bool
}

const (
	// ttl is how long a 2014 registration lasts, renewal how often it is renewed.
	ttl     = 7 * 24 * time.Hour
	renewal = ttl / 8
)

// Join registers the member and returns once it is known with whom it is to found
// a cluster, or which one to join. It waits for other founders and for the
// service as long as ctx lets it. A full cluster is ErrFull, with the members in
// the Result.
func Join(ctx context.Context, o Options) (Result, error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
	c, err := newClient(&o)
	if err != nil {
		return Result{}, err
	}
	defer c.close()
	token := c.dir[strings.LastIndexByte(c.dir, '/')+1:]
	var res Result
	_, err = c.size(ctx)
	switch {
	case errors.Is(err, ErrSizeNotFound) && strings.HasPrefix(c.dir, keysPrefix) && !strings.HasPrefix(c.dir, registry):
		res, err = c.join2014(ctx, &o)
	case err == nil:
		res, err = c.found(ctx, &o)
	}
	res.Token = token
	return res, err
}

// Keep renews a member's registration with a discovery of 2014's protocol until
// ctx ends, which is no error. With the other protocol it returns at once.
func Keep(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	c, err := newClient(&o)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.size(ctx); err == nil || !errors.Is(err, ErrSizeNotFound) {
		return unlessEnded(ctx, err)
	}
	t := time.NewTicker(renewal)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := c.register2014(ctx, &o); err != nil {
			return unlessEnded(ctx, err)
		}
	}
}

func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (o *Options) check() error {
	switch {
	case o.ID == 0:
		return fmt.Errorf("%w: the member has no id", ErrOptions)
	case o.Name == "" || strings.HasPrefix(o.Name, "_") || strings.ContainsAny(o.Name, "/=,"):
		return fmt.Errorf(`%w: --name %q: want a name without "/", "=" and "," that doesn't begin with "_"`, ErrOptions, o.Name)
	case len(o.PeerURLs) == 0:
		return fmt.Errorf("%w: --initial-advertise-peer-urls: at least one URL is needed", ErrOptions)
	}
	for _, u := range o.PeerURLs {
		if err := checkURL(u); err != nil {
			return fmt.Errorf("%w: --initial-advertise-peer-urls: %w", ErrOptions, err)
		}
		if strings.ContainsAny(u, ",") {
			return fmt.Errorf("%w: --initial-advertise-peer-urls: %q has a comma", ErrOptions, u)
		}
	}
	return nil
}

// size reads how many members are to found the cluster.
func (c *client) size(ctx context.Context) (int, error) {
	a, err := c.ask(ctx, request{method: "GET", key: "/_config/size", query: linearizable(), limit: askTimeout})
	switch {
	case err != nil:
		return 0, err
	case a.code == codeNotFound:
		return 0, fmt.Errorf("%w at %s%s: set it with PUT %s/_config/size value=N, or ask /new?size=N for a URL",
			ErrSizeNotFound, c.base, c.dir, c.dir)
	case a.code != 0:
		return 0, fmt.Errorf("discovery: %s", a.text)
	}
	return parseSize(a.node.Value)
}

// found goes through etcd 2.0's protocol.
func (c *client) found(ctx context.Context, o *Options) (Result, error) {
	self := strconv.FormatUint(o.ID, 16)
	mine := false
	for told := 0; ; {
		size, err := c.size(ctx)
		if err != nil {
			return Result{}, err
		}
		list, index, err := c.list(ctx)
		if err != nil {
			return Result{}, err
		}
		rank, full := place(list, self, size)
		if full {
			// Who is in it is worth knowing, but must not hide that it is full.
			members, err := founders(list, size)
			return Result{Founders: members}, errors.Join(fmt.Errorf("%w: %d of %d members were there before", ErrFull, size, size), err)
		}
		if !mine {
			if err := c.register(ctx, self, formatRegistration(o.Name, o.PeerURLs), o.Again); err != nil {
				return Result{}, err
			}
			mine = true
			continue
		}
		if rank >= 0 && len(list) >= size {
			members, err := founders(list, size)
			return Result{Founders: members}, err
		}
		if told != len(list) {
			told = len(list)
			c.log.Info("discovery: waiting for other members", "here", told, "size", size)
		}
		if err := c.watch(ctx, index); err != nil {
			return Result{}, err
		}
	}
}

// list reads the directory; none is an empty one.
func (c *client) list(ctx context.Context) ([]entry, uint64, error) {
	a, err := c.ask(ctx, request{method: "GET", query: linearizable(), limit: askTimeout})
	switch {
	case err != nil:
		return nil, 0, err
	case a.code == codeNotFound:
		return nil, a.index, nil
	case a.code != 0:
		return nil, 0, fmt.Errorf("discovery: %s", a.text)
	}
	return registrations(a.node), a.index, nil
}

// register creates the member's key. After an attempt whose answer was lost, or a
// start before this one, a key that is there with the member's own value is its
// own.
func (c *client) register(ctx context.Context, self, value string, again bool) error {
	create := request{
		method: "PUT", key: "/" + self, query: url.Values{"prevExist": {"false"}},
		form: url.Values{"value": {value}}, limit: askTimeout,
	}
	a, lost, err := c.create(ctx, create)
	switch {
	case err != nil:
		return err
	case a.code == 0:
		return nil
	case a.code != codeExists:
		return fmt.Errorf("discovery: %s", a.text)
	}
	there, err := c.ask(ctx, request{method: "GET", key: "/" + self, query: linearizable(), limit: askTimeout})
	if err == nil && (lost || again) && there.node.Value == value {
		return nil
	}
	return errors.Join(fmt.Errorf("%w %s: it is registered as %q", ErrDuplicateID, self, there.node.Value), err)
}

// watch returns when something may have happened below the directory since it
// was read at index: the caller reads it again.
func (c *client) watch(ctx context.Context, index uint64) error {
	q := url.Values{"wait": {"true"}, "recursive": {"true"}}
	limit := watchTimeout
	if index > 0 {
		q.Set("waitIndex", strconv.FormatUint(index+1, 10))
	} else {
		// The server didn't say where it stands, so an event may have been missed.
		limit = blindTimeout
	}
	began := time.Now()
	a, err := c.once(ctx, request{method: "GET", query: q, limit: limit})
	switch {
	case ctx.Err() == nil && errors.Is(err, errTrouble) && time.Since(began) >= limit:
		return nil
	case errors.Is(err, errTrouble):
		pause := c.pause
		return c.wait(ctx, &pause, err)
	case err == nil && a.code == codeCleared:
		pause := c.pause
		return c.wait(ctx, &pause, fmt.Errorf("discovery: %s", a.text))
	case err == nil && a.code != 0:
		return fmt.Errorf("discovery: %s", a.text)
	}
	return err
}

// join2014 goes through the protocol of etcd 0.3 and 0.4.
func (c *client) join2014(ctx context.Context, o *Options) (Result, error) {
	if err := c.register2014(ctx, o); err != nil {
		return Result{}, err
	}
	first, lost, err := c.claim(ctx)
	if err != nil {
		return Result{}, err
	}
	alone := Result{Founders: []Peer{{ID: o.ID, Name: o.Name, PeerURLs: o.PeerURLs}}, Renew: true}
	if first {
		return alone, nil
	}
	q := linearizable()
	q.Set("sorted", "true")
	a, err := c.ask(ctx, request{method: "GET", query: q, limit: askTimeout})
	switch {
	case err != nil:
		return Result{}, err
	case a.code != 0:
		return Result{}, fmt.Errorf("discovery: %s", a.text)
	}
	peers, err := others(a.node, o.Name)
	if err == nil && len(peers) == 0 {
		if lost {
			// The claim that stands is ours: its answer didn't reach us.
			return alone, nil
		}
		err = fmt.Errorf("%w at %s%s: start anew with another URL, or delete its _state if no cluster is there", ErrNoPeers, c.base, c.dir)
	}
	return Result{Join: peers, Renew: true}, err
}

// register2014 writes the member's peer URL under its name. A repetition renews.
func (c *client) register2014(ctx context.Context, o *Options) error {
	a, err := c.ask(ctx, request{method: "PUT", key: "/" + url.PathEscape(o.Name), limit: askTimeout, form: url.Values{
		"value": {o.PeerURLs[0]}, "ttl": {strconv.Itoa(int(ttl / time.Second))},
	}})
	if err == nil && a.code != 0 {
		err = fmt.Errorf("discovery: %s", a.text)
	}
	return err
}

// claim creates _state. first says that nobody had before; lost, that an answer
// was lost on the way, so that it may have been this member all the same.
func (c *client) claim(ctx context.Context) (first, lost bool, err error) {
	a, lost, err := c.create(ctx, request{
		method: "PUT", key: "/_state", query: url.Values{"prevExist": {"false"}},
		form: url.Values{"value": {"started"}}, limit: askTimeout,
	})
	switch {
	case err != nil:
		return false, false, err
	case a.code == codeExists:
		return false, lost, nil
	case a.code != 0:
		return false, false, fmt.Errorf("discovery: %s", a.text)
	}
	return true, false, nil
}

// create asks until there is an answer. lost says that there was an attempt of
// which none came, so that a key that is there now may come from it.
func (c *client) create(ctx context.Context, r request) (a answer, lost bool, err error) {
	for pause := c.pause; ; {
		a, err = c.once(ctx, r)
		if err == nil || !errors.Is(err, errTrouble) {
			return a, lost, err
		}
		lost = true
		if err = c.wait(ctx, &pause, err); err != nil {
			return answer{}, lost, err
		}
	}
}

// linearizable asks for a read that sees what was written before it began: of
// servers since 2.0 by the first parameter, of those before by the second.
func linearizable() url.Values { return url.Values{"quorum": {"true"}, "consistent": {"true"}} }
