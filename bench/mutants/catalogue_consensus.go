package main

// consensusMutants break the promises between raft, the disk and those who wait
// for commands.
var consensusMutants = []mutant{
	{
		Name: "ack-before-sync", Area: areaConsensus, Checker: "acknowledged-writes-kept",
		Fault: "raft is told that a batch is stored as soon as its job is submitted",
		Hints: []string{"single-member", "power-loss"},
		Edits: []edit{{
			"node/persist.go",
			"\t\t\treturn\n\t\t}\n\t\tn.core.Persisted(a)\n\t})\n",
			"\t\t}\n\t})\n\tn.core.Persisted(a)\n",
		}},
	},
	{
		Name: "job-without-sync", Area: areaConsensus, Checker: "acknowledged-writes-kept",
		Fault: "the job that appends a batch to the log has no sync",
		Hints: []string{"single-member", "power-loss"},
		Edits: []edit{{"node/persist.go", "if a.MustSync {", "if a.MustSync && a.Snapshot != nil {"}},
	},
	{
		Name: "vote-not-written", Area: areaConsensus, Checker: "one-leader-per-term",
		Fault: "the hard state goes to the log without the vote",
		Hints: []string{"vote-crash"},
		Edits: []edit{{
			"node/persist.go",
			"b := &wal.Batch{Hard: (*wal.HardState)(a.Hard)}\n",
			"b := &wal.Batch{}\n\tif a.Hard != nil {\n\t\tb.Hard = &wal.HardState{Term: a.Hard.Term, Commit: a.Hard.Commit}\n\t}\n",
		}},
	},
	{
		Name: "vote-not-synced", Area: areaConsensus, Checker: "one-leader-per-term",
		Fault: "a vote is given before the hard state that holds it is synced",
		Hints: []string{"vote-crash"},
		Edits: []edit{{
			"node/consensus/ready.go",
			"MustSync: mustSync, responses",
			"MustSync: mustSync && len(m.GetEntries()) > 0, responses",
		}},
	},
	{
		Name: "vote-waits-for-entries", Area: areaConsensus, Checker: "one-leader-per-term",
		Fault: "a new term or vote waits for entries to be written with, as a commit index does",
		Hints: []string{"vote-crash"},
		Edits: []edit{{"node/consensus/late.go", "if a.MustSync || a.Snapshot != nil {", "if len(a.Entries) > 0 || a.Snapshot != nil {"}},
	},
	{
		Name: "empty-append-overtakes", Area: areaConsensus, Checker: promiseInvariants,
		Fault: "the answer to an append without entries does not wait for the batches before it",
		Hints: []string{"power-loss", "vote-crash", "heavy-tail"},
		Edits: []edit{{
			"node/consensus/ready.go",
			"\t\tif a.Empty() {\n\t\t\tc.finish(a)\n",
			"\t\tif a.Empty() {\n\t\t\tc.appends = c.appends[:len(c.appends)-1]\n\t\t\tfor _, r := range a.responses {\n\t\t\t\tc.respond(r)\n\t\t\t}\n",
		}},
	},
	{
		Name: "log-taken-for-committed", Area: areaConsensus, Checker: "digests-equal",
		Fault: "after a restart everything in the log counts as committed",
		Hints: []string{"leader-crash", "power-loss", "vote-crash"},
		Edits: []edit{{
			"node/consensus/core.go",
			"hard.Commit = min(max(hard.Commit, st.Applied), last)",
			"hard.Commit = max(hard.Commit, st.Applied, last)",
		}},
	},
	{
		Name: "settle-oldest", Area: areaConsensus, Checker: "linearizable",
		Fault: "an applied command answers the one who has waited longest instead of its own origin",
		Hints: []string{"exactly-once", "transfer-storm"},
		Edits: []edit{{
			"node/consensus/propose.go",
			"\tp := c.props.get(id.Seq)\n\tif p == nil {\n\t\treturn 0, false\n\t}\n\ttoken = p.token\n",
			"\tif c.props.get(id.Seq) == nil {\n\t\treturn 0, false\n\t}\n\tid.Seq = c.props.base\n\tp := c.props.get(id.Seq)\n\ttoken = p.token\n",
		}},
	},
	{
		Name: "refusal-taken-for-proof", Area: areaConsensus, Checker: "linearizable",
		Fault: "a refusal by one leader ends a command as refused, though another copy may be in the log",
		Hints: []string{"everything", "transfer-storm"},
		Edits: []edit{{
			"node/consensus/forward.go",
			"\t\t\tp.sentAt, p.tries = c.now-c.cfg.ResendAfter*3/4, 0\n",
			"\t\t\tc.out.Ended = append(c.out.Ended, Ended{Token: p.token, Status: Refused, Reason: r.Reason})\n\t\t\tc.props.drop(seq)\n",
		}},
	},
	{
		Name: "time-out-called-refused", Area: areaConsensus, Checker: "linearizable",
		Fault: "a command that the leader has but did not commit in time is called refused",
		Hints: []string{"no-majority"},
		Edits: []edit{{"node/consensus/propose.go", "\t\tif !p.sent {\n", "\t\tif !p.sent || p.sentTo != c.cfg.ID {\n"}},
	},
	{
		Name: "sync-error-ignored", Area: areaConsensus, Checker: "digests-equal",
		Fault: "a batch whose write or sync failed counts as stored",
		Hints: []string{"disk-errors"},
		Edits: []edit{{
			"node/persist.go",
			"\t\tif err != nil {\n\t\t\tn.halt(fmt.Errorf(\"node: log: %w\", err))\n\t\t\treturn\n\t\t}\n\t\tn.core.Persisted(a)\n",
			"\t\tif err != nil {\n\t\t\terr = fmt.Errorf(\"node: log: %w\", err)\n\t\t}\n\t\tn.core.Persisted(a)\n",
		}},
	},
}

