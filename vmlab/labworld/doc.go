// Package labworld runs scenarios on real processes: a lab of a driver's machines
// takes the simulator's place, and the same runner judges what its clients saw and
// what its disks hold.
//
// Each run makes a lab of its own in a temporary directory and leaves nothing. Nodes
// are controlled (package labcontrol), so that power loss and clocks mean what they
// mean in the simulator. Links are the wire's, with the scenario's usual delays.
//
// A seed decides what clients ask for, whom faults strike and what the wire draws.
// It does not decide the run, as it does in the simulator: the machine takes part.
//
// Where the scenario has units, its users ask members over HTTP, and what units run
// tells when it ran by itself (package work). Why it ended follows from what struck the
// machine, from its lease and from its guard's log; states of units are the cluster's
// word, held against the processes that there are.
//
// What a lab doesn't see it isn't judged by (unseen): who voted for whom, and what
// a member holds in memory.
//
// Invariants:
//
//   - The conductor, the observer and all that is written down of faults belong to
//     one goroutine (stage).
//   - Times are those of one clock, the host's, from the instant when the cluster
//     was ready.
//
// Files: world.go (the world), site.go (the lab that a scenario asks for), run.go (a
// run), stage.go (its goroutine), target.go (faults), watch.go (who leads),
// result.go (the evidence); units.go (machines that run units), users.go (who asks for
// units), unitfaults.go, heard.go (leases and guards), ran.go (a process as a record),
// fleetresult.go (what is known of units in the end).
package labworld
