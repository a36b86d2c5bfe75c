// Package world is the seam between a node and everything that is not
// computation: clock, peers, disk, clients, randomness.
//
// A node never touches the world by itself. It is handed an Instant and inputs
// (package node), and returns effects; the world carries those out through the
// interfaces declared here and hands their completions back as inputs. The
// simulator and the production daemon implement the same interfaces, which is
// why what is proven in the one holds in the other.
//
// Invariants:
//
//   - The package holds interfaces and plain values, no behaviour of the domain.
//   - Peers are best effort: a frame may be lost, repeated, delayed or
//     overtaken, never altered unnoticed (frames carry a checksum).
//   - Jobs of one disk lane run in the order of their submission; lanes don't
//     wait for one another.
//   - A job is complete when Run and then Sync have returned; only then may
//     anything be told to anybody that depends on it.
package world
