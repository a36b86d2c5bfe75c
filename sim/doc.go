// Package sim is the simulated world: a cluster of real nodes, their disks,
// network and clients on one virtual clock, decided by one seed.
//
// Everything runs in one goroutine. The event queue orders what happens; each
// link, disk, client and node draws from a stream of randomness of its own,
// named after it, so that a new draw in one place moves nothing elsewhere. The
// nodes are package node's, booted from their disks by package node's own
// recovery, and every message between them is encoded and decoded.
//
// Machines that run units are simulated, too: the agent and the supervisor's rules
// are production's, processes are made up (package units), and a guard ends what
// the lease doesn't cover, whatever the agent does. Users' wishes go through the
// API's own decoder.
//
// The world also is the referee: it writes down what crosses the wire, what
// members apply, what disks hold and what clients see, as plain records of
// package history, for checkers that know nothing of the node.
//
// Invariants:
//
//   - The trace hash covers every event with its bytes; one seed and one
//     configuration give one hash, on every machine.
//   - Raft draws from the process-wide crypto/rand.Reader; the world replaces it
//     around each step by the stream of the node that steps. Two worlds must not
//     run at the same time in one process.
//   - No fault destroys the only copy of a committed entry, unless the plan says
//     so: what a disk holds is struck only while a majority of the other voters
//     has it. Damage is of a kind that recovery can tell from a torn write.
//   - A node that stops because of an injected fault, and says so, did right; it
//     comes back on the disk it left or, if that is damaged, as a new member.
//     Any other end of a node breaks the run.
//   - A run owns its memory files and gives them back, whatever happens.
//
// Files: config.go, world.go (the run), machine.go (a node and its life),
// lanes.go (disk time), measured.go (times of a lab), net.go (links), front.go (HTTP face without sockets),
// loads.go, client.go with ops.go, ttl.go and lock.go (what clients do),
// watcher.go (clients that watch), operator.go and replace.go (membership),
// fleet.go (machines that run units), box.go, boxwork.go and boxnet.go (one of them,
// its guard, its connection), fleetnode.go (members' side), users.go (who wishes
// for units), fleetref.go (what machines really ran), boxstrike.go (their faults),
// target.go, strike.go, clock.go, failpoint.go and damage.go (faults), atlas.go
// (what faults may destroy), referee.go and observe.go (observations),
// release.go (members of several releases), record.go (for people), audit.go and truth.go (truth from disks), trace.go,
// teller.go, result.go.
package sim
