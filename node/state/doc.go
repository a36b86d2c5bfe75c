// Package state is the replicated state of a cluster: what every member holds
// alike after applying the same entries.
//
// It owns the keyspace, the fleet, the users, the members, cluster time, the
// revision that orders every command, and one session per member, by which a
// command that was sent or logged twice takes effect once.
//
// An entry of the log holds a Batch: the cluster time that its leader gave it
// and any number of commands, each with the id that its origin drew (member,
// incarnation, sequence). Apply takes a whole entry and is pure: equal states
// and equal entries give equal states, answers and digests.
//
// Invariants:
//
//   - Revision grows by one for each command that takes effect or is refused by
//     the keyspace; it does not move for a repeated one.
//   - Time never goes back.
//   - A session's window is bounded; a command below the window, or of an
//     earlier life of its origin, or of a member that is gone, never takes
//     effect.
//   - The cluster's release never goes down, and no command takes effect that
//     came with a later one. Up to a release, a state has that release's bytes
//     and digests; a program that meets what its own release doesn't know stops.
//   - Digest is equal at equal index, and Load refuses records that do not give
//     the digest they were stored with.
//
// Files: command.go (encoding), session.go (exactly once), apply.go, digest.go,
// persist.go (what a checkpoint holds), member.go, release.go (how something new
// comes in), publish.go, auth.go, fleet.go.
package state
