package keyspace

import (
	"fmt"
	"time"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

const lifetimesCheck = "times to live are kept"

// ClockBound says how far cluster time may run ahead of real time: Share of
// every time to live and Slack once, and more where a clock was wrong.
type ClockBound struct {
	Share float64
	Slack time.Duration
	Skews []Skew
	_     struct{}
}

// Skew is a time during which a clock was wrong, by some fault. Members trust
// their own monotonic clock while they run, and the wall clock over a start.
type Skew struct {
	// From and To are run times.
	From, To time.Duration
	// Fast is by how much the clock gains on real time while the skew lasts, as
	// a share; Jump is how far it was set.
	Fast float64
	Jump time.Duration
}

// early is how much sooner than asked a time to live may be over that lasts
// from one time to another.
func (b *ClockBound) early(from, to time.Duration) time.Duration {
	early := time.Duration(b.Share*float64(to-from)) + b.Slack
	for _, s := range b.Skews {
		if s.From > to || s.To < from {
			continue
		}
		during := min(s.To, to) - max(s.From, from)
		early += s.Jump + time.Duration(s.Fast*float64(during))
	}
	return early
}

// LifetimeOptions say what CheckLifetimes allows.
type LifetimeOptions struct {
	Clock ClockBound
	// Within is how long after Healed, when the last fault was undone, keys may
	// stay for as long as they like. From then on none may stay for more than
	// Lag longer than its time to live. End is when the run ended.
	Within, Lag time.Duration
	Healed, End time.Duration
	_           struct{}
}

// CheckLifetimes judges the keys that have a time to live: by the log, when
// each went or should have gone, in the run's real time; and by the answers,
// what they showed of it. Worst is the longest that a key stayed too long.
func CheckLifetimes(r *Replay, ops []history.Op, opt LifetimeOptions) checker.Verdict {
	began := time.Now()
	l := lifetimes{r: r, opt: opt, byToken: map[string]*history.Op{}}
	for i := range ops {
		if op := &ops[i]; op.Token != "" && !op.Kind.Reads() {
			l.byToken[op.Token] = op
		}
	}
	v := checker.Verdict{Status: checker.Held, Check: lifetimesCheck}
	v.Violation = l.log()
	if v.Violation == nil {
		v.Violation = l.answers(ops)
	}
	v.Ops, v.Worst = l.expired, l.worst
	switch {
	case v.Violation != nil:
		v.Status, v.Summary = checker.Violated, v.Violation.Why
	case l.expired == 0:
		v.Status, v.Summary = checker.Unknown, "no key expired"
	default:
		v.Summary = fmt.Sprintf("worst %ss late, %d expiries, %d times to live shown", checker.Seconds(int64(l.worst)), l.expired, l.shown)
	}
	v.Took = time.Since(began)
	return v
}

type lifetimes struct {
	r       *Replay
	opt     LifetimeOptions
	byToken map[string]*history.Op
	expired int
	shown   int
	worst   time.Duration
}

// granted is when, at the earliest and at the latest, the time to live began
// that an event gave its key: it was asked for, and it was applied.
func (l *lifetimes) granted(e *Event) (earliest, latest time.Duration) {
	latest = time.Duration(e.Time)
	earliest = latest
	if op := l.byToken[e.Token]; op != nil && e.Token != "" {
		earliest = time.Duration(op.Call)
	}
	return earliest, latest
}

func life(e *Event) time.Duration { return time.Duration(e.TTL) * time.Second }

// log judges each time to live that was given by when the key went.
func (l *lifetimes) log() *checker.Violation {
	open := map[string]*Event{} // the event that gave the key its time to live
	for i := range l.r.Events {
		e := &l.r.Events[i]
		if e.Action == "expire" {
			if bad := l.went(open[e.Key], e); bad != nil {
				return bad
			}
		}
		if gave := open[e.Key]; gave != nil && e.Action != "expire" {
			if bad := l.stayed(gave, time.Duration(e.Time)); bad != nil {
				return bad
			}
		}
		for _, key := range e.Below {
			delete(open, key)
		}
		delete(open, e.Key)
		if e.Due != 0 {
			open[e.Key] = e
		}
	}
	for i := range l.r.Events { // in order, unlike those of the map
		if e := &l.r.Events[i]; open[e.Key] == e {
			if bad := l.stayed(e, l.opt.End); bad != nil {
				return bad
			}
		}
	}
	return nil
}

// went judges an expiry.
func (l *lifetimes) went(gave, e *Event) *checker.Violation {
	l.expired++
	if gave == nil || e.Time == 0 {
		return nil
	}
	earliest, _ := l.granted(gave)
	at := time.Duration(e.Time)
	if early := earliest + life(gave) - at; early > l.opt.Clock.early(earliest, earliest+life(gave)) {
		return &checker.Violation{
			Key: e.Key, At: e.Time,
			Why: fmt.Sprintf("%s was given %d s at %s and expired at %s, %s s too early",
				e.Key, gave.TTL, seconds(earliest), seconds(at), seconds(early)),
		}
	}
	return l.stayed(gave, at)
}

// stayed judges a key that was there until a time.
func (l *lifetimes) stayed(gave *Event, until time.Duration) *checker.Violation {
	_, latest := l.granted(gave)
	if latest == 0 || until == 0 || gave.TTL > uint64(until/time.Second) {
		return nil
	}
	due := max(latest+life(gave), l.opt.Healed)
	late := until - due
	if late <= 0 {
		return nil
	}
	l.worst = max(l.worst, late)
	last := max(due, l.opt.Healed+l.opt.Within) + l.opt.Lag
	if until <= last {
		return nil
	}
	return &checker.Violation{
		Key: gave.Key, At: int64(last),
		Why: fmt.Sprintf("%s was given %d s at %s and was still there at %s, %s s too late",
			gave.Key, gave.TTL, seconds(latest), seconds(until), seconds(late)),
	}
}

// answers judges what answers by a majority showed.
func (l *lifetimes) answers(ops []history.Op) *checker.Violation {
	for i := range ops {
		op := &ops[i]
		if op.Status != history.OK || op.Stale || op.Index == 0 || op.Kind == history.List {
			continue
		}
		e := l.r.At(op.Key, op.Index)
		var why string
		switch {
		case e == nil:
			continue
		case op.Kind == history.Get && op.Code == 100 && e.Action == "expire":
			why = l.missing(op, e)
		case op.Code == 0 && op.Modified == e.Index && !e.Removes():
			why = l.left(op, e)
		}
		if why != "" {
			return &checker.Violation{
				Key: op.Key, At: op.Return, Ops: []history.Op{*op}, Notes: map[int]string{op.ID: why},
				Why: fmt.Sprintf("%s %s -> %s: %s", op.Client, checker.Ask(op), checker.Answer(op), why),
			}
		}
	}
	return nil
}

// missing judges a client that found a key gone by its time to live.
func (l *lifetimes) missing(op *history.Op, e *Event) string {
	gave := l.r.At(e.Key, e.Index-1)
	if gave == nil || gave.Due == 0 {
		return ""
	}
	earliest, _ := l.granted(gave)
	if early := earliest + life(gave) - time.Duration(op.Return); early > l.opt.Clock.early(earliest, earliest+life(gave)) {
		return fmt.Sprintf("the key was given %d s at %s, it is gone %s s too early", gave.TTL, seconds(earliest), seconds(early))
	}
	return ""
}

// left judges the time to live that an answer shows.
func (l *lifetimes) left(op *history.Op, e *Event) string {
	switch {
	case e.Due == 0:
		if op.Left > 0 {
			return fmt.Sprintf("shows a time to live of %d s, but the key has none", op.Left)
		}
		return ""
	case op.Left == 0:
		return "" // not shown, or due
	case op.Left > e.TTL:
		return fmt.Sprintf("shows a time to live of %d s, but it was given %d s", op.Left, e.TTL)
	}
	l.shown++
	earliest, _ := l.granted(e)
	least := earliest + life(e) - time.Duration(op.Return) - l.opt.Clock.early(earliest, earliest+life(e))
	if shown := time.Duration(op.Left) * time.Second; shown < least {
		return fmt.Sprintf("shows a time to live of %d s, but at least %s s were left", op.Left, seconds(least))
	}
	return ""
}

func seconds(d time.Duration) string { return checker.Seconds(int64(d)) }
