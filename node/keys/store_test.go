package keys

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func stampAt(d time.Duration) Stamp { return Stamp{Cluster: d, Wall: 1e18 + int64(d)} }

func put(t *testing.T, s *Store, path, value string) *Event {
	t.Helper()
	return do(t, s, &Command{Kind: Set, Path: path, Value: value}, 0)
}

func do(t *testing.T, s *Store, c *Command, at time.Duration) *Event {
	t.Helper()
	ev, err := s.Apply(c, stampAt(at))
	if err != nil {
		t.Fatalf("%+v: %v", *c, err)
	}
	return ev
}

// outline is a listing in one line: keys, directories with what is in them.
func outline(n *Node) string {
	out := n.Key
	if n.Dir {
		var kids []string
		for _, k := range n.Nodes {
			kids = append(kids, outline(k))
		}
		out += "{" + strings.Join(kids, " ") + "}"
	}
	return out
}

func TestGetLists(t *testing.T) {
	s := New()
	for _, p := range []string{"/b/x", "/b/_hid", "/b/c/y", "/a-", "/a/z", "/_h/in", "/_h/_in"} {
		put(t, s, p, "v")
	}
	for _, tc := range []struct {
		path      string
		recursive bool
		want      string
	}{
		{"/", false, "/{/a{} /a- /b{}}"},
		{"/", true, "/{/a{/a/z} /a- /b{/b/c{/b/c/y} /b/x}}"},
		{"/b", false, "/b{/b/c{} /b/x}"},
		{"/_h", true, "/_h{/_h/in}"},
		{"/_h/_in", true, "/_h/_in"},
		{"/b/_hid", false, "/b/_hid"},
	} {
		ev, err := s.Get(tc.path, tc.recursive, false, Stamp{})
		if err != nil {
			t.Fatal(err)
		}
		if got := outline(ev.Node); got != tc.want || ev.EtcdIndex != 7 {
			t.Errorf("%s %v: %s at %d, not %s", tc.path, tc.recursive, got, ev.EtcdIndex, tc.want)
		}
	}
	for path, want := range map[string]Error{
		"/b/n/m": {Code: 100, Cause: "/b/n", Index: 7},
		"/a-/m":  {Code: 104, Cause: "/a-", Index: 7},
	} {
		if _, err := s.Get(path, false, true, Stamp{}); err == nil || *err != want {
			t.Errorf("%s: %v, not %v", path, err, &want)
		}
	}
	if st := s.Stats(); st.GetsSuccess != 6 || st.GetsFail != 2 || st.SetsSuccess != 7 {
		t.Errorf("counted %+v", st)
	}
}

func TestTTLIsShownRoundedUpAndExpiresWhenDue(t *testing.T) {
	n := &Node{HasTTL: true, Due: 5 * time.Second}
	for at, want := range map[time.Duration]int64{
		0: 5, time.Nanosecond: 5, time.Second: 4, 4999 * time.Millisecond: 1, 5 * time.Second: 0, time.Minute: 0,
	} {
		if got := n.TTL(at); got != want {
			t.Errorf("at %v: %d, not %d", at, got, want)
		}
	}
	if got := (&Node{Due: time.Hour}).TTL(0); got != 0 {
		t.Errorf("without a ttl: %d", got)
	}
	far := Stamp{Cluster: time.Hour, Wall: 1e18}
	for _, ttl := range []uint64{math.MaxUint64, math.MaxInt64, math.MaxInt64 / 1_000_000_000} {
		if end := far.later(ttl); end.Cluster < math.MaxInt64-1e9 || end.Wall != math.MaxInt64 {
			t.Errorf("ttl %d ends at %+v", ttl, end)
		}
	}
	if got := (&Node{HasTTL: true, Due: math.MaxInt64}).TTL(math.MinInt64); got <= 0 {
		t.Errorf("the longest ttl there is shows as %d", got)
	}
}

func TestExpiryTakesTheEarliestFirstAndADirectoryWhole(t *testing.T) {
	s := New()
	ttl := func(path string, dir bool, seconds uint64) {
		do(t, s, &Command{Kind: Set, Path: path, Dir: dir, HasTTL: true, TTL: seconds}, 0)
	}
	ttl("/d", true, 3)
	ttl("/d/same", false, 3)
	ttl("/d/later", false, 9)
	ttl("/b", false, 2)
	ttl("/a", false, 2)
	ttl("/z", false, 1)
	ttl("/stays", false, 4)
	if due, ok := s.NextExpiry(); due != time.Second || !ok {
		t.Fatalf("next expiry %v, %v", due, ok)
	}
	if ev := do(t, s, &Command{Kind: Expire}, 999*time.Millisecond); ev != nil {
		t.Fatalf("%s expired before it was due", ev.Node.Key)
	}
	last := do(t, s, &Command{Kind: Expire}, 3*time.Second)
	var order []string
	for i := uint64(8); i <= s.Index(); i++ {
		ev := s.past.at(i).ev
		order = append(order, ev.Node.Key)
		if ev.Action != ActionExpire || ev.PrevNode.TTL(ev.At) != 0 || !ev.PrevNode.HasTTL {
			t.Errorf("event %d: %+v", i, ev)
		}
	}
	if want := []string{"/z", "/a", "/b", "/d"}; !slices.Equal(order, want) || last.Node.Key != "/d" {
		t.Errorf("expired %v, last %s; not %v", order, last.Node.Key, want)
	}
	if s.Len() != 1 || s.Stats().ExpireCount != 4 {
		t.Errorf("%d nodes left, %d expired", s.Len(), s.Stats().ExpireCount)
	}
}

