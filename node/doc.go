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
// The journey of a client's write, one function per arrow:
//
//	api.Decode → Node.Step → Node.request → consensus.Core.Propose → Core.flush →
//	  Core.Ready → Node.persist → wal.Log.Append, Sync (a job) → Node.jobDone →
//	  Core.Persisted → Core.Ready → Node.apply → state.State.Apply → keys.Store.Apply →
//	  Node.answer → api.Encode
//
// Invariants:
//
//   - An answer says done only for a command that is applied here, and an entry
//     is applied only when a majority, this member included, holds it on stable
//     storage.
//   - Every input is bounded: frames by size, calls by number and time, watches
//     by number; what exceeds a bound is refused, never queued.
//   - A failed write or sync of the log stops the node: what the disk holds is
//     no longer known.
//   - A replica that finds its digest different from its leader's stops.
//
// Files: config.go, input.go, effect.go, boot.go (from disk to Node), reactor.go
// (Step), request.go (clients), persist.go (log), apply.go, checkpoint.go,
// snapshot.go (streams), watch.go, respond.go, time.go (cluster time), store.go (what the
// checkpoint store must offer).
package node
