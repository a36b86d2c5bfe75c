package cluster_test

import (
	"strings"
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/cluster"
	"drydock/sim/history"
)

const second = int64(time.Second)

func led(at int64, node string, term uint64) history.Led {
	return history.Led{Time: at, Node: node, Term: term}
}

func vote(at int64, from, to string, term uint64) history.Vote {
	return history.Vote{Time: at, From: from, To: to, Term: term}
}

func said(at int64, node string, term uint64) history.Said {
	return history.Said{Time: at, Node: node, Term: term}
}

func digest(at int64, node string, life int, index, revision uint64, hex string) history.Digest {
	return history.Digest{Time: at, Node: node, Life: life, Index: index, Revision: revision, Digest: hex}
}

func entry(node string, index, term uint64, hash string) history.Entry {
	return history.Entry{Node: node, Index: index, Term: term, Hash: hash}
}

func did(at int64, node string, index uint64) history.Applied {
	return history.Applied{Time: at, Node: node, Index: index}
}

func restart(at int64, node string) history.Restart {
	return history.Restart{Time: at, Node: node}
}

// expect compares a verdict with the status and a part of the summary.
func expect(t *testing.T, v checker.Verdict, want checker.Status, says string) {
	t.Helper()
	if v.Status != want || !strings.Contains(v.Summary, says) {
		t.Errorf("%s %q, want %s %q", v.Status, v.Summary, want, says)
	}
	if (v.Violation != nil) != (want == checker.Violated) {
		t.Errorf("violation %+v with status %s", v.Violation, v.Status)
	}
}

func TestLeaders(t *testing.T) {
	for _, tc := range []struct {
		name  string
		led   []history.Led
		votes []history.Vote
		said  []history.Said
		want  checker.Status
		says  string
	}{
		{"nothing seen", nil, nil, nil, checker.Unknown, "nobody"},
		{"a leader a term", []history.Led{led(1, "n1", 2), led(5, "n2", 3), led(9, "n1", 4)}, []history.Vote{vote(1, "n3", "n1", 2), vote(5, "n3", "n2", 3)}, []history.Said{said(1, "n1", 2), said(2, "n1", 2), said(3, "n1", 3)}, checker.Held, "3 terms"},
		{"same leader seen again", []history.Led{led(1, "n1", 2), led(5, "n1", 2)}, nil, nil, checker.Held, "1 term"},
		{"two leaders in a term", []history.Led{led(1, "n1", 2), led(5, "n2", 2)}, nil, nil, checker.Violated, "n1 and n2 both became leader of term 2"},
		{"vote repeated", []history.Led{led(1, "n1", 2)}, []history.Vote{vote(1, "n3", "n1", 2), vote(2, "n3", "n1", 2)}, nil, checker.Held, "1 vote"},
		{"two votes in a term", []history.Led{led(1, "n1", 2)}, []history.Vote{vote(1, "n3", "n1", 2), vote(2, "n3", "n2", 2)}, nil, checker.Violated, "n3 voted for n1 and for n2 in term 2"},
		{"vote for itself and another", []history.Led{led(1, "n1", 2)}, []history.Vote{vote(1, "n3", "n3", 2), vote(2, "n3", "n2", 2)}, nil, checker.Violated, "n3 voted"},
		{"term goes back", []history.Led{led(1, "n1", 2)}, nil, []history.Said{said(1, "n3", 5), said(2, "n3", 4)}, checker.Violated, "n3 is in term 4 after it was in term 5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expect(t, cluster.CheckLeaders(tc.led, tc.votes, tc.said), tc.want, tc.says)
		})
	}
}

func TestLeadersReportsAtOnce(t *testing.T) {
	l := cluster.NewLeaders()
	if v := l.Led(history.Led{Time: 1, Node: "n1", Term: 2}); v != nil {
		t.Fatal(v.Why)
	}
	v := l.Led(history.Led{Time: 7, Node: "n2", Term: 2})
	if v == nil || v.At != 7 || v.Key != "term 2" {
		t.Fatalf("violation %+v", v)
	}
	l.Vote(history.Vote{Time: 5, From: "n1", To: "n1", Term: 3})
	l.Vote(history.Vote{Time: 6, From: "n1", To: "n2", Term: 3})
	if got := l.Verdict(); got.Violation.At != 6 {
		t.Errorf("the first violation is at 6, not %d", got.Violation.At)
	}
}

