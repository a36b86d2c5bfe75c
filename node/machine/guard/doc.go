// Package guard is the process that ends a machine's units when its lease passes,
// whatever has become of the node: killed with its whole group, stopped, or stuck.
//
// A guard is this program under another name, in a session of its own and nobody's
// child. It shares a directory with the node, one that a reboot empties:
//
//	lease         until when units may run (package lease), mapped by both
//	globals.json  units that need no lease
//	setup.json    how units run here
//	units/        the supervisor's records, by which their processes are found
//	guard.lock    held by the guard, guard.alive open while it lives
//	node.lock     held by the node, node.alive open while it lives
//	guard.log     what it has done
//
// The node renews the lease by one atomic store for each beat that was acknowledged;
// the guard reads it when the time it knew of comes, and asks nobody. When it has
// passed it says so in the lease, so that the node, if it still lives, can't renew it
// any more, and kills until the node, knowing that nothing is left, begins another.
//
// One guard's end is made good by the node, within a second; what was started goes on
// meanwhile, and the agent ends it in time. Who kills both, and none of the units, has
// nobody left who would.
//
// Invariants:
//
//   - A guard needs nothing of the node but what lies in the directory: a next life of
//     either finds the other and goes on.
//   - There is one guard to a directory, and one node.
//   - The node starts nothing that needs a lease while no guard lives (Keeper.Alive).
//   - A guard ends when the node is gone and nothing may run that it has to end. Asked
//     to end by the system (SIGTERM), it doesn't wait for the lease of a node that is
//     gone, but kills at once.
//
// Files: guard.go (the process), runtimes.go (how it kills), keeper.go (the node's side),
// files.go.
package guard
