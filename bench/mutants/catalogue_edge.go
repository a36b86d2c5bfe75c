package main

// membershipMutants break changes of membership.
var membershipMutants = []mutant{
	{
		Name: "learner-votes", Area: areaMembership, Checker: "only-voters-decide",
		Fault: "a new member votes before it has the log",
		Hints: []string{"learners", "membership"},
		Edits: []edit{{"node/consensus/member.go", "t := raftpb.ConfChangeAddLearnerNode\n", "t := raftpb.ConfChangeAddNode\n"}},
	},
	{
		Name: "promoted-stays-learner", Area: areaMembership, Checker: promiseInvariants,
		Fault: "a promoted member is called a voter and counts as none",
		Hints: []string{"rolling-replace", "membership"},
		Edits: []edit{{"node/consensus/member.go", "t = raftpb.ConfChangeAddNode\n", "t = raftpb.ConfChangeAddLearnerNode\n"}},
	},
	{
		Name: "removed-still-votes", Area: areaMembership, Checker: "live-after-heal",
		Fault: "a removed member is gone from the state but not from the quorum",
		Hints: []string{"rolling-replace", "membership"},
		Edits: []edit{{"node/consensus/member.go", "t = raftpb.ConfChangeRemoveNode\n", "t = raftpb.ConfChangeUpdateNode\n"}},
	},
	{
		Name: "removal-takes-wrong-session", Area: areaMembership, Checker: "live-after-heal",
		Fault: "the removal of a member drops another member's session",
		Hints: []string{"rolling-replace", "membership"},
		Edits: []edit{{"node/state/member.go", "s.sessions = slices.Delete(s.sessions, i, i+1)", "s.sessions = slices.Delete(s.sessions, len(s.sessions)-1, len(s.sessions))"}},
	},
	{
		Name: "checkpoint-of-old-configuration", Area: areaMembership, Checker: "membership",
		Fault: "a member that comes back from its checkpoint has the configuration that it began with",
		Hints: []string{"rolling-replace", "membership"},
		Edits: []edit{{
			"node/consensus/member.go",
			"func (c *Core) ApplyConf(cc *raftpb.ConfChangeV2) { c.conf = c.raw.ApplyConfChange(cc) }",
			"func (c *Core) ApplyConf(cc *raftpb.ConfChangeV2) {\n\tif cs := c.raw.ApplyConfChange(cc); len(c.conf.GetVoters()) == 0 {\n\t\tc.conf = cs\n\t}\n}",
		}},
	},
}

// codecMutants break what is written for others to read.
var codecMutants = []mutant{
	{
		Name: "append-rejection-not-sent", Area: areaCodec, Checker: promiseInvariants,
		Fault: "the refusal of an append is read as its acceptance",
		Hints: []string{"leader-isolated"},
		Edits: []edit{{"node/wire/raft.go", "\tif m.GetReject() {\n", "\tif m.GetReject() && m.GetType() != raftpb.MsgAppResp {\n"}},
	},
	{
		Name: "vote-rejection-not-sent", Area: areaCodec, Checker: "one-leader-per-term",
		Fault: "the refusal of a vote is read as a vote",
		Hints: []string{"vote-crash", "leader-crash"},
		Edits: []edit{{"node/wire/raft.go", "\tif m.GetReject() {\n", "\tif m.GetReject() && m.GetType() != raftpb.MsgVoteResp {\n"}},
	},
	{
		Name: "entry-type-not-sent", Area: areaCodec, Checker: promiseInvariants,
		Fault: "an entry that changes the configuration reaches the followers as a plain one",
		Hints: []string{"membership"},
		Edits: []edit{{"node/wire/raft.go", "\t\t\tb = append(b, byte(e.GetType()))\n", "\t\t\tb = append(b, 0)\n"}},
	},
	{
		Name: "sent-taken-for-committed", Area: areaCodec, Checker: "linearizable",
		Fault: "a follower reads the end of what it is sent as the commit index",
		Hints: []string{"leader-crash", "leader-isolated"},
		Edits: []edit{{
			"node/wire/raft.go",
			"\t\tm.Entries = readEntries(r)\n",
			"\t\tm.Entries = readEntries(r)\n\t\tv.commit = v.index + uint64(len(m.Entries))\n",
		}},
	},
	{
		Name: "index-cut-short", Area: areaCodec, Checker: "linearizable",
		Fault: "the index to compare with is encoded in ten bits",
		Hints: []string{"snapshot-failpoints", "hot-key"},
		Edits: []edit{{"node/keys/command.go", "b = binary.AppendUvarint(b, c.PrevIndex)", "b = binary.AppendUvarint(b, c.PrevIndex&1023)"}},
	},
	{
		Name: "refresh-not-encoded", Area: areaCodec, Checker: "linearizable",
		Fault: "a refresh reaches the log as an update with an empty value",
		Hints: []string{"ttl-failover"},
		Edits: []edit{{"node/keys/command.go", "{c.Dir, c.Recursive, c.Refresh, c.HasTTL}", "{c.Dir, c.Recursive, false, c.HasTTL}"}},
	},
	{
		Name: "recovered-entry-type-lost", Area: areaCodec, Checker: promiseInvariants,
		Fault: "an entry that changes the configuration comes back from the log as a plain one",
		Hints: []string{"rolling-replace", "membership"},
		Edits: []edit{{"node/wal/format.go", "\t\tdst = append(dst, e.Type)\n", "\t\tdst = append(dst, 0)\n"}},
	},
}