// readMutants break linearizable reads.
var readMutants = []mutant{
	{
		Name: "read-local", Area: areaConsensus, Checker: "linearizable",
		Fault: "a linearizable read is answered from the member's own state at once",
		Hints: []string{"pinned-readers"},
		Edits: []edit{{
			"node/request.go",
			"\tcase call.Linearizable:\n\t\tif err = n.core.Read(token); err == nil {\n\t\t\tn.calls[token] = call\n\t\t}\n",
			"",
		}},
	},
	{
		Name: "read-at-leader-local", Area: areaConsensus, Checker: "linearizable",
		Fault: "a leader answers linearizable reads without asking its followers",
		Hints: []string{"pause", "leader-isolated"},
		Edits: []edit{{"node/request.go", "case call.Linearizable:", "case call.Linearizable && !n.core.IsLeader():"}},
	},
	{
		Name: "read-by-lease", Area: areaConsensus, Checker: "linearizable",
		Fault: "a leader confirms reads by a lease, which a stopped process or a slow clock outlives",
		Hints: []string{"seven-members", "pause", "clock-skew"},
		Edits: []edit{{"node/consensus/core.go", "raft.ReadOnlySafe", "raft.ReadOnlyLeaseBased"}},
	},
	{
		Name: "read-before-applied", Area: areaConsensus, Checker: "linearizable",
		Fault: "a confirmed read is served before its index is applied",
		Hints: []string{"pinned-readers", "heavy-tail"},
		Edits: []edit{{"node/consensus/readindex.go", "if g.index > c.applied {", "if g.index > c.applied+1 {"}},
	},
	{
		Name: "read-joins-round", Area: areaConsensus, Checker: "linearizable",
		Fault: "a read joins a round that was asked before it began",
		Hints: []string{"hot-key", "pinned-readers"},
		Edits: []edit{{
			"node/consensus/readindex.go",
			"\tc.reads.waiting = append(c.reads.waiting, read{token: token, deadline: c.now + c.cfg.RequestTimeout})\n",
			"\tif n := len(c.reads.asked); n > 0 {\n\t\tg := &c.reads.asked[n-1]\n" +
				"\t\tg.reads = append(g.reads, read{token: token, deadline: c.now + c.cfg.RequestTimeout})\n\t\treturn nil\n\t}\n" +
				"\tc.reads.waiting = append(c.reads.waiting, read{token: token, deadline: c.now + c.cfg.RequestTimeout})\n",
		}},
	},
	{
		Name: "read-takes-older-answer", Area: areaConsensus, Checker: "linearizable",
		Fault: "a late answer to one round confirms the rounds that were asked after it, too",
		Hints: []string{"heavy-tail", "pinned-readers"},
		Edits: []edit{
			{"node/consensus/readindex.go", "for _, g := range r.asked[:i+1] {", "for _, g := range r.asked {"},
			{"node/consensus/readindex.go", "r.asked = append(r.asked[:0], r.asked[i+1:]...)", "r.asked = r.asked[:0]"},
		},
	},
	{
		Name: "read-before-own-term", Area: areaConsensus, Checker: "linearizable",
		Fault: "a leader that is the only voter answers reads before it knows what the terms before had committed",
		Hints: []string{"single-member"},
		Edits: []edit{{"node/consensus/readindex.go", "|| c.lead == 0 || c.hasty() {", "|| c.lead == 0 {"}},
	},
}
