package keyspace_test

import (
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/keyspace"
	"drydock/sim/history"
)

// lived is a key with a time to live of 3 s, given at cluster time 1 s, that
// expired at cluster time 4 s.
func lived() *script {
	return (&script{}).live("/t", 3).put("/x", "1").put("/x", "2").expire()
}

// wrote is the operation by which /t was written: asked just before.
func wrote() history.Op {
	return history.Op{
		ID: 1, Client: "c1", Kind: history.Put, Key: "/t", Value: "v", TTL: 3, Token: "/t",
		Call: second, Return: second + second/10, Status: history.OK, Revision: 2, Index: 1, Modified: 1, Left: 3,
	}
}

func TestLifetimes(t *testing.T) {
	read := func(at int64, index uint64, left uint64) history.Op {
		return history.Op{
			ID: 2, Client: "c2", Kind: history.Get, Key: "/t", Out: ptr("v"), Left: left,
			Call: at - second/10, Return: at, Status: history.OK, Index: index, Modified: 1, Created: 1,
		}
	}
	gone := func(at int64, index uint64) history.Op {
		return history.Op{ID: 2, Client: "c2", Kind: history.Get, Key: "/t", Code: 100, Call: at, Return: at, Status: history.OK, Index: index}
	}
	end := 20 * time.Second
	late := lived()
	late.list[3].Time = 10 * second
	early := lived()
	early.list[3].Time = 3 * second
	never := (&script{}).live("/t", 3).live("/u", 1).put("/x", "1").expire()
	never.list[0].TTL = 15
	for _, tc := range []struct {
		name string
		s    *script
		ops  []history.Op
		opt  keyspace.LifetimeOptions
		want checker.Status
		says string
	}{
		{"in time", lived(), []history.Op{wrote(), read(2*second, 1, 3)}, keyspace.LifetimeOptions{}, checker.Held, "1 expiries, 2 times"},
		{"nothing expires", (&script{}).put("/a", "1"), nil, keyspace.LifetimeOptions{}, checker.Unknown, "no key expired"},
		{"early", early, []history.Op{wrote()}, keyspace.LifetimeOptions{}, checker.Violated, "1.000 s too early"},
		{"early, by a fast clock", early, []history.Op{wrote()}, keyspace.LifetimeOptions{Clock: keyspace.ClockBound{
			Skews: []keyspace.Skew{{From: 0, To: end, Fast: 0.5}},
		}}, checker.Held, ""},
		{"early, by a clock that was fast before", early, []history.Op{wrote()}, keyspace.LifetimeOptions{Clock: keyspace.ClockBound{
			Skews: []keyspace.Skew{{From: 0, To: time.Second / 2, Fast: 0.5}},
		}}, checker.Violated, "too early"},
		{"early, by a jump", early, []history.Op{wrote()}, keyspace.LifetimeOptions{Clock: keyspace.ClockBound{
			Skews: []keyspace.Skew{{From: 2 * time.Second, To: 2 * time.Second, Jump: time.Second}},
		}}, checker.Held, ""},
		{"early, within the slack", early, []history.Op{wrote()}, keyspace.LifetimeOptions{Clock: keyspace.ClockBound{Slack: time.Second}}, checker.Held, ""},
		{"late", late, nil, keyspace.LifetimeOptions{}, checker.Violated, "5.900 s too late"},
		{"late, during faults", late, nil, keyspace.LifetimeOptions{Healed: 8 * time.Second}, checker.Held, "worst 2.000s late"},
		{"late, in time after faults", late, nil, keyspace.LifetimeOptions{Healed: 5 * time.Second, Within: 3 * time.Second}, checker.Held, "worst 5.000s late"},
		{"late, too long after faults", late, nil, keyspace.LifetimeOptions{Healed: 5 * time.Second, Within: 2 * time.Second}, checker.Violated, "5.000 s too late"},
		{"late, due long after faults", late, nil, keyspace.LifetimeOptions{Healed: time.Second, Within: 2 * time.Second}, checker.Violated, "5.900 s too late"},
		{"stays to the end", never, nil, keyspace.LifetimeOptions{}, checker.Violated, "/t was given 15 s at 1.100 and was still there at 20.000"},
		{"stays, not due long", never, nil, keyspace.LifetimeOptions{Healed: 18 * time.Second}, checker.Held, ""},
		{"gone when it was not over", lived(), []history.Op{wrote(), gone(2*second, 4)}, keyspace.LifetimeOptions{}, checker.Violated, "it is gone 2.000 s too early"},
		{"gone when it was over", lived(), []history.Op{wrote(), gone(5*second, 4)}, keyspace.LifetimeOptions{}, checker.Held, ""},
		{"more left than given", lived(), []history.Op{wrote(), read(2*second, 1, 4)}, keyspace.LifetimeOptions{}, checker.Violated, "shows a time to live of 4 s, but it was given 3 s"},
		{"less left than there is", lived(), []history.Op{wrote(), read(2*second, 1, 1)}, keyspace.LifetimeOptions{}, checker.Violated, "at least 2.000 s were left"},
		{"left of what lasts", lived(), []history.Op{{
			ID: 1, Client: "c1", Kind: history.Get, Key: "/x", Out: ptr("2"), Status: history.OK, Index: 3, Modified: 3, Left: 7,
		}}, keyspace.LifetimeOptions{}, checker.Violated, "but the key has none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.opt.End, tc.opt.Lag = end, 2*time.Second
			expect(t, keyspace.CheckLifetimes(tc.s.replay(), tc.ops, tc.opt), tc.want, tc.says)
		})
	}
}

// TestLifetimesEnd shows which events end a time to live.
func TestLifetimesEnd(t *testing.T) {
	renewed := (&script{}).live("/t", 3).live("/t", 3).put("/x", "1").put("/x", "2").expire()
	overwritten := (&script{}).live("/t", 3).put("/t", "1").live("/u", 1).put("/x", "1").expire()
	deleted := (&script{}).live("/d/t", 3).delete("/d", true).live("/u", 1).put("/x", "1").expire()
	for name, s := range map[string]*script{"renewed": renewed, "overwritten": overwritten, "deleted with its directory": deleted} {
		opt := keyspace.LifetimeOptions{Lag: time.Second, End: time.Minute}
		v := keyspace.CheckLifetimes(s.replay(), nil, opt)
		if v.Status != checker.Held || v.Ops != 1 {
			t.Errorf("%s: %s %q, %d expiries", name, v.Status, v.Summary, v.Ops)
		}
	}
}
