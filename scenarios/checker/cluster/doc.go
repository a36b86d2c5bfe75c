// Package cluster judges what the members of a cluster did, from what a referee
// saw on the wire and on the disks, and what clients were answered.
//
// Checks:
//
//   - Acked: every acknowledged write is on the disks exactly once, at the
//     revision that the client was told; no refused one is.
//   - Leaders: at most one leader in a term, one vote of a member in a term,
//     and no member's term goes back, over restarts too.
//   - Digests: members that applied the same index have the same state, over
//     their lives too.
//   - Logs: committed entries are the same on all disks.
//   - Live: after healing, every client gets an answer and every member
//     catches up in time.
//   - Membership: quorums of consecutive configurations intersect, members go by
//     the configuration of the disks, and leaders have the votes, commits the
//     acknowledgements, of a quorum of it; learners and removed members count
//     for nothing.
//   - Outage: clients have answers again soon after a fault that comes alone.
//   - Bounds: queues and files stay within limits.
//   - Rot: what changed on a disk is noticed by a member that starts from it.
//   - Releases: nothing is logged before the cluster's release has it, which is
//     raised by the word of every member; who is too old stops, and nobody else.
//   - Upgraded: once all members speak the newest release, the cluster follows.
//   - Available: after every fault that takes the leader there is one again.
//
// Leaders and Digests are types that take one observation at a time and answer
// with the first violation, so that a run can stop there; CheckLeaders and
// CheckDigests feed them whole records.
//
// Invariant: none of the checks believes a member's word about another, and
// none knows why a member did something.
package cluster