// apiMutants break requests and answers.
var apiMutants = []mutant{
	{
		Name: "revision-of-the-batch", Area: areaAPI, Checker: "linearizable",
		Fault: "an answer tells the revision that its entry ended with",
		Hints: []string{"hot-key"},
		Edits: []edit{{"node/apply.go", "\ta.Meta.Revision = res.Revision\n", ""}},
	},
	{
		Name: "sorted-listing-local", Area: areaAPI, Checker: "linearizable",
		Fault: "a linearizable listing that is to be sorted is served from the member's own state",
		Hints: []string{"pinned-readers", "leader-isolated"},
		Edits: []edit{{"node/api/decode.go", "= p.recursive, p.sorted, p.quorum\n", "= p.recursive, p.sorted, p.quorum && !p.sorted\n"}},
	},
	{
		Name: "update-creates", Area: areaAPI, Checker: "linearizable",
		Fault: "a write for keys that exist makes those that don't",
		Edits: []edit{{"node/api/decode.go", "\tcase p.hasPrevExist:\n", "\tcase p.hasPrevExist && p.refresh:\n"}},
	},
	{
		Name: "value-not-compared", Area: areaAPI, Checker: "linearizable",
		Fault: "a condition on the value alone is ignored",
		Edits: []edit{{"node/api/decode.go", "return p.prevIndex > 0 || p.prevValue != \"\"", "return p.prevIndex > 0"}},
	},
	{
		Name: "unknown-called-refused", Area: areaAPI, Checker: "linearizable",
		Fault: "an answer that says unknown is sent as refused",
		Hints: []string{"no-majority"},
		Edits: []edit{{"node/respond.go", "Outcome: api.Unknown, Cause", "Outcome: api.Refused, Cause"}},
	},
	{
		Name: "answer-of-present-state", Area: areaAPI, Checker: "linearizable",
		Fault: "the answer to a write shows the key as it is when its whole entry is applied",
		Hints: []string{"hot-key"},
		Edits: []edit{{
			"node/apply.go",
			"\ta := Answer{\n\t\tToken: token, Status: consensus.Done, Event",
			"\tif res.Event != nil {\n" +
				"\t\tif ev, _ := n.state.Keys().Get(res.Event.Node.Key, false, false, n.now()); ev != nil {\n" +
				"\t\t\tshown := *res.Event\n\t\t\tshown.Node, res.Event = ev.Node, &shown\n\t\t}\n\t}\n\ta := Answer{\n\t\tToken: token, Status: consensus.Done, Event",
		}},
	},
}

// nullMutants change no behaviour that anybody was promised: whoever catches one
// is wrong.
var nullMutants = []mutant{
	{
		Name: "null-statements-apart", Area: areaNull, Null: true,
		Fault: "one assignment of two fields becomes two of one field",
		Edits: []edit{{
			"node/reactor.go",
			"\tf.Cluster, f.From = n.cfg.Cluster, n.cfg.ID\n",
			"\tf.From = n.cfg.ID\n\tf.Cluster = n.cfg.Cluster\n",
		}},
	},
	{
		Name: "null-writes-before-reads", Area: areaNull, Null: true,
		Fault: "a turn sends its commands before it asks for its reads",
		Edits: []edit{{"node/consensus/ready.go", "\tc.flushReads()\n\tc.flush()\n", "\tc.flush()\n\tc.flushReads()\n"}},
	},
	{
		Name: "null-fewer-ticks", Area: areaNull, Null: true,
		Fault: "a wake-up counts two ticks at most instead of three",
		Edits: []edit{{"node/reactor.go", "const maxTicks = 3\n", "const maxTicks = 2\n"}},
	},
	{
		Name: "null-shorter-backoff", Area: areaNull, Null: true,
		Fault: "the time to the next repetition of a command doubles three times instead of five",
		Edits: []edit{{"node/consensus/propose.go", "const maxBackoff = 5\n", "const maxBackoff = 3\n"}},
	},
}
