package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// emptyPause is waited before a watch that ended without an event is begun anew.
const emptyPause = 50 * time.Millisecond

// WatchOptions are a watch's.
type WatchOptions struct {
	// AfterIndex is the last index that is known; events after it are wanted. 0
	// wants what comes from now on.
	AfterIndex uint64
	Recursive  bool

	_ struct{}
}

// Watcher gives the events of a key, or of all below it, one by one. It is not safe
// for use by several goroutines at once.
type Watcher struct {
	c    *Client
	key  string
	rec  bool
	next uint64
}

// Watcher prepares a watch; the first call of Next begins it. o may be nil.
func (c *Client) Watcher(key string, o *WatchOptions) *Watcher {
	w := &Watcher{c: c, key: key}
	if o != nil {
		w.rec = o.Recursive
		if o.AfterIndex > 0 {
			w.next = o.AfterIndex + 1
		}
	}
	return w
}

// Next waits for the next event. It begins anew, where it was, when the connection
// is lost while another endpoint answers, and returns a *ClusterError when none
// does; it may then be called again. ErrCleared means that the events since are no
// longer known: read the keys, and watch from the answer's Index.
func (w *Watcher) Next(ctx context.Context) (*Response, error) {
	for {
		resp, err := w.c.do(ctx, w.call())
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, ErrTooLarge):
			return nil, err
		case err == nil && len(body) > 0:
			return w.event(resp, body)
		}
		w.began(resp.Header)
		if err := pause(ctx, emptyPause); err != nil {
			return nil, err
		}
	}
}

// event reads an event and moves behind it.
func (w *Watcher) event(resp *http.Response, body []byte) (*Response, error) {
	ev, err := decodeResponse(resp.StatusCode, resp.Header, body)
	if err == nil {
		w.next = ev.Node.ModifiedIndex + 1
	}
	return ev, err
}

// began keeps in mind where a watch of the future began, so that what happens
// before it begins again is not missed.
func (w *Watcher) began(head http.Header) {
	if w.next != 0 {
		return
	}
	if index, err := strconv.ParseUint(head.Get("X-Etcd-Index"), 10, 64); err == nil {
		w.next = index + 1
	}
}

func (w *Watcher) call() *call {
	query := url.Values{"wait": {"true"}, "recursive": {strconv.FormatBool(w.rec)}}
	if w.next > 0 {
		query.Set("waitIndex", strconv.FormatUint(w.next, 10))
	}
	return &call{method: http.MethodGet, path: keyPath(w.key), query: query.Encode(), again: true}
}

// pause waits, but not beyond the context's end.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
