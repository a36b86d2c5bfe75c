package runner

import (
	"time"

	"drydock/scenarios/checker"
	"drydock/scenarios/checker/cluster"
	"drydock/scenarios/checker/fleet"
	"drydock/scenarios/checker/keyspace"
	"drydock/scenarios/checker/linear"
	"drydock/scenarios/scenario"
)

// check is one expectation's checkers at work on the evidence.
type check func(e *evidence, x scenario.Expectation) []checker.Verdict

// checks are the checkers of the expectations that need one.
var checks = map[string]check{
	scenario.ExpectOnce: onFleet(func(e *evidence, _ scenario.Expectation) checker.Verdict {
		return fleet.CheckOnce(e.Fleet, e.spec.Scenario.Cluster.Knobs.KeepRunning)
	}),
	scenario.ExpectApart: onFleet(func(e *evidence, _ scenario.Expectation) checker.Verdict {
		return fleet.CheckApart(e.Fleet)
	}),
	scenario.ExpectPlaced: onFleet(func(e *evidence, _ scenario.Expectation) checker.Verdict {
		return fleet.CheckPlaced(e.Fleet)
	}),
	scenario.ExpectCapacity: onFleet(func(e *evidence, _ scenario.Expectation) checker.Verdict {
		return fleet.CheckCapacity(e.Fleet)
	}),
	scenario.ExpectCauses: onFleet(func(e *evidence, _ scenario.Expectation) checker.Verdict {
		return fleet.CheckCauses(e.Fleet)
	}),
	scenario.ExpectRunning: onFleet(func(e *evidence, x scenario.Expectation) checker.Verdict {
		return fleet.CheckRunning(e.Fleet, fleet.RunningOptions{Healed: e.healed(), End: e.Simulated, Within: x.Within})
	}),
	scenario.ExpectUp: onFleet(func(e *evidence, x scenario.Expectation) checker.Verdict {
		return fleet.CheckUp(e.Fleet, fleet.RunningOptions{End: e.Simulated, Within: x.Within})
	}),
	scenario.ExpectStates: onFleet(func(e *evidence, _ scenario.Expectation) checker.Verdict {
		if e.early() {
			return unknown("the run ended early")[0]
		}
		return fleet.CheckStates(e.Fleet, e.Simulated)
	}),
	scenario.ExpectHeard: onFleet(func(e *evidence, _ scenario.Expectation) checker.Verdict {
		return fleet.CheckHeard(e.Fleet)
	}),
	scenario.ExpectRest: onFleet(func(e *evidence, _ scenario.Expectation) checker.Verdict {
		return fleet.CheckRest(e.Fleet, e.Applied, e.Simulated)
	}),
	scenario.ExpectLinearizable: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{
			linear.Check(e.all, linear.Options{Model: linear.KV}),
			linear.Stale(e.all, linear.StaleOptions{Monotone: true, Restarts: e.Restarts}),
		}
	},
	scenario.ExpectAcked: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		if !e.truth {
			return unknown("the disks hold no command to compare with")
		}
		return []checker.Verdict{cluster.CheckAcked(e.ops, e.Truth)}
	},
	scenario.ExpectOneLeader: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{cluster.CheckLeaders(e.Led, e.Votes, e.Said)}
	},
	scenario.ExpectDigests: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{cluster.CheckDigests(e.Digests)}
	},
	scenario.ExpectLogs: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{cluster.CheckLogs(e.Entries)}
	},
	scenario.ExpectLive: func(e *evidence, x scenario.Expectation) []checker.Verdict {
		if e.HealedAt == 0 {
			return unknown("the run ended before it was healed")
		}
		return []checker.Verdict{cluster.CheckLive(e.ops, e.Applied, cluster.LiveOptions{
			Healed: e.HealedAt, End: e.Simulated, Within: x.Within,
			Running: e.Running, Restarts: e.Restarts, FinalCommit: e.FinalCommit,
			Spread: e.spread(),
		})}
	},
	scenario.ExpectLeader: func(e *evidence, x scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{cluster.CheckAvailable(e.Led, e.Faults, e.ops, cluster.AvailableOptions{
			Within: x.Within, End: e.Simulated,
		})}
	},
	scenario.ExpectIndexes: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{keyspace.CheckIndexes(e.ops)}
	},
	scenario.ExpectQuorums: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{cluster.CheckMembership(cluster.MembershipRecords{
			Configurations: e.Configurations, Led: e.Led, Votes: e.Votes, Acks: e.Acks, Announced: e.Announced,
			Believed: e.Believed, Applied: e.Applied, Restarts: e.Restarts,
		})}
	},
	scenario.ExpectBounded: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{cluster.CheckBounds(e.Sizes, limitsOf(e.spec.Scenario))}
	},
	scenario.ExpectWatches: func(e *evidence, x scenario.Expectation) []checker.Verdict {
		if !e.truth {
			return unknown("the disks hold no command to compare with")
		}
		opt := keyspace.WatchOptions{Within: x.Within, Lag: watchLag + e.Stall, Healed: e.HealedAt, End: e.Simulated}
		if e.early() {
			opt.End = 0
		}
		return []checker.Verdict{keyspace.CheckWatches(e.replay, e.Watches, opt)}
	},
	scenario.ExpectLifetimes: func(e *evidence, x scenario.Expectation) []checker.Verdict {
		if !e.truth {
			return unknown("the disks hold no command to compare with")
		}
		return []checker.Verdict{keyspace.CheckLifetimes(e.replay, e.ops, keyspace.LifetimeOptions{
			Clock: e.clock, Within: x.Within, Lag: expiryLag + e.Stall, Healed: e.healed(), End: e.Simulated,
		})}
	},
	scenario.ExpectLocks: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		if !e.truth {
			return unknown("the disks hold no command to compare with")
		}
		return []checker.Verdict{keyspace.CheckLocks(e.replay, e.Holds, keyspace.LockOptions{Clock: e.clock, End: e.Simulated})}
	},
	scenario.ExpectRot: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{cluster.CheckRot(e.Rotten, e.Noticed, e.Restarts, e.Simulated)}
	},
	scenario.ExpectReleases: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		if !e.truth {
			return unknown("the disks hold no command to compare with")
		}
		return []checker.Verdict{cluster.CheckReleases(e.releases())}
	},
	scenario.ExpectUpgraded: func(e *evidence, x scenario.Expectation) []checker.Verdict {
		if !e.truth || e.HealedAt == 0 {
			return unknown("the run ended before it was healed")
		}
		return []checker.Verdict{cluster.CheckUpgraded(e.releases(), cluster.UpgradedOptions{
			Within: x.Within, Healed: e.HealedAt, End: e.Simulated,
		})}
	},
	scenario.ExpectOutage: func(e *evidence, x scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{cluster.CheckOutage(e.Faults, e.ops, cluster.OutageOptions{
			Within: x.Within, Restarts: e.Restarts, End: e.Simulated,
		})}
	},
}

