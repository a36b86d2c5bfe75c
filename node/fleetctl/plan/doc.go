// Package plan is the solver without a cluster, for people who want to know before
// they start something: drydock fleetctl plan.
//
// A plan file (file.go) is machines and steps. Reading it yields every problem at
// once, each with its place. Running it (run.go) feeds the steps to the scheduler
// that a cluster uses, so that what the plan shows is what a cluster would do.
package plan
