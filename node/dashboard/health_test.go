package dashboard

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/world"
)

// scene is a moment of a cluster in a few letters: what each member is to the
// one that is asked, which is the first. v is a voter that is there, l a learner;
// upper case is one that is not heard. lead is the place of the leader from 1.
func scene(members string, lead int) *sample {
	s := &sample{
		at: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), view: &node.View{
			ID: 1, Name: "m1", Applied: 120, Committed: 121, EtcdIndex: 99, Revision: 118, Checkpointed: 80, Keys: 1234, Watches: 3,
			Role: node.Role{Term: 7, Lead: world.MemberID(lead), Leader: lead == 1},
		},
		progress: map[world.MemberID]consensus.Progress{}, links: map[world.MemberID]Link{},
	}
	for i, c := range strings.ToLower(members) {
		id := world.MemberID(i + 1)
		there := byte(c) == members[i]
		if c != '-' {
			s.view.Members = append(s.view.Members, state.Member{
				ID: id, Name: fmt.Sprintf("m%d", id), Learner: c == 'l',
				PeerURLs: []string{fmt.Sprintf("http://10.0.0.%d:2380", id)}, ClientURLs: []string{fmt.Sprintf("http://10.0.0.%d:2379", id)},
			})
		}
		if i == 0 {
			continue
		}
		if lead == 1 {
			s.progress[id] = consensus.Progress{ID: id, Match: 120 - uint64(i), Active: there, Learner: c == 'l'}
		}
		l := Link{Peer: id, Up: there, Latency: 1300 * time.Microsecond}
		if !there {
			l.Failure = "connection refused"
		}
		s.links[id] = l
	}
	return s
}

func TestHealth(t *testing.T) {
	for _, tc := range []struct {
		members string
		lead    int
		stopped error
		class   string
		want    string
	}{
		{"v", 1, nil, "good", "m1 leads in term 7, as the only voter. | There is no second copy"},
		{"vvv", 1, nil, "good", "m1 leads in term 7 and hears all 3 voters. | "},
		{"vv", 1, nil, "good", "hears all 2 voters. | Neither of the two can be lost"},
		{"vvvl", 1, nil, "good", "hears all 3 voters."},
		{"vvvL", 1, nil, "good", "hears all 3 voters."},
		{"vvV", 1, nil, "unsure", "hears 2 of the 3 voters: writes work, without m3. | Start or reconnect m3: the loss of one more"},
		{"vvvvV", 1, nil, "unsure", "hears 4 of the 5 voters: writes work, without m5. | Start or reconnect m5; writes would bear the loss of 1 more voter."},
		{"vVV", 1, nil, "bad", "but hears only 1 of the 3 voters: writes wait. | A majority is 2. Start or reconnect m2 and m3."},
		{"vvv", 2, nil, "good", "m2 leads in term 7 and m1 follows it. | "},
		{"vvV", 2, nil, "unsure", "m2 leads in term 7 and m1 follows it. | m1 has no link to m3."},
		{"lvv", 2, nil, "good", "m1 copies its log and has no vote yet."},
		{"-vv", 2, nil, "unsure", "m1 is joining and has no copy of the keys yet."},
		{"vvv", 0, nil, "bad", "Nobody leads in term 7, as far as m1 can see: writes wait, reads here may be old. | An election takes less than a second."},
		{"vVV", 0, nil, "bad", "A leader needs the votes of 2 of the 3 voters. m1 cannot reach m2 and m3: start or reconnect one of the two, or both."},
		{"vvvVV", 0, nil, "bad", "3 of the 5 voters. m1 cannot reach m4 and m5"},
		{"vVVVV", 0, nil, "bad", "m2, m3, m4 and m5: start or reconnect some of them."},
		{"vV", 0, nil, "bad", "m1 cannot reach m2: start or reconnect it."},
		{"lvv", 0, nil, "bad", "m1 has no vote."},
		{"vvv", 1, errors.New("disk full"), "bad", "m1 has stopped: disk full. | Nothing that was acknowledged"},
	} {
		s := scene(tc.members, tc.lead)
		s.stopped = tc.stopped
		h := judge(s)
		if got := h.Sentence + " | " + h.Advice; h.Class != tc.class || !strings.Contains(got, tc.want) {
			t.Errorf("%s led by %d is %s: %s\nwant %s: %s", tc.members, tc.lead, h.Class, got, tc.class, tc.want)
		}
	}
	if h := judge(&sample{}); h.Class != "bad" || h.Word != "silent" {
		t.Errorf("a member that says nothing: %+v", h)
	}
}

// TestOverviewOfScenes compares what of the first page changes with testdata.
func TestOverviewOfScenes(t *testing.T) {
	d := &dashboard{o: Options{ClusterID: 0xc1}}
	stopped := scene("vvv", 2)
	stopped.stopped = errors.New("checkpoint: write /<b>x</b>: no space left")
	snapshot := scene("vvlV", 1)
	p := snapshot.progress[3]
	p.Snapshot = true
	snapshot.progress[3] = p
	snapshot.view.Members[1].Name = `<script>alert("m2")</script>`
	snapshot.view.Members[1].ClientURLs = []string{"javascript:alert(1)"}
	for name, s := range map[string]*sample{
		"leading": scene("vvv", 1), "following": scene("vvv", 2), "leaderless": scene("vVV", 0),
		"alone": scene("v", 1), "odd": snapshot, "stopped": stopped, "nothing": {at: stopped.at},
	} {
		b, err := piece("overview", "live", d.summarize([]sample{*s}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden(t, name+".html", b)
	}
}

func TestCharts(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	var samples []sample
	for i, sets := range []uint64{0, 10, 30, 30, 5} {
		s := scene("v", 1)
		s.at, s.stats.SetsSuccess, s.view.Watches = at.Add(time.Duration(i)*time.Second), sets, i
		samples = append(samples, *s)
	}
	samples[3].view = nil // it did not say anything then
	c := draw("writes/s", speed(samples, (*sample).writes))
	if c.Now != "20" || c.Peak != "20" || c.Line != "M238 24L240 2" || c.Area != "M238 24L240 2L240 48L238 48Z" {
		t.Errorf("%+v", c)
	}
	c = draw("watches", gauge(samples, func(s *sample) float64 { return float64(s.view.Watches) }))
	if c.Now != "4" || c.Peak != "4" || strings.Count(c.Line, "L") != 3 {
		t.Errorf("%+v", c)
	}
	// A counter that went back began anew.
	samples[3].view = samples[2].view
	if p := speed(samples, (*sample).writes); p[len(p)-1].value != 5 {
		t.Errorf("%v", p)
	}
	if c := draw("none", nil); c.Line != "" || c.Label != "none: nothing yet" {
		t.Errorf("%+v", c)
	}
}

func TestRing(t *testing.T) {
	for members, spots := range map[string]int{"v": 0, "vv": 2, "vvvvvvvvv": 9, "vvvvvvvvvv": 0, "-vv": 0} {
		r := scene(members, 1).ring()
		if len(r.Spots) != spots || (spots > 0 && len(r.Wires) != spots-1) {
			t.Errorf("%s: %d spots and %d wires", members, len(r.Spots), len(r.Wires))
		}
	}
	if r := scene("vvV", 1).ring(); r.Label != "Links of m1. m2: 1.3 ms, m3: down." || r.Wires[1].Class != "bad" {
		t.Errorf("%+v", r)
	}
}
