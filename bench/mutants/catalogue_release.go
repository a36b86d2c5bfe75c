package main

// releaseMutants break what lets members of several releases work together.
var releaseMutants = []mutant{
	{
		Name: "gate-ignored", Area: areaReleases, Checker: "releases-honoured",
		Fault: "a member logs what is new before the cluster's release has it",
		Hints: []string{"rolling-upgrade"},
		Edits: []edit{{"node/state/release.go", "k != KindRelease && (since == 0 || since > s.Release())", "since == 0"}},
	},
	{
		Name: "raised-by-some", Area: areaReleases, Checker: "releases-honoured",
		Fault: "a leader raises the release as soon as one other member speaks it",
		Hints: []string{"rolling-upgrade"},
		Edits: []edit{
			{"node/release.go", "to, members := n.cfg.Release, n.state.Members()", "to, members := state.Release1, n.state.Members()"},
			{"node/release.go", "\t\tto = min(to, n.said(members[i].ID, term))\n", "\t\tif id := members[i].ID; id != n.cfg.ID {\n\t\t\tto = max(to, n.said(id, term))\n\t\t}\n"},
		},
	},
	{
		Name: "word-never-ages", Area: areaReleases, Checker: "releases-honoured",
		Fault: "what a member once said counts for as long as the term lasts",
		Hints: []string{"upgrade-undone"},
		Edits: []edit{{"node/release.go", "h.from == id && n.at.Mono-h.at < n.heardFor()", "h.from == id"}},
	},
	{
		Name: "word-given-once", Area: areaReleases, Checker: "upgraded-within",
		Fault: "a member tells each leader its release once",
		Hints: []string{"upgrade-undone"},
		Edits: []edit{{"node/release.go", "r.term == term && n.at.Mono < r.next {", "r.term == term {"}},
	},
	{
		Name: "release-not-stored", Area: areaReleases, Checker: promiseInvariants,
		Fault: "a checkpoint forgets the cluster's release",
		Hints: []string{"old-release-stops", "rolling-upgrade"},
		Edits: []edit{
			{"node/state/persist.go", "b := []byte{byte(s.Release())}", "b := []byte{byte(Release1)}"},
			{"node/state/persist.go", "\tif s.Release() >= Release2 {\n\t\tb = appendIDs", "\tif false {\n\t\tb = appendIDs"},
		},
	},
	{
		Name: "older-goes-on", Area: areaReleases, Checker: "releases-honoured",
		Fault: "a member applies what its release doesn't know, and reads such states",
		Hints: []string{"old-release-stops"},
		Edits: []edit{
			{"node/state/release.go", "since == 0 || since > s.Speaks() {", "since == 0 {"},
			{"node/state/release.go", "c.Kind == KindRelease && c.Raise.Release > s.Speaks()", "c.Kind == KindRelease && c.Raise.Release > Newest"},
			{"node/state/persist.go", "case s.release > s.Speaks():", "case s.release > Newest:"},
		},
	},
	{
		Name: "leaders-alone-publish", Area: areaReleases, Checker: "upgraded-within",
		Fault: "a member that does not lead never says how it is reached",
		Hints: []string{"rolling-upgrade"},
		Edits: []edit{{"node/publish.go", "if n.chores.publishing || lead == 0 ||", "if n.chores.publishing || lead != n.cfg.ID ||"}},
	},
}
