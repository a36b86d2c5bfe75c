package chaos

import "slices"

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
	list := slices.Concat(processEntries(), networkEntries(), diskEntries(), unitEntries())
	return append(list, Entry{
		KindHeal, "undoes faults that still last; `all` starts dead members, too", "nothing to undo",
		"- at: 15s\n  heal: all", func() Params { return new(Heal) },
	})
}

// processEntries are the faults of processes, machines and the membership.
func processEntries() []Entry {
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
			KindSlowNode, "makes a process slow without killing it", "for, or healing",
			"- at: 5s\n  slow-node: {node: leader, latency: 40ms}\n  for: 5s", func() Params { return new(SlowNode) },
		},
		{
			KindClockRate, "makes a machine's clocks run fast or slow", "for, or healing: they run right, from where they are",
			"- at: 3s\n  clock-rate: {node: leader, rate: 1.5}\n  for: 10s", func() Params { return new(ClockRate) },
		},
		{
			KindClockJump, "moves a machine's clocks at one instant", "for, or healing: the calendar is set right; a monotonic clock stays ahead",
			"- at: 5s\n  clock-jump: {node: leader, by: 1h, direction: back, clock: wall}\n  for: 5s", func() Params { return new(ClockJump) },
		},
		{
			KindUpgrade, "brings a node back as another release", "another upgrade, or healing: all that are behind come back as the newest, one after another",
			"- at: 5s\n  upgrade: {node: n1, to: 3}", func() Params { return new(Upgrade) },
		},
		{
			KindReplace, "puts an empty machine in a member's place, under a new id", "nothing to undo",
			"- at: 5s\n  replace: follower", func() Params { return new(Replace) },
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
			KindFailpoint, "strikes a node at the n-th time it gets to a point of its work", "restart_after, a restart step, or healing",
			"- at: 5s\n  failpoint: {at: wal.sync, nth: 3, node: leader, do: crash, restart_after: 1s}", func() Params { return new(Failpoint) },
		},
	}
}

// networkEntries are the faults of links.
func networkEntries() []Entry {
	return []Entry{
		{
			KindPartition, "cuts links between members", "for, or healing",
			"- at: 5s\n  partition: {isolate: leader, direction: in}\n  for: 4s", func() Params { return new(Partition) },
		},
		{
			KindFlap, "cuts all links of a node and mends them, again and again", "for, or healing",
			"- at: 5s\n  flap: {node: follower, up: 400ms, down: 300ms}\n  for: 6s", func() Params { return new(Flap) },
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
	}
}

// diskEntries are the faults of disks.
func diskEntries() []Entry {
	return []Entry{
		{
			KindSlowDisk, "makes every sync of a disk slower", "for, or healing",
			"- at: 5s\n  slow-disk: {node: leader, latency: 500ms}\n  for: 5s", func() Params { return new(SlowDisk) },
		},
		{
			KindDiskStall, "makes a disk hang: what is begun on it ends later", "for, or healing: what waits goes on",
			"- at: 5s\n  disk-stall: leader\n  for: 2s", func() Params { return new(DiskStall) },
		},
		{
			KindDiskFull, "leaves a disk without space; who needs some stops", "for, or healing; who stopped stays down until a restart step, or healing",
			"- at: 5s\n  disk-full: {node: follower, free: 4096}\n  for: 5s", func() Params { return new(DiskFull) },
		},
		{
			KindDiskError, "lets writes or syncs of a disk fail; who needed them stops", "its times are over, or for; who stopped stays down until restart_after, a restart step, or healing",
			"- at: 5s\n  disk-error: {node: leader, on: sync, files: log}", func() Params { return new(DiskError) },
		},
		{
			KindMisdirectedWrite, "lets a write to the log land elsewhere in its file", "nothing: the member refuses to start, and healing replaces it",
			"- at: 5s\n  misdirected-write: follower", func() Params { return new(MisdirectedWrite) },
		},
		{
			KindBitRot, "flips bits of what a disk holds", "nothing: the member refuses to start, and healing replaces it",
			"- at: 5s\n  bit-rot: {node: follower, files: log, bits: 2}", func() Params { return new(BitRot) },
		},
		{
			KindLostEntry, "takes a file's name out of its directory", "nothing: the member refuses to start, and healing replaces it",
			"- at: 5s\n  lost-entry: {node: follower, files: checkpoint}", func() Params { return new(LostEntry) },
		},
		{
			KindWipe, "kills a node and empties its disk", "restart_after, a restart step, or healing: it comes back as a new member",
			"- at: 5s\n  wipe: {node: follower, restart_after: 2s}", func() Params { return new(Wipe) },
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
