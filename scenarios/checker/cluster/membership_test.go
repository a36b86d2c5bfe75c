package cluster_test

import (
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/cluster"
	"drydock/sim/history"
)

func conf(entry uint64, at int64, voters ...string) history.Configuration {
	return history.Configuration{Entry: entry, Time: at, Voters: voters}
}

func ack(at int64, from string, term, index uint64) history.Ack {
	return history.Ack{Time: at, From: from, To: "n1", Term: term, Index: index}
}

func told(at int64, node string, term, commit uint64) history.Announced {
	return history.Announced{Time: at, Node: node, Term: term, Commit: commit}
}

func TestConfigurationsIntersect(t *testing.T) {
	joint := func(entry uint64, voters, outgoing []string) history.Configuration {
		return history.Configuration{Entry: entry, Time: 1, Voters: voters, Outgoing: outgoing}
	}
	abc := []string{"a", "b", "c"}
	for _, tc := range []struct {
		name  string
		confs []history.Configuration
		want  checker.Status
	}{
		{"one in", []history.Configuration{conf(1, 0, "a", "b", "c"), conf(5, 1, "a", "b", "c", "d")}, checker.Held},
		{"one out", []history.Configuration{conf(1, 0, "a", "b", "c"), conf(5, 1, "a", "b")}, checker.Held},
		{"one to two", []history.Configuration{conf(1, 0, "a"), conf(5, 1, "a", "b")}, checker.Held},
		{"two in at once", []history.Configuration{conf(1, 0, "a", "b", "c"), conf(5, 1, "a", "b", "c", "d", "e")}, checker.Violated},
		{"one for another at once", []history.Configuration{conf(1, 0, "a", "b", "c"), conf(5, 1, "a", "b", "d")}, checker.Violated},
		{"two in, joint", []history.Configuration{conf(1, 0, "a", "b", "c"), joint(5, []string{"a", "b", "c", "d", "e"}, abc), conf(6, 1, "a", "b", "c", "d", "e")}, checker.Held},
		{"all others, joint", []history.Configuration{conf(1, 0, "a", "b", "c"), joint(5, []string{"d", "e", "f"}, abc), conf(6, 1, "d", "e", "f")}, checker.Held},
		{"all others at once", []history.Configuration{conf(1, 0, "a", "b", "c"), conf(6, 1, "d", "e", "f")}, checker.Violated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expect(t, cluster.CheckMembership(cluster.MembershipRecords{
				Configurations: tc.confs, Led: []history.Led{led(0, "a", 2)}, Votes: []history.Vote{vote(0, "b", "a", 2)},
			}), tc.want, "")
		})
	}
}

