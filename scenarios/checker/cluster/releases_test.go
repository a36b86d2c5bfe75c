package cluster_test

import (
	"testing"
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/cluster"
	"drydock/sim/history"
)

func life(node string, release uint64, from, to int64) history.Life {
	return history.Life{Node: node, Release: release, Time: from * second, End: to * second}
}

// raisedRun is a run in which n3 is upgraded at 10 s and the cluster raised at
// 11 s, by entry 50, after which all publish.
func raisedRun() cluster.ReleaseRecords {
	return cluster.ReleaseRecords{
		Truth: []history.Committed{
			{Entry: 20, Time: 5 * second, Kind: history.Put},
			{Entry: 50, Time: 11 * second, Needs: 2, Asks: 2, Release: 2},
			{Entry: 51, Time: 11 * second, Needs: 2, Member: "n1"},
			{Entry: 51, Time: 11 * second, Needs: 2, Member: "n2"},
			{Entry: 52, Time: 12 * second, Needs: 2, Member: "n3"},
		},
		Configurations: []history.Configuration{{Entry: 1, Voters: []string{"n1", "n2"}, Learners: []string{"n3"}}},
		Lives:          []history.Life{life("n1", 2, 0, 0), life("n2", 2, 0, 0), life("n3", 1, 0, 10), life("n3", 2, 10, 0)},
		Raises:         []history.Raise{{Time: 11 * second, Node: "n1", Entry: 50, Term: 2, Release: 2}},
		Applied:        []history.Applied{{Time: 9 * second, Node: "n3", Index: 40}, {Time: 12 * second, Node: "n3", Index: 52}},
	}
}

func TestReleases(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(r *cluster.ReleaseRecords)
		want  checker.Status
		says  string
	}{
		{"as it should be", func(*cluster.ReleaseRecords) {}, checker.Held, "release 2, 4 starts"},
		{"a new command too early", func(r *cluster.ReleaseRecords) { r.Truth[0].Needs = 2 }, checker.Violated, "entry 20 holds a command of release 2"},
		{"a repeated one, too", func(r *cluster.ReleaseRecords) { r.Truth[0].Needs, r.Truth[0].Repeat = 2, true }, checker.Violated, "entry 20"},
		{"a refused raise raises nothing", func(r *cluster.ReleaseRecords) { r.Truth[1].Release = 0 }, checker.Violated, "entry 51"},
		{"a learner was not asked", func(r *cluster.ReleaseRecords) { r.Lives[3].Time = 30 * second; r.Lives[2].End = 30 * second }, checker.Violated, "n3 did not speak"},
		{"what it said is long ago", func(r *cluster.ReleaseRecords) {
			r.Lives = append(r.Lives, life("n3", 1, 4, 0))
			r.Lives[2], r.Lives[3] = life("n3", 2, 0, 4), life("n2", 2, 0, 0)
			r.Applied = nil
		}, checker.Violated, "n3 did not speak"},
		{"what it said a moment ago", func(r *cluster.ReleaseRecords) {
			r.Lives = append(r.Lives, life("n3", 1, 10, 0))
			r.Lives[2], r.Lives[3] = life("n3", 2, 0, 10), life("n2", 2, 0, 0)
			r.Applied = nil
		}, checker.Held, ""},
		{"one removed before is not asked", func(r *cluster.ReleaseRecords) {
			r.Lives = r.Lives[:3]
			r.Configurations = append(r.Configurations, history.Configuration{Entry: 49, Voters: []string{"n1", "n2"}})
		}, checker.Held, ""},
		{"an older one goes on", func(r *cluster.ReleaseRecords) {
			r.Lives = append(r.Lives[:3], life("n3", 2, 10, 11), life("n3", 1, 11, 0))
		}, checker.Violated, "n3 is release 1 and goes on to index 52"},
		{"an older one stops", func(r *cluster.ReleaseRecords) {
			r.Outdated = append(r.Outdated, history.Outdated{Time: 20 * second, Node: "n2", Release: 1})
		}, checker.Held, "1 stop"},
		{"one stops that is not older", func(r *cluster.ReleaseRecords) {
			r.Outdated = append(r.Outdated, history.Outdated{Time: 20 * second, Node: "n2", Release: 2, Why: "no idea"})
		}, checker.Violated, "no idea"},
		{"nothing is known", func(r *cluster.ReleaseRecords) { *r = cluster.ReleaseRecords{} }, checker.Unknown, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := raisedRun()
			tc.spoil(&r)
			expect(t, cluster.CheckReleases(r), tc.want, tc.says)
		})
	}
}

func TestUpgraded(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(r *cluster.ReleaseRecords, o *cluster.UpgradedOptions)
		want  checker.Status
		says  string
	}{
		{"in time", func(*cluster.ReleaseRecords, *cluster.UpgradedOptions) {}, checker.Held, "release 2, 3 members"},
		{"after the last upgrade", func(_ *cluster.ReleaseRecords, o *cluster.UpgradedOptions) { o.Healed = 2 * time.Second }, checker.Held, ""},
		{"too late", func(r *cluster.ReleaseRecords, _ *cluster.UpgradedOptions) { r.Truth[1].Time = 30 * second }, checker.Violated, "not at release 2"},
		{"never applied", func(r *cluster.ReleaseRecords, _ *cluster.UpgradedOptions) { r.Truth[1].Time = 0 }, checker.Violated, "not at release 2"},
		{"one is not known", func(r *cluster.ReleaseRecords, _ *cluster.UpgradedOptions) { r.Truth[4].Member = "" }, checker.Violated, "n3 are not known"},
		{"one is known late", func(r *cluster.ReleaseRecords, _ *cluster.UpgradedOptions) { r.Truth[4].Time = 30 * second }, checker.Violated, "n3 are not known"},
		{"one is behind", func(r *cluster.ReleaseRecords, _ *cluster.UpgradedOptions) { r.Lives = r.Lives[:3]; r.Lives[2].End = 0 }, checker.Unknown, "still release 1"},
		{"one is down", func(r *cluster.ReleaseRecords, _ *cluster.UpgradedOptions) { r.Lives[3].End = 12 * second }, checker.Unknown, "n3 is down"},
		{"the run is too short", func(_ *cluster.ReleaseRecords, o *cluster.UpgradedOptions) { o.End = 16 * time.Second }, checker.Unknown, "too soon"},
		{"all are old", func(r *cluster.ReleaseRecords, _ *cluster.UpgradedOptions) {
			r.Lives = []history.Life{life("n1", 1, 0, 0), life("n2", 1, 0, 0), life("n3", 1, 0, 0)}
		}, checker.Unknown, "no member is newer"},
		{"nothing is known", func(r *cluster.ReleaseRecords, _ *cluster.UpgradedOptions) { r.Lives = nil }, checker.Unknown, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := raisedRun()
			opt := cluster.UpgradedOptions{Within: 3 * time.Second, Healed: 15 * time.Second, End: 40 * time.Second}
			tc.spoil(&r, &opt)
			expect(t, cluster.CheckUpgraded(r, opt), tc.want, tc.says)
		})
	}
}
