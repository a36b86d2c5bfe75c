package event

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEventsRunInOrderOfTimeThenScheduling(t *testing.T) {
	var q Queue
	var ran []string
	note := func(name string) func() { return func() { ran = append(ran, name) } }
	q.At(3, note("c"))
	q.At(1, note("a1"))
	q.At(2, note("b"))
	q.At(1, note("a2"))
	q.At(0, note("first"))
	for q.Step() {
	}
	if diff := cmp.Diff([]string{"first", "a1", "a2", "b", "c"}, ran); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if q.Now() != 3 || q.Fired() != 5 || q.Len() != 0 {
		t.Errorf("now %v, fired %d, len %d; want 3ns, 5, 0", q.Now(), q.Fired(), q.Len())
	}
}

func TestAnEventForNowRunsAfterThoseAlreadyDue(t *testing.T) {
	var q Queue
	var ran []string
	q.At(5, func() {
		ran = append(ran, "first")
		q.After(0, func() { ran = append(ran, "nested") })
	})
	q.At(5, func() { ran = append(ran, "second") })
	q.RunUntil(5)
	if diff := cmp.Diff([]string{"first", "second", "nested"}, ran); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestRunUntilStopsAtItsTime(t *testing.T) {
	var q Queue
	var ran []time.Duration
	for _, at := range []time.Duration{1, 5, 6} {
		q.At(at, func() { ran = append(ran, q.Now()) })
	}
	q.RunUntil(5)
	if diff := cmp.Diff([]time.Duration{1, 5}, ran); diff != "" {
		t.Errorf("ran (-want +got):\n%s", diff)
	}
	if next, ok := q.Next(); q.Now() != 5 || !ok || next != 6 {
		t.Errorf("now %v, next %v %v; want 5ns, 6ns true", q.Now(), next, ok)
	}
	q.RunUntil(100)
	if _, ok := q.Next(); q.Now() != 100 || ok || q.Step() {
		t.Errorf("now %v, more events %v; want 100ns and none", q.Now(), ok)
	}
}

func TestCancel(t *testing.T) {
	var q Queue
	ran := 0
	h := q.At(1, func() { ran++ })
	if !q.Pending(h) || !q.Cancel(h) || q.Pending(h) || q.Cancel(h) {
		t.Error("an event can be cancelled once, and is not pending after")
	}
	// The new event reuses the cancelled one's item; the old handle must not
	// reach it.
	again := q.At(1, func() { ran += 10 })
	if q.Cancel(h) || !q.Pending(again) {
		t.Error("a stale handle cancelled a later event")
	}
	q.RunUntil(2)
	if ran != 10 || q.Cancel(again) || q.Cancel(Handle{}) {
		t.Errorf("ran %d, want 10; an event that has run, or none, cannot be cancelled", ran)
	}
	var self Handle
	self = q.At(3, func() {
		if q.Cancel(self) {
			t.Error("a running event cancelled itself")
		}
	})
	q.RunUntil(3)
}

func TestMisuseIsRefused(t *testing.T) {
	for name, misuse := range map[string]func(q *Queue){
		"the past":       func(q *Queue) { q.At(9, func() {}) },
		"negative delay": func(q *Queue) { q.After(-1, func() {}) },
		"no function":    func(q *Queue) { q.At(10, nil) },
		"run backwards":  func(q *Queue) { q.RunUntil(9) },
	} {
		t.Run(name, func(t *testing.T) {
			var q Queue
			q.RunUntil(10)
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse(&q)
		})
	}
}

// TestQueueAgainstModel compares the queue with a plain list that is sorted
// whenever the next event is wanted.
func TestQueueAgainstModel(t *testing.T) {
	type planned struct {
		at     time.Duration
		id     int
		handle Handle
	}
	rapid.Check(t, func(t *rapid.T) {
		var q Queue
		var model []planned
		var ran []int
		ids := 0
		t.Repeat(map[string]func(*rapid.T){
			"schedule": func(t *rapid.T) {
				d := time.Duration(rapid.IntRange(0, 5).Draw(t, "delay"))
				ids++
				id := ids
				h := q.After(d, func() { ran = append(ran, id) })
				model = append(model, planned{q.Now() + d, id, h})
			},
			"cancel": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("nothing to cancel")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "which")
				if !q.Cancel(model[i].handle) {
					t.Fatalf("event %d was not there", model[i].id)
				}
				model = slices.Delete(model, i, i+1)
			},
			"step": func(t *rapid.T) {
				ran = ran[:0]
				stepped := q.Step()
				if stepped != (len(model) > 0) {
					t.Fatalf("stepped %v with %d events", stepped, len(model))
				}
				if !stepped {
					return
				}
				// The sort is stable and ids grow, so this is (time, scheduling).
				slices.SortStableFunc(model, func(a, b planned) int { return int(a.at - b.at) })
				if len(ran) != 1 || ran[0] != model[0].id || q.Now() != model[0].at {
					t.Fatalf("ran %v at %v, want event %d at %v", ran, q.Now(), model[0].id, model[0].at)
				}
				model = model[1:]
			},
			"": func(t *rapid.T) {
				if q.Len() != len(model) {
					t.Fatalf("%d events, want %d", q.Len(), len(model))
				}
			},
		})
	})
}

func BenchmarkScheduleAndStep(b *testing.B) {
	var q Queue
	for i := range 1000 {
		q.At(time.Duration(i), func() {})
	}
	b.ReportAllocs()
	for b.Loop() {
		q.After(1000, func() {})
		q.Step()
	}
}
