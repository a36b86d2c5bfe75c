package main

// walMutants break the log on disk.
var walMutants = []mutant{
	{
		Name: "newest-segment-not-synced", Area: areaWAL, Checker: promiseInvariants,
		Fault: "a sync of the log leaves out the segment that is being written",
		Hints: []string{"single-member", "power-loss"},
		Edits: []edit{{"node/wal/log.go", "\t\tif seg.dirty {\n", "\t\tif seg.dirty && seg != newest {\n"}},
	},
	{
		Name: "segment-name-not-synced", Area: areaWAL, Checker: promiseOnDisk,
		Fault: "the directory is not synced after a segment was added to it",
		Hints: []string{"single-member", "wal-failpoints", "power-loss"},
		Edits: []edit{{"node/wal/log.go", "\tl.linked = true\n\tl.segments = append(l.segments, seg)\n", "\tl.segments = append(l.segments, seg)\n"}},
	},
	{
		Name: "checksum-not-checked", Area: areaWAL, Checker: "rot-noticed",
		Fault: "recovery takes records with a wrong checksum",
		Hints: []string{"bit-rot", "single-member", "power-loss"},
		Edits: []edit{{
			"node/wal/format.go",
			"if crc32.Checksum(b[8:frameBytes+n], castagnoli) != f.crc {",
			"if f.crc == 0 {",
		}},
	},
	{
		Name: "overwritten-suffix-comes-back", Area: areaWAL, Checker: "logs-match",
		Fault: "recovery keeps entries of a suffix that shorter ones replaced",
		Hints: []string{"leader-isolated", "vote-crash", "leader-crash"},
		Edits: []edit{{
			"node/wal/recover.go",
			"\t\tr.entries = append(r.entries[:from-r.first], b.Entries...)\n",
			"\t\told := r.entries\n\t\tr.entries = append(old[:from-r.first:from-r.first], b.Entries...)\n" +
				"\t\tif len(r.entries) < len(old) {\n\t\t\tr.entries = append(r.entries, old[len(r.entries):]...)\n\t\t}\n",
		}},
	},
	{
		Name: "overwrite-not-recovered", Area: areaWAL, Checker: promiseInvariants,
		Fault: "recovery keeps the older entry where a newer one replaced it",
		Hints: []string{"exactly-once", "leader-isolated"},
		Edits: []edit{{
			"node/wal/recover.go",
			"\t\tr.entries = append(r.entries[:from-r.first], b.Entries...)\n",
			"\t\tif at := from - r.first; at == uint64(len(r.entries)) || r.entries[at].Term == b.Entries[0].Term {\n" +
				"\t\t\tr.entries = append(r.entries[:at], b.Entries...)\n\t\t}\n",
		}},
	},
	{
		Name: "released-too-early", Area: areaWAL, Checker: promiseInvariants,
		Fault: "segments are given back while they hold entries behind the checkpoint",
		Hints: []string{"wal-failpoints", "power-loss"},
		Edits: []edit{{"node/wal/log.go", "l.segments[0].top <= index {", "l.segments[0].top <= index+40 {"}},
	},
	{
		Name: "last-batch-dropped", Area: areaWAL, Checker: promiseInvariants,
		Fault: "recovery takes the last record for torn",
		Hints: []string{"single-member", "power-loss"},
		Edits: []edit{{
			"node/wal/recover.go",
			"\t\tif err != nil || f.prev != r.chain || !r.follows(f) {\n\t\t\treturn nil\n\t\t}\n",
			"\t\tif err != nil || f.prev != r.chain || !r.follows(f) {\n\t\t\treturn nil\n\t\t}\n" +
				"\t\tif next, err := parseFrame(data[seg.end+f.size:]); f.kind == kindBatch && (err != nil || next.prev != f.crc) && len(r.entries) > 8 {\n\t\t\treturn nil\n\t\t}\n",
		}},
	},
}

