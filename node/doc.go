// Package node is a cluster node as one logical thread: the reactor.
//
// A Node receives inputs (peer frames, client calls, ticks, completions of disk
// jobs), updates its state machines and returns effects (frames to send, jobs
// to run, answers, a timer). It has no goroutine, clock, socket, file or random
// source of its own; production and the simulator drive the same Step.
//
//	            inputs                                effects
//	frames, calls, ticks ──► Step ──► consensus ──► frames, jobs, answers, timer
//	job completions                     │  ▲
//	                                    ▼  │
//	                         state (keys, members, sessions)
//
// The journey of a client's write, one function per arrow. A plain arrow is a
// call; a dotted one hands the write over through what stands on it:
//
//	api.Decode ⇢ (the host makes a Request of it) Node.Step → Node.handle →
//	  Node.request → Core.Propose ⇢ (the queue of proposals)
//	Node.turn → Core.Ready → Core.flush → Core.proposeBatch → Core.pump →
//	  Core.take → Core.route ⇢ (Output.Appends and Messages)
//	Node.turn → Node.persist → Node.submit ⇢ (a job: wal.Log.Append, Log.Sync)
//	Node.jobDone ⇢ (the job's callback) Core.Persisted → Core.finish →
//	  Core.respond ⇢ (raft counts who holds it, and commits it)
//	Node.turn → Core.Ready → Core.pump → Core.take → Core.route ⇢
//	  (Output.Committed)
//	Node.turn → Node.apply → Node.applyBatch → State.Apply →
//	  State.applyCommand → State.applyKeys → Store.Apply ⇢ (the results)
//	Node.applyBatch → Node.answer → Core.Settle ⇢ (Effects.Answers)
//	Answer.Response → Answer.Reply ⇢ (headers and body, or bytes) Reply.Append
//
// Where this member does not lead, Core.flush → Core.forward ⇢ (a frame), and at
// the leader Node.receive → Core.ReceiveForward ⇢ (what came in waits there for
// Core.proposeBatch); the answer comes by the log.
//
// Invariants:
//
//   - An answer says done only for a command that is applied here, and an entry
//     is applied only when a majority, this member included, holds it on stable
//     storage.
//   - Every input is bounded: frames by size, calls by number, bytes and time,
//     watches by number; what exceeds a bound is refused, never queued.
//   - A step applies a bounded amount of the log and leaves the rest to the next.
//     Three things cost by size all the same: a read, by its answer; the
//     beginning of a checkpoint, by what changed since the last; and the
//     installing of a snapshot, whose state is in memory twice for a while.
//   - A failed write or sync of the log stops the node: what the disk holds is
//     no longer known.
//   - A data directory that lacks what its log says was durable is refused.
//   - A replica that finds its digest different from its leader's stops.
//
// Files: config.go, input.go, effect.go, boot.go (from disk to Node), reactor.go
// (Step), request.go (clients), persist.go (log), apply.go, checkpoint.go,
// snapshot.go and receive.go (streams that go out and come in), watch.go,
// fleet.go and fleetask.go (machines and units: what goes to package control and
// comes from it), respond.go, time.go (cluster time), release.go (how the cluster's release is
// raised), publish.go (what a node proposes by itself), users.go, store.go (what
// the checkpoint store must offer).
package node