func TestDigests(t *testing.T) {
	for _, tc := range []struct {
		name    string
		records []history.Digest
		want    checker.Status
		says    string
	}{
		{"nothing seen", nil, checker.Unknown, "no two members"},
		{"equal", []history.Digest{digest(1, "n1", 0, 7, 3, "aa"), digest(2, "n2", 0, 7, 3, "aa")}, checker.Held, "1 comparisons"},
		{"never at one index", []history.Digest{digest(1, "n1", 0, 7, 3, "aa"), digest(2, "n2", 0, 8, 4, "bb")}, checker.Unknown, "no two members"},
		{"one member", []history.Digest{digest(1, "n1", 0, 7, 3, "aa")}, checker.Held, "1 members"},
		{"states differ", []history.Digest{digest(1, "n1", 0, 7, 3, "aa"), digest(2, "n2", 0, 7, 3, "ab")}, checker.Violated, "n1 and n2 differ at index 7"},
		{"revisions differ", []history.Digest{digest(1, "n1", 0, 7, 3, "aa"), digest(2, "n2", 0, 7, 4, "aa")}, checker.Violated, "revision 4"},
		{"lives differ", []history.Digest{digest(1, "n1", 0, 7, 3, "aa"), digest(2, "n1", 1, 7, 3, "ab")}, checker.Violated, "n1 (start 2)"},
		{"lives equal", []history.Digest{digest(1, "n1", 0, 7, 3, "aa"), digest(2, "n1", 1, 7, 3, "aa")}, checker.Held, "1 comparisons"},
	} {
		t.Run(tc.name, func(t *testing.T) { expect(t, cluster.CheckDigests(tc.records), tc.want, tc.says) })
	}
	d := cluster.NewDigests()
	d.Digest(history.Digest{Time: 1, Node: "n1", Index: 7, Digest: "aa"})
	if v := d.Digest(history.Digest{Time: 9, Node: "n2", Index: 7, Digest: "bb"}); v == nil || v.At != 9 {
		t.Errorf("violation %+v", v)
	}
}

func TestLogs(t *testing.T) {
	for _, tc := range []struct {
		name    string
		entries []history.Entry
		want    checker.Status
		says    string
	}{
		{"nothing", nil, checker.Unknown, "no two disks"},
		{"equal", []history.Entry{entry("n1", 1, 2, "aa"), entry("n2", 1, 2, "aa"), entry("n1", 2, 2, "bb")}, checker.Held, "2 entries"},
		{"nothing common", []history.Entry{entry("n1", 1, 2, "aa"), entry("n2", 2, 2, "aa")}, checker.Unknown, "no two disks"},
		{"other data", []history.Entry{entry("n1", 1, 2, "aa"), entry("n2", 1, 2, "ab")}, checker.Violated, "n1 and n2"},
		{"other term", []history.Entry{entry("n1", 1, 2, "aa"), entry("n2", 1, 3, "aa")}, checker.Violated, "term 3"},
	} {
		t.Run(tc.name, func(t *testing.T) { expect(t, cluster.CheckLogs(tc.entries), tc.want, tc.says) })
	}
}

func put(token string, status history.Status, revision uint64) history.Op {
	return history.Op{
		ID: 1, Client: "c1", Kind: history.Put, Key: "/k", Value: "v" + token, Token: token,
		Call: 1, Return: 2, Status: status, Revision: revision,
	}
}

func disk(token string, revision uint64) history.Committed {
	return history.Committed{Revision: revision, Token: token, Kind: history.Put, Key: "/k", Value: "v" + token}
}

