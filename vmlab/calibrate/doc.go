// Package calibrate measures what the simulator assumes, and whether what it predicts
// comes true.
//
// Measure makes a lab, measures its links, disks and starts, and makes a profile of
// them. Compare runs one scenario in the simulator under a profile and in labs, and
// sets the distributions of what clients lived through side by side: how long nobody's
// write was acknowledged after a leader was gone, how long it took until another led,
// how long units of a machine that died were nowhere.
//
// Invariants:
//
//   - Both worlds are measured by the same function over the same records, of what
//     clients and machines saw; nothing is a node's own word but who leads.
//   - A trial that another fault disturbed is none, and one under pressure is counted
//     apart: others had the CPUs for some of its time, and a timer that is late is not
//     the lab's.
//   - A parameter of the prediction is something that was measured by itself, never
//     fitted to what is predicted.
//
// Files: measure.go the lab and its profile, errand.go probes on machines, trial.go
// what a run has to tell, compare.go the two worlds, stats.go numbers, pressure.go the
// CPUs, text.go, page.go with page.html what is shown.
package calibrate
