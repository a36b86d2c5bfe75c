// Package fabric decides what becomes of Ethernet frames: a switch that learns
// addresses, and rules about its links that delay, drop, duplicate, reorder,
// throttle, corrupt and cut.
//
// It is a machine without a thread: ports, frames and instants go in, frames go
// out. Package wire turns it, with sockets and a clock.
//
// A frame takes these steps, in this order:
//
//  1. It comes in at a port. Frames that are too short or too long, that claim
//     to come from a group, or that bridges keep to themselves (01:80:c2:00:00:0x)
//     go no further.
//  2. The source's address is learned. An address that belongs to another port,
//     pinned or heard there within Config.Hold, makes it a stray: it went around
//     a loop, or somebody borrows an address. Strays are dropped.
//  3. It goes to the port of the destination's address, or, if that is a group or
//     not known, to all others; never back to where it came from. From here on
//     each copy is judged by its own pair of ports.
//  4. Cuts and losses drop it; rates have it wait for its turn, or drop it;
//     delays are added up; a copy may follow; a bit may turn.
//  5. It is delivered when its time has come, unless the link is cut by then.
//
// Loss, duplicates, delays and reordering are decided by package sim/impair, as
// the simulator's are, from the stream "net/FROM-TO" of the seed.
//
// Invariants:
//
//   - Same seed, same calls: same frames at the same instants, same counters.
//   - Every frame that goes from one port to another is counted once as what it
//     came to: Counts says how they add up.
//   - Rules add up, and the end of one leaves the others as they were. A rule
//     about a machine holds for the ports that it gets later, too.
//   - What waits is bounded by port, in frames and bytes; the rest is dropped and
//     counted. Frames that pass at once are not copied, those that wait are.
//
// Files: fabric.go (ports, what comes in), table.go (addresses), line.go (one
// direction of a link), rule.go (what a rule says), apply.go (rules at work),
// fault.go (the vocabulary of faults as rules), report.go.
package fabric
