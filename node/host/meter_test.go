package host

import (
	"testing"
	"time"

	"drydock/node"
	"drydock/node/world"
)

func TestHistogram(t *testing.T) {
	var h histogram
	for _, d := range []time.Duration{0, 125 * time.Microsecond, 126 * time.Microsecond, time.Second, time.Hour} {
		h.observe(d)
	}
	got := h.read()
	if len(got.Counts) != numBuckets || len(got.Upper) != numBuckets-1 {
		t.Fatalf("%d counts, %d bounds", len(got.Counts), len(got.Upper))
	}
	want := map[int]uint64{0: 2, 1: 1, 13: 1, numBuckets - 1: 1}
	for i, n := range got.Counts {
		if n != want[i] {
			t.Errorf("bucket %d holds %d, want %d", i, n, want[i])
		}
	}
	if got.Sum != time.Hour+time.Second+251*time.Microsecond {
		t.Errorf("sum %v", got.Sum)
	}
}

func TestLeadershipCountsChanges(t *testing.T) {
	var m meters
	start := time.Unix(100, 0)
	m.init(start)
	for i, lead := range []world.MemberID{0, 1, 0, 1, 2} {
		m.role(node.Role{Lead: lead, Term: uint64(i)}, start.Add(time.Duration(i)*time.Second))
	}
	l := m.lead.Load()
	if l.Changes != 2 || l.Role.Lead != 2 || !l.Since.Equal(start.Add(4*time.Second)) || !l.Started.Equal(start) {
		t.Fatalf("%+v", l)
	}
}
