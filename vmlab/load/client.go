// Package load is what clients do to a cluster of real processes: they ask for
// operations and watch, over HTTP, and write down what they saw on one clock.
//
// A client has one operation open at a time. An operation that ended without an
// answer is unknown, and refused only if it was never sent or the store said so.
//
// Files: client.go (what all clients do), keys.go, ttl.go and lock.go (what they ask
// for), watcher.go, record.go.
package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"drydock/node/api"
	"drydock/sim/history"
)

// Cluster is where clients find members, numbered from 0.
type Cluster interface {
	Size() int
	Name(i int) string
	URL(i int) string
}

// Bounds of clients.
const (
	// OpTimeout is a client's patience with one operation, where nothing else is said.
	OpTimeout = 3 * time.Second
	// RetryEvery is the rest before asking again for what was not done.
	RetryEvery = 20 * time.Millisecond
	// defaultKeys is how many keys clients share; they append to a third as many
	// directories.
	defaultKeys = 6
)

// Weight is how often clients ask for what; a stale get is a plain read of one
// member.
type Weight struct {
	Kind   history.Kind
	Stale  bool
	Weight int
}

// mix is what clients ask for where nothing else is said.
var mix = []Weight{
	{history.Get, false, 24},
	{history.Get, true, 10},
	{history.List, false, 3},
	{history.Put, false, 26},
	{history.CAS, false, 16},
	{history.Create, false, 4},
	{history.Update, false, 4},
	{history.Delete, false, 3},
	{history.CAD, false, 3},
	{history.Append, false, 7},
}

// Options are how a client behaves. The zero value of each is usable.
type Options struct {
	Seed uint64
	Mix  []Weight
	// Keys is how many keys clients share, ValueBytes how long values are at least.
	Keys, ValueBytes int
	// Think is the mean rest between operations, Rate instead how many a second.
	Think time.Duration
	Rate  float64
	// Timeout is a client's patience; Retries how often what was refused is asked
	// again, 0 is until the timeout.
	Timeout time.Duration
	Retries int
	// Watching is how watchers watch.
	Watching Watching
	// Pinned clients stay with their member, whatever happens.
	Pinned bool
	// Dial opens connections; nil dials directly.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	_ struct{}
}

// Client is one client: it does one operation at a time and writes down what it
// saw.
type Client struct {
	name   string
	c      Cluster
	o      Options
	rec    *Recorder
	rng    *rand.Rand
	http   *http.Client
	target int
	count  int
	seen   map[string]seen
	mind   mind
	made   string // the key that its last answer was about
}

// mind decides what a client does.
type mind interface {
	// rest is how long to wait before next is asked.
	rest(c *Client) time.Duration
	// next returns the next operation.
	next(c *Client) *history.Op
	// learn is told how an operation has ended.
	learn(c *Client, op *history.Op)
}

// seen is what a client knows of a key.
type seen struct {
	value    string
	modified uint64
}

// NewClient returns a client of the keyspace that has asked for nothing yet.
func NewClient(name string, c Cluster, rec *Recorder, o Options) *Client {
	return newClient(name, c, rec, o, keysMind{})
}

func newClient(name string, c Cluster, rec *Recorder, o Options, m mind) *Client {
	if len(o.Mix) == 0 {
		o.Mix = mix
	}
	if o.Keys == 0 {
		o.Keys = defaultKeys
	}
	if o.Timeout == 0 {
		o.Timeout = OpTimeout
	}
	if o.Rate > 0 {
		o.Think = time.Duration(float64(time.Second) / o.Rate)
	}
	cl := &Client{name: name, c: c, o: o, rec: rec, seen: map[string]seen{}, mind: m}
	cl.rng = rand.New(rand.NewPCG(o.Seed, Hash(name)))
	cl.target = cl.rng.IntN(c.Size())
	cl.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, DialContext: o.Dial}}
	return cl
}

// Close lets go of connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Hash makes a number of a name.
func Hash(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}

// Run does operations until the context ends; the one that is open then is
// finished.
func (c *Client) Run(ctx context.Context) {
	defer c.http.CloseIdleConnections()
	for ctx.Err() == nil {
		op := c.mind.next(c)
		c.Do(context.WithoutCancel(ctx), op)
		c.mind.learn(c, op)
		if pause(ctx, c.mind.rest(c)) != nil {
			return
		}
	}
}

// gap draws an exponentially distributed time.
func (c *Client) gap(mean time.Duration) time.Duration {
	return min(time.Duration(c.rng.ExpFloat64()*float64(mean)), 20*mean)
}

// Do carries an operation out and writes down how it ended.
func (c *Client) Do(ctx context.Context, op *history.Op) {
	c.count++
	op.Client, op.Token = c.name, fmt.Sprintf("%s-%d", c.name, c.count)
	c.rec.begin(op)
	defer c.rec.over(op)
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	for tries := 1; ; tries++ {
		done, err := c.attempt(ctx, op)
		switch {
		case done && err == nil:
			op.Status, op.Return = history.OK, c.rec.Now()
			return
		case done:
			op.Status, op.Error = history.Unknown, err.Error()
			c.roam()
			return
		}
		c.roam()
		if c.o.Retries > 0 && tries > c.o.Retries || pause(ctx, RetryEvery) != nil {
			op.Status, op.Return, op.Error = history.Refused, c.rec.Now(), err.Error()
			return
		}
	}
}