func TestElectionsNeedVoters(t *testing.T) {
	three := conf(1, 0, "n1", "n2", "n3")
	learning := history.Configuration{Entry: 10, Time: 10 * second, Voters: three.Voters, Learners: []string{"n4"}}
	without := conf(20, 20*second, "n1", "n2")
	joint := history.Configuration{Entry: 20, Time: 20 * second, Voters: []string{"n4", "n5", "n6"}, Outgoing: three.Voters}
	at := 30 * second
	for _, tc := range []struct {
		name    string
		confs   []history.Configuration
		votes   []history.Vote
		applied []history.Applied
		led     history.Led
		want    checker.Status
		says    string
	}{
		{"a majority", []history.Configuration{three}, []history.Vote{vote(1, "n2", "n1", 2)}, nil, led(at, "n1", 2), checker.Held, "1 election"},
		{"its own vote alone", []history.Configuration{three}, nil, nil, led(at, "n1", 2), checker.Violated, "n1 leads term 2 with the votes of n1, no quorum of {n1 n2 n3}"},
		{"a vote of another term", []history.Configuration{three}, []history.Vote{vote(1, "n2", "n1", 3)}, nil, led(at, "n1", 2), checker.Violated, "votes of n1,"},
		{"a vote for another", []history.Configuration{three}, []history.Vote{vote(1, "n2", "n3", 2)}, nil, led(at, "n1", 2), checker.Violated, "votes of n1,"},
		{"a vote too late", []history.Configuration{three}, []history.Vote{vote(at+1, "n2", "n1", 2)}, nil, led(at, "n1", 2), checker.Violated, "votes of n1,"},
		{"a learner's vote", []history.Configuration{three, learning}, []history.Vote{vote(1, "n4", "n1", 2)}, nil, led(at, "n1", 2), checker.Violated, "votes of n1 n4"},
		{"a removed member's vote", []history.Configuration{three, without}, []history.Vote{vote(1, "n3", "n1", 2)}, []history.Applied{did(21*second, "n1", 20)}, led(at, "n1", 2), checker.Violated, "no quorum of {n1 n2}"},
		{"before it had applied the removal", []history.Configuration{three, without}, []history.Vote{vote(1, "n3", "n1", 2)}, []history.Applied{did(19*second, "n1", 19)}, led(at, "n1", 2), checker.Held, ""},
		{"half of a joint one", []history.Configuration{three, joint}, []history.Vote{vote(1, "n2", "n1", 2)}, []history.Applied{did(21*second, "n1", 20)}, led(at, "n1", 2), checker.Violated, "no quorum of {n4 n5 n6 | n1 n2 n3}"},
		{"both halves", []history.Configuration{three, joint}, []history.Vote{vote(1, "n2", "n1", 2), vote(1, "n4", "n1", 2), vote(1, "n5", "n1", 2)}, []history.Applied{did(21*second, "n1", 20)}, led(at, "n1", 2), checker.Held, ""},
		{"nothing known", nil, nil, nil, led(at, "n1", 2), checker.Unknown, "no configuration"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expect(t, cluster.CheckMembership(cluster.MembershipRecords{
				Configurations: tc.confs, Led: []history.Led{tc.led}, Votes: tc.votes, Applied: tc.applied,
			}), tc.want, tc.says)
		})
	}
	// After a restart, what it had applied before is no evidence.
	expect(t, cluster.CheckMembership(cluster.MembershipRecords{
		Configurations: []history.Configuration{three, without}, Led: []history.Led{led(at, "n1", 2)},
		Votes: []history.Vote{vote(1, "n3", "n1", 2)}, Applied: []history.Applied{did(21*second, "n1", 20)},
		Restarts: []history.Restart{restart(25*second, "n1")},
	}), checker.Held, "")
}

func TestBeliefsAreTheDisks(t *testing.T) {
	three := conf(1, 0, "n1", "n2", "n3")
	learning := history.Configuration{Entry: 10, Time: second, Voters: three.Voters, Learners: []string{"n4"}}
	joint := history.Configuration{Entry: 20, Time: 2 * second, Voters: []string{"n4"}, Outgoing: three.Voters}
	at := func(entry uint64, c history.Configuration) history.Believed {
		c.Entry = entry
		return history.Believed{Time: 5 * second, Node: "n2", Configuration: c}
	}
	for _, tc := range []struct {
		name string
		b    history.Believed
		want checker.Status
	}{
		{"the founding", at(5, three), checker.Held},
		{"as of its entry", at(10, learning), checker.Held},
		{"before its entry", at(9, learning), checker.Violated},
		{"after its entry", at(19, learning), checker.Held},
		{"an old one", at(19, three), checker.Violated},
		{"a joint one", at(30, joint), checker.Held},
		{"half of a joint one", at(30, conf(0, 0, "n4")), checker.Violated},
		{"a learner that votes", at(12, conf(0, 0, "n1", "n2", "n3", "n4")), checker.Violated},
		{"nothing applied", at(0, history.Configuration{}), checker.Held},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expect(t, cluster.CheckMembership(cluster.MembershipRecords{
				Configurations: []history.Configuration{three, learning, joint}, Led: []history.Led{led(0, "n1", 1)},
				Votes: []history.Vote{vote(0, "n2", "n1", 1)}, Believed: []history.Believed{tc.b},
			}), tc.want, "")
		})
	}
}

