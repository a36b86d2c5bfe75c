package keyspace_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drydock/node/keys"
	"drydock/scenarios/checker/keyspace"
	"drydock/sim/history"
)

// kinds pairs the commands of histories with those of the store.
var kinds = map[history.Kind]keys.Kind{
	history.Put: keys.Set, history.Create: keys.Create, history.Update: keys.Update, history.CAS: keys.CompareAndSwap,
	history.Append: keys.CreateInOrder, history.Delete: keys.Delete, history.CAD: keys.CompareAndDelete, history.Expire: keys.Expire,
}

// drawCommand draws a command that is likely to meet others' keys.
func drawCommand(t *rapid.T, index uint64) history.Committed {
	c := history.Committed{Kind: rapid.SampledFrom([]history.Kind{
		history.Put, history.Put, history.Create, history.Update, history.CAS, history.Append,
		history.Delete, history.CAD, history.Expire, history.Expire,
	}).Draw(t, "kind")}
	if c.Kind == history.Expire {
		return c
	}
	c.Key = rapid.SampledFrom([]string{"/", "/a", "/a/b", "/a/b/c", "/d", "/d/e", "/ab"}).Draw(t, "key")
	value := rapid.SampledFrom([]string{"", "1", "2"})
	switch c.Kind {
	case history.Delete:
		c.Dir, c.Recursive = rapid.Bool().Draw(t, "dir"), rapid.Bool().Draw(t, "recursive")
		return c
	case history.CAS, history.CAD:
		c.PrevValue = value.Draw(t, "previous")
		if c.PrevValue == "" || rapid.Bool().Draw(t, "by index") {
			c.PrevIndex = rapid.Uint64Range(1, index+1).Draw(t, "previous index")
		}
	case history.Put, history.Create, history.Append:
		c.Dir = rapid.IntRange(0, 3).Draw(t, "dir") == 0
	}
	if c.Kind == history.CAD {
		return c
	}
	c.Value = value.Draw(t, "value")
	if c.Dir {
		c.Value = ""
	}
	if c.HasTTL = rapid.IntRange(0, 2).Draw(t, "has ttl") == 0; c.HasTTL {
		c.TTL = rapid.Uint64Range(0, 5).Draw(t, "ttl")
		c.Refresh = c.Value == "" && c.Kind != history.Create && c.Kind != history.Append && !c.Dir && rapid.Bool().Draw(t, "refresh")
	}
	return c
}

// TestReplayIsTheStore compares the model with the store on random commands.
func TestReplayIsTheStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := keys.New()
		var truth []history.Committed
		var want []string
		now := time.Duration(0)
		for i := range rapid.IntRange(1, 40).Draw(t, "commands") {
			now += time.Duration(rapid.IntRange(0, 2000).Draw(t, "wait")) * time.Millisecond
			c := drawCommand(t, store.Index())
			c.Revision, c.Cluster = uint64(i+2), int64(now)
			truth = append(truth, c)
			before := store.Index()
			k := keys.Command{
				Kind: kinds[c.Kind], Path: c.Key, Value: c.Value, Dir: c.Dir, Recursive: c.Recursive,
				Refresh: c.Refresh, PrevValue: c.PrevValue, PrevIndex: c.PrevIndex, HasTTL: c.HasTTL, TTL: c.TTL,
			}
			store.Apply(&k, keys.Stamp{Cluster: now})
			_, past, err := store.Watch("/", true, true, before+1)
			if err != nil {
				t.Fatal(err)
			}
			store.TakeDeliveries()
			for index := before + 1; index <= store.Index(); index++ {
				want = append(want, describe(past, index))
			}
		}
		r := keyspace.NewReplay(truth)
		var got []string
		for i := range r.Events {
			e := &r.Events[i]
			line := unseen
			if !e.Refresh {
				line = fmt.Sprintf("%s %s %v created %d", e.Action, e.Key, e.Dir, e.Created)
				if e.Value != nil {
					line += fmt.Sprintf(" = %q", *e.Value)
				}
				if e.Prev != nil {
					line += fmt.Sprintf(" was %q", *e.Prev)
				}
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("store and model differ (-store +model):\n%s", diff)
		}
	})
}

const unseen = "unseen"

// describe writes the store's event of an index; refreshes are not seen by the
// watch that asks.
func describe(past []*keys.Event, index uint64) string {
	for _, ev := range past {
		if ev.EtcdIndex != index {
			continue
		}
		line := fmt.Sprintf("%s %s %v created %d", ev.Action, ev.Node.Key, ev.Node.Dir, ev.Node.Created)
		if !ev.Action.Removes() {
			line += fmt.Sprintf(" = %q", ev.Node.Value)
		}
		if ev.PrevNode != nil {
			line += fmt.Sprintf(" was %q", ev.PrevNode.Value)
		}
		return line
	}
	return unseen
}

func TestReplayLooksBack(t *testing.T) {
	s := (&script{}).put("/q/1", "a").put("/q/2", "b").delete("/q/1", false).live("/t", 2).put("/x", "1").expire()
	s.add(history.Committed{Kind: history.Delete, Key: "/q", Recursive: true})
	r := s.replay()
	if n := len(r.Events); n != 7 {
		t.Fatalf("%d events, want 7", n)
	}
	for _, tc := range []struct {
		key   string
		index uint64
		want  uint64 // index of the event, 0 for none
	}{
		{"/q/1", 0, 0}, {"/q/1", 1, 1}, {"/q/1", 2, 1}, {"/q/1", 3, 3}, {"/q/2", 6, 2}, {"/q/2", 7, 7}, {"/t", 5, 4}, {"/t", 6, 6}, {"/none", 7, 0},
	} {
		e := r.At(tc.key, tc.index)
		if got := index(e); got != tc.want {
			t.Errorf("%s at %d: event %d, want %d", tc.key, tc.index, got, tc.want)
		}
	}
	for at, want := range map[uint64][]string{1: {"/q/1"}, 2: {"/q/1", "/q/2"}, 3: {"/q/2"}, 7: nil} {
		if diff := cmp.Diff(want, r.Children("/q", at)); diff != "" {
			t.Errorf("children at %d: %s", at, diff)
		}
	}
	ops := r.Expiries(100, time.Minute)
	if len(ops) != 1 || ops[0].Key != "/t" || ops[0].ID != 100 || ops[0].Revision != 7 || ops[0].Call != r.Events[5].Time {
		t.Errorf("expiries %+v", ops)
	}
}

func index(e *keyspace.Event) uint64 {
	if e == nil {
		return 0
	}
	return e.Index
}
