// Package scheduler measures the solver that places units on machines: how many it
// places a second of CPU time, how long one decision takes, and what a unit costs in
// memory, at several sizes and for units that ask for different things; and how well
// it packs a real cluster's tasks.
//
// A round builds a cluster, fills it from empty (fill), changes one unit at a time
// in the full cluster (change), and takes machines away (loss). In each run the
// scheduler is held against the slow reference solver (node/scheduler/reference)
// through the same three phases on a sample: a cluster of the same shape, small
// enough for that. If one unit is elsewhere, nothing is printed but that.
//
// What would falsify a figure: work that is put off until after the clock is
// stopped. Solve returns when nothing is left to decide, the garbage collector's
// time is counted (CPU time is the process's), and every unit is looked up at the
// end of a phase.
//
// The replay puts the tasks of a cluster's trace on its machines in the order of
// their arrival, by the scheduler (least-loaded, spread) and by policies of this
// package (best-fit, and both others again, as a check on the scheduler), and tells
// how much of what was asked for found a place, and how badly the rest is in pieces.
//
// Files: shape.go the kinds of units, round.go and run.go the measurement,
// check.go the comparison with the reference, trace.go and invent.go traces, read
// and made, cluster.go machines with their devices, policy.go who chooses a machine,
// replay.go the replay.
package scheduler
