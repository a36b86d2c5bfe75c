// Package keyspace judges what a keyspace promises beyond single operations:
// watches, times to live, locks and indexes, by the commands that the disks of
// a run hold as committed.
//
// Replay carries those commands out on a model of its own, written from the
// etcd v2 API's description, and so knows every event that there was. The
// checks compare what clients saw with it:
//
//   - Watches: a session sees the events of its path from its index on, in
//     order, each once, none missing and none made up, no later event without
//     those before; a refusal for want of history only when the history really
//     is gone; at the end of the run, a session that is open has seen all.
//   - Lifetimes: no key expires before its time to live is over, none stays
//     much longer once the cluster works, and no answer shows a time to live
//     that it can't have.
//   - Locks: every hold is the one that the store granted, holds of one lock
//     never overlap, and later holds have higher fences.
//   - Indexes: what a client is answered by a majority never goes back.
//
// Two things are as in etcd v2 and no violations. A live stream of the very key
// that is removed gets that event twice (etcd 3.4.37 does; it was recorded).
// And events older than the last 1000 are gone: that many are promised.
//
// Invariants:
//
//   - The model shares no code with the node, and no knowledge but the commands.
//   - Indexes, Holders and InOrder take one observation at a time, so that a run
//     can stop at the first violation.
package keyspace
