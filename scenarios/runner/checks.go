package runner

import (
	"drydock/scenarios/checker"
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
}
