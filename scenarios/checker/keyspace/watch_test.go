package keyspace_test

import (
	"strings"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/keyspace"
	"drydock/sim/history"
)

// log is what the watches below watch: index 1 to 7.
func watched() *keyspace.Replay {
	return (&script{}).put("/a", "1").put("/b", "1").put("/a", "2").put("/d/x", "1").delete("/a", false).
		delete("/d", true).put("/a", "3").replay()
}

// seen makes the record of a true event.
func seen(r *keyspace.Replay, index uint64) history.WatchEvent {
	e := r.Events[index-1]
	ev := history.WatchEvent{
		Time: e.Time + second, Action: e.Action, Key: e.Key, Dir: e.Dir, Modified: index, Created: e.Created, Prev: e.Prev,
	}
	if !e.Dir {
		ev.Value = e.Value
	}
	return ev
}

func TestWatches(t *testing.T) {
	r := watched()
	at := func(indexes ...uint64) (list []history.WatchEvent) {
		for _, i := range indexes {
			list = append(list, seen(r, i))
		}
		return list
	}
	end := 20 * second
	stream := func(path string, since uint64, events ...history.WatchEvent) history.Watch {
		return history.Watch{
			ID: 1, Client: "w1", Node: "n1", Path: path, Stream: true, Since: since, Opened: 1, Headed: 2,
			Closed: end, Why: history.WatchCut, Events: events,
		}
	}
	edit := func(w history.Watch, f func(*history.Watch)) history.Watch {
		f(&w)
		return w
	}
	open := func(w *history.Watch) { w.Why = history.WatchOpen }
	for _, tc := range []struct {
		name string
		w    history.Watch
		want checker.Status
		says string
	}{
		{"all of a key", stream("/a", 1, at(1, 3, 5, 5, 7)...), checker.Held, "5 events"},
		{"removal told once", stream("/a", 1, at(1, 3, 5, 7)...), checker.Held, ""},
		{"from history told twice", edit(stream("/a", 1, at(1, 3, 5, 5, 7)...), func(w *history.Watch) { w.Index = 7 }), checker.Violated, "2 times"},
		{"removal told thrice", stream("/a", 1, at(1, 3, 5, 5, 5)...), checker.Violated, "3 times"},
		{"write told twice", stream("/a", 1, at(1, 3, 3)...), checker.Violated, "2 times"},
		{"removal of another key twice", edit(stream("/", 1, at(1, 2, 3, 4, 5, 5)...), func(w *history.Watch) { w.Recursive = true }), checker.Violated, "2 times"},
		{"cut after some", stream("/a", 1, at(1)...), checker.Held, ""},
		{"one missing", stream("/a", 1, at(1, 5)...), checker.Violated, "missed set /a (index 3)"},
		{"first missing", stream("/a", 1, at(3)...), checker.Violated, "missed set /a (index 1)"},
		{"out of order", stream("/a", 1, at(1, 3, 1)...), checker.Violated, "index 1 after 3"},
		{"before what was asked", stream("/a", 3, at(1)...), checker.Violated, "before what it asked for"},
		{"from now on", edit(stream("/a", 0, at(5, 7)...), func(w *history.Watch) { w.Index = 3 }), checker.Held, ""},
		{"from now on, past", edit(stream("/a", 0, at(3)...), func(w *history.Watch) { w.Index = 3 }), checker.Violated, "before what it asked for"},
		{"another's key", stream("/a", 1, at(1, 2)...), checker.Violated, "none of its events"},
		{"all below", edit(stream("/", 2, at(2, 3, 4, 5, 6, 7)...), func(w *history.Watch) { w.Recursive = true }), checker.Held, ""},
		{"not all below", stream("/d", 1, at(4)...), checker.Violated, "none of its events"},
		{"went with its directory", stream("/d/x", 1, at(4, 6)...), checker.Held, ""},
		{"went unseen with its directory", edit(stream("/d/x", 1, at(4)...), open), checker.Violated, "has not seen delete /d (index 6)"},
		{"made up", stream("/a", 1, history.WatchEvent{Action: "set", Key: "/a", Modified: 99, Time: second}), checker.Violated, "which no disk holds"},
		{"another value", stream("/a", 1, edited(seen(r, 1), func(e *history.WatchEvent) { e.Value = ptr("9") })), checker.Violated, `the value was "1", not "9"`},
		{"no value", stream("/a", 1, edited(seen(r, 1), func(e *history.WatchEvent) { e.Value = nil })), checker.Violated, `the value was "1"`},
		{"another action", stream("/a", 1, edited(seen(r, 1), func(e *history.WatchEvent) { e.Action = "create" })), checker.Violated, "that is set /a"},
		{"another previous value", stream("/a", 3, edited(seen(r, 3), func(e *history.WatchEvent) { e.Prev = ptr("9") })), checker.Violated, "the value before"},
		{"another creation", stream("/a", 1, edited(seen(r, 1), func(e *history.WatchEvent) { e.Created = 9 })), checker.Violated, "created at index 1, not 9"},
		{"before it was", stream("/a", 1, edited(seen(r, 1), func(e *history.WatchEvent) { e.Time = second })), checker.Violated, "before any member had applied it"},
		{"one event", edit(stream("/a", 2, at(3)...), func(w *history.Watch) { w.Stream, w.Why = false, history.WatchDone }), checker.Held, ""},
		{"one event, two seen", edit(stream("/a", 2, at(3, 5)...), func(w *history.Watch) { w.Stream = false }), checker.Violated, "though it asked for one"},
		{"open and complete", edit(stream("/a", 1, at(1, 3, 5, 7)...), open), checker.Held, ""},
		{"open and behind", edit(stream("/a", 1, at(1, 3, 5)...), open), checker.Violated, "has not seen set /a (index 7)"},
		{"open, behind and slow", edit(stream("/a", 1, at(1, 3, 5)...), func(w *history.Watch) { open(w); w.Slow = true }), checker.Held, ""},
		{"open, headed late", edit(stream("/a", 1, at(1, 3, 5)...), func(w *history.Watch) { open(w); w.Headed = end - 1 }), checker.Held, ""},
		{"no watch after healing", edit(stream("/a", 1, at(1)...), func(w *history.Watch) { w.Closed = 9 * second }), checker.Violated, "w1 got no watch after healing at 10.000"},
		{"never answered", edit(stream("/a", 1), func(w *history.Watch) { open(w); w.Headed = 0 }), checker.Violated, "has got no answer"},
		{"ended by a snapshot", edit(stream("/a", 1, at(1, 3)...), func(w *history.Watch) { w.Code, w.Why = 400, history.WatchRefused }), checker.Held, ""},
		{"one missing, then a snapshot", edit(stream("/a", 1, at(1, 5)...), func(w *history.Watch) { w.Code = 400 }), checker.Violated, "missed"},
		{"ended by another error", edit(stream("/a", 1, at(1, 3)...), func(w *history.Watch) { w.Code = 401 }), checker.Violated, ""},
		{"no event at all", stream("/a", 8), checker.Unknown, "saw no event"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opt := keyspace.WatchOptions{Within: 5 * time.Second, Lag: time.Second, Healed: 10 * time.Second, End: time.Duration(end)}
			expect(t, keyspace.CheckWatches(r, []history.Watch{tc.w}, opt), tc.want, tc.says)
			if bad := keyspace.InOrder(&tc.w); bad != nil && tc.want != checker.Violated {
				t.Errorf("as it comes: %s", bad.Why)
			}
		})
	}
}

