package main

// sessionMutants break what makes a command that was sent twice take effect
// once.
var sessionMutants = []mutant{
	{
		Name: "no-dedupe", Area: areaSessions, Checker: "linearizable",
		Fault: "a command that comes a second time takes effect a second time",
		Hints: []string{"exactly-once", "transfer-storm"},
		Edits: []edit{{
			"node/state/session.go",
			"\tif *word&bit != 0 {\n\t\treturn false\n\t}\n\t*word |= bit\n\ts.count++\n\treturn true\n",
			"\tif *word&bit == 0 {\n\t\t*word |= bit\n\t\ts.count++\n\t}\n\treturn true\n",
		}},
	},
	{
		Name: "checkpoint-forgets-sessions", Area: areaSessions, Checker: promiseInvariants,
		Fault: "a checkpoint forgets which commands were applied",
		Hints: []string{"exactly-once", "rolling-restart", "transfer-storm"},
		Edits: []edit{{"node/state/persist.go", "b = s.sessions[i].append(b)", "b = new(session).append(b)"}},
	},
	{
		Name: "same-life-twice", Area: areaSessions, Checker: "live-after-heal",
		Fault: "a member that comes back uses the command ids of its former life",
		Hints: []string{"pinned-writers"},
		Edits: []edit{
			{"node/boot.go", "b := &wal.Batch{Boot: rec.Boot + 1}", "b := &wal.Batch{Boot: 1}"},
			{"node/boot.go", "Incarnation: rec.Boot + 1,", "Incarnation: 1,"},
		},
	},
	{
		Name: "low-mark-forgets-window", Area: areaSessions, Checker: "linearizable",
		Fault: "a session whose low mark moves forgets what was applied above it",
		Hints: []string{"transfer-storm", "exactly-once"},
		Edits: []edit{{"node/state/session.go", "if low-s.low >= Window || s.count == 0 {", "if low-s.low >= 1 || s.count == 0 {"}},
	},
}

// keyspaceMutants break the rules of writes, and the order in which they come.
var keyspaceMutants = []mutant{
	{
		Name: "cas-judged-early", Area: areaKeyspace, Checker: "linearizable",
		Fault: "a compare-and-swap is judged by the state at its arrival and then written without a condition",
		Hints: []string{"hot-key"},
		Edits: []edit{
			{"node/request.go", "\t\"drydock/node/consensus\"\n", "\t\"drydock/node/consensus\"\n\t\"drydock/node/keys\"\n"},
			{
				"node/request.go",
				"\tcase call.Kind == api.Write:\n",
				"\tcase call.Kind == api.Write:\n\t\tif w := &call.Write; w.Kind == keys.CompareAndSwap {\n" +
					"\t\t\tev, _ := n.state.Keys().Get(w.Path, false, false, n.now())\n" +
					"\t\t\tif ev != nil && (w.PrevValue == \"\" || w.PrevValue == ev.Node.Value) && (w.PrevIndex == 0 || w.PrevIndex == ev.Node.Modified) {\n" +
					"\t\t\t\tw.Kind, w.PrevValue, w.PrevIndex = keys.Update, \"\", 0\n\t\t\t}\n\t\t}\n",
			},
		},
	},
	{
		Name: "cas-by-old-index", Area: areaKeyspace, Checker: "linearizable",
		Fault: "a compare with an index passes where the node has changed since that index",
		Hints: []string{"hot-key"},
		Edits: []edit{{
			"node/keys/write.go",
			"if c.PrevIndex != 0 && c.PrevIndex != e.view.Modified {",
			"if c.PrevIndex != 0 && c.PrevIndex > e.view.Modified {",
		}},
	},
	{
		Name: "cad-without-condition", Area: areaKeyspace, Checker: "linearizable",
		Fault: "a compare-and-delete deletes whatever is there",
		Edits: []edit{{
			"node/keys/write.go",
			"\te, err := s.comparable(c)\n\tif err != nil {\n\t\treturn nil, err\n\t}\n\treturn s.takeAway(",
			"\te, err := s.lookup(c.Path)\n\tif err != nil {\n\t\treturn nil, err\n\t}\n\treturn s.takeAway(",
		}},
	},
	{
		Name: "in-order-by-count", Area: areaKeyspace, Checker: "linearizable",
		Fault: "keys in order are named by the number of keys, which deletions lower",
		Hints: []string{"snapshot-failpoints"},
		Edits: []edit{{"node/keys/write.go", "fmt.Sprintf(\"%020d\", s.index+1)", "fmt.Sprintf(\"%020d\", s.Len()+1)"}},
	},
	{
		Name: "cas-makes-new", Area: areaKeyspace, Checker: "linearizable",
		Fault: "a swapped or updated node counts as created anew",
		Hints: []string{"hot-key"},
		Edits: []edit{{"node/keys/write.go", "\tnode.Created = e.view.Created\n", ""}},
	},
	{
		Name: "previous-not-shown", Area: areaKeyspace, Checker: "linearizable",
		Fault: "a set does not tell what was there before",
		Hints: []string{"hot-key"},
		Edits: []edit{{
			"node/keys/write.go",
			"\tev.PrevNode = old.view\n\treturn s.commit(ev, s.replace(old, ev.Node), nil), nil\n",
			"\th := s.replace(old, ev.Node)\n\treturn s.commit(ev, hashes{node: h.node}, nil), nil\n",
		}},
	},
	{
		Name: "batch-in-map-order", Area: areaKeyspace, Checker: "digests-equal",
		Fault: "the commands of an entry are applied in the order of a map",
		Hints: []string{"hot-key"},
		Edits: []edit{{
			"node/state/apply.go",
			"\tfor i := range b.Commands {\n",
			"\torder := make(map[int]bool)\n\tfor i := range b.Commands {\n\t\torder[i] = true\n\t}\n\tfor i := range order {\n",
		}},
	},
	{
		Name: "listing-in-map-order", Area: areaKeyspace, Checker: promiseDeterminism,
		Fault: "a directory's children are listed in the order of a map",
		Hints: []string{"snapshot-failpoints"},
		Edits: []edit{{
			"node/keys/store.go",
			"\tfor kid := range e.kids.all() {\n\t\tswitch {\n",
			"\tkids := make(map[string]*entry)\n\tfor kid := range e.kids.all() {\n\t\tkids[kid.view.Key] = kid\n\t}\n\tfor _, kid := range kids {\n\t\tswitch {\n",
		}},
	},
}

