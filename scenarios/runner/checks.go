package runner

import (
	"drydock/scenarios/checker"
	"drydock/scenarios/checker/cluster"
	"drydock/scenarios/checker/linear"
	"drydock/scenarios/scenario"
)

// check is one expectation's checkers at work on the evidence.
type check func(e *evidence, x scenario.Expectation) []checker.Verdict

// checks are the checkers of the expectations that need one.
var checks = map[string]check{
	scenario.ExpectLinearizable: func(e *evidence, _ scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{
			linear.Check(e.ops, linear.Options{Model: linear.KV}),
			linear.Stale(e.ops, linear.StaleOptions{Monotone: true, Restarts: e.Restarts}),
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
		})}
	},
	scenario.ExpectLeader: func(e *evidence, x scenario.Expectation) []checker.Verdict {
		return []checker.Verdict{cluster.CheckAvailable(e.Led, e.Faults, e.ops, cluster.AvailableOptions{
			Within: x.Within, End: e.Simulated,
		})}
	},
}

// unknown is the verdict of a check that has nothing to go by.
func unknown(why string) []checker.Verdict {
	return []checker.Verdict{{Status: checker.Unknown, Summary: why}}
}
