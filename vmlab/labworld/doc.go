// Package labworld runs scenarios on real processes: a lab of a driver's machines
// takes the simulator's place, and the same runner judges what its clients saw and
// what its disks hold.
//
// Each run makes a lab of its own in a temporary directory and leaves nothing, unless
// it did not hold: then consoles and data are kept. Where machines are the host's own
// processes, nodes are controlled (package labcontrol), so that power loss and clocks
// mean what they mean in the simulator; a machine with a kernel of its own loses its
// power, and has its calendar set, for real. Links are the wire's, with the scenario's
// usual delays and tail.
//
// Somebody runs the cluster beside the scenario (operator.go): members join, leave, and
// are replaced when their disks are lost, by the API that users have.
//
// Logs keep all that happened: segments have the size that real nodes' have, whatever
// the scenario says.
//
// A seed decides what clients ask for, whom faults strike and what the wire draws.
// It does not decide the run, as it does in the simulator: the machine takes part.
//
// Where the scenario has units, its users ask members over HTTP, and what units run
// tells when it ran by itself (package work). Why it ended follows from what struck the
// machine, from its lease and from its guard's log; states of units are the cluster's
// word, held against the processes that there are.
//
// What a lab doesn't see it isn't judged by (unseen): who voted for whom, releases, and
// what members hold in memory where they can't be asked. When something was committed is
// known by when it was first seen (date). A machine that lets nothing run for a time, or
// doesn't write, is seen to (pulse): what took too long then proves nothing.
//
// Invariants:
//
//   - The conductor, the observer and all that is written down of faults belong to
//     one goroutine (stage).
//   - Times are those of one clock, the host's, from the instant when the cluster
//     was ready.
//
// Files: world.go (the world), site.go (the lab that a scenario asks for), usual.go (its
// links and disks), run.go (a run), stage.go (its goroutine), clients.go, target.go
// (faults), wait.go (those that lie in wait), operator.go (members), watch.go (who leads),
// look.go (what members say of themselves), gather.go (what machines hold), result.go
// (the evidence), remains.go (what is kept); units.go (machines that run units), users.go (who asks for
// units), unitfaults.go, heard.go (leases and guards), ran.go (a process as a record),
// fleetresult.go (what is known of units in the end).
package labworld
