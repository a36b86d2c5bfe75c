package report

import (
	"testing"

	"drydock/scenarios/checker"
	"drydock/sim/history"
)

func text(s string) *string { return &s }

func TestPairAndSentence(t *testing.T) {
	const ms = int64(1_000_000)
	put := history.Op{ID: 1, Client: "c1", Kind: history.Put, Key: "/a", Value: "new", Call: 10 * ms, Return: 20 * ms, Status: history.OK, Revision: 9}
	old := history.Op{ID: 2, Client: "c2", Kind: history.Put, Key: "/a", Value: "old", Call: 1 * ms, Return: 2 * ms, Status: history.OK, Revision: 5}
	open := history.Op{ID: 3, Client: "c3", Kind: history.Put, Key: "/a", Value: "lost", Call: 11 * ms, Status: history.Unknown}
	read := history.Op{ID: 4, Client: "c4", Node: "n2", Kind: history.Get, Key: "/a", Out: text("old"), Call: 32 * ms, Return: 33 * ms, Status: history.OK, Revision: 5}
	seen := history.Op{ID: 5, Client: "c5", Kind: history.Get, Key: "/a", Out: text("new"), Call: 21 * ms, Return: 22 * ms, Status: history.OK}
	list := history.Op{ID: 6, Client: "c6", Kind: history.List, Key: "/q", Call: 32 * ms, Return: 33 * ms, Status: history.OK}
	add := history.Op{ID: 7, Client: "c7", Kind: history.Append, Key: "/q", Value: "x", Call: 3 * ms, Return: 5 * ms, Status: history.OK}
	early := history.Op{ID: 8, Client: "c8", Kind: history.Put, Key: "/a", Value: "z", Call: 40 * ms, Return: 41 * ms, Status: history.OK, Revision: 3}
	far := history.Op{ID: 9, Client: "c9", Kind: history.Put, Key: "/b", Value: "y", Call: 10 * ms, Return: 20 * ms, Status: history.OK, Revision: 7}
	expiry := history.Op{ID: 10, Client: "cluster", Kind: "expire", Key: "/q", Call: 42 * ms, Return: 42 * ms, Status: history.OK, Revision: 11}
	tests := []struct {
		ops      []history.Op
		bad      int
		want     int // id of the other one
		sentence string
	}{
		{[]history.Op{old, put, read}, 4, 1, "Stale read: c4 read old from /a on n2, although c1's put /a = new had been answered 12 ms before that read began."},
		{[]history.Op{old, read}, 4, 2, "c4 read old from /a on n2, although c2's put /a = old had been answered 30 ms before that read began."},
		{[]history.Op{open, old, seen, read}, 4, 5, "c4 read old from /a on n2, although c5 had already read new from /a 10 ms before that read began."},
		{[]history.Op{open, read}, 4, 3, ""},
		{[]history.Op{add, list}, 6, 7, "c6 listed /q without x, although c7's append /q + x had been answered 27 ms before that read began."},
		{[]history.Op{put, early}, 8, 1, "c8 was told that its put /a = z came first, although c1's put /a = new had been answered 20 ms before it began."},
		{[]history.Op{read}, 4, 0, ""},
		{[]history.Op{far, read}, 4, 9, "Stale read: c4's get /a on n2 was answered from revision 5, although revision 7, c9's put /b = y, had been answered 12 ms before it began."},
		{[]history.Op{add, expiry}, 10, 7, ""},
	}
	for _, tt := range tests {
		v := &checker.Violation{Ops: tt.ops, Notes: map[int]string{tt.bad: "wrong"}}
		bad, other := pair(v)
		got := 0
		if other != nil {
			got = other.ID
		}
		if bad == nil || bad.ID != tt.bad || got != tt.want {
			t.Errorf("%v: %v contradicts %d, want %d contradicts %d", tt.ops, bad, got, tt.bad, tt.want)
			continue
		}
		if s := say(bad, other); s != tt.sentence {
			t.Errorf("says %q\nwant %q", s, tt.sentence)
		}
	}
	if bad, other := pair(&checker.Violation{Ops: []history.Op{put}}); bad != nil || other != nil {
		t.Errorf("a pair out of nothing: %v, %v", bad, other)
	}
}

