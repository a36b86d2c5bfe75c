// Package machine runs this host as a machine of the cluster: it hosts an agent
// (package agent, which decides everything), gives it a clock, a runtime for its
// units, a guard for its lease and a connection to a member, and keeps the record by
// which its next life goes on. Every member and every worker runs one.
//
// One goroutine turns the agent. What the agent wants done goes out in the order that
// it asks for: the record is on disk and the guard has the lease before an operation
// begins or a frame leaves. Operations of a unit that load are carried out one after
// another by a second goroutine, all others report their end when it comes.
//
// Invariants:
//
//   - The clock counts the time that the host is suspended, and it is the guard's.
//   - Nothing that needs the lease is started while no guard lives, nor after the time
//     by which the agent wants it begun; the last look is that of the unit's own
//     process (package lease).
//   - What lies in the run directory is of this boot. Two nodes never share one.
//   - Nothing here decides what is to run: a failure is the end of an operation, and
//     the agent's to judge.
//
// Files: machine.go start and end, loop.go the goroutine, ops.go operations, line.go
// the connection to a member, runtime.go what runs units, keep.go the record, facts.go and its companions what the
// host says of itself. Packages below: guard, the process that kills when the lease has
// passed; tether, connections.
package machine
