package front

import (
	"testing"
	"time"

	"drydock/node"
	"drydock/node/host"
	"drydock/node/world"
)

func TestCause(t *testing.T) {
	t.Parallel()
	began := time.Unix(100, 0)
	before, after := began.Add(-time.Second), began.Add(time.Second)
	for name, tc := range map[string]struct {
		lead      world.MemberID
		since     time.Time
		connected bool
		want      string
	}{
		"no leader":          {0, after, true, "etcdserver: request timed out"},
		"the same leader":    {7, before, true, "etcdserver: request timed out"},
		"a new leader":       {7, after, true, "etcdserver: request timed out, possibly due to previous leader failure"},
		"out of its reach":   {7, before, false, "etcdserver: request timed out, possibly due to connection lost"},
		"new and not so yet": {7, after, false, "etcdserver: request timed out, possibly due to previous leader failure"},
	} {
		l := host.Leadership{Role: node.Role{Lead: tc.lead}, Since: tc.since}
		if got := cause(&l, began, tc.connected); got != tc.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestConnected(t *testing.T) {
	t.Parallel()
	f := &Front{links: someLinks{{ID: 1, Connected: true}, {ID: 2}}}
	for lead, want := range map[world.MemberID]bool{1: true, 2: false, 3: true} {
		if got := f.connected(node.Role{Lead: lead}); got != want {
			t.Errorf("member %d: %v", lead, got)
		}
	}
	if !f.connected(node.Role{Lead: 2, Leader: true}) {
		t.Error("a leader is out of its own reach")
	}
}

type someLinks []Link

func (l someLinks) Links() []Link { return l }

func TestRates(t *testing.T) {
	t.Parallel()
	var x rates
	at := time.Unix(100, 0)
	for i, tc := range []struct {
		after             time.Duration
		received, sent    uint64
		wantRecv, wantOut float64
	}{
		{0, 10, 10, 0, 0},                    // nothing to compare with
		{2 * time.Second, 30, 110, 10, 50},   //
		{time.Second / 2, 90, 900, 10, 50},   // too soon: as before
		{2 * time.Second, 55, 135, 10, 10},   //
		{time.Minute, 1000, 1000, 0, 0},      // too long ago to be a rate
		{2 * time.Second, 500, 1002, 0, 1},   // a link began anew
		{2 * time.Second, 500, 1002, 0, 0},   //
		{61 * time.Second, 900, 10020, 0, 0}, //
	} {
		at = at.Add(tc.after)
		recv, send := x.take(at, Link{Received: tc.received, ReceivedBytes: tc.received}, Link{Sent: tc.sent, SentBytes: tc.sent})
		if recv.packages != tc.wantRecv || recv.bytes != tc.wantRecv || send.packages != tc.wantOut || send.bytes != tc.wantOut {
			t.Errorf("look %d: %v %v", i, recv, send)
		}
	}
}