func TestBarsKeepOrder(t *testing.T) {
	v := &checker.Violation{Ops: []history.Op{
		{ID: 1, Kind: history.Put, Call: 10, Return: 30},
		{ID: 2, Kind: history.Get, Call: 20, Return: 1_000_000},
		{ID: 3, Kind: history.Put, Call: 40},
	}}
	list, more := bars(v, nil, nil)
	if len(list) != 3 || more != 0 {
		t.Fatalf("%d bars and %d more", len(list), more)
	}
	end := func(b Bar) float64 { return b.From + b.Width }
	if !(list[0].From < list[1].From && list[1].From < end(list[0]) && end(list[0]) < list[2].From && list[2].From < end(list[1])) {
		t.Errorf("the order is not that of the times: %+v", list)
	}
	if !list[2].Open || end(list[2]) != 100 {
		t.Errorf("what has no end ends: %+v", list[2])
	}
	for range 100 {
		v.Ops = append(v.Ops, history.Op{ID: len(v.Ops) + 1, Call: int64(len(v.Ops)), Return: int64(len(v.Ops)) + 5})
	}
	if list, more := bars(v, nil, nil); len(list) != maxEvidence || more != 103-maxEvidence {
		t.Errorf("%d bars and %d more", len(list), more)
	}
}

func TestExtrasAreNearTheFailure(t *testing.T) {
	const sec = int64(1_000_000_000)
	d := &data{Until: 1000 * sec / 1000, Fail: 500 * sec / 1000, Key: "/k"}
	o := &history.Observed{}
	for i := range int64(1000) {
		w := history.Watch{Client: "w1", Path: "/k", Opened: i * sec, Closed: (i + 1) * sec, Stream: true}
		w.Events = []history.WatchEvent{{Time: i * sec, Action: "set", Key: "/k/a", Modified: uint64(i)}}
		o.Watches = append(o.Watches, w, history.Watch{Client: "w2", Path: "/other", Opened: i * sec, Closed: i*sec + 1})
		o.Holds = append(o.Holds, history.Hold{Client: "l1", Lock: "/k", Acquired: i * sec, Ended: i*sec + 5*sec/2, Fence: uint64(i)})
	}
	d.extras(o, &checker.Violation{Key: "/k", At: 500 * sec})
	kinds := map[any]int{}
	for i, op := range d.Ops {
		kinds[op[5]]++
		if at := op[3].(int64); at < 340*sec/1000 || at > 660*sec/1000 {
			t.Errorf("%v is far away", op)
		}
		if i > 0 && op[3].(int64) < d.Ops[i-1][3].(int64) {
			t.Errorf("%v comes after %v", op, d.Ops[i-1])
		}
	}
	if kinds["v"] != maxSessions || kinds["h"] != maxHolds || kinds["e"] != maxSessions {
		t.Errorf("%v", kinds)
	}
	byID := map[int][10]any{}
	for _, op := range d.Ops {
		byID[op[0].(int)] = op
	}
	if bad, other := byID[d.Bad], byID[d.Against]; bad[5] != "h" || bad[3] != 500*sec/1000 || other[5] != "h" || other[3].(int64) >= bad[3].(int64) {
		t.Errorf("%v contradicts %v: want the hold of the failure, and one that overlaps it", bad, other)
	}
}

func TestSqueeze(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		"c1.2.xxxxxxxx":       "c1.2.…",
		"xxxxx":               "xxxxx",
		"aaaaaaab":            "…b",
		"0000000000":          "0000000000",
		"[c1.xxxxxxx c2.yyy]": "[c1.… c2.yyy]",
	} {
		if got := squeeze(in); got != want {
			t.Errorf("squeeze(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOutages(t *testing.T) {
	d := &data{Until: 10_000_000}
	var ops []history.Op
	for at := int64(0); at < 8_000; at += 20 {
		op := history.Op{Kind: history.Put, Call: at * 1e6, Return: at*1e6 + 5e6, Status: history.OK}
		if at >= 3000 && at < 4000 {
			op.Status, op.Return = history.Unknown, 0
		}
		ops = append(ops, op, history.Op{Kind: history.Get, Call: at * 1e6, Return: at*1e6 + 1, Status: history.OK})
	}
	d.outages(ops)
	if len(d.Outages) != 1 || d.Outages[0] != [2]int64{2_985_000, 4_005_000} {
		t.Errorf("%v", d.Outages)
	}
}