func TestCommitsNeedVoters(t *testing.T) {
	three := conf(1, 0, "n1", "n2", "n3")
	learning := history.Configuration{Entry: 5, Time: second, Voters: three.Voters, Learners: []string{"n4"}}
	for _, tc := range []struct {
		name string
		acks []history.Ack
		told []history.Announced
		want checker.Status
		says string
	}{
		{"a majority", []history.Ack{ack(2*second, "n2", 2, 10)}, []history.Announced{told(3*second, "n1", 2, 10)}, checker.Held, "1 commit"},
		{"of more than told", []history.Ack{ack(2*second, "n2", 2, 12)}, []history.Announced{told(3*second, "n1", 2, 10)}, checker.Held, ""},
		{"nobody", nil, []history.Announced{told(3*second, "n1", 2, 10)}, checker.Violated, "n1 said in term 2 that index 10 is committed; it was acknowledged by n1"},
		{"of less", []history.Ack{ack(2*second, "n2", 2, 9)}, []history.Announced{told(3*second, "n1", 2, 10)}, checker.Violated, "acknowledged by n1,"},
		{"too late", []history.Ack{ack(4*second, "n2", 2, 10)}, []history.Announced{told(3*second, "n1", 2, 10)}, checker.Violated, "acknowledged by n1,"},
		{"a learner", []history.Ack{ack(2*second, "n4", 2, 10)}, []history.Announced{told(3*second, "n1", 2, 10)}, checker.Violated, "acknowledged by n1 n4"},
		{"in an earlier term", []history.Ack{ack(2*second, "n2", 1, 10)}, []history.Announced{told(3*second, "n1", 2, 10)}, checker.Held, ""},
		{"in a later term", []history.Ack{ack(2*second, "n2", 3, 10)}, []history.Announced{told(3*second, "n1", 2, 10)}, checker.Violated, "acknowledged by n1,"},
		{"the founding", nil, []history.Announced{told(3*second, "n1", 2, 1)}, checker.Held, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expect(t, cluster.CheckMembership(cluster.MembershipRecords{
				Configurations: []history.Configuration{three, learning},
				Led:            []history.Led{led(1, "n1", 1), led(1, "n1", 2)},
				Votes:          []history.Vote{vote(0, "n2", "n1", 1), vote(0, "n2", "n1", 2)},
				Acks:           tc.acks, Announced: tc.told,
			}), tc.want, tc.says)
		})
	}
}

func TestOutage(t *testing.T) {
	answers := func(at ...int64) (ops []history.Op) {
		for _, a := range at {
			ops = append(ops, history.Op{Client: "c1", Kind: history.Put, Call: a*second - 1, Return: a * second, Status: history.OK})
		}
		return ops
	}
	crash := history.Fault{Time: 10 * second, Kind: "crash", Node: "n1"}
	ended := history.Fault{Time: 10 * second, Kind: "partition", End: 14 * second}
	hopeless := history.Fault{Time: 10 * second, Kind: "crash", NoQuorum: true}
	all := answers(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
	stale := append(answers(8, 9, 10, 15, 16), history.Op{Kind: history.Get, Stale: true, Call: 12 * second, Return: 12 * second, Status: history.OK})
	for _, tc := range []struct {
		name   string
		faults []history.Fault
		ops    []history.Op
		end    int64
		want   checker.Status
		says   string
	}{
		{"none", nil, all, 60, checker.Unknown, "no fault came alone"},
		{"no outage", []history.Fault{crash}, all, 60, checker.Held, "worst 1.000s, after crash of n1 at 10.000s; 1 fault"},
		{"an outage in time", []history.Fault{crash}, answers(8, 9, 10, 13, 14, 15, 16), 60, checker.Held, "worst 3.000s"},
		{"an outage", []history.Fault{crash}, answers(8, 9, 10, 15, 16), 60, checker.Violated, "worst 5.000s, after crash of n1 at 10.000s, not within 4.000s"},
		{"an outage that begins later", []history.Fault{crash}, answers(8, 10, 11, 12, 17), 60, checker.Violated, "worst 5.000s"},
		{"no answer ever", []history.Fault{crash}, answers(8, 9), 60, checker.Violated, "worst 8.000s"},
		{"answers from copies", []history.Fault{crash}, stale, 60, checker.Violated, "worst 5.000s"},
		{"no majority", []history.Fault{hopeless}, answers(8, 9), 60, checker.Unknown, "no fault came alone"},
		{"another before", []history.Fault{{Time: 7 * second, Kind: "pause", End: 8 * second}, crash}, answers(8, 9, 20), 60, checker.Unknown, ""},
		{"another long before", []history.Fault{{Time: second, Kind: "pause", End: 2 * second}, crash}, all, 60, checker.Held, "2 faults"},
		{"while it lasts", []history.Fault{ended}, all, 60, checker.Held, "after partition at 10.000s"},
		{"and its restart", []history.Fault{crash, {Time: 11 * second, Kind: "restart", Node: "n1"}}, all, 60, checker.Held, "1 fault"},
		{"one is down already", []history.Fault{{Time: 2 * second, Kind: "crash", Node: "n2"}, crash}, all, 60, checker.Held, "after crash of n2 at 2.000s; 1 fault"},
		{"one was down before", []history.Fault{{Time: second, Kind: "crash", Node: "n3"}, crash}, all, 60, checker.Held, "2 faults"},
		{"too near the end", []history.Fault{crash}, answers(8, 9, 10), 12, checker.Unknown, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opt := cluster.OutageOptions{
				Within: 4 * time.Second, End: time.Duration(tc.end * second), Restarts: []history.Restart{restart(3*second, "n3"), restart(11*second, "n1")},
			}
			expect(t, cluster.CheckOutage(tc.faults, tc.ops, opt), tc.want, tc.says)
		})
	}
}

