package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBalance(t *testing.T) {
	now := time.Unix(1000, 0)
	b := &balance{now: func() time.Time { return now }}
	want := func(what string, urls ...string) {
		t.Helper()
		if diff := cmp.Diff(urls, b.order()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	broken := errors.New("broken")
	b.set([]string{"a", "b", "a", "c"})
	want("at first", "a", "b", "c")
	b.answered("c")
	want("who answers is kept to", "c", "a", "b")
	if !b.failed("c", broken) || b.failed("c", broken) {
		t.Error("the first of failures at one time is the first")
	}
	want("who fails is last", "a", "b", "c")
	b.failed("a", broken)
	now = now.Add(minBackoff / 2)
	b.failed("b", broken)
	want("all failed: the longest ago first", "a", "c", "b")
	now = now.Add(minBackoff)
	want("time is up", "c", "a", "b")
	if b.failed("c", broken) {
		t.Error("a second failure is no first")
	}
	now = now.Add(minBackoff)
	want("the second pause is longer", "a", "b", "c")
	b.answered("b")
	want("one came back", "b", "a", "c")
	b.set([]string{"c", "d"})
	want("members come and go", "d", "c")
	b.set(nil)
	want("no members is no list", "d", "c")
	b.answered("z")
	b.failed("z", broken)
	want("who isn't known changes nothing", "d", "c")
	b.answered("d")
	if diff := cmp.Diff([]condition{{URL: "c", State: "failed", Why: "broken"}, {URL: "d", State: "current"}}, b.conditions()); diff != "" {
		t.Error(diff)
	}
	for range 100 {
		b.failed("c", broken)
		now = now.Add(maxBackoff)
	}
	b.failed("c", broken)
	now = now.Add(maxBackoff)
	b.answered("d")
	want("a pause has a bound", "d", "c")
	if at := b.list[0].until; at.After(now) {
		t.Errorf("left alone for %v more", at.Sub(now))
	}
}
