package chaos

// Entry documents one fault of the vocabulary.
type Entry struct {
	Kind Kind
	// Does says in a sentence what the fault does; Undo how it ends.
	Does, Undo string
	// Example is a step of a scenario file that uses it.
	Example string
	// New makes empty parameters of the kind.
	New func() Params
}

// Vocabulary lists all faults, in the order for people.
func Vocabulary() []Entry {
	return []Entry{
		{
			KindCrash, "kills a node; what it had not synced may be lost", "restart_after, a restart step, or healing",
			"- at: 5s\n  crash: {node: leader, torn: true, restart_after: 3s}", func() Params { return new(Crash) },
		},
		{
			KindRestart, "starts crashed nodes on the disks they left", "nothing to undo",
			"- at: 12s\n  restart: same", func() Params { return new(Restart) },
		},
		{
			KindPowerLoss, "crashes all members at one instant, then starts each", "restart_after and jitter",
			"- at: 10s\n  power-loss: {restart_after: 2s, jitter: 500ms}", func() Params { return new(PowerLoss) },
		},
		{
			KindPause, "stops a process while the world goes on", "for, or healing: it goes on where it was",
			"- at: 5s\n  pause: leader\n  for: 3s", func() Params { return new(Pause) },
		},
		{
			KindPartition, "cuts links between members", "for, or healing",
			"- at: 5s\n  partition: {isolate: leader, direction: in}\n  for: 4s", func() Params { return new(Partition) },
		},
		{
			KindDelay, "makes messages slower", "for, or healing",
			"- at: 5s\n  delay: {latency: 100ms, jitter: 50ms, to: [follower]}\n  for: 10s", func() Params { return new(Delay) },
		},
		{
			KindLoss, "drops messages at random", "for, or healing",
			"- at: 2s\n  loss: 10%\n  for: 15s", func() Params { return new(Loss) },
		},
		{
			KindDuplicate, "delivers messages twice at random", "for, or healing",
			"- at: 2s\n  duplicate: 5%\n  for: 15s", func() Params { return new(Duplicate) },
		},
		{
			KindReorder, "holds messages back at random, so that others overtake them", "for, or healing",
			"- at: 2s\n  reorder: {probability: 20%, window: 100ms}\n  for: 15s", func() Params { return new(Reorder) },
		},
		{
			KindSlowDisk, "makes every sync of a disk slower", "for, or healing",
			"- at: 5s\n  slow-disk: {node: leader, latency: 500ms}\n  for: 5s", func() Params { return new(SlowDisk) },
		},
		{
			KindTransfer, "asks the leader to hand over its leadership", "nothing to undo",
			"- at: 5s\n  transfer-leadership: follower", func() Params { return new(Transfer) },
		},
		{
			KindMembership, "changes who votes, by joint consensus", "another membership step",
			"- at: 5s\n  membership: {add: [n4, n5]}", func() Params { return new(Membership) },
		},
		{
			KindHeal, "undoes faults that still last; `all` starts dead members, too", "nothing to undo",
			"- at: 15s\n  heal: all", func() Params { return new(Heal) },
		},
	}
}

// Find returns the vocabulary's entry of a kind.
func Find(k Kind) (Entry, bool) {
	for _, e := range Vocabulary() {
		if e.Kind == k {
			return e, true
		}
	}
	return Entry{}, false
}
