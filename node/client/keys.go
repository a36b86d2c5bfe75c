package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// keysPath is where the keyspace is.
const keysPath = "/v2/keys"

// Response is the cluster's answer to a request that it carried out, or an event of
// a watch. Its JSON is the one that the etcd v2 client writes.
type Response struct {
	// Action is what was done: get, set, create, update, delete, compareAndSwap,
	// compareAndDelete or expire.
	Action string `json:"action"`
	Node   *Node  `json:"node"`
	// PrevNode is what was there before; nil if nothing was.
	PrevNode *Node `json:"prevNode"`
	// Index is the store's index: of a write, at a read, or when a watch began.
	Index uint64 `json:"-"`
	// ClusterID is in hexadecimal.
	ClusterID string `json:"-"`
}

// Node is a key or a directory.
type Node struct {
	Key           string     `json:"key"`
	Dir           bool       `json:"dir,omitempty"`
	Value         string     `json:"value"`
	Nodes         []*Node    `json:"nodes"`
	CreatedIndex  uint64     `json:"createdIndex"`
	ModifiedIndex uint64     `json:"modifiedIndex"`
	Expiration    *time.Time `json:"expiration,omitempty"`
	// TTL is in seconds, rounded up; 0 is none.
	TTL int64 `json:"ttl,omitempty"`
}

// GetOptions are a read's.
type GetOptions struct {
	Recursive, Sort bool
	// Quorum asks for a read that sees every write answered before it began.
	Quorum bool

	_ struct{}
}

// Presence is a condition on whether a key is there.
type Presence uint8

// The conditions.
const (
	Whatever Presence = iota
	MustExist
	MustNotExist
)

// SetOptions are a write's.
type SetOptions struct {
	// PrevValue and PrevIndex, unless zero, must be the key's.
	PrevValue string
	PrevIndex uint64
	PrevExist Presence
	// TTL is rounded up to seconds; none if it is not above 0.
	TTL time.Duration
	Dir bool
	// Refresh renews the TTL and keeps the value, without waking watchers.
	Refresh bool

	_ struct{}
}

// DeleteOptions are a deletion's.
type DeleteOptions struct {
	PrevValue      string
	PrevIndex      uint64
	Recursive, Dir bool

	_ struct{}
}

// Get reads a key or lists a directory. o may be nil.
func (c *Client) Get(ctx context.Context, key string, o *GetOptions) (*Response, error) {
	if o == nil {
		o = &GetOptions{}
	}
	query := url.Values{}
	query.Set("recursive", strconv.FormatBool(o.Recursive))
	query.Set("sorted", strconv.FormatBool(o.Sort))
	query.Set("quorum", strconv.FormatBool(o.Quorum))
	return c.keys(ctx, &call{method: http.MethodGet, path: keyPath(key), query: query.Encode(), again: true})
}

// Set writes a key, or makes or renews a directory. o may be nil.
func (c *Client) Set(ctx context.Context, key, value string, o *SetOptions) (*Response, error) {
	if o == nil {
		o = &SetOptions{}
	}
	query, form := url.Values{}, url.Values{}
	if o.Dir {
		query.Set("dir", "true")
	} else if !o.Refresh {
		form.Set("value", value)
	}
	if o.Refresh {
		form.Set("refresh", "true")
	}
	if o.PrevValue != "" {
		query.Set("prevValue", o.PrevValue)
	}
	if o.PrevIndex != 0 {
		query.Set("prevIndex", strconv.FormatUint(o.PrevIndex, 10))
	}
	if o.PrevExist != Whatever {
		query.Set("prevExist", strconv.FormatBool(o.PrevExist == MustExist))
	}
	setTTL(form, o.TTL)
	again := o.PrevValue == "" && o.PrevIndex == 0 && o.PrevExist != MustNotExist
	return c.keys(ctx, formCall(http.MethodPut, key, query, form, again))
}

// Create writes a key that must not be there.
func (c *Client) Create(ctx context.Context, key, value string, ttl time.Duration) (*Response, error) {
	return c.Set(ctx, key, value, &SetOptions{PrevExist: MustNotExist, TTL: ttl})
}

// Update writes a key that must be there.
func (c *Client) Update(ctx context.Context, key, value string, ttl time.Duration) (*Response, error) {
	return c.Set(ctx, key, value, &SetOptions{PrevExist: MustExist, TTL: ttl})
}

// CreateInOrder makes a key below dir, named so that later ones sort after it. It
// is never sent twice.
func (c *Client) CreateInOrder(ctx context.Context, dir, value string, ttl time.Duration) (*Response, error) {
	form := url.Values{"value": {value}}
	setTTL(form, ttl)
	return c.keys(ctx, formCall(http.MethodPost, dir, url.Values{}, form, false))
}

// Delete removes a key or a directory. o may be nil.
func (c *Client) Delete(ctx context.Context, key string, o *DeleteOptions) (*Response, error) {
	if o == nil {
		o = &DeleteOptions{}
	}
	query := url.Values{}
	if o.PrevValue != "" {
		query.Set("prevValue", o.PrevValue)
	}
	if o.PrevIndex != 0 {
		query.Set("prevIndex", strconv.FormatUint(o.PrevIndex, 10))
	}
	if o.Recursive {
		query.Set("recursive", "true")
	}
	if o.Dir {
		query.Set("dir", "true")
	}
	return c.keys(ctx, &call{method: http.MethodDelete, path: keyPath(key), query: query.Encode()})
}

// keyPath is where a key is found. A slash at its end stays: who may only read what
// is below a directory may list it by that name.
func keyPath(key string) string {
	p := path.Join(keysPath, key)
	if p == keysPath || strings.HasSuffix(key, "/") {
		return p + "/"
	}
	return p
}

func setTTL(form url.Values, ttl time.Duration) {
	if ttl > 0 {
		form.Set("ttl", strconv.FormatInt(int64((ttl+time.Second-1)/time.Second), 10))
	}
}

func formCall(method, key string, query, form url.Values, again bool) *call {
	return &call{
		method: method, path: keyPath(key), query: query.Encode(), again: again,
		contentType: "application/x-www-form-urlencoded", body: []byte(form.Encode()),
	}
}

// keys carries out a request on the keyspace.
func (c *Client) keys(ctx context.Context, call *call) (*Response, error) {
	resp, err := c.do(ctx, call)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, bodyError(ctx, call, err)
	}
	return decodeResponse(resp.StatusCode, resp.Header, body)
}

// bodyError says why an answer ended early. A write's answer was on its way, so
// what it did is not known.
func bodyError(ctx context.Context, call *call, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrTooLarge):
		return err
	}
	return &ClusterError{Errors: []error{err}, Unknown: call.method != http.MethodGet}
}

// decodeResponse reads an answer of the keyspace's.
func decodeResponse(status int, head http.Header, body []byte) (*Response, error) {
	if status != http.StatusOK && status != http.StatusCreated {
		e := &Error{}
		if err := json.Unmarshal(body, e); err != nil || e.Code == 0 {
			return nil, fmt.Errorf("%w", ErrInvalidJSON)
		}
		return nil, e
	}
	resp := &Response{ClusterID: head.Get("X-Etcd-Cluster-Id")}
	if err := json.Unmarshal(body, resp); err != nil || resp.Node == nil {
		return nil, fmt.Errorf("%w", ErrInvalidJSON)
	}
	if text := head.Get("X-Etcd-Index"); text != "" {
		index, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("client: X-Etcd-Index is %q, not a number", text)
		}
		resp.Index = index
	}
	return resp, nil
}
