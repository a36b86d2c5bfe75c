package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"drydock/sim/history"
)

// Times of a watcher.
const (
	watchRest = 20 * time.Millisecond // between sessions
	watchWait = time.Second           // for the head of an answer
	stallMost = 4 * time.Second       // without reading, once in a session
)

// Watching says how watchers watch.
type Watching struct {
	// Starts are now, past and future; a watch begins at one of them, and one in the past
	// or the future up to Back indexes away.
	Starts []string
	Back   int
	// Modes are stream and long-poll.
	Modes []string
	// Session is the mean length of a session, Slow the chance of one that stops to read
	// for a time.
	Session time.Duration
	Slow    float64
	// More are keys that may be watched, too.
	More []string

	_ struct{}
}

func (w *Watching) setDefaults() {
	if len(w.Starts) == 0 {
		w.Starts = []string{"now", "past", "future"}
	}
	if len(w.Modes) == 0 {
		w.Modes = []string{"stream", "stream", "long-poll"}
	}
	if w.Back == 0 {
		w.Back = 40
	}
	if w.Session == 0 {
		w.Session = 3 * time.Second
	}
}

// Watcher is one client that watches, and goes on after the last event that it
// has seen.
type Watcher struct {
	name   string
	c      Cluster
	rec    *Recorder
	keys   int
	how    Watching
	rng    *rand.Rand
	http   *http.Client
	target int

	path              string
	recursive, stream bool
}

// NewWatcher returns a watcher that watches nothing yet. Of the options, Seed, Keys,
// Dial and Watching count.
func NewWatcher(name string, c Cluster, rec *Recorder, o Options) *Watcher {
	if o.Keys == 0 {
		o.Keys = defaultKeys
	}
	o.Watching.setDefaults()
	w := &Watcher{name: name, c: c, rec: rec, keys: o.Keys, how: o.Watching}
	w.rng = rand.New(rand.NewPCG(o.Seed, Hash(name)))
	w.target = w.rng.IntN(c.Size())
	w.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, ResponseHeaderTimeout: watchWait, DialContext: o.Dial}}
	return w
}

// Run watches until the context ends.
func (w *Watcher) Run(ctx context.Context) {
	defer w.http.CloseIdleConnections()
	since, resumes, fresh := uint64(0), 0, true
	for ctx.Err() == nil {
		if fresh {
			since, resumes, fresh = w.begin(ctx), 0, false
		}
		s := w.session(ctx, since, resumes)
		switch {
		case s.Why == history.WatchGone, s.Headed == 0 && s.Since == 0, s.Why == history.WatchLeft && w.rng.IntN(4) == 0:
			fresh = true
		default:
			since, resumes = s.Last()+1, s.ID
		}
		if s.Why == history.WatchDone {
			continue // a long poll is asked again at once
		}
		w.target = w.rng.IntN(w.c.Size())
		if pause(ctx, watchRest) != nil {
			return
		}
	}
}

// begin chooses what to watch and from which index on; 0 is from now on.
func (w *Watcher) begin(ctx context.Context) uint64 {
	w.stream = w.how.Modes[w.rng.IntN(len(w.how.Modes))] == "stream"
	switch draw := w.rng.IntN(5); {
	case draw == 0:
		w.path, w.recursive = "/", true
	case draw == 1:
		w.path, w.recursive = fmt.Sprintf("/q%d", w.rng.IntN(max(1, w.keys/3))), true
	case draw == 2 && len(w.how.More) > 0:
		w.path, w.recursive = w.how.More[w.rng.IntN(len(w.how.More))], true
	default:
		w.path, w.recursive = fmt.Sprintf("/k%d", w.rng.IntN(w.keys)), draw == 3
	}
	start := w.how.Starts[w.rng.IntN(len(w.how.Starts))]
	if start == "now" {
		return 0
	}
	index, err := w.index(ctx)
	if err != nil {
		return 0
	}
	away := 1 + w.rng.Uint64N(uint64(w.how.Back))
	if start == "future" {
		return index + away/4 + 1
	}
	return max(1, index-min(index, away))
}

// index reads the store's index.
func (w *Watcher) index(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, watchWait)
	defer cancel()
	resp, err := w.ask(ctx, "")
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return 0, err
	}
	return strconv.ParseUint(resp.Header.Get("X-Etcd-Index"), 10, 64)
}

func (w *Watcher) ask(ctx context.Context, query string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.c.URL(w.target)+"/v2/keys"+w.path+query, nil)
	if err != nil {
		return nil, err
	}
	return w.http.Do(req)
}

// session is one request that watches, and all that came of it.
func (w *Watcher) session(ctx context.Context, since uint64, resumes int) *history.Watch {
	s := &history.Watch{
		Client: w.name, Node: w.c.Name(w.target), Resumes: resumes,
		Path: w.path, Recursive: w.recursive, Stream: w.stream, Since: since,
	}
	query := url.Values{"wait": {"true"}}
	if s.Recursive {
		query.Set("recursive", "true")
	}
	if s.Stream {
		query.Set("stream", "true")
	}
	if since > 0 {
		query.Set("waitIndex", strconv.FormatUint(since, 10))
	}
	length := w.how.Session/4 + time.Duration(w.rng.ExpFloat64()*float64(w.how.Session))
	inner, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	w.rec.open(s)
	s.Why = w.watch(inner, s, "?"+query.Encode())
	s.Closed = w.rec.Now()
	if s.Why == history.WatchCut && inner.Err() != nil {
		s.Why = history.WatchLeft
	}
	return s
}

// watch carries a session out and says why it ended.
func (w *Watcher) watch(ctx context.Context, s *history.Watch, query string) string {
	resp, err := w.ask(ctx, query)
	if err != nil {
		return history.WatchCut
	}
	defer func() { _ = resp.Body.Close() }()
	if index, err := strconv.ParseUint(resp.Header.Get("X-Etcd-Index"), 10, 64); err == nil {
		s.Index = index
	}
	if resp.StatusCode == http.StatusOK {
		s.Headed = w.rec.Now()
		if w.rng.Float64() < w.how.Slow && pause(ctx, time.Duration(w.rng.Int64N(int64(stallMost)))) != nil {
			return history.WatchCut
		}
	}
	events := json.NewDecoder(resp.Body)
	for {
		var a answer
		if err := events.Decode(&a); err != nil {
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) && ctx.Err() == nil {
				w.rec.wrong(fmt.Sprintf("%s watches %s on %s: %v", s.Client, s.Path, s.Node, err))
			}
			return history.WatchCut
		}
		if why := w.event(s, &a); why != "" {
			return why
		}
	}
}

// event takes an event, or the error that ends the watch.
func (w *Watcher) event(s *history.Watch, a *answer) string {
	switch {
	case a.ErrorCode == 401:
		s.Code = a.ErrorCode
		return history.WatchGone
	case a.ErrorCode != 0:
		s.Code = a.ErrorCode
		return history.WatchRefused
	case a.Node == nil:
		w.rec.wrong(fmt.Sprintf("%s watches %s on %s: an event without a node", s.Client, s.Path, s.Node))
		return history.WatchCut
	}
	e := history.WatchEvent{
		Time: w.rec.Now(), Action: a.Action, Key: a.Node.Key, Value: a.Node.Value, Dir: a.Node.Dir,
		Modified: a.Node.Modified, Created: a.Node.Created,
	}
	if a.PrevNode != nil {
		e.Prev = a.PrevNode.Value
	}
	s.Events = append(s.Events, e)
	if !s.Stream {
		return history.WatchDone
	}
	return ""
}
