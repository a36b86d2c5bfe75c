// Package consensus is everything around Raft that makes it a node's log.
//
// Raft itself is go.etcd.io/raft/v3's RawNode, a pure state machine run with
// asynchronous storage writes. This package packs many commands into one entry,
// bounds how many batches are being written at once, forwards commands to the
// leader under the ids of their origin, batches linearizable reads into
// ReadIndex rounds, drives membership through learners and joint
// configurations, streams snapshots with a window, and ends every operation
// done, refused or unknown.
//
// The journey of a command, one function per arrow:
//
//	Core.Propose; Core.Ready → Core.flush → Core.proposeBatch → RawNode.Propose;
//	Core.pump → Core.take → Core.route (Output.Appends);
//	  [the node writes and syncs it] Core.Persisted → Core.finish → Core.respond;
//	Core.pump → Core.take → Core.route (Output.Committed);
//	  [the node applies it] Core.Settle, Core.Applied
//
// Invariants:
//
//   - A response that raft makes to an append is released by Persisted only,
//     that is after the batch is on stable storage.
//   - An entry holds no more, and nothing larger, than replicas read: that is
//     checked before it is proposed, since afterwards every replica would stop.
//   - At most Config.MaxAppends batches are unfinished (a snapshot may be one
//     more); while there are that many, Ready gives nothing of raft's, so a member whose disk hangs falls silent and
//     the others elect another leader.
//   - What is kept back for the next batch tells only what is committed: an append
//     without entries for a millisecond, a hard state without a new term or vote until
//     something is written. Both are given up by nobody: see Due and Finish.
//   - Refused is said only of a command that was handed to nobody.
//   - The package reads no clock: time comes with Tick.
//
// Files: core.go (configuration and start), propose.go, pace.go (when a batch
// begins), late.go (what is kept for the next batch), forward.go, ready.go,
// readindex.go, member.go, snapshot.go (flow control), outcome.go.
package consensus
