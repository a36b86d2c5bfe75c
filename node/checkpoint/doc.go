// Package checkpoint keeps a member's replicated state in a bbolt file and
// carries it from member to member in snapshot files. It is the work of disk
// jobs, not of the core: bbolt blocks and wants a file of the operating system,
// which the world.FS lends through Host.
//
// The state is a set of records, keys in named buckets. Write applies what
// changed since the last checkpoint and the description (Meta) in one
// transaction, so the file is always the state at exactly one log index. The
// first checkpoint and an imported one are made under another name and renamed
// when they are durable.
//
// bbolt's data pages carry no checksums. The digest of the state is therefore
// stored in the transaction, and whoever loads the records recomputes and
// compares it; Load itself turns whatever bbolt trips over into ErrCorrupt, and
// checks beforehand that the pages form a tree, on which bbolt relies to end.
//
// A snapshot file is the same content as one stream: magic, then frames of
// length, CRC-32C and payload. The first frame is the description, then come
// records in strictly ascending order, and the last frame holds their number
// and the SHA-256 of everything before it. Order and framing are functions of
// the content, so equal states export to equal bytes.
//
// Invariants:
//
//   - A crash at any point leaves the old checkpoint or the new one.
//   - The index never goes back.
//   - A snapshot file without ".tmp" in its name is complete, durable and
//     verified.
//   - Every length read from a file is bounded before it is used.
//
// checkpoint.go has the types and Write and Load, order.go the order in which records are
// put, bolt.go and survey.go
// the sessions with bbolt, format.go the bytes of snapshot files, snapshot.go Export, Verify and
// Import, chunk.go the transfer in pieces, stream.go a state apart from any file
// system, store.go what package node calls.
package checkpoint