// Insist asks a member for an operation of a kind, again and again if need be, until
// there is an answer or the context ends.
func (c *Client) Insist(ctx context.Context, member int, kind history.Kind) *history.Op {
	for {
		op := &history.Op{Kind: kind, Key: "/end"}
		if kind == history.Put {
			op.Value = fmt.Sprintf("%s.%d", c.name, c.count+1)
		}
		c.target = member
		c.Do(context.WithoutCancel(ctx), op)
		if op.Status == history.OK || pause(ctx, RetryEvery) != nil {
			return op
		}
	}
}

// roam moves on to another member after trouble.
func (c *Client) roam() {
	if !c.o.Pinned {
		c.target = c.rng.IntN(c.c.Size())
	}
}

// attempt asks one member. done is false when it is certain that nothing was
// done; an error with done says that it is not known what was.
func (c *Client) attempt(ctx context.Context, op *history.Op) (done bool, err error) {
	op.Node = c.c.Name(c.target)
	req, err := c.request(ctx, op)
	if err != nil {
		return true, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return !unsent(err), err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return true, err
	}
	switch outcome := resp.Header.Get(api.HeaderOutcome); {
	case outcome == api.Refused.String():
		return false, fmt.Errorf("refused: %s", bytes.TrimSpace(body))
	case outcome != "":
		return true, fmt.Errorf("outcome %s: %s", outcome, bytes.TrimSpace(body))
	}
	if err := c.read(op, resp, body); err != nil {
		c.rec.wrong(fmt.Sprintf("%s to %s: %v", c.name, op.Node, err))
		return true, err
	}
	return true, nil
}

// unsent says that an error of a request came before anything of it was sent.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// request writes the operation as etcd v2's clients do.
func (c *Client) request(ctx context.Context, op *history.Op) (*http.Request, error) {
	method, query := http.MethodPut, url.Values{}
	switch op.Kind {
	case history.Get, history.List:
		method = http.MethodGet
		if !op.Stale {
			query.Set("quorum", "true")
		}
		if op.Kind == history.List {
			query.Set("sorted", "true")
		}
	case history.Create:
		query.Set("prevExist", "false")
	case history.Update:
		query.Set("prevExist", "true")
	case history.Delete, history.CAD:
		method = http.MethodDelete
	case history.Append:
		method = http.MethodPost
	}
	if op.PrevValue != nil {
		query.Set("prevValue", *op.PrevValue)
	}
	if op.PrevIndex != 0 {
		query.Set("prevIndex", strconv.FormatUint(op.PrevIndex, 10))
	}
	if op.Refresh {
		query.Set("refresh", "true")
	}
	if op.TTL > 0 {
		query.Set("ttl", strconv.FormatUint(op.TTL, 10))
	}
	target := c.c.URL(c.target) + "/v2/keys" + op.Key
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var body io.Reader
	if op.Value != "" {
		body = strings.NewReader(url.Values{"value": {op.Value}}.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(api.HeaderToken, op.Token)
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, nil
}

// answer is what clients read of a body.
type answer struct {
	Action    string   `json:"action"`
	Node      *keyNode `json:"node"`
	PrevNode  *keyNode `json:"prevNode"`
	ErrorCode int      `json:"errorCode"`
	Message   string   `json:"message"`
}

type keyNode struct {
	Key      string    `json:"key"`
	Value    *string   `json:"value"`
	Dir      bool      `json:"dir"`
	Nodes    []keyNode `json:"nodes"`
	Modified uint64    `json:"modifiedIndex"`
	Created  uint64    `json:"createdIndex"`
	TTL      uint64    `json:"ttl"`
}

// read fills an operation from its answer.
func (c *Client) read(op *history.Op, resp *http.Response, body []byte) error {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return fmt.Errorf("%s %s: %s, %q: %w", op.Kind, op.Key, resp.Status, body, err)
	}
	var err error
	if op.Revision, err = number(resp, api.HeaderRevision); err != nil {
		return err
	}
	if op.Index, err = number(resp, "X-Etcd-Index"); err != nil {
		return err
	}
	if a.ErrorCode != 0 {
		op.Code = a.ErrorCode
		if op.Code >= 200 {
			return fmt.Errorf("%s %s: %s, %s", op.Kind, op.Key, resp.Status, body)
		}
		if op.Code == 100 {
			delete(c.seen, op.Key)
		}
		return nil
	}
	if a.Node == nil {
		return fmt.Errorf("%s %s: an answer without a node: %s", op.Kind, op.Key, body)
	}
	c.fill(op, &a)
	return nil
}

func (c *Client) fill(op *history.Op, a *answer) {
	op.Modified, op.Created, op.Left, c.made = a.Node.Modified, a.Node.Created, a.Node.TTL, a.Node.Key
	if !op.Kind.Reads() {
		op.Fresh = a.PrevNode == nil
		if a.PrevNode != nil {
			op.Out = a.PrevNode.Value
		}
	}
	switch op.Kind {
	case history.Get:
		op.Out = a.Node.Value
		if a.Node.Value != nil && !op.Stale {
			c.seen[op.Key] = seen{*a.Node.Value, a.Node.Modified}
		}
	case history.List:
		op.Items = make([]history.Item, 0, len(a.Node.Nodes))
		for _, n := range a.Node.Nodes {
			item := history.Item{Key: n.Key, Created: n.Created}
			if n.Value != nil {
				item.Value = *n.Value
			}
			op.Items = append(op.Items, item)
		}
	case history.Delete, history.CAD:
		delete(c.seen, op.Key)
	case history.Append:
	default:
		if !op.Refresh {
			c.seen[op.Key] = seen{op.Value, op.Modified}
		}
	}
}

func number(resp *http.Response, header string) (uint64, error) {
	v, err := strconv.ParseUint(resp.Header.Get(header), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s %s: header %s: %w", resp.Request.Method, resp.Request.URL, header, err)
	}
	return v, nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
