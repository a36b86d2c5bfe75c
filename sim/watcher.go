package sim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"drydock/node/api"
	"drydock/sim/event"
	"drydock/sim/history"
	"drydock/sim/impair"
)

// Times of a watcher.
const (
	watchRest = 20 * time.Millisecond // between sessions
	watchWait = time.Second           // for the head of an answer
	stallMost = 4 * time.Second       // without reading, once in a session
)

// watcher is one simulated client that watches. It has one request open at a
// time: a watch, or the read by which it learns the store's index.
type watcher struct {
	w      *World
	index  int
	name   string
	rng    *rand.Rand
	delay  impair.Sampler
	load   *WatchLoad
	target int

	path      string
	recursive bool
	stream    bool

	attempt uint64
	timer   event.Handle
	session *history.Watch // nil while it reads
	learned func(index uint64)
	// due is when the latest piece on its way arrives: a connection keeps order.
	due     time.Duration
	stalled bool
	unread  []arrival
	// calm watchers hang up no more: the run is about to end.
	calm bool
}

// arrival is something that came over the connection: the answer, its head, or
// a piece of the body.
type arrival struct {
	resp *api.Response
	how  ending
	body []byte
	cut  bool
	last bool
}

func newWatcher(w *World, index int, name string) (*watcher, error) {
	a := &watcher{w: w, index: index, name: name, load: &w.cfg.Watch}
	a.rng = w.src.Stream("client/" + a.name)
	a.target = index % len(w.cfg.Voters)
	var err error
	a.delay, err = w.cfg.requestTimes()
	return a, err
}

// start begins to watch something, from where the load says.
func (a *watcher) start() {
	a.path, a.recursive = a.choose()
	a.stream = a.load.Streams[a.rng.IntN(len(a.load.Streams))]
	start := a.load.Starts[a.rng.IntN(len(a.load.Starts))]
	if start == StartNow {
		a.open(0, 0)
		return
	}
	away := 1 + a.rng.Uint64N(uint64(max(1, a.load.Back)))
	a.read(func(index uint64) {
		since := index + away
		if start == StartPast {
			since = max(1, index-min(index, away))
		}
		a.open(since, 0)
	})
}

// choose draws what to watch: a key, a directory, or everything.
func (a *watcher) choose() (path string, recursive bool) {
	keys := a.w.cfg.Load.Keys
	var more []string
	if n := a.w.cfg.TTL; n.Clients > 0 {
		more = append(more, fmt.Sprintf("/t%d", a.rng.IntN(n.Keys)))
	}
	if n := a.w.cfg.Lock; n.Clients > 0 {
		kind := "lock"
		if n.Queue {
			kind = "line"
		}
		more = append(more, fmt.Sprintf("/%s%d", kind, a.rng.IntN(n.Locks)))
	}
	draw := a.rng.IntN(8)
	switch {
	case draw < 2:
		return "/", true
	case draw < 4 && len(more) > 0:
		return more[a.rng.IntN(len(more))], true
	case draw < 5:
		return fmt.Sprintf("/q%d", a.rng.IntN(max(1, keys/2))), true
	}
	return fmt.Sprintf("/k%d", a.rng.IntN(keys)), draw == 5
}

// ask sends a request; the timer is its patience.
func (a *watcher) ask(r *api.Request, patience time.Duration, impatient func()) *machine {
	a.attempt++
	attempt, m := a.attempt, a.endpoint()
	a.stalled, a.unread, a.due = false, nil, 0
	a.w.queue.Cancel(a.timer)
	a.timer = a.w.queue.After(patience, impatient)
	a.w.queue.After(a.delay.Sample(a.rng), func() { m.front.request(a, attempt, r) })
	return m
}

func (a *watcher) endpoint() *machine {
	for range a.w.machines {
		if m := a.w.machines[a.target]; m.status != outside {
			return m
		}
		a.target = (a.target + 1) % len(a.w.machines)
	}
	return a.w.machines[0]
}

