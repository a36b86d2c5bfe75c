package keyspace_test

import (
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/keyspace"
	"drydock/sim/history"
)

// locked is a lock that was made, released and made again, and a queue of two
// of which the first leaves. Indexes: 1 l1 makes /lock, 2 it goes, 3 l2 makes
// it; 4 and 5 l1 and l2 queue in /line, 6 the first goes.
func locked() *keyspace.Replay {
	s := &script{}
	s.add(history.Committed{Kind: history.Create, Key: "/lock", Value: "l1", Token: "l1-1"})
	s.delete("/lock", false)
	s.add(history.Committed{Kind: history.Create, Key: "/lock", Value: "l2", Token: "l2-1"})
	s.add(history.Committed{Kind: history.Append, Key: "/line", Value: "l1", Token: "l1-2"})
	s.add(history.Committed{Kind: history.Append, Key: "/line", Value: "l2", Token: "l2-2"})
	s.delete(first, false)
	return s.replay()
}

const (
	first  = "/line/00000000000000000004"
	behind = "/line/00000000000000000005"
)

func TestLocks(t *testing.T) {
	hold := func(client string, fence uint64, token string, from, to int64) history.Hold {
		return history.Hold{
			Client: client, Lock: "/lock", Key: "/lock", Token: token, Fence: fence, Index: fence, TTL: 5,
			Acquired: from * second, Renewed: from * second, Ended: to * second,
		}
	}
	inLine := func(client, key string, fence, index uint64, token string, from, to int64) history.Hold {
		h := hold(client, fence, token, from, to)
		h.Lock, h.Key, h.Index = "/line", key, index
		return h
	}
	clock := keyspace.ClockBound{Slack: time.Second}
	for _, tc := range []struct {
		name  string
		holds []history.Hold
		clock keyspace.ClockBound
		want  checker.Status
		says  string
	}{
		{"none", nil, clock, checker.Unknown, "no lock"},
		{"one after the other", []history.Hold{hold("l1", 1, "l1-1", 1, 2), hold("l2", 3, "l2-1", 3, 4)}, clock, checker.Held, "2 holds of 1 lock"},
		{"in any order", []history.Hold{hold("l2", 3, "l2-1", 3, 4), hold("l1", 1, "l1-1", 1, 2)}, clock, checker.Held, ""},
		{"both at once", []history.Hold{hold("l1", 1, "l1-1", 1, 5), hold("l2", 3, "l2-1", 3, 6)}, clock, checker.Violated, "while l1 held /lock"},
		{"both at once, as clocks may be", []history.Hold{hold("l1", 1, "l1-1", 1, 4), hold("l2", 3, "l2-1", 3, 6)}, clock, checker.Held, ""},
		{"both at once, held to the end", []history.Hold{hold("l1", 1, "l1-1", 1, 0), hold("l2", 3, "l2-1", 3, 6)}, clock, checker.Violated, "while l1 held /lock"},
		{"fence goes down", []history.Hold{hold("l2", 3, "l2-1", 1, 2), hold("l1", 1, "l1-1", 3, 4)}, clock, checker.Violated, "a lower fence"},
		{"same fence", []history.Hold{hold("l1", 1, "", 1, 2), hold("l2", 1, "", 3, 4)}, clock, checker.Violated, "the same fence"},
		{"same fence, looked again", []history.Hold{hold("l1", 1, "l1-1", 1, 2), hold("l1", 1, "l1-1", 3, 4)}, clock, checker.Held, ""},
		{"granted to another", []history.Hold{hold("l1", 3, "l1-9", 1, 2)}, clock, checker.Violated, "request l2-1 made that key"},
		{"made up", []history.Hold{hold("l1", 99, "l1-1", 1, 2)}, clock, checker.Violated, "no disk holds"},
		{"another key", []history.Hold{hold("l1", 4, "", 1, 2)}, clock, checker.Violated, "but that is create /line/"},
		{"a removal", []history.Hold{hold("l1", 2, "", 1, 2)}, clock, checker.Violated, "but that is delete /lock"},
		{"gone when it was acquired", []history.Hold{func() history.Hold { h := hold("l1", 1, "l1-1", 1, 2); h.Index = 2; return h }()}, clock, checker.Violated, "not there at index 2"},
		{"first in line", []history.Hold{inLine("l1", first, 4, 5, "l1-2", 1, 2), inLine("l2", behind, 5, 6, "l2-2", 3, 4)}, clock, checker.Held, ""},
		{"second in line", []history.Hold{inLine("l2", behind, 5, 5, "l2-2", 3, 4)}, clock, checker.Violated, "came first at index 5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opt := keyspace.LockOptions{Clock: tc.clock, End: time.Minute}
			expect(t, keyspace.CheckLocks(locked(), tc.holds, opt), tc.want, tc.says)
		})
	}
}

func TestHoldersReportAtOnce(t *testing.T) {
	x := keyspace.NewHolders()
	begin := history.Hold{Client: "l1", Lock: "/lock", Fence: 7, Acquired: 10}
	end := begin
	end.Ended = 20
	for _, h := range []history.Hold{begin, end, {Client: "l2", Lock: "/lock", Fence: 9, Acquired: 30}, {Client: "l2", Lock: "/other", Fence: 1, Acquired: 30}} {
		if bad := x.Hold(&h); bad != nil {
			t.Fatalf("%+v: %s", h, bad.Why)
		}
	}
	x = keyspace.NewHolders()
	x.Hold(&begin)
	x.Hold(&end)
	if bad := x.Hold(&history.Hold{Client: "l2", Lock: "/lock", Fence: 6, Acquired: 30}); bad == nil || bad.At != 30 {
		t.Errorf("a lower fence: %+v", bad)
	}
}

func TestIndexes(t *testing.T) {
	op := func(client string, call, index, revision uint64) history.Op {
		return history.Op{
			ID: int(call), Client: client, Kind: history.Get, Key: "/a", Call: int64(call), Return: int64(call) + 1,
			Status: history.OK, Index: index, Revision: revision,
		}
	}
	stale := op("c1", 20, 1, 1)
	stale.Stale = true
	unknown := op("c1", 20, 1, 1)
	unknown.Status = history.Unknown
	for _, tc := range []struct {
		name string
		ops  []history.Op
		want checker.Status
		says string
	}{
		{"nothing", nil, checker.Unknown, "nothing was answered"},
		{"up", []history.Op{op("c1", 1, 5, 6), op("c1", 5, 5, 6), op("c1", 9, 7, 8)}, checker.Held, "3 answers, 1 client"},
		{"index back", []history.Op{op("c1", 1, 5, 6), op("c1", 5, 4, 6)}, checker.Violated, "c1 was answered index 4 after index 5"},
		{"revision back", []history.Op{op("c1", 1, 5, 6), op("c1", 5, 5, 5)}, checker.Violated, "revision 5 after revision 6"},
		{"in any order", []history.Op{op("c1", 5, 4, 6), op("c1", 1, 5, 6)}, checker.Violated, "index 4 after index 5"},
		{"another client", []history.Op{op("c1", 1, 5, 6), op("c2", 5, 4, 5)}, checker.Held, "2 clients"},
		{"a stale read", []history.Op{op("c1", 1, 5, 6), stale}, checker.Held, ""},
		{"no answer", []history.Op{op("c1", 1, 5, 6), unknown}, checker.Held, ""},
		{"no index", []history.Op{op("c1", 1, 5, 6), op("c1", 5, 0, 0)}, checker.Held, ""},
	} {
		t.Run(tc.name, func(t *testing.T) { expect(t, keyspace.CheckIndexes(tc.ops), tc.want, tc.says) })
	}
}