// watchMutants break watches.
var watchMutants = []mutant{
	{
		Name: "history-skips-first", Area: areaWatches, Checker: "watches-complete",
		Fault: "a watch from a past index misses the event of that very index",
		Hints: []string{"watch-failover"},
		Edits: []edit{{"node/keys/watch.go", "for i := since; i <= s.past.last; i++ {", "for i := since + 1; i <= s.past.last; i++ {"}},
	},
	{
		Name: "future-skips-first", Area: areaWatches, Checker: "watches-complete",
		Fault: "a watch of an index to come misses the event of that very index",
		Hints: []string{"watch-failover"},
		Edits: []edit{{"node/keys/watch.go", "if index < w.since {", "if index <= w.since {"}},
	},
	{
		Name: "lost-history-hidden", Area: areaWatches, Checker: "watches-complete",
		Fault: "a watch from an index that the history has lost begins at the oldest instead of being refused",
		Hints: []string{"watch-history-gone"},
		Edits: []edit{{
			"node/keys/watch.go",
			"\t\treturn 0, nil, s.refuse(CodeEventCleared,\n\t\t\tfmt.Sprintf(\"the requested history has been cleared [%d/%d]\", oldest, since))\n",
			"\t\tsince = oldest\n",
		}},
	},
	{
		Name: "recursive-told-twice", Area: areaWatches, Checker: "watches-complete",
		Fault: "a recursive watch of a directory gets an event once for each level below it",
		Hints: []string{"watch-failover"},
		Edits: []edit{{
			"node/keys/watch.go",
			"\t\t\th.reach(p, ev, false)\n",
			"\t\t\th.reach(p, ev, false)\n\t\t\th.reach(p, ev, false)\n",
		}},
	},
	{
		Name: "events-reversed", Area: areaWatches, Checker: "watches-complete",
		Fault: "events that come in one turn are delivered in the reverse order",
		Hints: []string{"watch-failover", "watch-snapshot"},
		Edits: []edit{{"node/keys/watch.go", "\td := s.hub.deliveries\n", "\td := s.hub.deliveries\n\tslices.Reverse(d)\n"}},
	},
	{
		Name: "refresh-is-shown", Area: areaWatches, Checker: "watches-complete",
		Fault: "watches are told of a refresh",
		Hints: []string{"everything"},
		Edits: []edit{{"node/keys/write.go", "\tif !ev.Refresh {\n\t\ts.hub.notify(ev, below)\n\t}\n", "\ts.hub.notify(ev, below)\n"}},
	},
	{
		Name: "watches-outlive-snapshot", Area: areaWatches, Checker: "watches-complete",
		Fault: "watches of a member that installs a snapshot hang on the state that was replaced",
		Hints: []string{"watch-snapshot"},
		Edits: []edit{{"node/receive.go", "\tn.clearWatches()\n\tn.state", "\tn.state"}},
	},
	{
		Name: "expiry-not-told", Area: areaWatches, Checker: "watches-complete",
		Fault: "watches are not told of what expires",
		Hints: []string{"everything", "ttl-failover"},
		Edits: []edit{{"node/keys/write.go", "\tif !ev.Refresh {\n\t\ts.hub", "\tif !ev.Refresh && ev.Action != ActionExpire {\n\t\ts.hub"}},
	},
}

