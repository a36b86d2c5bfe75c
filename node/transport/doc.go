// Package transport carries frames between members over TCP, with or without
// TLS. It implements world.Peers.
//
// A member dials every other one and sends; what it receives comes over the
// connections that the others dialled. A connection begins as an HTTP request
// for Path with an Upgrade, so that the peer port serves ordinary HTTP as well.
// The request says who calls, whom, for which cluster and in which versions of
// the protocol; who is called either refuses, with a status and a sentence that
// says why, or answers 101, and from then on records flow:
//
//	kind u8 | length u32 | payload
//
// The caller sends frames (package wire's bytes, which carry their own
// checksums) and pings, the other answers pings. A frame that is larger than a
// part (128 KiB) travels in parts.
//
// There are two streams to each member, each a connection of its own: one for
// messages, which is always there, and one for pieces of snapshots, which comes
// when there are any and goes when there are none. The second is paced: it has a
// bound on its rate and gives way while messages wait.
//
// The stream of messages has two lanes. What is small and urgent (heartbeats,
// votes, answers: everything but log entries and forwarded commands) overtakes
// the bulk, between two parts of a frame if need be, so that a heartbeat never
// waits for megabytes of entries. Raft takes messages in any order; an append
// never overtakes another, since that would have it refused.
//
// Invariants:
//
//   - Send never blocks: it writes what a socket takes at once, and leaves the rest to
//     the stream's goroutine. Every queue is bounded in frames and bytes. A full bulk
//     lane drops the newest, so that what is queued stays without gaps and is of
//     use to the receiver; a full urgent lane drops the oldest, which the newer
//     ones supersede. While a member can't be reached its frames are dropped at
//     once. All that is dropped is counted.
//   - A connection on which nothing has been heard for Options.Stall is cut and
//     dialled anew: at once, then after 50 ms doubling up to 1 s, with jitter.
//   - At most one connection of each stream comes in from a member; a newer one
//     takes the older one's place, by the caller's own count of its attempts.
//   - A member that calls from another life of its process than was known is dialled
//     anew at once: the network may have swallowed the end of the former.
//   - Deliver is called only with whole frames whose checksum holds, that name
//     this cluster and this member, and that come from whom the connection does.
//   - A member's coming and going is logged once each, and so is a refusal.
//
// A caller that isn't in the address book, but of this cluster, is let in as a
// guest and answered at the addresses that it gives: a member that has missed
// changes of membership may not know the leader that will tell it of them. One
// that is known to be removed is refused.
//
// Files: transport.go (address book, sending, end), peer.go and stream.go (a
// member and a stream to it), link.go (a connection that goes out), direct.go (who
// sends writes, where it needn't wait), dial.go,
// accept.go and handshake.go (how a connection comes to be), record.go (what flows
// over it), envelope.go (what is read of a frame), queue.go, pace.go, stats.go,
// server.go (the HTTP server of a peer port), socket.go.
package transport