// again does what comes next after a rest, at another member if roam is set.
func (a *watcher) again(roam bool, next func()) {
	a.attempt++ // what is still on its way comes too late
	a.session, a.learned = nil, nil
	a.w.queue.Cancel(a.timer)
	if roam {
		a.target = a.rng.IntN(len(a.w.machines))
	}
	a.w.queue.After(watchRest/2+time.Duration(a.rng.Int64N(int64(watchRest))), next)
}

// read learns the store's index by reading what is to be watched.
func (a *watcher) read(then func(index uint64)) {
	a.learned = then
	target := "/v2/keys" + a.path
	if a.recursive {
		target += "?recursive=true"
	}
	a.ask(&api.Request{Method: "GET", Target: target}, watchWait, func() {
		a.again(true, func() { a.read(then) })
	})
}

// open begins a session.
func (a *watcher) open(since uint64, resumes int) {
	s := &history.Watch{
		ID: len(a.w.watches) + 1, Client: a.name, Resumes: resumes, Path: a.path, Recursive: a.recursive,
		Stream: a.stream, Since: since, Opened: int64(a.w.now()),
	}
	a.w.watches = append(a.w.watches, s)
	a.session = s
	target := "/v2/keys" + a.path + "?wait=true"
	if s.Recursive {
		target += "&recursive=true"
	}
	if s.Stream {
		target += "&stream=true"
	}
	if since > 0 {
		target += "&waitIndex=" + strconv.FormatUint(since, 10)
	}
	s.Node = a.ask(&api.Request{Method: "GET", Target: target}, watchWait, func() { a.leave() }).name
}

// leave hangs up.
func (a *watcher) leave() {
	attempt, m := a.attempt, a.w.byName[a.session.Node]
	a.w.queue.After(a.delay.Sample(a.rng), func() { m.front.cancel(a, attempt) })
	a.end(history.WatchLeft)
}

// end closes the session and goes on after what was seen last, or, now and
// then, with something else.
func (a *watcher) end(why string) {
	s := a.session
	s.Closed, s.Why = int64(a.w.now()), why
	a.w.observe(history.Observation{Watch: s})
	switch {
	case why == history.WatchGone:
		// As etcd's clients do: read again, and watch from there.
		a.again(false, func() { a.read(func(index uint64) { a.open(index+1, 0) }) })
	case s.Headed == 0 && s.Since == 0, why == history.WatchLeft && a.rng.IntN(4) == 0:
		a.again(true, a.start)
	default:
		since := s.Last() + 1
		if why == history.WatchDone {
			a.attempt++ // a long poll is asked again at once
			a.w.queue.Cancel(a.timer)
			a.open(since, s.ID)
			return
		}
		a.again(true, func() { a.open(since, s.ID) })
	}
}

// number implements caller.
func (a *watcher) number() uint64 { return uint64(a.index) }

// reply implements caller.
func (a *watcher) reply(attempt uint64, resp *api.Response, how ending) {
	a.arrive(attempt, arrival{resp: resp, how: how})
}

// piece implements listener.
func (a *watcher) piece(attempt uint64, body []byte, last bool) {
	a.arrive(attempt, arrival{body: body, cut: body == nil, last: last})
}

// reads implements listener.
func (a *watcher) reads() bool { return !a.stalled }

// arrive puts something on its way, in order.
func (a *watcher) arrive(attempt uint64, p arrival) {
	if attempt != a.attempt {
		return
	}
	a.due = max(a.w.now()+a.delay.Sample(a.rng), a.due)
	a.w.queue.At(a.due, func() {
		if attempt != a.attempt {
			return
		}
		if a.stalled {
			a.unread = append(a.unread, p)
			return
		}
		a.take(p)
	})
}

// take reads what has arrived.
func (a *watcher) take(p arrival) {
	body := p.body
	if p.resp != nil {
		body = p.resp.Body
	}
	a.w.trace.add(a.w.now(), traceResponse, uint64(a.index), a.attempt, body)
	switch {
	case a.session == nil:
		a.indexed(p)
	case p.cut || p.how != answered:
		a.end(history.WatchCut)
	case p.resp != nil && p.resp.Status == 200:
		a.headed(p.resp)
	default:
		if p.resp != nil { // a refusal tells by its index whether it is right
			if index, err := number(p.resp, "X-Etcd-Index"); err == nil {
				a.session.Index = index
			}
		}
		a.event(body, p.last)
	}
}

