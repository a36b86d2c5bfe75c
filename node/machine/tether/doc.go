// Package tether connects machines with members: a machine dials a member's peer port
// and asks for an upgrade of the connection, and from then on both sides send frames
// (package link's bytes, which end with a checksum), each behind its length.
//
// The request says who calls, for which cluster, in which versions of the protocol and
// with which token; the member answers 101, or refuses with a status and a sentence.
// A machine proves that it belongs to the cluster as a member does, by its certificate,
// where the peer port demands one; else by the cluster's join token, where there is
// one; where there is neither the peer port is open, and so is this.
//
// Invariants:
//
//   - Send never blocks: a queue is bounded in frames and bytes, and what doesn't fit
//     is dropped, counted, and made up for by package link's repetitions.
//   - A machine has one connection to a member; a newer one takes an older one's place.
//   - At rest a connection costs the member one goroutine, which reads. Who writes comes
//     with a frame and goes with the last one.
//   - A connection on which nothing is heard for Silence is cut by the member. It is the
//     machine's agent that knows when to give a member up.
//   - What a caller says of itself is bounded, and fit for a log.
//
// Files: stream.go a connection from either end, server.go the member's side, dial.go
// the machine's, handshake.go.
package tether
