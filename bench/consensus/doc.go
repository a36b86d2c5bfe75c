// Package consensus measures what a node's log costs without HTTP: the commands
// that a cluster of this process commits, and what each takes of CPU, memory,
// network and disk.
//
// There are four kinds of work. "core" is consensus alone: members that one
// goroutine steps in turn, with package wire's frames between them and a log that
// takes no time or is on the disk; a batch is proposed, replicated, committed and
// answered before the next. "apply" is that with the replicated state of every member behind it.
// "write" and "read" are whole members as a daemon runs them, but for its HTTP
// faces: package host around the node, log and checkpoint in memory or on the
// disk, links inside of the process or TCP; proposers ask the leader, each one
// thing after another (closed loop), for a write or for a linearizable read.
//
// How a figure is taken. Rounds come one after another, and within a round the
// cases in random order, so that what the machine does besides falls on all of
// them; a row is the median over its rounds with the least and the most beside
// it. The start of a round is thrown away. CPU is that of this process: all
// members and all proposers. Allocations likewise. Frames are those that members
// hand to the network, syncs those of their logs. Latency runs from a proposer's
// question to its answer and is of a closed loop: it says how long a proposer
// waits at that depth, not what an open world would see.
//
// What would falsify a figure, and is refused: an answer that is not done, a
// member whose state is not the leader's at the end of a case, fewer log syncs
// on the disk than a majority of one command needs, a batch that was not
// committed whole.
//
// Failover is measured on the same clusters: the leader's links are cut and it is
// stopped at a random moment, and the time runs until a write is acknowledged by
// one of the others.
//
// Files: case.go (what is measured and what came of it), run.go (rounds), core.go and
// corelog.go (one goroutine), cluster.go, link.go and memory.go (whole members), load.go
// (proposers), failover.go, meter.go (what the process has used), peer.go (another
// library's program, for comparison).
package consensus