func TestAcked(t *testing.T) {
	failed := put("a", history.OK, 3)
	failed.Code = 105
	repeat := disk("a", 9)
	repeat.Repeat = true
	other := disk("a", 3)
	other.Value = "torn"
	for _, tc := range []struct {
		name  string
		ops   []history.Op
		truth []history.Committed
		want  checker.Status
		says  string
	}{
		{"kept", []history.Op{put("a", history.OK, 3)}, []history.Committed{disk("a", 3)}, checker.Held, "1 write"},
		{"kept beside an expiry", []history.Op{put("a", history.OK, 3)}, []history.Committed{{Revision: 1}, {Revision: 2}, disk("a", 3)}, checker.Held, "1 write"},
		{"second copy recognised", []history.Op{put("a", history.OK, 3)}, []history.Committed{disk("a", 3), repeat}, checker.Held, "1 write"},
		{"nothing acknowledged", []history.Op{put("a", history.Unknown, 0)}, []history.Committed{disk("a", 3)}, checker.Unknown, "no write"},
		{"no tokens", []history.Op{put("", history.OK, 3)}, nil, checker.Unknown, "no token"},
		{"lost", []history.Op{put("a", history.OK, 3)}, []history.Committed{disk("b", 3)}, checker.Violated, "is on no disk"},
		{"only a second copy", []history.Op{put("a", history.OK, 3)}, []history.Committed{repeat}, checker.Violated, "is on no disk"},
		{"elsewhere", []history.Op{put("a", history.OK, 3)}, []history.Committed{disk("a", 4)}, checker.Violated, "hold it at 4"},
		{"another value", []history.Op{put("a", history.OK, 3)}, []history.Committed{other}, checker.Violated, `"torn" on the disks`},
		{"applied twice", []history.Op{put("a", history.OK, 3)}, []history.Committed{disk("a", 3), disk("a", 5)}, checker.Violated, "applied twice, at revisions 3 and 5"},
		{"two at one revision", []history.Op{put("a", history.OK, 3)}, []history.Committed{disk("a", 3), disk("b", 3)}, checker.Violated, "both at revision 3"},
		{"refused but there", []history.Op{put("b", history.OK, 2), put("a", history.Refused, 0)}, []history.Committed{disk("b", 2), disk("a", 3)}, checker.Violated, "was refused, but"},
		{"refused and not there", []history.Op{put("b", history.OK, 2), put("a", history.Refused, 0)}, []history.Committed{disk("b", 2)}, checker.Held, "1 write"},
		{"failed condition elsewhere", []history.Op{put("b", history.OK, 2), failed}, []history.Committed{disk("b", 2), disk("a", 4)}, checker.Violated, "hold it at 4"},
		{"unknown either way", []history.Op{put("b", history.OK, 2), put("a", history.Unknown, 0), put("c", history.Unknown, 0)}, []history.Committed{disk("b", 2), disk("a", 4)}, checker.Held, "1 write"},
	} {
		t.Run(tc.name, func(t *testing.T) { expect(t, cluster.CheckAcked(tc.ops, tc.truth), tc.want, tc.says) })
	}
}

func answer(client string, call, end float64) history.Op {
	return history.Op{
		Client: client, Kind: history.Get, Status: history.OK,
		Call: int64(call * float64(second)), Return: int64(end * float64(second)),
	}
}

func TestLive(t *testing.T) {
	opt := cluster.LiveOptions{
		Healed: 10 * time.Second, End: 30 * time.Second, Within: 5 * time.Second,
		Running: []string{"n1", "n2"}, FinalCommit: 9,
	}
	ops := []history.Op{answer("c1", 1, 2), answer("c2", 1, 2), answer("c1", 10, 11), answer("c2", 9, 12)}
	applied := []history.Applied{did(8*second, "n1", 7), did(9*second, "n2", 4), did(13*second, "n2", 8), did(20*second, "n1", 9), did(20*second, "n2", 9)}
	v := cluster.CheckLive(ops, applied, opt)
	expect(t, v, checker.Held, "worst 3.000s: 2 clients answered in 2.000s, 2 members caught up in 3.000s")
	if v.Worst != 3*time.Second {
		t.Errorf("worst %v", v.Worst)
	}
	refused := answer("c2", 10, 11)
	refused.Status = history.Refused
	for _, tc := range []struct {
		name    string
		ops     []history.Op
		applied []history.Applied
		change  func(*cluster.LiveOptions)
		want    checker.Status
		says    string
	}{
		{"a client without an answer", ops[:3], applied, nil, checker.Violated, "c2 got no answer after healing at 10.000s"},
		{"a refusal is no answer", append(ops[:3:3], refused), applied, nil, checker.Violated, "c2 got no answer"},
		{"an answer too late", append(ops[:3:3], answer("c2", 10, 16)), applied, nil, checker.Violated, "c2 got its first answer 6.000s after healing, not within 5.000s"},
		{"a client that never spoke", ops, applied, func(o *cluster.LiveOptions) { o.Clients = []string{"c1", "c9"} }, checker.Violated, "c9 got no answer"},
		{"a member that stays behind", ops, applied[:2], func(o *cluster.LiveOptions) { o.FinalCommit = 0 }, checker.Violated, "n2 applied index 4 at most, not 7"},
		{"a member too late", ops, []history.Applied{did(8*second, "n1", 9), did(19*second, "n2", 9)}, nil, checker.Violated, "n2 caught up 9.000s after healing"},
		{"a member not at the end", ops, applied[:4], nil, checker.Violated, "n2 applied index 8 at the end, not 9"},
		{"a member not at the very end", ops, append(applied[:4:4], did(29500*second/1000, "n1", 10)), func(o *cluster.LiveOptions) { o.FinalCommit = 10 }, checker.Violated, "n2 applied index 8 at the end, not 9"},
		{"what came just before the end", ops, append(applied[:5:5], did(29500*second/1000, "n1", 10)), func(o *cluster.LiveOptions) { o.FinalCommit = 10 }, checker.Held, ""},
		{"applied in a life before", ops, append(applied[:2:2], did(second, "n2", 7)), func(o *cluster.LiveOptions) {
			o.FinalCommit, o.Restarts = 0, []history.Restart{restart(2*second, "n2")}
		}, checker.Violated, "n2 applied index 4 at most, not 7"},
		{"applied in this life", ops, append(applied[:2:2], did(second, "n2", 7)), func(o *cluster.LiveOptions) { o.FinalCommit = 0 }, checker.Held, ""},
		{"too short to tell", ops[:3], applied, func(o *cluster.LiveOptions) { o.End = 12 * time.Second }, checker.Unknown, "before 5s were over"},
		{"nobody there", nil, applied, nil, checker.Unknown, "no client"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := opt
			if tc.change != nil {
				tc.change(&o)
			}
			expect(t, cluster.CheckLive(tc.ops, tc.applied, o), tc.want, tc.says)
		})
	}
}