func TestExpiryIsBounded(t *testing.T) {
	s := New()
	const n = MaxExpiriesPerCommand + 7
	for i := range n {
		do(t, s, &Command{Kind: Set, Path: fmt.Sprintf("/k%d", i), HasTTL: true}, 0)
	}
	do(t, s, &Command{Kind: Expire}, 0)
	if s.Len() != 7 {
		t.Fatalf("%d left of %d", s.Len(), n)
	}
	if due, ok := s.NextExpiry(); !ok || due != 0 {
		t.Fatalf("next expiry %v, %v", due, ok)
	}
	do(t, s, &Command{Kind: Expire}, 0)
	if _, ok := s.NextExpiry(); ok || s.Len() != 0 || s.Index() != 2*n {
		t.Fatalf("%d left, index %d", s.Len(), s.Index())
	}
}

func TestHistoryKeepsTheLastThousand(t *testing.T) {
	s, disk := New(), map[string][]byte{}
	for i := range 2*HistoryLimit + 500 {
		put(t, s, fmt.Sprintf("/k%d", i%3), fmt.Sprint(i))
		if i == 100 || i == 700 || i == 2300 {
			overlay(disk, s.DrainDirty())
		}
	}
	const oldest = 1501
	if _, _, err := s.Watch("/k0", false, false, oldest-1); err == nil || err.Code != 401 ||
		err.Cause != "the requested history has been cleared [1501/1500]" || err.Index != 2500 {
		t.Fatalf("watch from a cleared index: %v", err)
	}
	_, past, err := s.Watch("/", true, true, oldest)
	if err != nil || len(past) != HistoryLimit || past[0].EtcdIndex != oldest {
		t.Fatalf("%d events, %v", len(past), err)
	}
	overlay(disk, s.DrainDirty())
	whole := map[string][]byte{}
	overlay(whole, s.Records())
	if diff := cmp.Diff(whole, disk); diff != "" {
		t.Fatalf("drained (-whole +drained):\n%s", diff)
	}
	if again := s.DrainDirty(); again != nil {
		t.Fatalf("%d records without a change", len(again))
	}
	r := reload(t, s.Records())
	if r.Digest() != s.Digest() || r.Recompute() != s.Digest() {
		t.Fatal("loaded with another digest")
	}
	if _, _, err := r.Watch("/k0", false, false, oldest-1); err == nil || err.Code != 401 {
		t.Fatalf("after a load: %v", err)
	}
	for i, ev := range r.past.ring {
		if ev.ev.PrevNode == nil || i == oldest%HistoryLimit || ev.ev.EtcdIndex < oldest+3 {
			continue
		}
		if before := r.past.at(ev.ev.EtcdIndex - 3).ev; ev.ev.PrevNode != before.Node {
			t.Fatalf("event %d holds a copy of a node after a load", ev.ev.EtcdIndex)
		}
	}
}

func TestRefreshIsQuiet(t *testing.T) {
	s := New()
	do(t, s, &Command{Kind: Set, Path: "/k", Value: "v", HasTTL: true, TTL: 5}, 0)
	id, _, _ := s.Watch("/k", false, true, 2)
	for i, kind := range []Kind{Update, Set, CompareAndSwap} {
		ev := do(t, s, &Command{Kind: kind, Path: "/k", Refresh: true, HasTTL: true, TTL: 9}, time.Second)
		if ev.Node.Value != "v" || ev.Node.Due != 10*time.Second || !ev.Refresh || s.Index() != uint64(i)+2 {
			t.Errorf("%v: %+v", kind, ev.Node)
		}
	}
	put(t, s, "/k", "w")
	if d := s.TakeDeliveries(); len(d) != 1 || d[0].Watcher != id || d[0].Event.Node.Value != "w" {
		t.Errorf("delivered %+v", d)
	}
	if _, past, _ := s.Watch("/k", false, false, 2); len(past) != 1 || past[0].EtcdIndex != 5 {
		t.Errorf("history shows %+v", past)
	}
}