// onFleet is a check of what machines ran; without any it has nothing to go by.
func onFleet(judge func(e *evidence, x scenario.Expectation) checker.Verdict) check {
	return func(e *evidence, x scenario.Expectation) []checker.Verdict {
		if e.Fleet == nil {
			return unknown("no machine runs units here")
		}
		return []checker.Verdict{judge(e, x)}
	}
}

func (e *evidence) releases() cluster.ReleaseRecords {
	return cluster.ReleaseRecords{
		Truth: e.Truth, Configurations: e.Configurations, Lives: e.Lives,
		Outdated: e.Outdated, Raises: e.Raises, Applied: e.Applied,
	}
}

// expiryLag is how late a key may go while nothing is wrong.
const expiryLag = time.Second

// watchLag is how far an open watch may be behind when the run ends.
const watchLag = time.Second

// limitsOf are the bounds of what a member may hold in a run: some times what
// its load and settings need at any one time, so that what grows by the run's
// length is above them soon.
func limitsOf(s *scenario.Scenario) cluster.Limits {
	l, k := s.Load, s.Cluster.Knobs
	clients := l.KV.Clients + l.TTL.Clients + l.Lock.Clients + l.Watch.Clients
	entries := 4*uint64(k.CheckpointEvery+k.CatchUpEntries) + 500
	return cluster.Limits{
		Inbox: inboxMax, Calls: 4*clients + 16, Watches: 2*l.Watch.Clients + 8, Jobs: 64,
		Proposals: 16*clients + 64, Reads: 4*clients + 16, Entries: entries,
		Log:  16*int64(k.SegmentBytes) + int64(entries)*int64(512+2*l.KV.ValueBytes),
		Disk: diskMax,
	}
}

// The simulator's sockets hold that many frames for a process that does not
// read them, and clients' requests besides.
const inboxMax = 5000

// diskMax bounds a member's files, snapshots included.
const diskMax = 256 << 20

// healed is when the last fault was undone: at once, if there was none, and at
// the end, if the run ended before.
func (e *evidence) healed() time.Duration {
	switch {
	case len(e.Faults) == 0:
		return 0
	case e.HealedAt == 0:
		return e.Simulated
	}
	return e.HealedAt
}

// unknown is the verdict of a check that has nothing to go by.
func unknown(why string) []checker.Verdict {
	return []checker.Verdict{{Status: checker.Unknown, Summary: why}}
}

// spread is how long what is committed may take to reach all members when nothing
// is broken: a second, and twice what a link and a disk may take at their slowest,
// since a leader may be lost to them once on the way.
func (e *evidence) spread() time.Duration {
	net, disk := e.spec.Scenario.Network, e.spec.Scenario.Disk
	d := time.Second
	if net.Tail > 0 {
		d += 2 * net.TailLatency
	}
	if disk.Tail > 0 {
		d += 2 * disk.TailLatency
	}
	return d
}