func TestAvailable(t *testing.T) {
	crash := history.Fault{Time: 5 * second, Kind: "crash", Node: "n3", TookLeader: true}
	power := history.Fault{Time: 5 * second, Kind: "power-loss", TookLeader: true, NoQuorum: true, End: 9 * second}
	harmless := history.Fault{Time: 5 * second, Kind: "crash", Node: "n2"}
	leaders := []history.Led{led(second, "n3", 2), led(6*second, "n1", 3), led(10*second, "n1", 4)}
	opt := cluster.AvailableOptions{Within: 2 * time.Second, End: 30 * time.Second}
	stale := answer("c1", 5.1, 5.2)
	stale.Stale = true
	for _, tc := range []struct {
		name   string
		led    []history.Led
		faults []history.Fault
		ops    []history.Op
		want   checker.Status
		worst  time.Duration
	}{
		{"new leader", leaders, []history.Fault{crash}, nil, checker.Held, time.Second},
		{"old leader answers again", leaders[:1], []history.Fault{crash}, []history.Op{answer("c1", 5.5, 6.5)}, checker.Held, 1500 * time.Millisecond},
		{"asked before the fault", leaders[:1], []history.Fault{crash}, []history.Op{answer("c1", 4, 6.5)}, checker.Violated, 25 * time.Second},
		{"a stale read is no sign", leaders[:1], []history.Fault{crash}, []history.Op{stale}, checker.Violated, 25 * time.Second},
		{"too long", []history.Led{led(8*second, "n1", 3)}, []history.Fault{crash}, nil, checker.Violated, 3 * time.Second},
		{"power back", leaders, []history.Fault{power}, nil, checker.Held, time.Second},
		{"no leader taken", leaders, []history.Fault{harmless}, nil, checker.Unknown, 0},
		{"run over", nil, []history.Fault{{Time: 29 * second, Kind: "pause", TookLeader: true}}, nil, checker.Unknown, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := cluster.CheckAvailable(tc.led, tc.faults, tc.ops, opt)
			expect(t, v, tc.want, "")
			if v.Worst != tc.worst {
				t.Errorf("worst %v, want %v: %s", v.Worst, tc.worst, v.Summary)
			}
		})
	}
}

func TestSilence(t *testing.T) {
	stale := answer("c1", 5, 6)
	stale.Stale = true
	ops := []history.Op{answer("c1", 1, 2), stale, answer("c2", 3, 9), answer("c1", 9, 10)}
	if got := cluster.Silence(ops); got != 7*time.Second {
		t.Errorf("silence %v", got)
	}
}