// ttlMutants break times to live.
var ttlMutants = []mutant{
	{
		Name: "ttl-ends-early", Area: areaTTLs, Checker: "lifetimes-kept",
		Fault: "a key goes half a second before its time",
		Hints: []string{"ttl-failover"},
		Edits: []edit{{"node/keys/write.go", "n.Due, n.Expiration = end.Cluster, end.Wall", "n.Due, n.Expiration = end.Cluster-500_000_000, end.Wall"}},
	},
	{
		Name: "ttl-ends-late", Area: areaTTLs, Checker: "lifetimes-kept",
		Fault: "what is due goes five seconds late",
		Hints: []string{"ttl-failover"},
		Edits: []edit{{"node/time.go", "if !ok || due > n.now().Cluster {", "if !ok || due+5*time.Second > n.now().Cluster {"}},
	},
	{
		Name: "refresh-keeps-end", Area: areaTTLs, Checker: "lifetimes-kept",
		Fault: "a refresh does not put off the end",
		Hints: []string{"ttl-failover"},
		Edits: []edit{{
			"node/keys/write.go",
			"\tif c.Refresh {\n\t\tvalue = e.view.Value\n\t}\n\tnode := s.newNode(c, c.Path, value, false, at)\n",
			"\tif c.Refresh {\n\t\tvalue = e.view.Value\n\t}\n\tnode := s.newNode(c, c.Path, value, false, at)\n" +
				"\tif c.Refresh && e.view.HasTTL {\n\t\tnode.Due, node.Expiration = e.view.Due, e.view.Expiration\n\t}\n",
		}},
	},
	{
		Name: "time-by-calendar", Area: areaTTLs, Checker: "lifetimes-kept",
		Fault: "cluster time is a member's calendar instead of its monotonic clock",
		Hints: []string{"clock-jumps"},
		Edits: []edit{{"node/time.go", "return n.clock.base + n.at.Mono - n.clock.mono }", "return time.Duration(n.at.Wall) }"}},
	},
	{
		Name: "one-expiry-a-term", Area: areaTTLs, Checker: "lifetimes-kept",
		Fault: "a leader proposes one expiry and then no more",
		Hints: []string{"ttl-failover"},
		Edits: []edit{{
			"node/publish.go",
			"\tcase tokenExpire:\n\t\tn.expiring = 0\n",
			"\tcase tokenExpire:\n",
		}},
	},
	{
		Name: "load-forgets-ends", Area: areaTTLs, Checker: promiseInvariants,
		Fault: "a member that comes back from its checkpoint forgets what is due",
		Hints: []string{"ttl-failover", "ttl-power-loss"},
		Edits: []edit{{"node/keys/load.go", "\t\tl.store.attach(n)\n", "\t\tl.store.attach(n)\n\t\tl.store.due.drop(l.store.nodes[n.Key])\n"}},
	},
	{
		Name: "cas-keeps-old-end", Area: areaTTLs, Checker: "lifetimes-kept",
		Fault: "a write without a time to live leaves the old one's end in the queue",
		Hints: []string{"ttl-failover", "lock-failover"},
		Edits: []edit{{"node/keys/expire.go", "\tcase !e.view.HasTTL:\n\t\tq.drop(e)\n\t\treturn\n", "\tcase !e.view.HasTTL:\n\t\treturn\n"}},
	},
}