// indexed takes the answer to a read.
func (a *watcher) indexed(p arrival) {
	then := a.learned
	if p.resp == nil || p.resp.Get(api.HeaderOutcome) != "" {
		a.again(true, func() { a.read(then) })
		return
	}
	index, err := number(p.resp, "X-Etcd-Index")
	if err != nil {
		a.w.referee.nonsense(a.name, err)
		return
	}
	a.again(false, func() { then(index) })
}

// headed takes the head of a watch's answer.
func (a *watcher) headed(resp *api.Response) {
	s := a.session
	var err error
	if s.Index, err = number(resp, "X-Etcd-Index"); err != nil {
		a.w.referee.nonsense(a.name, err)
		return
	}
	s.Headed = int64(a.w.now())
	a.w.queue.Cancel(a.timer)
	if a.calm {
		return
	}
	long := a.load.Session/2 + time.Duration(a.rng.Int64N(int64(a.load.Session)))
	a.timer = a.w.queue.After(long, a.leave)
	if impair.ChanceOf(a.load.Slow).Hit(a.rng) && a.w.now() < a.w.cfg.HealAt {
		a.stall(time.Duration(a.rng.Int64N(int64(stallMost))))
	}
}

// stall stops to read for a time.
func (a *watcher) stall(d time.Duration) {
	attempt := a.attempt
	a.stalled = true
	a.w.queue.After(d, func() {
		if attempt != a.attempt {
			return
		}
		a.stalled = false
		list := a.unread
		a.unread = nil
		for _, p := range list {
			if attempt != a.attempt {
				return
			}
			a.take(p)
		}
	})
}

// event takes a line of the body: an event, or the error that ends the watch.
func (a *watcher) event(text []byte, last bool) {
	s := a.session
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		a.w.referee.nonsense(a.name, fmt.Errorf("watch event %q: %w", text, err))
		return
	}
	if b.ErrorCode != 0 {
		s.Code = b.ErrorCode
		if b.ErrorCode == 401 {
			a.end(history.WatchGone)
		} else {
			a.end(history.WatchRefused)
		}
		return
	}
	if b.Node == nil {
		a.w.referee.nonsense(a.name, fmt.Errorf("watch event without a node: %s", text))
		return
	}
	e := history.WatchEvent{
		Time: int64(a.w.now()), Action: b.Action, Key: b.Node.Key, Value: b.Node.Value, Dir: b.Node.Dir,
		Modified: b.Node.Modified, Created: b.Node.Created,
	}
	if b.PrevNode != nil {
		e.Prev = b.PrevNode.Value
	}
	s.Events = append(s.Events, e)
	switch {
	case last:
		a.end(history.WatchDone)
		return
	case !s.Stream:
		a.w.referee.nonsense(a.name, fmt.Errorf("a long poll goes on after its event at index %d", e.Modified))
		return
	}
	a.w.observe(history.Observation{Watch: s})
}

// finish writes down what is still open at the end of the run.
func (a *watcher) finish() {
	if s := a.session; s != nil {
		s.Closed, s.Why, s.Slow = int64(a.w.now()), history.WatchOpen, a.stalled
	}
}

// settle keeps the session that is open until the end of the run.
func (a *watcher) settle() {
	a.calm = true
	if s := a.session; s != nil && s.Headed > 0 {
		a.w.queue.Cancel(a.timer)
	}
}

// reportWatches hands the sessions to the result, in order of their opening.
func (w *World) reportWatches() []history.Watch {
	for _, a := range w.watchers {
		a.finish()
	}
	list := make([]history.Watch, 0, len(w.watches))
	for _, s := range w.watches {
		one := *s
		one.Events = slices.Clip(s.Events)
		list = append(list, one)
	}
	return list
}