func TestWatchersBelowADirectoryThatGoes(t *testing.T) {
	s := New()
	put(t, s, "/d/a/b", "1")
	var ids []WatcherID
	for _, w := range []struct {
		path      string
		recursive bool
	}{{"/d/a/b", false}, {"/d/a", true}, {"/d/zzz", true}, {"/d", false}, {"/", true}} {
		id, _, _ := s.Watch(w.path, w.recursive, false, 0)
		ids = append(ids, id)
	}
	do(t, s, &Command{Kind: Delete, Path: "/d", Recursive: true}, 0)
	var got []WatcherID
	for _, d := range s.TakeDeliveries() {
		got = append(got, d.Watcher)
	}
	if want := []WatcherID{ids[0], ids[1], ids[3], ids[4]}; !slices.Equal(got, want) {
		t.Errorf("reached %v, not %v", got, want)
	}
	if _, past, _ := s.Watch("/d/zzz", false, false, 2); len(past) != 1 {
		t.Error("the history does not know that /d/zzz is gone with /d")
	}
	if n := s.Stats().Watchers; n != 1 {
		t.Errorf("%d watchers left", n)
	}
	s.Cancel(ids[2])
	s.Cancel(ids[2])
	if len(s.hub.byPath) != 0 {
		t.Errorf("%d paths are still listened to", len(s.hub.byPath))
	}
}

func TestPublishedNodesDoNotChange(t *testing.T) {
	s := New()
	first := put(t, s, "/k", "1")
	node := *first.Node
	second := do(t, s, &Command{Kind: Update, Path: "/k", Value: "2", HasTTL: true, TTL: 1}, 0)
	do(t, s, &Command{Kind: Expire}, time.Second)
	if diff := cmp.Diff(node, *first.Node); diff != "" {
		t.Error(diff)
	}
	if second.PrevNode != first.Node {
		t.Error("an event holds a copy of what the tree held")
	}
}

// TestDigestTellsStoresApart changes one thing at a time.
func TestDigestTellsStoresApart(t *testing.T) {
	base := Command{Kind: Set, Path: "/k", Value: "v", HasTTL: true, TTL: 9}
	seen := map[[16]byte]string{New().Digest(): "empty"}
	for name, change := range map[string]func(c *Command, at *Stamp){
		"as it is":  func(*Command, *Stamp) {},
		"path":      func(c *Command, _ *Stamp) { c.Path = "/l" },
		"value":     func(c *Command, _ *Stamp) { c.Value = "w" },
		"dir":       func(c *Command, _ *Stamp) { c.Dir = true },
		"ttl":       func(c *Command, _ *Stamp) { c.TTL = 8 },
		"no ttl":    func(c *Command, _ *Stamp) { c.HasTTL, c.TTL = false, 0 },
		"action":    func(c *Command, _ *Stamp) { c.Kind = Create },
		"wall":      func(_ *Command, at *Stamp) { at.Wall++ },
		"cluster":   func(_ *Command, at *Stamp) { at.Cluster++ },
		"in order":  func(c *Command, _ *Stamp) { c.Kind = CreateInOrder },
		"parent":    func(c *Command, _ *Stamp) { c.Path = "/k/k" },
		"path end":  func(c *Command, _ *Stamp) { c.Path, c.Value = "/kv", "" },
		"empty":     func(c *Command, _ *Stamp) { c.Value = "" },
		"value end": func(c *Command, _ *Stamp) { c.Path, c.Value = "/k", "v\x00" },
	} {
		s, c, at := New(), base, stampAt(0)
		change(&c, &at)
		if _, err := s.Apply(&c, at); err != nil {
			t.Fatal(err)
		}
		d := s.Digest()
		if other, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
	// The same tree by another way is another store: its history differs.
	a, b := New(), New()
	for _, s := range []*Store{a, b} {
		put(t, s, "/x", "1")
	}
	do(t, a, &Command{Kind: Update, Path: "/x", Value: "2"}, 0)
	do(t, b, &Command{Kind: CompareAndSwap, Path: "/x", Value: "2", PrevValue: "1"}, 0)
	if a.content != b.content || a.Digest() == b.Digest() {
		t.Error("the history does not count")
	}
}

// TestKidListIsASortedSet compares the chunked list with a plain one, at sizes
// that make and empty chunks.
func TestKidListIsASortedSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l kidList
		held := map[string]*entry{}
		var order []string
		for range rapid.IntRange(1, 8).Draw(t, "rounds") {
			from := rapid.IntRange(0, 3000).Draw(t, "from")
			n := rapid.IntRange(1, 1200).Draw(t, "n")
			step := rapid.SampledFrom([]int{-1, 1, 7}).Draw(t, "step")
			adds := rapid.Bool().Draw(t, "adds")
			for i := range n {
				key := fmt.Sprintf("/%06d", 20000+from+i*step)
				if e := held[key]; e == nil && adds {
					held[key] = &entry{view: &Node{Key: key}}
					l.insert(held[key])
				} else if e != nil && !adds {
					l.remove(e)
					delete(held, key)
				}
			}
		}
		for e := range l.all() {
			if held[e.view.Key] != e {
				t.Fatalf("%s is not held", e.view.Key)
			}
			order = append(order, e.view.Key)
		}
		if len(order) != len(held) || !slices.IsSorted(order) || l.empty() != (len(held) == 0) {
			t.Fatalf("%d in the list, %d held, sorted %v", len(order), len(held), slices.IsSorted(order))
		}
		for i, c := range l.chunks {
			if len(c) == 0 || len(c) > chunkSize {
				t.Fatalf("chunk %d holds %d", i, len(c))
			}
		}
	})
}