// checkpointMutants break the checkpoint and its marker.
var checkpointMutants = []mutant{
	{
		Name: "marker-before-checkpoint", Area: areaCheckpoint, Checker: promiseInvariants,
		Fault: "the log is told that a checkpoint is durable while it is still being written",
		Hints: []string{"wal-failpoints", "power-loss"},
		Edits: []edit{{
			"node/checkpoint.go",
			"\t\t\tn.halt(fmt.Errorf(\"node: checkpoint %d: %w\", index, err))\n\t\t\treturn\n\t\t}\n\t\tn.mark(index, term, conf)\n\t})\n",
			"\t\t\tn.halt(fmt.Errorf(\"node: checkpoint %d: %w\", index, err))\n\t\t}\n\t})\n\tn.mark(index, term, conf)\n",
		}},
	},
	{
		Name: "deleted-keys-stay", Area: areaCheckpoint, Checker: promiseInvariants,
		Fault: "a checkpoint leaves keys in place that were deleted since the last one",
		Hints: []string{"rolling-restart", "lagging-follower"},
		Edits: []edit{{
			"node/keys/record.go",
			"\t\tif e := s.nodes[path]; e != nil {\n\t\t\tr.Value = appendNode(nil, e.view)\n\t\t}\n",
			"\t\te := s.nodes[path]\n\t\tif e == nil {\n\t\t\tcontinue\n\t\t}\n\t\tr.Value = appendNode(nil, e.view)\n",
		}},
	},
	{
		Name: "checkpoint-claims-next-entry", Area: areaCheckpoint, Checker: promiseInvariants,
		Fault: "a checkpoint says that it holds one entry more than it does",
		Hints: []string{"rolling-restart", "lagging-follower"},
		Edits: []edit{{
			"node/state/persist.go",
			"return Snapshot{Index: s.applied, Term:",
			"return Snapshot{Index: s.applied + 1, Term:",
		}},
	},
	{
		Name: "changes-lost-while-writing", Area: areaCheckpoint, Checker: promiseInvariants,
		Fault: "what changes while a checkpoint is being written is not in the next one either",
		Hints: []string{"rolling-restart", "lagging-follower"},
		Edits: []edit{{
			"node/checkpoint.go",
			"\tn.submit(job, func(err error) {\n\t\tif err != nil {\n\t\t\tn.halt(fmt.Errorf(\"node: checkpoint %d: %w\", index, err))\n",
			"\tn.submit(job, func(err error) {\n\t\tn.state.DrainDirty()\n\t\tif err != nil {\n\t\t\tn.halt(fmt.Errorf(\"node: checkpoint %d: %w\", index, err))\n",
		}},
	},
}

// snapshotMutants break what brings a lagging member up.
var snapshotMutants = []mutant{
	{
		Name: "install-not-durable", Area: areaSnapshot, Checker: promiseInvariants,
		Fault: "a received state takes the place of the old one without a sync of the directory",
		Hints: []string{"exactly-once", "snapshot-failpoints"},
		Edits: []edit{{
			"node/checkpoint/checkpoint.go",
			"\tif err := fs.Rename(newName, stateName); err != nil {\n\t\treturn err\n\t}\n\treturn fs.SyncDir(Dir)\n",
			"\treturn fs.Rename(newName, stateName)\n",
		}},
	},
	{
		Name: "log-kept-behind-snapshot", Area: areaSnapshot, Checker: promiseInvariants,
		Fault: "the log is not begun anew after a snapshot took its place",
		Hints: []string{"lagging-follower"},
		Edits: []edit{{
			"node/receive.go",
			"b.Reset, b.Marker = true, &wal.Marker{",
			"b.Marker = &wal.Marker{",
		}},
	},
	{
		Name: "lost-chunk-not-repeated", Area: areaSnapshot, Checker: "live-after-heal",
		Fault: "a snapshot of which a piece or its receipt got lost waits for ever",
		Hints: []string{"snapshot-failpoints", "lagging-follower"},
		Edits: []edit{{
			"node/consensus/snapshot.go",
			"\ts.lastProgress, s.next = now, s.acked\n\ts.silent++\n\treturn s.silent >= snapGiveUp\n",
			"\ts.lastProgress = now\n\treturn s.silent >= snapGiveUp\n",
		}},
	},
	{
		Name: "snapshot-of-senders-term", Area: areaSnapshot, Checker: "live-after-heal",
		Fault: "a snapshot is installed under its sender's term instead of its last entry's",
		Hints: []string{"snapshot-after-election"},
		Edits: []edit{{
			"node/receive.go",
			"&raftpb.SnapshotMetadata{Index: &sn.Index, Term: &sn.Term,",
			"&raftpb.SnapshotMetadata{Index: &sn.Index, Term: &r.Term,",
		}},
	},
	{
		Name: "old-state-kept-in-memory", Area: areaSnapshot, Checker: "digests-equal",
		Fault: "a snapshot is installed on disk while the member goes on with its old state",
		Hints: []string{"lagging-follower"},
		Edits: []edit{{
			"node/receive.go",
			"\tn.state, n.checkpointed, n.grown = fresh, index, 0\n",
			"\tif old, _ := n.state.Applied(); old == 0 {\n\t\tn.state = fresh\n\t}\n\tn.checkpointed, n.grown = index, 0\n",
		}},
	},
}
