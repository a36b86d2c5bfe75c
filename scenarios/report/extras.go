package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

// Bounds of what is drawn besides operations, for each sort of it.
const (
	maxHolds    = 300
	maxSessions = 200
	maxSeen     = 500
)

// extras draws what clients did besides operations: locks they held, and
// watches with the events that they saw. They are drawn as operations of kinds
// h, v and e, with numbers below zero.
func (d *data) extras(o *history.Observed, v *checker.Violation) {
	clients, keys := places(d.Clients), places(d.Keys)
	id := 0
	add := func(client, key, kind, node, ask, answer string, from, until int64) int {
		id--
		end := int64(-1)
		if until > 0 {
			end = micro(until)
		}
		d.Ops = append(d.Ops, [10]any{
			id, number(clients, &d.Clients, client), number(keys, &d.Keys, key), micro(from), end,
			kind, history.OK, node, cut(ask), cut(answer),
		})
		return id
	}
	for _, h := range closest(d, o.Holds, maxHolds, func(h *history.Hold) (int64, int64, bool) { return h.Acquired, h.Ended, true }) {
		n := add(h.Client, h.Lock, "h", "", fmt.Sprintf("holds %s, fence %d", h.Lock, h.Fence), holdEnd(h), h.Acquired, h.Ended)
		if v != nil && h.Lock == v.Key && len(v.Ops) == 0 {
			d.accuse(n, h.Acquired == v.At, h.Acquired <= v.At && (h.Ended == 0 || h.Ended >= v.At))
		}
	}
	d.sessions(o.Watches, v, add)
	slices.SortStableFunc(d.Ops, func(a, b [10]any) int { return int(a[3].(int64) - b[3].(int64)) })
}

// sighting is an event with the session that saw it.
type sighting struct {
	w *history.Watch
	e *history.WatchEvent
}

// sessions draws watches of the failing key, and what they saw.
func (d *data) sessions(list []history.Watch, v *checker.Violation, add func(client, key, kind, node, ask, answer string, from, until int64) int) {
	list = closest(d, list, maxSessions, func(w *history.Watch) (int64, int64, bool) {
		return w.Opened, w.Closed, d.Key == "" || about(w.Path, d.Key) || about(d.Key, w.Path)
	})
	var seen []sighting
	for i := range list {
		w := &list[i]
		from := "what comes"
		if w.Since > 0 {
			from = fmt.Sprintf("index %d on", w.Since)
		}
		add(w.Client, w.Path, "v", w.Node, fmt.Sprintf("watches %s, %s", w.Path, from), fmt.Sprintf("%d events, %s", len(w.Events), w.Why), w.Opened, w.Closed)
		for j := range w.Events {
			seen = append(seen, sighting{w, &w.Events[j]})
		}
	}
	for _, s := range closest(d, seen, maxSeen, func(s *sighting) (int64, int64, bool) { return s.e.Time, s.e.Time, true }) {
		value := ""
		if s.e.Value != nil {
			value = " = " + *s.e.Value
		}
		n := add(s.w.Client, s.w.Path, "e", s.w.Node, "sees "+s.e.Action+" "+s.e.Key+value, fmt.Sprintf("index %d", s.e.Modified), s.e.Time, s.e.Time)
		if v != nil && s.w.Path == v.Key && len(v.Ops) == 0 {
			d.accuse(n, s.e.Time == v.At, false)
		}
	}
}

// accuse marks one of the extras as wrong, or as what the wrong contradicts.
func (d *data) accuse(id int, bad, against bool) {
	switch {
	case bad && d.Bad == 0:
		d.Bad = id
	case against && d.Against == 0:
		d.Against = id
	}
}

// about says whether a path is a key or lies below it.
func about(path, key string) bool {
	return path == key || strings.HasPrefix(path, strings.TrimSuffix(key, "/")+"/")
}

func holdEnd(h history.Hold) string {
	switch {
	case h.Lost:
		return "lost"
	case h.Released:
		return "released"
	case h.Ended == 0:
		return "to the end"
	}
	return "given up"
}

// closest keeps, in their order, those that are shown and nearest to the
// failure; without one, the first.
func closest[T any](d *data, list []T, limit int, span func(*T) (from, until int64, ok bool)) []T {
	type near struct {
		at   int
		away int64
	}
	var all []near
	for i := range list {
		from, until, ok := span(&list[i])
		if !ok || micro(from) > d.Until || until != 0 && micro(until) < d.From {
			continue
		}
		away := micro(from) - d.From
		if d.Fail >= 0 {
			away = max(micro(from)-d.Fail, 0)
			if until != 0 {
				away = max(away, d.Fail-micro(until))
			}
		}
		all = append(all, near{i, away})
	}
	slices.SortStableFunc(all, func(a, b near) int { return cmp.Compare(a.away, b.away) })
	all = all[:min(len(all), limit)]
	slices.SortFunc(all, func(a, b near) int { return a.at - b.at })
	var out []T
	for _, n := range all {
		out = append(out, list[n.at])
	}
	return out
}

// places is the reverse of a list of names.
func places(names []string) map[string]int {
	out := make(map[string]int, len(names))
	for i, name := range names {
		out[name] = i
	}
	return out
}
