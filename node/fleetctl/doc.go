// Package fleetctl is the client of a cluster's units. So far it has one command:
// plan, which needs no cluster.
//
// A plan file (file.go) is machines and steps. Reading it yields every problem at
// once, each with its place. Running it (run.go) feeds the steps to the scheduler
// that a cluster uses, so that what the plan shows is what a cluster would do.
package fleetctl
