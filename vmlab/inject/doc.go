// Package inject does to a lab what a fault of the vocabulary says: to machines by
// their driver's ground, to links by the wire, to disks and clocks by the nodes'
// own shells where the lab has them controlled, to the cluster by its own API. Who is a member,
// and what its disk was, is for whoever keeps the machines (Operated).
//
// Invariants:
//
//   - What a lab can't do is refused by the fault's name and what is missing, before
//     anything is done.
//   - An undo changes nothing of a machine that has been switched off or started
//     anew since.
//
// Files: inject.go (machines), links.go, control.go and clock.go (disks and clocks),
// cluster.go (leadership, and calls of the cluster), fleet.go (the scheduler's
// machines and units).
package inject