func edited(e history.WatchEvent, f func(*history.WatchEvent)) history.WatchEvent {
	f(&e)
	return e
}

func TestWatchesWithoutHistory(t *testing.T) {
	s := &script{}
	for range 1500 {
		s.put("/a", "1")
	}
	r := s.replay()
	for _, tc := range []struct {
		since, index uint64
		want         checker.Status
	}{
		{1, 1500, checker.Held},
		{500, 1500, checker.Held},
		{501, 1500, checker.Violated}, // 501 to 1500 are the last 1000
		{1, 1000, checker.Violated},
		{1, 1001, checker.Held},
		{0, 1500, checker.Violated},
		{501, 0, checker.Violated}, // its index is not known
	} {
		gone := history.Watch{
			ID: 2, Client: "w1", Node: "n1", Path: "/a", Since: tc.since, Index: tc.index, Code: 401,
			Opened: 1, Closed: 2, Why: history.WatchGone,
		}
		other := history.Watch{ID: 1, Client: "w2", Path: "/a", Stream: true, Since: 1500, Headed: 1, Events: []history.WatchEvent{seen(r, 1500)}}
		expect(t, keyspace.CheckWatches(r, []history.Watch{other, gone}, keyspace.WatchOptions{}), tc.want, "")
	}
}

func TestWatchesReportAtOnce(t *testing.T) {
	r := watched()
	removal := seen(r, 5)
	w := history.Watch{Client: "w1", Node: "n1", Path: "/a", Stream: true, Events: []history.WatchEvent{seen(r, 1)}}
	for _, e := range []history.WatchEvent{seen(r, 3), removal, removal} {
		w.Events = append(w.Events, e)
		if bad := keyspace.InOrder(&w); bad != nil {
			t.Fatal(bad.Why)
		}
	}
	for says, e := range map[string]history.WatchEvent{"3 times": removal, "saw index 1 after 5": seen(r, 1)} {
		late := w
		late.Events = append(w.Events[:4:4], e)
		if bad := keyspace.InOrder(&late); bad == nil || bad.At != e.Time || !strings.Contains(bad.Why, says) {
			t.Errorf("%s: %+v", says, bad)
		}
	}
	w.Events = []history.WatchEvent{seen(r, 3), seen(r, 3)}
	if bad := keyspace.InOrder(&w); bad == nil {
		t.Error("a write seen twice is no violation")
	}
}
