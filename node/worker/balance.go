package worker

import (
	"slices"
	"sync"
	"time"
)

// Pauses before a member that failed is asked again, unless all have failed.
const (
	minBackoff = 500 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// endpoint is a client URL of a member.
type endpoint struct {
	url      string
	failures int       // since it answered last
	until    time.Time // left alone until then; zero when it is thought to be well
	why      string    // of the last failure
}

// balance knows the endpoints, and which to ask.
type balance struct {
	now func() time.Time

	mu   sync.Mutex
	list []*endpoint
	at   string // the endpoint that is kept to
}

// set takes over a list of URLs. What is known of those that stay is kept. An
// empty list changes nothing: it is no cluster's.
func (b *balance) set(urls []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(urls) == 0 {
		return
	}
	list := make([]*endpoint, 0, len(urls))
	for _, u := range urls {
		if slices.ContainsFunc(list, func(e *endpoint) bool { return e.url == u }) {
			continue
		}
		i := slices.IndexFunc(b.list, func(e *endpoint) bool { return e.url == u })
		if i >= 0 {
			list = append(list, b.list[i])
		} else {
			list = append(list, &endpoint{url: u})
		}
	}
	b.list = list
}

// order returns the endpoints in the order in which a request should try them: the
// one that is kept to, the others that are well, and then those that are left
// alone, the one whose time is up first in front.
func (b *balance) order() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	var well, ill []*endpoint
	for _, e := range b.list {
		switch {
		case e.until.After(now):
			ill = append(ill, e)
		case e.url == b.at:
			well = slices.Insert(well, 0, e)
		default:
			well = append(well, e)
		}
	}
	slices.SortStableFunc(ill, func(a, b *endpoint) int { return a.until.Compare(b.until) })
	urls := make([]string, 0, len(b.list))
	for _, e := range append(well, ill...) {
		urls = append(urls, e.url)
	}
	return urls
}

// answered says that an endpoint works; it is kept to from here on.
func (b *balance) answered(url string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.find(url); e != nil {
		e.failures, e.until, e.why = 0, time.Time{}, ""
		b.at = url
	}
}

// failed says that an endpoint did not work. first is true when it did before.
func (b *balance) failed(url string, err error) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.find(url)
	if e == nil {
		return false
	}
	e.why = err.Error()
	if e.failures > 0 && e.until.After(b.now()) {
		return false // several requests found out the same
	}
	pause := maxBackoff
	if shift := e.failures; shift < 6 {
		pause = min(minBackoff<<shift, maxBackoff)
	}
	e.failures++
	e.until = b.now().Add(pause)
	return e.failures == 1
}

func (b *balance) find(url string) *endpoint {
	i := slices.IndexFunc(b.list, func(e *endpoint) bool { return e.url == url })
	if i < 0 {
		return nil
	}
	return b.list[i]
}

// condition is what a worker tells of an endpoint.
type condition struct {
	URL   string `json:"url"`
	State string `json:"state"` // current, well or failed
	Why   string `json:"why,omitempty"`
}

// conditions tells of all endpoints.
func (b *balance) conditions() []condition {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]condition, 0, len(b.list))
	for _, e := range b.list {
		c := condition{URL: e.url, State: "well", Why: e.why}
		switch {
		case e.failures > 0:
			c.State = "failed"
		case e.url == b.at:
			c.State = "current"
		}
		list = append(list, c)
	}
	return list
}
