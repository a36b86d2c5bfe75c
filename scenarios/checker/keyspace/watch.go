package keyspace

import (
	"fmt"
	"strings"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const watchesCheck = "watches see every event once, in order"

// historyMin is how many past events a member must have for watches (etcd v2
// API, "Watching from cleared event index").
const historyMin = 1000

// The error codes that end a watch: a member that is brought up by a snapshot
// ends those that it has, as it does not know what they would have seen; and
// history that is asked for may be gone.
const (
	codeWatcherCleared = 400
	codeEventCleared   = 401
)

// WatchOptions say what CheckWatches asks for beyond order.
type WatchOptions struct {
	// Within is how long after Healed, when the last fault was undone, watches
	// may be late. From then on an open one must have seen, at End, every event
	// that some member had applied by Lag before; so must one have a head that
	// was asked for as long before. An End of 0 asks for nothing of the sort.
	Within, Lag time.Duration
	Healed, End time.Duration
	_           struct{}
}

// CheckWatches compares what watch sessions saw with the events that there
// were.
func CheckWatches(r *Replay, sessions []history.Watch, opt WatchOptions) checker.Verdict {
	began := time.Now()
	v := checker.Verdict{Status: checker.Held, Check: watchesCheck}
	resumed, gone := 0, 0
	for i := range sessions {
		w := &sessions[i]
		v.Ops += len(w.Events)
		if w.Resumes != 0 {
			resumed++
		}
		if w.Code == codeEventCleared {
			gone++
		}
		if v.Violation != nil {
			continue
		}
		s := session{r: r, w: w, opt: opt}
		if bad := s.judge(); bad != nil {
			v.Violation = bad
		}
	}
	if v.Violation == nil {
		v.Violation = deaf(sessions, opt)
	}
	switch {
	case v.Violation != nil:
		v.Status, v.Summary = checker.Violated, v.Violation.Why
	case v.Ops == 0:
		v.Status, v.Summary = checker.Unknown, fmt.Sprintf("%d watches saw no event", len(sessions))
	default:
		v.Summary = fmt.Sprintf("%d events in %d sessions, %d resumed, %d without history", v.Ops, len(sessions), resumed, gone)
	}
	v.Took = time.Since(began)
	return v
}

// deaf finds a client that is given no watch any more once all is healed.
func deaf(sessions []history.Watch, opt WatchOptions) *checker.Violation {
	due := opt.Healed + opt.Within
	if opt.End == 0 || due > opt.End {
		return nil
	}
	heard := map[string]bool{}
	var clients []string
	for i := range sessions {
		w := &sessions[i]
		if _, known := heard[w.Client]; !known {
			heard[w.Client] = false
			clients = append(clients, w.Client)
		}
		if w.Closed >= int64(opt.Healed) && (w.Headed > 0 || w.Code != 0) {
			heard[w.Client] = true
		}
	}
	for _, c := range clients {
		if !heard[c] {
			return &checker.Violation{Key: c, At: int64(due), Why: fmt.Sprintf("%s got no watch after healing at %s", c, seconds(opt.Healed))}
		}
	}
	return nil
}

// session is one watch under judgement.
type session struct {
	r   *Replay
	w   *history.Watch
	opt WatchOptions
	// next is the index from which events are to come.
	next uint64
	// last is the event that was seen last, repeated how often it was.
	last     *Event
	repeated int
}

// bad is a violation by this session.
func (s *session) bad(at int64, format string, args ...any) *checker.Violation {
	w := s.w
	what := "watches"
	if w.Stream {
		what = "streams"
	}
	if w.Recursive {
		what += " all below"
	}
	from := "from now on"
	if w.Since > 0 {
		from = fmt.Sprintf("from index %d on", w.Since)
	}
	return &checker.Violation{
		Key: w.Path, At: at,
		Why: fmt.Sprintf("%s %s %s on %s, %s: %s", w.Client, what, w.Path, w.Node, from, fmt.Sprintf(format, args...)),
	}
}

func (s *session) judge() *checker.Violation {
	w := s.w
	if w.Code != 0 && (w.Code != codeWatcherCleared || len(w.Events) == 0) {
		return s.refused()
	}
	s.next = w.Since
	if w.Since == 0 {
		if w.Headed == 0 {
			return s.unanswered()
		}
		s.next = w.Index + 1
	}
	if !w.Stream && len(w.Events) > 1 {
		return s.bad(w.Events[1].Time, "saw %d events, though it asked for one", len(w.Events))
	}
	for i := range w.Events {
		if bad := s.event(&w.Events[i]); bad != nil {
			return bad
		}
	}
	if !w.Stream && len(w.Events) > 0 {
		return nil
	}
	return s.end()
}

// refused judges an error: history that is said to be gone must be older than
// what has to be kept.
func (s *session) refused() *checker.Violation {
	w := s.w
	index := w.Index
	if index == 0 {
		index = uint64(len(s.r.Events))
	}
	if w.Code == codeEventCleared && (w.Since == 0 || w.Since+historyMin > index) {
		return s.bad(w.Closed, "was told that the history is gone, at index %d; the last %d events must be there", index, historyMin)
	}
	if len(w.Events) > 0 {
		return s.bad(w.Closed, "saw events and then code %d", w.Code)
	}
	return nil
}

// event judges the next event that the session saw.
func (s *session) event(d *history.WatchEvent) *checker.Violation {
	if s.last != nil && d.Modified == s.last.Index {
		return s.again(d)
	}
	if s.last != nil && d.Modified < s.last.Index {
		return s.bad(d.Time, "saw index %d after %d", d.Modified, s.last.Index)
	}
	if d.Modified < s.next {
		return s.bad(d.Time, "saw index %d, before what it asked for", d.Modified)
	}
	if d.Modified == 0 || d.Modified > uint64(len(s.r.Events)) {
		return s.bad(d.Time, "saw %s %s at index %d, which no disk holds", d.Action, d.Key, d.Modified)
	}
	if e := s.owed(d.Modified); e != nil {
		return s.bad(d.Time, "missed %s before it saw index %d", text(e), d.Modified)
	}
	e := &s.r.Events[d.Modified-1]
	if why := unlike(d, e); why != "" {
		return s.bad(d.Time, "saw %s %s at index %d, but %s", d.Action, d.Key, d.Modified, why)
	}
	if s.concern(e) == not {
		return s.bad(d.Time, "saw %s, which is none of its events", text(e))
	}
	if e.Time > d.Time {
		return s.bad(d.Time, "saw %s before any member had applied it", text(e))
	}
	s.last, s.repeated, s.next = e, 1, e.Index+1
	return nil
}

// again judges an event that was seen before. See the package comment.
func (s *session) again(d *history.WatchEvent) *checker.Violation {
	e := s.last
	s.repeated++
	live := e.Index > s.w.Index
	if s.repeated == 2 && s.w.Stream && live && e.Removes() && e.Key == clean(s.w.Path) {
		if why := unlike(d, e); why != "" {
			return s.bad(d.Time, "saw %s %s at index %d, but %s", d.Action, d.Key, d.Modified, why)
		}
		return nil
	}
	return s.bad(d.Time, "saw %s %d times", text(e), s.repeated)
}

// owed is the first event from next on and before an index that the session
// must have seen, nil if there is none.
func (s *session) owed(before uint64) *Event {
	for i := s.next; i < before && i <= uint64(len(s.r.Events)); i++ {
		if e := &s.r.Events[i-1]; s.concern(e) == must {
			return e
		}
	}
	return nil
}

// end judges a session that was still open when the run ended.
func (s *session) end() *checker.Violation {
	w := s.w
	if w.Why != history.WatchOpen || w.Slow || s.opt.End == 0 {
		return nil
	}
	if w.Headed == 0 {
		return s.unanswered()
	}
	e := s.owed(uint64(len(s.r.Events)) + 1)
	if e == nil || e.Time == 0 {
		return nil
	}
	due := max(time.Duration(max(e.Time, w.Headed))+s.opt.Lag, s.opt.Healed+s.opt.Within)
	if due > s.opt.End {
		return nil
	}
	return s.bad(int64(due), "has not seen %s at the end of the run", text(e))
}

// unanswered judges a session that has got no head, let alone an event.
func (s *session) unanswered() *checker.Violation {
	due := max(time.Duration(s.w.Opened)+s.opt.Lag, s.opt.Healed+s.opt.Within)
	if s.w.Why != history.WatchOpen || s.opt.End == 0 || due > s.opt.End {
		return nil
	}
	return s.bad(int64(due), "has got no answer")
}

// concerned tells how an event is a session's business.
type concerned int

const (
	not concerned = iota
	may           // a member may show it or not
	must
)

// concern says whether an event is one of the session's.
func (s *session) concern(e *Event) concerned {
	path := clean(s.w.Path)
	switch {
	case e.Refresh:
		return not
	case e.Key == path:
		return must
	case below(e.Key, path):
		if s.w.Recursive && !hidden(e.Key[len(strings.TrimSuffix(path, "/")):]) {
			return must
		}
		return not
	case !e.Removes() || !e.Dir || !below(path, e.Key):
		return not
	}
	for _, key := range e.Below {
		if key == path {
			return must
		}
	}
	// From history, a member can't tell what a directory had held.
	return may
}

func below(key, dir string) bool {
	return strings.HasPrefix(key, strings.TrimSuffix(dir, "/")+"/") && key != dir
}

// hidden says that a component of what follows a directory begins with "_".
func hidden(rest string) bool { return strings.Contains(rest, "/_") }

// unlike says how an event that was seen differs from what it was.
func unlike(d *history.WatchEvent, e *Event) string {
	value := ""
	if e.Value != nil && !e.Dir {
		value = *e.Value
	}
	switch {
	case d.Action != e.Action || clean(d.Key) != e.Key:
		return "that is " + text(e)
	case d.Value != nil && *d.Value != value:
		return fmt.Sprintf("the value was %q, not %q", value, *d.Value)
	case d.Value == nil && value != "":
		return fmt.Sprintf("the value was %q", value)
	case d.Prev != nil && (e.Prev == nil || *d.Prev != *e.Prev):
		return fmt.Sprintf("the value before was not %q", *d.Prev)
	case d.Created != 0 && d.Created != e.Created:
		return fmt.Sprintf("it was created at index %d, not %d", e.Created, d.Created)
	}
	return ""
}

// text is how people are told of an event.
func text(e *Event) string { return fmt.Sprintf("%s %s (index %d)", e.Action, e.Key, e.Index) }

func removal(action string) bool {
	return action == "delete" || action == "compareAndDelete" || action == "expire"
}

// InOrder judges a session by its latest event, as it comes and without the
// disks: it must not be before the one before, nor be seen again.
func InOrder(w *history.Watch) *checker.Violation {
	n := len(w.Events)
	if n < 2 || w.Code != 0 {
		return nil
	}
	s := session{w: w}
	before, d := &w.Events[n-2], &w.Events[n-1]
	switch {
	case d.Modified > before.Modified:
		return nil
	case d.Modified < before.Modified:
		return s.bad(d.Time, "saw index %d after %d", d.Modified, before.Modified)
	case n > 2 && w.Events[n-3].Modified == d.Modified:
		return s.bad(d.Time, "saw index %d 3 times", d.Modified)
	case !removal(d.Action) || clean(d.Key) != clean(w.Path):
		return s.bad(d.Time, "saw index %d 2 times", d.Modified)
	}
	return nil
}