func TestBounds(t *testing.T) {
	limits := cluster.Limits{Inbox: 10, Jobs: 4, Calls: 5, Watches: 6, Proposals: 7, Reads: 8, Entries: 9, Disk: 1000, Log: 500}
	for _, tc := range []struct {
		name string
		size history.Sizes
		want checker.Status
		says string
	}{
		{"within", history.Sizes{Inbox: 10, Jobs: 4, Calls: 5, Watches: 6, Disk: 1000, Log: 500}, checker.Held, "at most 10 inputs"},
		{"inbox", history.Sizes{Node: "n2", Inbox: 11}, checker.Violated, "n2: 11 inputs wait for the reactor, at most 10"},
		{"jobs", history.Sizes{Jobs: 5}, checker.Violated, "jobs"},
		{"calls", history.Sizes{Calls: 6}, checker.Violated, "calls"},
		{"watches", history.Sizes{Watches: 7}, checker.Violated, "watches"},
		{"proposals", history.Sizes{Proposals: 8}, checker.Violated, "commands are undecided"},
		{"reads", history.Sizes{Reads: 9}, checker.Violated, "reads wait"},
		{"entries", history.Sizes{Entries: 10}, checker.Violated, "entries are in memory"},
		{"disk", history.Sizes{Disk: 1001}, checker.Violated, "bytes are on the disk"},
		{"log", history.Sizes{Log: 501}, checker.Violated, "bytes are in the log"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expect(t, cluster.CheckBounds([]history.Sizes{{}, tc.size}, limits), tc.want, tc.says)
		})
	}
	expect(t, cluster.CheckBounds(nil, limits), checker.Unknown, "no size")
	expect(t, cluster.CheckBounds([]history.Sizes{{Inbox: 1 << 20}}, cluster.Limits{}), checker.Held, "")
}

func TestRot(t *testing.T) {
	rot := history.Rotten{Time: 5 * second, Node: "n2", File: "wal/1", Live: true}
	dead := rot
	dead.Live = false
	again := restart(8*second, "n2")
	saw := history.Noticed{Time: 8 * second, Node: "n2", Why: "bad checksum"}
	for _, tc := range []struct {
		name     string
		rotten   []history.Rotten
		noticed  []history.Noticed
		restarts []history.Restart
		want     checker.Status
		says     string
	}{
		{"nothing", nil, nil, nil, checker.Unknown, "nothing rotted"},
		{"noticed", []history.Rotten{rot}, []history.Noticed{saw}, []history.Restart{again}, checker.Held, "1 places rotted, 1 times noticed"},
		{"not read", []history.Rotten{rot}, nil, []history.Restart{restart(2*second, "n2"), restart(8*second, "n1")}, checker.Held, ""},
		{"overlooked", []history.Rotten{rot}, nil, []history.Restart{again}, checker.Violated, "wal/1 of n2 rotted at 5.000s; it started again at 8.000s and noticed nothing"},
		{"not in use", []history.Rotten{dead}, nil, []history.Restart{again}, checker.Held, ""},
		{"noticed by another", []history.Rotten{rot}, []history.Noticed{{Time: 8 * second, Node: "n1"}}, []history.Restart{again}, checker.Violated, "n1 calls its disk corrupt"},
		{"noticed before", []history.Rotten{rot}, []history.Noticed{{Time: second, Node: "n2", Why: "bad"}}, nil, checker.Violated, "n2 calls its disk corrupt, which it is not: bad"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			expect(t, cluster.CheckRot(tc.rotten, tc.noticed, tc.restarts, time.Minute), tc.want, tc.says)
		})
	}
}
