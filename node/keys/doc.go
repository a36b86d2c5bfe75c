// Package keys is the etcd v2 keyspace as a pure state machine: files and
// directories with times to live, conditional writes, in-order creation, hidden
// keys, an event history and watches. It speaks the dialect of etcd 2.x to 3.4.
//
// A Store changes by Apply alone. Apply takes a Command and a Stamp, both out
// of the replicated log, and looks at nothing else, so members that apply the
// same log hold equal stores: same answers, same indexes, same history, same
// Digest. Get and the watches serve one member's own copy and change nothing
// that is replicated.
//
// Invariants:
//
//   - Index counts successful writes. Each moves it by one: a set, a refresh,
//     the deletion or expiry of a whole directory. A refused write moves nothing.
//   - The history holds the last min(Index, HistoryLimit) events, one for each
//     index, without a gap.
//   - A published *Node or *Event never changes. The tree holds such nodes and
//     replaces them, so an event's PrevNode is what the tree held, not a copy.
//   - A stored path is clean: "/", or components that are neither empty, "."
//     nor "..", each after one slash. Its parent is a stored directory.
//   - Digest is a function of index, tree and history only. It is kept by
//     difference and equals Recompute at every moment.
//
// Where the original has accidents this package decides as a client would
// wish: the root is read-only for compare-and-delete too (107), a compare-and-
// delete of a directory names it in the error, a stream from a past index
// delivers everything since, a history scan shows no hidden keys to a watcher
// above them, and a failed compare-and-delete counts as failed.
//
// Files: command.go (what a write is, and its encoding), event.go (what comes
// of it), store.go (the state and reads), write.go (the rules of writes),
// expire.go (what is due), tree.go (directories), history.go, watch.go,
// digest.go, record.go and load.go (the way to disk and back).
package keys
